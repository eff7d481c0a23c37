"""Word boxes fitted to the ink of a leveled page.

The detector sees a page at half of its size in cells of four pixels, and so puts the end of a word now and then into
its last letter or its neighbor's first. The page itself shows where words end: at columns without ink. Here every
column of ink comes to one word only, two boxes of one word are joined, and a box over two words is parted.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocr_models.layout import chains, word_successors

# Lengths are in heights of the box, which is one em.
_REACH = 0.45  # how far from the detector's edge a word may end
_BAND = (0.06, 0.84)  # rows that are looked at: neither neighbors above nor underlines below
_LETTER_GAP = 0.06  # white up to this width stands inside a word
_JOINED_GAP = 0.10  # two boxes with less white than this at their border are one word ...
_JOINED_SHARE = 0.45  # ... or with less than this share of the usual gap between words of their line ...
_JOINED_BOXES = 0.15  # ... if the boxes themselves are no further apart
_PARTED_GAP = 0.17  # white from this width on may part two words in one box ...
_PARTED_SHARE = 0.65  # ... if it is as wide as this share of the usual gap between words of its line
_PARTED_LETTERS = 3.0  # ... and as so many of the usual gap between letters of the box
_SHORTEST_PAIR = 0.7  # a narrower box doesn't hold two words
_PARTED_ALONE = 0.5  # on a line without other gaps
_EVENED_NEIGHBORS = 3  # on each side of a word
_EVENED_SHARE = 0.12  # tops and bottoms that differ by less are evened out
_CONTRAST = 0.35  # of the band's range, from which on a pixel is ink
_MIN_RANGE = 24  # gray levels; a flatter band shows no ink to go by


@dataclass(frozen=True)
class _Gap:
    """White columns ``start`` to ``stop`` in pixels of the page."""

    start: int
    stop: int

    @property
    def width(self) -> int:
        return self.stop - self.start


def fit_words(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Fits word boxes to the ink.

    Args:
        image: uint8 (H, W), gray, leveled.
        boxes: (N, 4) xmin, ymin, xmax, ymax in pixels.

    Returns:
        Boxes (M, 4), float32, fewer where some were joined and more where some were parted. An edge stays where the
        ink doesn't tell.
    """
    if not len(boxes):
        return np.zeros((0, 4), np.float32)
    smooth = cv2.blur(image, (3, 3))  # a speck of noise isn't ink
    fitted = np.array(boxes, np.float64)
    successors = word_successors(fitted)
    touching, joined = np.zeros((2, len(boxes)), bool)
    gaps_after = np.full(len(boxes), np.nan)
    for i, j in enumerate(successors.tolist()):
        if j < 0:
            fitted[i, 2] = _free_edge(smooth, boxes[i], right=True)
            continue
        gap = _gap_between(smooth, boxes[i], boxes[j])
        if gap is not None:
            fitted[i, 2], fitted[j, 0] = gap.start, gap.stop
            gaps_after[i] = gap.width / _height(boxes[i])
        touching[i] = boxes[j][0] - boxes[i][2] < _JOINED_BOXES * _height(boxes[i])
        joined[i] = gap is None and touching[i]
    for j in sorted(set(range(len(boxes))) - set(successors.tolist())):
        fitted[j, 0] = _free_edge(smooth, boxes[j], right=False)
    words = []
    for line in chains(successors):
        seen = gaps_after[line][np.isfinite(gaps_after[line])]
        usual = float(np.median(seen)) if len(seen) else _PARTED_ALONE / _PARTED_SHARE
        if len(seen) > 2:
            joined[line] |= touching[line] & (gaps_after[line] < _JOINED_SHARE * usual)
        for word in _even_out(_join(fitted, line, joined)):
            words += _part(smooth, word, max(_PARTED_GAP, _PARTED_SHARE * usual))
    return np.array(words, np.float32)


def _height(box: np.ndarray) -> float:
    return max(1.0, float(box[3] - box[1]))


def _white_gaps(image: np.ndarray, box: np.ndarray, left: float, right: float) -> list[_Gap] | None:
    """The runs of columns without ink between two columns of a word's band; None where ink can't be told."""
    rows, columns = image.shape
    x0, x1 = max(0, int(left)), min(columns, int(np.ceil(right)))
    y0, y1 = max(0, int(box[1] + _BAND[0] * _height(box))), min(rows, int(box[1] + _BAND[1] * _height(box)) + 1)
    if x1 <= x0 or y1 <= y0:  # off the page
        return None
    # Above and below the letters there is mostly paper.
    edges = image[[max(0, int(box[1])), min(rows - 1, int(box[3]))], x0:x1]
    ink = _ink_columns(image[y0:y1, x0:x1], float(np.median(edges)))
    if ink is None:
        return None
    steps = np.flatnonzero(np.diff(np.concatenate([[True], ink, [True]]).astype(np.int8)))
    return [_Gap(x0 + int(start), x0 + int(stop)) for start, stop in zip(steps[::2], steps[1::2], strict=True)]


def _ink_columns(band: np.ndarray, paper: float) -> np.ndarray | None:
    """Which columns (W,) of a band of text hold ink, darker or lighter than the paper; None without contrast."""
    if min(band.shape) < 3:
        return None
    darkest, lightest = band.min(axis=0), band.max(axis=0)
    low, high = int(darkest.min()), int(lightest.max())
    if high - low < _MIN_RANGE:
        return None
    reach = _CONTRAST * (high - low)
    return darkest < paper - reach if 2 * paper >= low + high else lightest > paper + reach


def _free_edge(image: np.ndarray, box: np.ndarray, right: bool) -> float:
    """Where a word without a neighbor on this side ends: at the white gap nearest to the detector's edge."""
    height, edge = _height(box), float(box[2] if right else box[0])
    middle = float(box[0] + box[2]) / 2
    reach = _REACH * height
    window = (max(middle, edge - reach), edge + reach) if right else (edge - reach, min(middle, edge + reach))
    # The word's own ink belongs into the picture, so that the contrast is known.
    gaps = _white_gaps(image, box, *((box[0], window[1]) if right else (window[0], box[2])))
    ends = [
        gap.start if right else gap.stop
        for gap in gaps or []
        if gap.width > _LETTER_GAP * height and window[0] <= (gap.start if right else gap.stop) <= window[1]
    ]
    return float(min(ends, key=lambda end: abs(end - edge))) if ends else edge


def _gap_between(image: np.ndarray, box: np.ndarray, following: np.ndarray) -> _Gap | None:
    """The white gap that parts two neighbors: a wide one, near the place where the detector parts them."""
    height = _height(box)
    border = float(box[2] + following[0]) / 2
    reach = max(_REACH * height, float(following[0] - box[2]) / 2 + 0.3 * height)
    low = max((box[0] + box[2]) / 2, border - reach)
    high = min((following[0] + following[2]) / 2, border + reach)
    gaps = [
        gap
        for gap in _white_gaps(image, box, box[0], following[2]) or []
        if gap.width >= _JOINED_GAP * height and low <= (gap.start + gap.stop) / 2 <= high
    ]

    def cost(gap: _Gap) -> float:
        return abs((gap.start + gap.stop) / 2 - border) - min(gap.width, 0.5 * height)

    return min(gaps, key=cost) if gaps else None


def _join(boxes: np.ndarray, line: list[int], joined: np.ndarray) -> list[np.ndarray]:
    """The boxes of a line, those that are joined to the one before as one with it."""
    words: list[np.ndarray] = []
    for before, i in zip([None, *line], line, strict=False):
        if before is not None and joined[before]:
            words[-1] = np.concatenate(
                [np.minimum(words[-1][:2], boxes[i][:2]), np.maximum(words[-1][2:], boxes[i][2:])]
            )
        else:
            words.append(boxes[i])
    return words


def _even_out(line: list[np.ndarray]) -> list[np.ndarray]:
    """The words with top and bottom as their neighbors on the line have them, where these are of the same size.

    The detector's tops and bottoms vary by a pixel or two; whether a letter is a capital is told by its height.
    """
    if len(line) < 3:
        return line
    boxes = np.array(line)
    heights = boxes[:, 3] - boxes[:, 1]
    evened = boxes.copy()
    for i in range(len(boxes)):
        near = slice(max(0, i - _EVENED_NEIGHBORS), i + _EVENED_NEIGHBORS + 1)
        alike = np.abs(boxes[near][:, [1, 3]] - boxes[i, [1, 3]]).max(axis=1) < _EVENED_SHARE * heights[i]
        evened[i, [1, 3]] = np.median(boxes[near][alike][:, [1, 3]], axis=0)
    return list(evened)


def _part(image: np.ndarray, box: np.ndarray, part_from: float) -> list[np.ndarray]:
    """The box, parted at white gaps as wide as those between words."""
    height = _height(box)
    if box[2] - box[0] < _SHORTEST_PAIR * height:
        return [box]
    gaps = _white_gaps(image, box, box[0], box[2]) or []
    inner = [gap for gap in gaps if gap.start > box[0] + 1 and gap.stop < box[2] - 1]
    if inner:
        letters = float(np.median([gap.width for gap in inner])) if len(inner) > 2 else 0.0
        inner = [gap for gap in inner if gap.width >= max(part_from * height, _PARTED_LETTERS * letters)]
    starts = [float(box[0]), *(float(gap.stop) for gap in inner)]
    stops = [*(float(gap.start) for gap in inner), float(box[2])]
    return [np.array([x0, box[1], x1, box[3]]) for x0, x1 in zip(starts, stops, strict=True)]
