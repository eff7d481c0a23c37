"""Moves the edges of pieces of lines outward to where their ink ends.

The detector sees a long word only in part, and leaves out a short one at the end of a line. What follows a piece at
its height, at distances as between letters or words, belongs to it: the recognizer is to see it. Of a figure that
stands alone it may leave out a stroke, such as the bar of a 7.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ocr_models.geometry import runs_of
from ocr_models.pages.box_refinement import white_columns
from ocr_models.pages.groups import flat_lists, median
from ocr_models.pages.neighbors import Strips

# Lengths are in heights of the piece.
_FARTHEST = 12.0  # ends move so far at most: the longest words are as long
_WIDEST_GAP = 0.6  # twice a space; a wider gap may be one between columns, as ``layout`` has it
_BAND = (0.06, 0.84)  # rows that are examined, as in ``box_refinement``
_KNOWN = 2.0  # of the piece itself is examined, too: it has ink, and above and below it paper
_CONTRAST = 0.25  # of the darkest ink of a mark: its paler rows are its blur
_LONGEST_RUN = 3.0  # ink without any white is a rule or a picture if it is longer
_SPECK, _SPECK_GAP = 0.2, 0.25  # smaller marks are dirt, unless they are as close to a word as its period
_ALONE = 1.2  # a piece that is no wider has one or two letters
_CUT_OFF = 0.4  # strokes reach so far beyond it at most: the detector's boxes of single figures are cut by a fifth
_LEAST_INK = 40  # gray levels between paper and the darkest ink of a piece: less is texture
_SAME_LINE, _SAME_SIZE = 0.5, 2.2  # shared height and ratio of heights of two boxes on a line, as in ``layout``


def reach_ends(image: np.ndarray, boxes: np.ndarray, pieces: list[list[int]], quads: np.ndarray) -> np.ndarray:
    """Moves the outer edges of the first and last words of pieces outward to the end of their ink.

    Args:
        image: uint8 (H, W), gray, dark text.
        boxes: (N, 4) level word boxes in pixels.
        pieces: the words of each piece, from left to right.
        quads: float32 (P, 4, 2), of the pieces.

    Returns:
        (N, 4) boxes.
    """
    reached = np.array(boxes, np.float64)
    if not pieces:
        return reached
    reached[[piece[-1] for piece in pieces], 2] = _right_ends(image, reached, pieces, quads)
    # The left ends are right ends in a mirror.
    width = image.shape[1]
    mirror = np.array([-1, 1, -1, 1]), np.array([width, 0, width, 0])
    reached = (mirror[0] * reached + mirror[1])[:, [2, 1, 0, 3]]
    mirrored = [piece[::-1] for piece in pieces]
    reached[[piece[-1] for piece in mirrored], 2] = _right_ends(
        image[:, ::-1], reached, mirrored, quads[:, [1, 0, 3, 2]]
    )
    return (mirror[0] * reached + mirror[1])[:, [2, 1, 0, 3]]


def cover_marks(image: np.ndarray, boxes: np.ndarray, pieces: list[list[int]]) -> np.ndarray:
    """Moves the edges of words that stand alone and are short outward to those of their letters.

    Args:
        image: uint8 (H, W), gray.
        boxes: (N, 4) level word boxes in pixels.
        pieces: the words of each piece.

    Returns:
        (N, 4) boxes.
    """
    covered = np.array(boxes, np.float64)
    widths, heights = covered[:, 2] - covered[:, 0], covered[:, 3] - covered[:, 1]
    is_short = (widths <= _ALONE * heights).tolist()
    for [word] in (piece for piece in pieces if len(piece) == 1 and is_short[piece[0]]):
        covered[word] = _around_marks(image, *covered[word].tolist())
    return covered


def _around_marks(image: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
    """A box that holds all of the marks of which at least half of the ink is in this one."""
    reach = _CUT_OFF * (y1 - y0)
    left, top = max(0, math.floor(x0 - reach)), max(0, math.floor(y0 - reach))
    patch = image[top : math.ceil(y1 + reach), left : math.ceil(x1 + reach)]
    inner = np.s_[max(0, round(y0) - top) : round(y1) - top, max(0, round(x0) - left) : round(x1) - left]
    if not patch[inner].size:
        return x0, y0, x1, y1
    contrast = cv2.absdiff(patch, np.full_like(patch, median(patch)))
    darkest = int(contrast[inner].max())
    if darkest < _LEAST_INK:
        return x0, y0, x1, y1
    _, marks, stats, _ = cv2.connectedComponentsWithStats((contrast > darkest // 2).view(np.uint8))
    x, y, width, height, area = stats.T
    within = np.bincount(marks[inner].ravel(), minlength=len(stats))
    is_whole = (x > 0) & (y > 0) & (x + width < patch.shape[1]) & (y + height < patch.shape[0])  # a rule is cut
    own = np.flatnonzero(is_whole & (2 * within >= area))
    if not own.size:
        return x0, y0, x1, y1
    right, bottom = (x + width)[own].max(), (y + height)[own].max()
    return (
        min(x0, left + float(x[own].min())),
        min(y0, top + float(y[own].min())),
        max(x1, left + float(right)),
        max(y1, top + float(bottom)),
    )


def _right_ends(image: np.ndarray, boxes: np.ndarray, pieces: list[list[int]], quads: np.ndarray) -> list[float]:
    """Where the ink at the right of pieces ends, in pixels; at the next word on its line at the latest."""
    words, piece = flat_lists(pieces)
    ends = np.full(len(pieces), -np.inf)
    np.maximum.at(ends, piece, boxes[words, 2])
    tops, bottoms = quads[:, 1, 1].astype(float), quads[:, 2, 1].astype(float)
    owner = np.full(len(boxes), -1)
    owner[words] = piece
    borders = _borders(boxes, owner, ends, tops, bottoms)
    return [_ink_end(image, *of) for of in zip(*(x.tolist() for x in (ends, tops, bottoms, borders)), strict=True)]


def _borders(
    boxes: np.ndarray, owner: np.ndarray, ends: np.ndarray, tops: np.ndarray, bottoms: np.ndarray
) -> np.ndarray:
    """The left edge (P,) of the nearest box of another piece that follows on the line of a piece; else infinity.

    Args:
        boxes: (N, 4), in pixels.
        owner: int (N,), the piece that a box is in; -1 for none.
        ends, tops, bottoms: (P,), the right, upper and lower edges of the pieces.
    """
    heights, of_piece = boxes[:, 3] - boxes[:, 1], bottoms - tops
    reach = heights.max(initial=0) / 2
    borders = np.full(len(ends), np.inf)
    windows = ends, ends + _FARTHEST * of_piece, tops - reach, bottoms + reach
    for place, box in Strips(boxes).near(*windows):
        lower, higher = (f(heights[box], of_piece[place]) for f in (np.minimum, np.maximum))
        shared = np.minimum(boxes[box, 3], bottoms[place]) - np.maximum(boxes[box, 1], tops[place])
        follows = (shared > _SAME_LINE * lower) & (higher < _SAME_SIZE * lower)
        follows &= (boxes[box, 2] > ends[place]) & (owner[box] != place)
        np.minimum.at(borders, place[follows], boxes[box[follows], 0])
    return borders


def _ink_end(image: np.ndarray, end: float, top: float, bottom: float, border: float) -> float:
    """Where the ink ends that goes on at the right of ``end``, up to ``border`` at most, in pixels."""
    height = bottom - top
    start, stop = int(end - _KNOWN * height), int(min(end + _FARTHEST * height, border, image.shape[1]))
    y0, y1 = round(top + _BAND[0] * height), round(top + _BAND[1] * height) + 1
    if stop <= end or start < 0 or top < 0 or bottom >= len(image):
        return end
    band = cv2.blur(np.ascontiguousarray(image[y0:y1, start:stop]), (3, 3))  # a speck of noise isn't ink
    paper = median(image[[int(top), int(bottom)], start : math.ceil(end)])
    reached = end - start
    for left, right in runs_of(~white_columns(band, paper)).tolist():
        if right <= reached:
            continue
        gap, length = left - reached, right - left
        if gap > _WIDEST_GAP * height or length > _LONGEST_RUN * height:
            break
        if gap > _SPECK_GAP * height and length < _SPECK * height and _is_low(band[:, left:right], paper, height):
            break
        reached = right
    return max(end, float(start + reached))


def _is_low(mark: np.ndarray, paper: float, height: float) -> bool:
    """Whether the ink of a mark (h, w) is in so few rows that it may be dirt."""
    contrast = np.abs(mark - paper).max(axis=1)
    return bool(np.count_nonzero(contrast > _CONTRAST * contrast.max()) < _SPECK * height)
