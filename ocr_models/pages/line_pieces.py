"""Joins the words of a leveled page to pieces of lines, which a recognizer reads whole.

A detector's boxes of words are often wrong by a letter or by a space, and a piece needs of them only its two ends and
its height. It is parted where a gap is as wide as that between two cells or columns; the recognizer sees all other
gaps, and decides from the pixels which of them are spaces.
"""

from __future__ import annotations

import numpy as np

from ocr_models.geometry import quad_angles, quad_boxes
from ocr_models.pages.groups import flat_lists, group_medians, weighted_medians
from ocr_models.pages.layout import line_segments
from ocr_models.pages.neighbors import Strips
from ocr_models.pages.piece_ends import cover_marks, reach_ends
from ocr_models.pages.ruling import were_rules, without_rules
from ocr_models.pages.word_crops import LEVEL_WORD_RAD, cut_words
from ocr_models.recognition.crops import INPUT_HEIGHT, MARGIN_X, MARGIN_Y, WIDTH_BUCKETS

# Lengths are in heights of words, which are about one em.
_LONGEST = WIDTH_BUCKETS[-1] / INPUT_HEIGHT * (1 + 2 * MARGIN_Y) - 2 * MARGIN_X  # what isn't squeezed
_SLANTED_FROM = 6.0  # the boxes of a shorter piece tell its slant worse than the skew of the page does
_MOST_RISE = 0.1  # of a line, end to end: a slice then loses half a margin at each end
_PIECES_AT_ONCE = 1024  # pieces whose words are compared at a time, which bounds memory
_LONGEST_WORD = 6.0  # a longer box, as of a leader, counts no more than that for the height of its piece
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
    reached = cover_marks(image, reach_ends(image, boxes, pieces, places), pieces)
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
    pieces = [
        part
        for segment, is_long in zip(segments, _are_long(boxes, segments), strict=True)
        for part in (_part_long(boxes, segment) if is_long else [segment])
    ]
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
    portions = [pieces[i : i + _PIECES_AT_ONCE] for i in range(0, len(pieces), _PIECES_AT_ONCE)]
    return np.concatenate([np.zeros((0, 4, 2), np.float32), *(_fit_quads(boxes, portion) for portion in portions)])


def cut_pieces(image: np.ndarray, quads: np.ndarray) -> list[np.ndarray]:
    """Cuts pieces of lines, quads (P, 4, 2), out of a gray page, uint8 (H, W), as ``cut_words`` does, but level."""
    return cut_words(image, quads, _MOST_RISE)


def _are_long(boxes: np.ndarray, segments: list[list[int]]) -> np.ndarray:
    """Bool (S,): which segments are longer than the longest piece."""
    words, segment = flat_lists(segments)
    ends = np.diff(segment, prepend=-1, append=len(segments)) > 0
    lengths = boxes[words[ends[1:]], 2] - boxes[words[ends[:-1]], 0]
    return lengths > _LONGEST * group_medians(boxes[words, 3] - boxes[words, 1], segment, len(segments))


def _fit_quads(boxes: np.ndarray, pieces: list[list[int]]) -> np.ndarray:
    """The quads, float32 (P, 4, 2), of at least one piece."""
    words, is_word = _in_rows(pieces)
    x0, y0, x1, y1 = np.moveaxis(boxes[words], 2, 0)  # (P, K) each
    weights = np.where(is_word, np.maximum(np.minimum(x1 - x0, _LONGEST_WORD * (y1 - y0)), 1.0), 0.0)
    heights = weighted_medians(y1 - y0, weights * (y1 - y0))  # by area: leaders are long, but lower than words
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    left, right = x0.min(axis=1, keepdims=True), x1.max(axis=1, keepdims=True)
    alike = np.where(np.abs(y1 - y0 - heights) <= _SAME_SIZE * heights, weights, 0.0)
    slopes = np.where(right - left > _SLANTED_FROM * heights, _slopes(x, y, alike), 0.0)
    middles = weighted_medians(y - slopes * x, alike)
    ends = np.hstack([left, right, right, left])
    return np.stack([ends, middles + slopes * ends + np.array([-0.5, -0.5, 0.5, 0.5]) * heights], 2).astype(np.float32)


def _join_overlapping(boxes: np.ndarray, segments: list[list[int]]) -> list[list[int]]:
    """Joins segments that share columns and rows: the detector saw a long word as two that overlap."""
    hulls = quad_boxes(piece_quads(boxes, segments))
    x0, y0, x1, y1 = hulls.T
    heights = y1 - y0
    reach = heights.max(initial=0)
    middles = (y0 + y1) / 2
    group = np.arange(len(segments))
    for a, b in Strips(hulls).near(x0, x1, middles - reach, middles + reach):
        shared = np.minimum(y1[a], y1[b]) - np.maximum(y0[a], y0[b])
        overlap = (shared > _OVERLAP * np.maximum(heights[a], heights[b])) & (x0[a] < x0[b]) & (x0[b] < x1[a])
        overlap &= x1[a] < x1[b]
        for left, right in zip(a[overlap].tolist(), b[overlap].tolist(), strict=True):
            group[group == group[right]] = group[left]
    if (group == np.arange(len(segments))).all():
        return segments
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
    hulls = quad_boxes(quads)
    reach = (hulls[:, 3] - hulls[:, 1]).max(initial=0) / 2
    covered = np.zeros(len(pieces), bool)
    for a, b in Strips(hulls).near(x, x, y - reach, y + reach):
        share = (x[a] - left[b, 0]) / np.maximum(widths[b], 1e-6)  # where a's middle is along b
        off = np.abs(y[a] - (left[b, 1] + share * (right[b, 1] - left[b, 1]) + heights[b] / 2))
        covered[a[(share > 0) & (share < 1) & (off < heights[b] / 2) & (widths[a] < widths[b])]] = True
    return covered


def _in_rows(pieces: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """The words of pieces, int (P, K), in rows filled up with their last word; and bool (P, K), what is no filling."""
    words, piece = flat_lists(pieces)
    sizes = np.bincount(piece)
    places = np.arange(sizes.max())
    row = np.minimum(places, sizes[:, None] - 1)
    return words[(np.cumsum(sizes) - sizes)[:, None] + row], places == row


def _slopes(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The slopes (P, 1) of the weighted least-squares lines through rows of points (P, K).

    0 through fewer than three points with a weight.
    """
    total = weights.sum(axis=1, keepdims=True)
    x, y = (v - (weights * v).sum(axis=1, keepdims=True) / total for v in (x, y))
    spread = (weights * x * x).sum(axis=1, keepdims=True)
    is_clear = (np.count_nonzero(weights, axis=1, keepdims=True) >= 3) & (spread > 0)
    return np.where(is_clear, (weights * x * y).sum(axis=1, keepdims=True) / np.where(is_clear, spread, 1.0), 0.0)
