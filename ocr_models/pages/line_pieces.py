"""Joins the words of a leveled page to pieces of lines, which a recognizer reads whole.

A detector's boxes of words are often wrong by a letter or by a space, and a piece needs of them only its two ends and
its height. It is parted where a gap is as wide as that between two cells or columns; the recognizer sees all other
gaps, and decides from the pixels which of them are spaces.
"""

from __future__ import annotations

import numpy as np

from ocr_models.geometry import quad_angles, quad_boxes
from ocr_models.pages.layout import line_segments
from ocr_models.pages.piece_ends import reach_ends
from ocr_models.pages.ruling import were_rules, without_rules
from ocr_models.pages.word_crops import LEVEL_WORD_RAD, cut_words
from ocr_models.recognition.crops import INPUT_HEIGHT, MARGIN_X, MARGIN_Y, WIDTH_BUCKETS

# Lengths are in heights of words, which are about one em.
_LONGEST = WIDTH_BUCKETS[-1] / INPUT_HEIGHT * (1 + 2 * MARGIN_Y) - 2 * MARGIN_X  # what isn't squeezed
_SLANTED_FROM = 6.0  # the boxes of a shorter piece tell its slant worse than the skew of the page does
_MOST_RISE = 0.1  # of a line, end to end: a slice then loses half a margin at each end
_OVERLAP = 0.75  # of the higher of two pieces; lines that overlap in print share less
_SAME_SIZE = 0.25  # heights that differ by more from a piece's don't tell its slant: a dash, a drop cap


def find_pieces(image: np.ndarray, quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the pieces of lines of a leveled page.

    Args:
        image: uint8 (H, W), gray.
        quads: float32 (N, 4, 2), the words found on it, pixels.

    Returns:
        The page without the rules of its tables, from which pieces are to be cut, and the pieces, float32 (P, 4, 2).
        They reach to where their ink ends. A word that isn't level is a piece of its own.
    """
    is_level = np.abs(quad_angles(quads)) < LEVEL_WORD_RAD
    boxes = quad_boxes(quads[is_level])
    pieces = line_pieces(boxes)
    places = piece_quads(boxes, pieces)
    erased = without_rules(image, places)
    if erased is not image:
        boxes = boxes[~were_rules(image, erased, boxes)]
        pieces = line_pieces(boxes)
        image, places = erased, piece_quads(boxes, pieces)
    reached = reach_ends(image, boxes, pieces, places)
    return image, np.concatenate([piece_quads(reached, line_pieces(reached)), quads[~is_level]])


def line_pieces(boxes: np.ndarray) -> list[list[int]]:
    """Joins words to pieces of lines.

    Args:
        boxes: (N, 4) level word boxes in pixels: xmin, ymin, xmax, ymax.

    Returns:
        The words of each piece from left to right. A word that lies inside another piece is in none: the piece shows
        it. A piece that would be wider than the widest bucket is parted at its widest gaps.
    """
    boxes = np.asarray(boxes, np.float64)
    segments = _join_overlapping(boxes, line_segments(boxes))
    pieces = [part for segment in segments for part in _part_long(boxes, segment)]
    return [pieces[i] for i in np.flatnonzero(~_is_covered(boxes, pieces))]


def piece_quads(boxes: np.ndarray, pieces: list[list[int]]) -> np.ndarray:
    """The quads of pieces of lines: as high as most of their words, and as slanted as their words lie.

    Args:
        boxes: (N, 4) level word boxes in pixels.
        pieces: the words of each piece, from left to right.

    Returns:
        float32 (P, 4, 2), pixels; left and right edges are upright.
    """
    boxes = np.asarray(boxes, np.float64)
    return np.array([_piece_quad(boxes[piece]) for piece in pieces], np.float32).reshape(-1, 4, 2)


def cut_pieces(image: np.ndarray, quads: np.ndarray) -> list[np.ndarray]:
    """Cuts pieces of lines, quads (P, 4, 2), out of a gray page, uint8 (H, W), as ``cut_words`` does, but level."""
    return cut_words(image, quads, _MOST_RISE)


def _join_overlapping(boxes: np.ndarray, segments: list[list[int]]) -> list[list[int]]:
    """Joins segments that share columns and rows: the detector saw a long word as two that overlap."""
    if not segments:
        return []
    x0, y0, x1, y1 = quad_boxes(piece_quads(boxes, segments)).T
    heights = y1 - y0
    shared = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    level = shared > _OVERLAP * np.maximum(heights[:, None], heights)
    overlap = level & (x0[:, None] < x0) & (x0 < x1[:, None]) & (x1[:, None] < x1)
    group = np.arange(len(segments))
    for left, right in np.argwhere(overlap).tolist():
        group[group == group[right]] = group[left]
    members = [[word for i in np.flatnonzero(group == g) for word in segments[i]] for g in np.unique(group)]
    return [sorted(words, key=lambda word: boxes[word, 0]) for words in members]


def _part_long(boxes: np.ndarray, segment: list[int]) -> list[list[int]]:
    """A segment in parts of at most the longest length, parted at the widest gap of the middle half of each."""
    x0, x1 = boxes[segment, 0], boxes[segment, 2]
    height = np.median(boxes[segment, 3] - boxes[segment, 1])
    if len(segment) < 2 or x1[-1] - x0[0] <= _LONGEST * height:
        return [segment]
    gaps, borders = x0[1:] - x1[:-1], (x0[1:] + x1[:-1]) / 2
    off = np.abs(borders - (x0[0] + x1[-1]) / 2)
    is_central = off <= max((x1[-1] - x0[0]) / 4, off.min())
    after = int(np.where(is_central, gaps, -np.inf).argmax()) + 1
    return [*_part_long(boxes, segment[:after]), *_part_long(boxes, segment[after:])]


def _is_covered(boxes: np.ndarray, pieces: list[list[int]]) -> np.ndarray:
    """Bool (P,): pieces whose middle lies inside a longer piece, which may be slanted over the height of a line."""
    quads = piece_quads(boxes, pieces)
    left, right = quads[:, 0], quads[:, 1]
    widths, heights = right[:, 0] - left[:, 0], quads[:, 3, 1] - left[:, 1]
    x, y = quads.mean(axis=1).T
    share = (x[:, None] - left[:, 0]) / np.maximum(widths, 1e-6)  # [a, b]: where a's middle is along b
    off = np.abs(y[:, None] - (left[:, 1] + share * (right[:, 1] - left[:, 1]) + heights / 2))
    inside = (share > 0) & (share < 1) & (off < heights / 2)
    return (inside & (widths[:, None] < widths)).any(axis=1)


def _piece_quad(words: np.ndarray) -> np.ndarray:
    """The quad (4, 2) of a piece with these words, boxes (K, 4)."""
    x0, y0, x1, y1 = words.T
    weights = np.maximum(x1 - x0, 1.0)
    height = _weighted_median(y1 - y0, weights)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    slope = 0.0
    if x1.max() - x0.min() > _SLANTED_FROM * height:
        alike = np.abs(y1 - y0 - height) <= _SAME_SIZE * height
        slope = _slope(x[alike], y[alike], weights[alike])
    middle = _weighted_median(y - slope * x, weights)
    ends = np.array([x0.min(), x1.max(), x1.max(), x0.min()])
    return np.stack([ends, middle + slope * ends + np.array([-0.5, -0.5, 0.5, 0.5]) * height], axis=1)


def _slope(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """The slope of the weighted least-squares line through points; 0 through fewer than three."""
    if len(x) < 3:
        return 0.0
    x, y = x - np.average(x, weights=weights), y - np.average(y, weights=weights)
    spread = (weights * x * x).sum()
    return float((weights * x * y).sum() / spread) if spread else 0.0


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
