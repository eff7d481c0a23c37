"""Degrades clean images as printing, scanning, faxing and photographing do: gray uint8, dark text on a light ground.

Amounts are in pixels at about 200 dpi. About a third of the outputs stay clean. Noise is a random cut of a field that
is made once per process: drawing normal deviates for each image would cost more than everything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator


class Look(StrEnum):
    """Kinds of documents with their own degradations."""

    BOOK = "book"  # old, in letterpress
    RECEIPT = "receipt"
    TYPED = "typed"  # by a typewriter or line printer


_FIELD_PX = 1024
_MIN_TEXT_PX = 13  # text in fewer rows can't be read, so resolution isn't lowered further


def degrade_word(image: np.ndarray, rng: Generator, look: Look | None = None) -> np.ndarray:
    """Degrades a word crop, uint8 (H, W), in any way or as ``look`` requires; returns a copy of the same shape."""
    scale = min(1.2, max(0.45, image.shape[0] / 36))
    if rng.random() < 0.2:
        image = _tilt(image, rng)
    if rng.random() < 0.03:
        image = 255 - image
    return _draw_kind(rng, _LOOKS[look] if look else _KINDS)(image, rng, scale)


def degrade_page(image: np.ndarray, quads: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Degrades a page and moves its quads with it.

    Args:
        image: uint8 (H, W).
        quads: float32 (N, 4, 2), in pixels from the outer edge of the image, so that pixel centers are at halves.
        rng: the source of every random choice.

    Returns:
        A copy of the image, uint8 (H', W'), which is larger if the page was turned by more than 3 degrees; and the
        quads, float32 (N, 4, 2).
    """
    kind = _draw_kind(rng, _KINDS)
    if kind is _dot_matrix:  # its dots depend on the size of the letters, which varies on a page
        kind = _faint
    if kind is _coarse_fax:  # pages may have half of its resolution already
        kind = _faxed
    if rng.random() < 0.04:
        image = _panel(image, rng)
    if rng.random() < 0.01:
        image = 255 - image
    if kind is _photograph or rng.random() < 0.55:
        image, quads = _move_page(image, quads, rng, perspective=kind is _photograph)
    return kind(image, rng, 1.0), np.asarray(quads, np.float32).reshape(-1, 4, 2)


def _draw_kind(rng: Generator, kinds: _Kinds) -> Callable[[np.ndarray, Generator, float], np.ndarray]:
    u = rng.random()
    for share, kind in kinds:
        u -= share
        if u < 0:
            return kind
    return _clean


def _clean(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    return image.copy()


def _printed(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    image = _ink(image, rng, scale)
    if rng.random() < 0.3:
        return _bilevel(_blur(image, _between(rng, 0.3, 0.8) * scale), rng)
    return _tone(image, rng, 60, 235) if rng.random() < 0.6 else image


def _scanned(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    if rng.random() < 0.4:
        image = _ink(image, rng, scale)
    if rng.random() < 0.15:
        image = _show_through(image, rng)
    image = _blur(image, _between(rng, 0.4, 1.4) * scale)
    if rng.random() < 0.2:
        image = _sharpen(image, rng)
    image = _tone(image, rng, 80, 190)
    image = _light(image, rng, amount=0.08 * (rng.random() < 0.5), sigma=_between(rng, 2, 12) * rng.random() ** 0.5)
    if rng.random() < 0.1:
        image = _specks(image, rng)
    if rng.random() < 0.12:
        return _bilevel(image, rng)
    return _jpeg(image, rng, 30, 90) if rng.random() < 0.6 else image


def _faxed(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    shape = image.shape
    factor = _lowest(shape, _between(rng, 0.55, 0.9))
    image = _blur(image, _between(rng, 0.3, 0.7) * scale)
    image = _light(_resize(image, factor), rng, amount=0.0, sigma=_between(rng, 4, 25))
    image = _bilevel(image, rng)
    if rng.random() < 0.4:
        image = _specks(image, rng)
    how = cv2.INTER_NEAREST if rng.random() < 0.3 else cv2.INTER_LINEAR
    return cv2.resize(image, shape[::-1], interpolation=how)


def _coarse_fax(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    """Standard resolution of a fax: 204 columns, but 98 rows an inch, of two levels; thin strokes break."""
    height, width = image.shape
    image = _blur(image, _between(rng, 0.4, 1.0) * scale)
    image = cv2.resize(image, (width, min(height, max(_MIN_TEXT_PX, height // 2))), interpolation=cv2.INTER_AREA)
    image = _bilevel(_light(image, rng, amount=0.0, sigma=_between(rng, 4, 20)), rng, 0.5, 0.78)
    if rng.random() < 0.3:
        image = _specks(image, rng)
    how = cv2.INTER_NEAREST if rng.random() < 0.6 else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=how)


def _carbon_copy(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    """Soft, pale and uneven: the pressure of a key through other sheets, and smudges of carbon between the lines."""
    ink = _blur(255 - image, _between(rng, 1.1, 2.2) * scale).astype(np.float32)
    height, width = image.shape
    grid = (2 + height // 30, 2 + width // 60)
    press = _between(rng, 0.6, 1.0) + _between(rng, 0.05, 0.2) * rng.standard_normal(grid, np.float32)
    smudge = _between(rng, 0, 25) * np.abs(rng.standard_normal(grid, np.float32))
    ink = ink * cv2.resize(press, (width, height)) + cv2.resize(smudge, (width, height))
    low, high = _between(rng, 20, 90), _between(rng, 200, 250)
    page = high - np.clip(ink / 255, 0, 0.85) * (high - low)
    page = _light(page.astype(np.uint8), rng, amount=0.05, sigma=_between(rng, 1, 7))
    return _jpeg(page, rng, 40, 90) if rng.random() < 0.7 else page


def _photograph(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    image = _tone(image, rng, 90, 180)
    moved = rng.random() < 0.35
    image = _motion(image, rng, scale) if moved else _blur(image, _between(rng, 0.5, 1.6) * scale)
    image = _light(image, rng, amount=_between(rng, 0.1, 0.3), sigma=_between(rng, 1, 9), shadow=rng.random() < 0.3)
    return _jpeg(image, rng, 35, 92)


def _low_resolution(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    shape = image.shape
    image = _resize(image, _lowest(shape, _between(rng, 0.4, 0.8)))
    if rng.random() < 0.5:
        image = _jpeg(image, rng, 40, 90)
    image = cv2.resize(image, shape[::-1], interpolation=cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC)
    return _tone(image, rng, 70, 210) if rng.random() < 0.5 else image


def _faint(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    """The pale strokes of a thermal printer or a worn ribbon."""
    if rng.random() < 0.5:
        image = _ink(image, rng, scale)
    image = _blur(image, _between(rng, 0.4, 1.1) * scale)
    image = _curve(image, _between(rng, 100, 190), _between(rng, 225, 255), math.exp(_between(rng, -0.5, 0.3)))
    image = _light(image, rng, amount=0.05, sigma=_between(rng, 1, 7))
    return _jpeg(image, rng, 40, 92) if rng.random() < 0.7 else image


def _letterpress(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    """Worn type, uneven ink and rough paper in a 1-bit scan of 300 dpi: counters fill up, thin strokes break."""
    height, width = image.shape
    size = (round(width * 1.5), round(height * 1.5))
    image = _blur(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), _between(rng, 0.7, 1.4) * scale)
    image = _light(image, rng, amount=_between(rng, 0, 0.25), sigma=_between(rng, 4, 28))
    image = _blur(image, _between(rng, 0.3, 0.9) * scale)
    low, high = cv2.minMaxLoc(image)[:2]
    level = low + (high - low) * _between(
        rng, 0.47, 0.8
    )  # at less than 0.47, commas lost their tails and looked like periods
    image = cv2.threshold(image, level, 255, cv2.THRESH_BINARY)[1]
    if rng.random() < 0.3:
        image = _specks(image, rng)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _dot_matrix(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    """Letters made of 11 to 17 rows of dots, as by receipt printers."""
    height, width = image.shape
    rows = int(_between(rng, 11, 18))
    columns = max(3, round(width * rows / height * _between(rng, 0.8, 1.2)))
    dots = _bilevel(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), rng)
    dots = cv2.resize(dots, (4 * columns, 4 * rows), interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.6:  # gaps between the dots
        gaps = np.zeros((4, 4), np.uint8)
        gaps[3, :] = gaps[:, 3] = int(_between(rng, 40, 200))
        dots = cv2.add(dots, np.tile(gaps, (rows, columns)))
    image = cv2.resize(_blur(dots, _between(rng, 0.5, 1.4)), (width, height), interpolation=cv2.INTER_AREA)
    return _faint(image, rng, 0.5 * scale) if rng.random() < 0.6 else _tone(image, rng, 90, 200)


_Kinds = tuple[tuple[float, Callable[[np.ndarray, Generator, float], np.ndarray]], ...]
_KINDS: _Kinds = (
    (0.15, _clean),
    (0.14, _printed),
    (0.28, _scanned),
    (0.05, _faxed),
    (0.03, _coarse_fax),
    (0.02, _carbon_copy),
    (0.08, _photograph),
    (0.08, _low_resolution),
    (0.06, _faint),
    (0.04, _dot_matrix),
    (0.07, _letterpress),
)
_LOOKS: dict[Look, _Kinds] = {
    Look.BOOK: ((0.65, _letterpress), (0.2, _printed), (0.15, _scanned)),
    Look.RECEIPT: ((0.3, _faint), (0.3, _dot_matrix), (0.15, _low_resolution), (0.15, _photograph), (0.1, _scanned)),
    Look.TYPED: (
        (0.25, _coarse_fax),
        (0.1, _faxed),
        (0.22, _carbon_copy),
        (0.15, _dot_matrix),
        (0.12, _printed),
        (0.1, _faint),
        (0.06, _scanned),
    ),
}


def _between(rng: Generator, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


@cache
def _white_field() -> np.ndarray:
    return np.random.default_rng(20).standard_normal((_FIELD_PX, _FIELD_PX)).astype(np.float32)


@cache
def _grain_field() -> np.ndarray:
    field = cv2.GaussianBlur(_white_field(), (0, 0), 0.9)
    return field / float(field.std())


def _cut(field: np.ndarray, shape: tuple[int, ...], rng: Generator) -> np.ndarray:
    height, width = shape
    top, left = int(rng.random() * _FIELD_PX), int(rng.random() * _FIELD_PX)
    if top + height > _FIELD_PX or left + width > _FIELD_PX:
        if height * 2 <= _FIELD_PX and width * 2 <= _FIELD_PX:
            top, left = top % (_FIELD_PX - height), left % (_FIELD_PX - width)
        else:
            field = np.tile(field, (-(-(top + height) // _FIELD_PX), -(-(left + width) // _FIELD_PX)))
    return field[top : top + height, left : left + width]


def _ink(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    u = rng.random()
    if u < 0.35:  # ink spreads
        return cv2.addWeighted(image, 1 - (a := rng.random() * scale), cv2.erode(image, _cross()), a, 0)
    if u < 0.65:  # thin, faint strokes
        return cv2.addWeighted(image, 1 - (a := 0.7 * rng.random() * scale), cv2.dilate(image, _cross()), a, 0)
    if u < 0.85:  # broken strokes: holes where the grain is high
        holes = _cut(_grain_field(), image.shape, rng) > _between(rng, 1.0, 2.2)
        paler = cv2.addWeighted(image, 0.35, image, 0, 255 * 0.65)
        image = image.copy()
        cv2.copyTo(paler, holes.view(np.uint8), image)
        return _blur(image, 0.5 * scale)
    return _curve(image, 0, 255, math.exp(_between(rng, -0.8, 0.6)))


@cache
def _cross() -> np.ndarray:
    return np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def _tone(image: np.ndarray, rng: Generator, max_ink: float, min_paper: float) -> np.ndarray:
    return _curve(
        image, max_ink * rng.random() ** 1.5, _between(rng, min_paper, 255), math.exp(_between(rng, -0.35, 0.35))
    )


def _curve(image: np.ndarray, low: float, high: float, gamma: float) -> np.ndarray:
    ramp = np.linspace(0, 1, 256, dtype=np.float32) ** np.float32(gamma)
    return cv2.LUT(image, (low + (high - low) * ramp).astype(np.uint8))


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    if sigma < 0.15:
        return image
    size = 3 if sigma < 0.7 else 5 if sigma < 1.3 else 7
    return cv2.GaussianBlur(image, (size, size), sigma)


def _sharpen(image: np.ndarray, rng: Generator) -> np.ndarray:
    amount = _between(rng, 0.4, 1.2)
    return cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (5, 5), 1.2), -amount, 0)


def _motion(image: np.ndarray, rng: Generator, scale: float) -> np.ndarray:
    length = max(2, round(_between(rng, 2, 4.5) * scale))
    kernel = np.eye(length, dtype=np.float32) if rng.random() < 0.3 else np.ones((1, length), np.float32)
    kernel = kernel if rng.random() < 0.6 else kernel.T[:, ::-1]
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _light(image: np.ndarray, rng: Generator, amount: float, sigma: float, shadow: bool = False) -> np.ndarray:
    """Light that is dimmer by up to ``amount`` in places, the edge of a shadow, and noise of ``sigma`` gray levels."""
    out = image.astype(np.float32)
    if amount:
        grid = 1 - amount * rng.random((3, 3), np.float32)
        out *= cv2.resize(grid, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if shadow:
        out *= _shadow(image.shape, rng)
    if sigma > 0.5:
        field = _grain_field() if rng.random() < 0.4 else _white_field()
        cv2.scaleAdd(np.ascontiguousarray(_cut(field, image.shape, rng)), sigma, out, dst=out)
    return cv2.convertScaleAbs(np.maximum(out, 0, out=out))


def _shadow(shape: tuple[int, ...], rng: Generator) -> np.ndarray:
    """Factors float32 (H, W): 1 in the light, less behind a soft straight edge."""
    angle, (height, width) = rng.random() * 2 * math.pi, shape
    x = (np.arange(width, dtype=np.float32) / width - rng.random()) * math.cos(angle)
    y = (np.arange(height, dtype=np.float32) / height - rng.random()) * math.sin(angle)
    edge = np.clip((x[None, :] + y[:, None]) * _between(rng, 4, 30), 0, 1)
    return 1 - np.float32(_between(rng, 0.15, 0.45)) * edge


def _specks(image: np.ndarray, rng: Generator) -> np.ndarray:
    field, limit = _cut(_white_field(), image.shape, rng), np.float32(_between(rng, 2.3, 3.3))
    image = image.copy()
    image[field > limit] = 0
    image[field < -limit] = 255
    return image


def _bilevel(image: np.ndarray, rng: Generator, least: float = 0.4, most: float = 0.72) -> np.ndarray:
    """Black and white, parted at a level from ``least`` to ``most`` between the darkest and the lightest pixel."""
    low, high = cv2.minMaxLoc(image)[:2]
    return cv2.threshold(image, low + (high - low) * _between(rng, least, most), 255, cv2.THRESH_BINARY)[1]


def _show_through(image: np.ndarray, rng: Generator) -> np.ndarray:
    back = cv2.GaussianBlur(cv2.flip(image, 1 if image.shape[0] > 200 else -1), (7, 7), 1.8)
    weight = _between(rng, 0.05, 0.2)
    return cv2.addWeighted(image, 1, back, weight, -255 * weight)


def _jpeg(image: np.ndarray, rng: Generator, low: int, high: int) -> np.ndarray:
    done, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, int(_between(rng, low, high))))
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if done else None
    return image if decoded is None else decoded


def _lowest(shape: tuple[int, ...], factor: float) -> float:
    return min(1.0, max(factor, _MIN_TEXT_PX / shape[0]))


def _resize(image: np.ndarray, factor: float) -> np.ndarray:
    size = (max(4, round(image.shape[1] * factor)), max(4, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _tilt(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Turns and slants a word a little in its crop."""
    height, width = image.shape
    turn = math.tan(math.radians(_between(rng, -1.5, 1.5))) * min(1.0, 4 * height / width)
    lean = _between(rng, -0.12, 0.12)
    matrix = np.array([[1, lean, -lean * height / 2], [turn, 1, -turn * width / 2]], np.float32)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _panel(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Tints or inverts a rectangle somewhere on the page."""
    height, width = image.shape
    top, left = int(height * rng.random() * 0.8), int(width * rng.random() * 0.6)
    bottom, right = top + int(height * _between(rng, 0.04, 0.3)), left + int(width * _between(rng, 0.2, 0.8))
    image = image.copy()
    part = image[top:bottom, left:right]
    part[...] = 255 - part if rng.random() < 0.4 else _curve(part, 0, _between(rng, 170, 240), 1)
    return image


def _draw_angle(rng: Generator) -> float:
    """An angle in degrees: mostly up to 1.5, sometimes up to 8, rarely up to 30, in either direction."""
    u = rng.random()
    return _between(rng, -1, 1) * (1.5 if u < 0.8 else 8 if u < 0.96 else 30)


def _move_page(
    image: np.ndarray, quads: np.ndarray, rng: Generator, perspective: bool
) -> tuple[np.ndarray, np.ndarray]:
    height, width = image.shape
    angle = _draw_angle(rng)
    matrix = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), angle, _between(rng, 0.96, 1.02)), [0, 0, 1]])
    if perspective:
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        bent = corners + (rng.random((4, 2), np.float32) - 0.5) * (0.06 * width)
        matrix = matrix @ cv2.getPerspectiveTransform(corners, bent.astype(np.float32))
    size = (width, height)
    if abs(angle) > 3:
        matrix, size = _grow(matrix, width, height)
    # Quads are measured from the corners of pixels, OpenCV's coordinates from their centers.
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    border = 255 if rng.random() < 0.8 else int(200 * rng.random())
    turned = cv2.warpPerspective(image, np.linalg.inv(shift) @ matrix @ shift, size, borderValue=border)
    if len(quads):
        quads = cv2.perspectiveTransform(np.asarray(quads, np.float32).reshape(1, -1, 2), matrix).reshape(-1, 4, 2)
    return turned, quads


def _grow(matrix: np.ndarray, width: int, height: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Shifts the matrix, and gives the size (width, height), so that the whole page stays in the picture."""
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    moved = cv2.perspectiveTransform(corners, matrix)[0]
    low, high = moved.min(axis=0), moved.max(axis=0)
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
    return shift @ matrix, (math.ceil(high[0] - low[0]), math.ceil(high[1] - low[1]))
