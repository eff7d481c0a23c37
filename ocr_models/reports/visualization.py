"""Draws the attention of a recognizer, and the examples of data sets."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np

from ocr_models.errors import DocumentError
from ocr_models.io.images import ColorMode, decode_image
from ocr_models.recognition.crops import WIDTH_STRIDE, resize_crop
from ocr_models.records import Example, Task

_ZOOM = 4  # of the crop
_BAND_PX = 26  # the height of the row of a character
_LABEL_PX, _FONT_PX = 40, 17
_INK = np.array([178, 34, 34])  # the color of full attention, RGB
_CELL_PX = {Task.DETECTION: (600, 600), Task.RECOGNITION: (300, 64), Task.CAPTION: (300, 240)}  # width, height
_SHEET_PX = 3600  # the maximum width, unless one page is wider: two pages of usual print
_PAGE_PX = 1600  # the maximum side of a page, for small print
_READABLE_PX = 15  # the height of a word's box at which its small letters are 7 px high: below, they run together
_GAP_PX, _LINE_PX, _LEAST_PX = 10, 22, 8
_FONT_SHARE = 0.78  # the size of the font in a line, so that ascenders and descenders are within it
_QUAD_COLOR, _IGNORED_COLOR, _TEXT_COLOR = (200, 30, 30), (140, 140, 140), (20, 60, 190)


def draw_alignments(crop: np.ndarray, labels: Sequence[str], alignments: np.ndarray) -> np.ndarray:
    """Draws a word crop, and below it a row for each character that is the redder the more attention there was.

    Args:
        crop: gray uint8 (h, w).
        labels: the L labels of the rows: the characters, and a sign for the end.
        alignments: (L, T), 0 to 1, with one step for every four columns of the crop after resizing to height 32.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    if len(labels) != len(alignments):
        raise ValueError(f"{len(labels)} labels, but alignments of {len(alignments)} steps; each step needs a label")
    gray = resize_crop(crop)
    gray = cv2.resize(gray, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_CUBIC)
    word = np.repeat(gray[:, :, None], 3, axis=2)
    bands = [_draw_band(row, word) for row in alignments]
    picture = np.concatenate([word, *bands])
    picture = cv2.copyMakeBorder(picture, 0, 0, _LABEL_PX, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return _write_labels(picture, labels, first_px=word.shape[0])


def _draw_band(alignments: np.ndarray, word: np.ndarray) -> np.ndarray:
    """A row (26, W, 3) of the picture: the word, flattened and pale, overlaid with the attention."""
    columns = np.repeat(alignments, WIDTH_STRIDE * _ZOOM)[: word.shape[1]]
    weight = np.clip(columns, 0, 1)[None, :, None]
    middle = cv2.resize(word, (word.shape[1], _BAND_PX), interpolation=cv2.INTER_AREA)
    pale = 255 - (255 - middle) * 0.25
    return np.round(pale * (1 - weight) + _INK * weight).astype(np.uint8)


def _write_labels(picture: np.ndarray, labels: Sequence[str], first_px: int) -> np.ndarray:
    """Writes each label before its row in OpenCV's own font, which covers all European languages."""
    font = cv2.FontFace("sans")
    for i, label in enumerate(labels):
        _, _, width, _ = cv2.getTextSize(picture.shape[1::-1], label, (0, 0), font, _FONT_PX)
        left, baseline = (_LABEL_PX - width) // 2, first_px + round((i + 0.7) * _BAND_PX)
        cv2.putText(picture, label, (left, baseline), (0, 0, 0), font, _FONT_PX)
    return picture


def draw_examples(examples: Sequence[Example]) -> np.ndarray:
    """Draws a sheet of labelled pictures: quads on pages, with their texts beside, and texts below other pictures.

    Args:
        examples: at least one, all of one data set. If a picture can't be decoded, its cell is empty and says so.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    cell_px = _CELL_PX[_task_of(examples)]
    cells = [_draw_cell(example, cell_px) for example in examples]
    width = max(cell.shape[1] for cell in cells)
    columns = max(min(_SHEET_PX // (width + _GAP_PX), len(cells)), 1)
    rows = []
    for start in range(0, len(cells), columns):
        row = cells[start : start + columns]
        height = max(cell.shape[0] for cell in row)
        row += [np.zeros((0, width, 3), np.uint8)] * (columns - len(row))
        rows.append(np.concatenate([_pad(cell, height + _GAP_PX, width + _GAP_PX) for cell in row], axis=1))
    return np.concatenate(rows)


def draw_labels(pixels: np.ndarray, example: Example, scale: float = 1) -> np.ndarray:
    """Draws the quads of a page on a copy of it, ignored regions in gray, and beside it each text in its place.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        example: the labels; quads are in pixels of the page at scale 1.
        scale: the scale of ``pixels``.

    Returns:
        uint8 (H, 2 W, 3), RGB.
    """
    picture, beside = pixels.copy(), np.full_like(pixels, 255)
    for quad, text, ignore in zip(example.quads, example.texts, example.ignore, strict=True):
        corners = np.round(quad * scale).astype(np.int32)
        cv2.polylines(picture, [corners], True, _IGNORED_COLOR if ignore else _QUAD_COLOR, 1, cv2.LINE_AA)
        if text and not ignore:
            _write_into(beside, text, quad * scale)
    return np.concatenate([picture, beside], axis=1)


def _write_into(picture: np.ndarray, text: str, quad: np.ndarray) -> None:
    """Writes a text into a quad as large as it fits, along the quad's upper edge."""
    width, height = (float(np.linalg.norm(quad[corner] - quad[0])) for corner in (1, 3))
    if min(width, height) < 1:
        return
    line = _line(text, max(round(height), _LEAST_PX), round(width))
    sides = np.float32([[0, 0], [line.shape[1], 0], line.shape[1::-1], [0, line.shape[0]]])
    left, top = np.clip(np.floor(quad.min(axis=0)), 0, picture.shape[1::-1]).astype(int)
    right, bottom = np.clip(np.ceil(quad.max(axis=0)), 0, picture.shape[1::-1]).astype(int)
    if right <= left or bottom <= top:
        return
    place = picture[top:bottom, left:right]
    into = cv2.getPerspectiveTransform(sides, np.float32(quad - [left, top]))
    size = (right - left, bottom - top)
    drawn = cv2.warpPerspective(line, into, size, borderValue=(255, 255, 255))
    np.minimum(place, drawn, out=place)


def _task_of(examples: Sequence[Example]) -> Task:
    if any(example.caption for example in examples):
        return Task.CAPTION
    return Task.RECOGNITION if all(map(_is_crop, examples)) else Task.DETECTION


def _is_crop(example: Example) -> bool:
    """Tells whether the only text fills the whole picture."""
    width, height = example.width_px, example.height_px
    edge = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    return len(example.quads) == 1 and np.abs(example.quads[0] - edge).max() <= 1


def _draw_cell(example: Example, cell_px: tuple[int, int]) -> np.ndarray:
    """A picture, shrunk or (only crops) enlarged to fit into a cell, with lines of text below.

    The cell of a page with small print is larger, so that its texts can be read.
    """
    try:
        pixels = decode_image(example.data, ColorMode.RGB).pixels
    except DocumentError as error:
        return np.concatenate([np.full((cell_px[1], cell_px[0], 3), 230, np.uint8), *_lines(str(error), cell_px[0])])
    is_crop, is_placed = _is_crop(example), bool(example.quads.any())
    scale = min(cell_px[0] / pixels.shape[1], cell_px[1] / pixels.shape[0], np.inf if is_crop else 1.0)
    if is_placed and not is_crop:
        scale = max(scale, _readable_scale(example, max(pixels.shape[:2])))
    size = [max(round(side * scale), 1) for side in pixels.shape[1::-1]]
    pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    below = " ".join([*(() if is_placed and not is_crop else example.texts), *example.caption])
    if is_placed and not is_crop:
        pixels = draw_labels(pixels, example, scale)
    width = max(cell_px[0], pixels.shape[1])
    return np.concatenate([_pad(pixels, pixels.shape[0], width), *_lines(below or example.image_id, width)])


def _readable_scale(example: Example, side_px: int) -> float:
    """The scale at which half of the texts of a page are large enough, unless the page gets too large."""
    heights = np.linalg.norm(example.quads[:, 3] - example.quads[:, 0], axis=1)
    return float(
        min(
            _READABLE_PX
            / max(
                np.median(
                    heights[heights > 0],
                ),
                1,
            ),
            _PAGE_PX / side_px,
            1.0,
        )
    )


def _lines(text: str, width_px: int) -> list[np.ndarray]:
    """Wraps a text and draws each line as a picture of a width."""
    characters = max(int(width_px / (_LINE_PX * 0.37)), 1)
    return [
        _pad(_line(line, _LINE_PX)[:, :width_px], _LINE_PX, width_px)
        for line in textwrap.wrap(text, characters) or [""]
    ]


def _line(text: str, height_px: int, min_width_px: int = 1) -> np.ndarray:
    """A text as a picture, as wide as it needs, white if there is none."""
    font, size = cv2.FontFace("sans"), round(height_px * _FONT_SHARE)
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), font, size)
    picture = np.full((height_px, max(width + 2, min_width_px), 3), 255, np.uint8)
    if text:
        cv2.putText(picture, text, (1, round(height_px * _FONT_SHARE)), _TEXT_COLOR, font, size)
    return picture


def _pad(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    missing = height - picture.shape[0], width - picture.shape[1]
    return cv2.copyMakeBorder(picture, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=(255, 255, 255))
