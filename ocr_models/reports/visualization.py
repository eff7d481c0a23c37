"""Draws the attention of a recognizer, and the examples of data sets."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
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
_CELL_PX = {Task.DETECTION: (1210, 600), Task.RECOGNITION: (300, 64), Task.CAPTION: (300, 240)}  # width, height
_SHEET_PX = 2450  # the maximum width
_READABLE_PX = 18  # the height of words whose labels can be read: OpenCV's letters are then 13 pixels high
_GAP_PX, _LINE_PX = 10, 20
_QUAD_COLOR, _IGNORED_COLOR, _TEXT_COLOR = (200, 30, 30), (140, 140, 140), (20, 60, 190)
# Those of pagebeam report, from low to high confidence.
_CONFIDENCE_BOUNDS = (0.5, 0.7, 0.85, 0.95)
_CONFIDENCE_COLORS = ((194, 24, 91), (232, 89, 12), (201, 151, 0), (58, 145, 136), (36, 103, 179))
_FRAME_COLOR = (210, 210, 210)


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
    """Draws a sheet of labelled pictures: quads and texts on pages, texts and captions below other pictures.

    Args:
        examples: at least one, all of one data set. If a picture can't be decoded, its cell is empty and says so.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    cell_px = _CELL_PX[_task_of(examples)]
    cells = [_draw_cell(example, cell_px) for example in examples]
    columns = max(min(_SHEET_PX // (cell_px[0] + _GAP_PX), len(cells)), 1)
    rows = []
    for start in range(0, len(cells), columns):
        row = cells[start : start + columns]
        height = max(cell.shape[0] for cell in row)
        row += [np.zeros((0, cell_px[0], 3), np.uint8)] * (columns - len(row))
        rows.append(np.concatenate([_pad(cell, height + _GAP_PX, cell_px[0] + _GAP_PX) for cell in row], axis=1))
    return np.concatenate(rows)


def draw_labels(
    pixels: np.ndarray, example: Example, scale: float = 1, colors: Sequence[tuple[int, int, int]] | None = None
) -> np.ndarray:
    """Draws the quads of a page on a copy of it, ignored ones in gray, and beside it the texts, each in its quad.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        example: the labels; quads are in pixels of the page at scale 1.
        scale: the scale of ``pixels``.
        colors: RGB of each quad; by default, red, and gray if it is ignored.

    Returns:
        uint8 (H, 2 W + 10, 3), RGB.
    """
    picture, texts = pixels.copy(), np.full_like(pixels, 255)
    if colors is None:
        colors = [_IGNORED_COLOR if ignore else _QUAD_COLOR for ignore in example.ignore]
    for quad, text, ignore, color in zip(example.quads, example.texts, example.ignore, colors, strict=True):
        corners = np.round(quad * scale).astype(np.int32)
        for canvas in (picture, texts):
            cv2.polylines(canvas, [corners], True, color, 1, cv2.LINE_AA)
        if text and not ignore:
            _write_in_quad(texts, text, quad * scale)
    for canvas in (picture, texts):
        cv2.rectangle(canvas, (0, 0), (canvas.shape[1] - 1, canvas.shape[0] - 1), _FRAME_COLOR)
    return np.concatenate([_pad(picture, picture.shape[0], picture.shape[1] + _GAP_PX), texts], axis=1)


def draw_words(
    pixels: np.ndarray,
    quads: np.ndarray,
    texts: Sequence[str],
    confidences: Sequence[float],
    longest_px: int | None = None,
) -> np.ndarray:
    """Draws the words that were read on a page, in colors of their confidences, and beside it what was read.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        quads: float32 (N, 4, 2), pixels.
        texts: the N words.
        confidences: N numbers, 0 to 1.
        longest_px: the height or width of the page at most; None for its own.

    Returns:
        uint8 (H, 2 W + 10, 3), RGB.
    """
    scale = min((longest_px or max(pixels.shape)) / max(pixels.shape[:2]), 1.0)
    if scale < 1:
        pixels = _resize(pixels, scale)
    quads = np.asarray(quads, np.float32).reshape(-1, 4, 2)
    height_px, width_px = pixels.shape[:2]
    words = Example("", b"", "", height_px, width_px, quads, tuple(texts), np.zeros(len(texts), bool))
    colors = [_CONFIDENCE_COLORS[bisect.bisect(_CONFIDENCE_BOUNDS, confidence)] for confidence in confidences]
    return draw_labels(pixels, words, scale, colors)


def _write_in_quad(picture: np.ndarray, text: str, quad: np.ndarray) -> None:
    """Writes a text as large as fits into a quad, in its direction; nothing outside of it."""
    width_px, height_px = (float(np.linalg.norm(quad[i] - quad[0])) for i in (1, 3))
    font, font_px = cv2.FontFace("sans"), max(round(height_px * 0.75), 6)
    _, _, text_px, _ = cv2.getTextSize((0, 0), text, (0, 0), font, font_px)
    line = np.full((max(round(height_px), 1), max(text_px, 1), 3), 255, np.uint8)
    cv2.putText(line, text, (0, round(0.75 * line.shape[0])), _TEXT_COLOR, font, font_px)
    shown_px = min(width_px, text_px)
    right, down = (quad[1] - quad[0]) * shown_px / max(width_px, 1), quad[3] - quad[0]
    corners = np.array([[0, 0], [line.shape[1], 0], [0, line.shape[0]]], np.float32)
    to_quad = cv2.getAffineTransform(corners, np.array([quad[0], quad[0] + right, quad[0] + down], np.float32))
    size = picture.shape[1::-1]
    written = cv2.warpAffine(line, to_quad, size, flags=cv2.INTER_AREA, borderValue=(255, 255, 255))
    np.minimum(picture, written, out=picture)


def _window(example: Example, size: tuple[int, int], cell_px: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    """At which scale, and from which x and y on, a picture of a size is shown: whole if its texts can then be read.

    Else lines are shown from their beginnings on, and as many of them above as below the middle of the words.
    """
    whole = min(cell_px[0] / size[0], cell_px[1] / size[1], 1.0)
    heights = np.linalg.norm(example.quads[:, 3] - example.quads[:, 0], axis=1)
    readable = _READABLE_PX / max(float(np.median(heights)), 1.0) if len(heights) else whole
    scale = float(np.clip(readable, whole, 1.0))
    xs, ys = (example.quads if len(heights) else np.zeros((1, 4, 2))).transpose(2, 0, 1) * scale
    wanted = xs.min() - _GAP_PX, np.median(ys) - cell_px[1] / 2
    most = [max(round(side * scale) - cell, 0) for side, cell in zip(size, cell_px, strict=True)]
    left, top = (int(np.clip(start, 0, far)) for start, far in zip(wanted, most, strict=True))
    return scale, (left, top)


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
    """A picture, shrunk or (only crops) enlarged to fit into a cell, with lines of text below."""
    try:
        pixels = decode_image(example.data, ColorMode.RGB).pixels
    except DocumentError as error:
        return np.concatenate([np.full((cell_px[1], cell_px[0], 3), 230, np.uint8), *_lines(str(error), cell_px[0])])
    if cell_px == _CELL_PX[Task.DETECTION]:
        picture = _draw_page(pixels, example, ((cell_px[0] - _GAP_PX) // 2, cell_px[1]))
    else:
        scale = min(cell_px[0] / pixels.shape[1], cell_px[1] / pixels.shape[0], np.inf if _is_crop(example) else 1.0)
        picture = _resize(pixels, scale)
    below = " ".join([*(example.texts if _is_crop(example) else ()), *example.caption])
    picture = _pad(picture, picture.shape[0], cell_px[0])
    return np.concatenate([picture, *_lines(below or example.image_id, cell_px[0])])


def _draw_page(pixels: np.ndarray, example: Example, half_px: tuple[int, int]) -> np.ndarray:
    """A page, or a part of it that can be read, with its labels beside it."""
    scale, (left, top) = _window(example, pixels.shape[1::-1], half_px)
    part = _resize(pixels, scale)[top : top + half_px[1], left : left + half_px[0]]
    quads = example.quads - np.array([left, top], np.float32) / scale
    seen = ((quads.max(axis=1) > 0) & (quads.min(axis=1) * scale < part.shape[1::-1])).all(axis=1)
    texts, ignore = tuple(itertools.compress(example.texts, seen)), np.asarray(example.ignore, bool)[seen]
    labels = dataclasses.replace(example, quads=quads[seen], texts=texts, ignore=ignore)
    return draw_labels(part, labels, scale)


def _resize(pixels: np.ndarray, scale: float) -> np.ndarray:
    size = [max(round(side * scale), 1) for side in pixels.shape[1::-1]]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _lines(text: str, width_px: int) -> list[np.ndarray]:
    """Wraps a text and draws each line as a picture of a width."""
    characters = max(int(width_px / ((_LINE_PX - 4) * 0.55)), 1)
    lines = []
    for line in textwrap.wrap(text, characters) or [""]:
        picture = np.full((_LINE_PX + 4, width_px, 3), 255, np.uint8)
        _write(picture, line, (2, _LINE_PX), _LINE_PX - 4)
        lines.append(picture)
    return lines


def _write(picture: np.ndarray, text: str, origin: tuple[int, int], font_px: int) -> None:
    if text:
        cv2.putText(picture, text, origin, _TEXT_COLOR, cv2.FontFace("sans"), font_px)


def _pad(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    missing = height - picture.shape[0], width - picture.shape[1]
    return cv2.copyMakeBorder(picture, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=(255, 255, 255))
