"""Words into lines, and lines into the order in which a person reads them.

Everything works on level boxes: a page's skew is taken out before. Lines are chains of words that follow each other
on one height; what stands side by side is one line, unless it is running text in columns. The order of lines is the
topological one of Breuel 2003, "High performance document layout analysis".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MAX_WORD_GAP = 1.3  # in line heights: a wider gap parts two cells or columns
_MIN_OVERLAP = 0.5  # of the lower of two heights, for words of one line
_MAX_HEIGHT_RATIO = 2.2
_ROWS_AT_ONCE = 128  # of the matrix of all pairs of words, which stays in the cache so, however many they are
_COLUMN_WIDTH = 9.0  # in line heights: the usual width of lines, from which on they are running text
_NEIGHBOR_LINES = 8
_TABLE_LINES = 30
_SAME_ROW = 0.25  # in line heights: two segments of a row stand so level
_SHARED_ROWS = 0.7  # of one stack's segments are level with one of the other's, where both are columns of a table
_FEW_ROWS = 6
_BLOCK_GAP = 0.75  # in line heights: more white than this between two lines parts two blocks


@dataclass(frozen=True)
class PageLayout:
    """The words of each line, in reading order, and for each line whether a block of text begins with it."""

    lines: list[list[int]]
    starts_block: list[bool]


def order_words(boxes: np.ndarray) -> PageLayout:
    """Puts words into lines and lines into reading order.

    Args:
        boxes: (N, 4) level word boxes in pixels: xmin, ymin, xmax, ymax.

    Returns:
        Lines of indices into ``boxes``; every word stands in exactly one line.
    """
    if not len(boxes):
        return PageLayout([], [])
    boxes = np.asarray(boxes, np.float64)
    segments = chains(word_successors(boxes))
    lines = _join_cells(boxes, segments)
    extents = _extents(boxes, lines)
    order = _reading_order(extents)
    return PageLayout([lines[i] for i in order], _block_starts(extents[order]))


def word_successors(boxes: np.ndarray) -> np.ndarray:
    """For each word the next one on its line, or -1: the nearest to its right on the same height."""
    count = len(boxes)
    everyone = np.arange(count)
    best, best_row = np.zeros((2, count), int)
    lowest, lowest_of_column = np.full((2, count), np.inf)
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        cost = _following_costs(boxes[rows], boxes)
        best[rows] = cost.argmin(axis=1)
        lowest[rows] = cost[everyone[: len(cost)], best[rows]]
        of_column = cost.argmin(axis=0)
        lower = cost[of_column, everyone] < lowest_of_column
        best_row[lower] = start + of_column[lower]
        lowest_of_column[lower] = cost[of_column, everyone][lower]
    return np.where(np.isfinite(lowest) & (best_row[best] == everyone), best, -1)


def _following_costs(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[i, j]: how ill other j fits behind box i on its line, infinite where it doesn't stand there."""
    x0, y0, x1, y1 = np.ascontiguousarray(boxes.T)[..., None]
    other_x0, other_y0, _, other_y1 = np.ascontiguousarray(others.T)
    heights, other_heights = y1 - y0, other_y1 - other_y0
    lower = np.minimum(heights, other_heights)
    overlap = np.minimum(y1, other_y1) - np.maximum(y0, other_y0)
    gap = other_x0 - x1  # from the end of i to the start of j
    similar = np.maximum(heights, other_heights) < _MAX_HEIGHT_RATIO * lower
    follows = (other_x0 > x0) & (gap > -0.5 * lower) & (gap < _MAX_WORD_GAP * np.maximum(lower, 1e-6))
    follows &= similar & (overlap > _MIN_OVERLAP * lower)
    return np.where(follows, gap - 0.5 * overlap, np.inf)


def _mutual_nearest(cost: np.ndarray) -> np.ndarray:
    """For each row its cheapest column, if that column's cheapest row is the row itself; else -1."""
    best = cost.argmin(axis=1)
    rows = np.arange(len(cost))
    mutual = np.isfinite(cost[rows, best]) & (cost.argmin(axis=0)[best] == rows)
    return np.where(mutual, best, -1)


def chains(successors: np.ndarray) -> list[list[int]]:
    """Follows the successors from each word that is nobody's successor."""
    has_predecessor = np.zeros(len(successors), bool)
    has_predecessor[successors[successors >= 0]] = True
    found = []
    for start in np.flatnonzero(~has_predecessor):
        chain = [int(start)]
        while successors[chain[-1]] >= 0:
            chain.append(int(successors[chain[-1]]))
        found.append(chain)
    return found


def _extents(boxes: np.ndarray, lines: list[list[int]]) -> np.ndarray:
    """Bounding boxes (L, 4) of lines, with the usual height of their words around their usual middle."""
    extents = np.empty((len(lines), 4))
    for i, line in enumerate(lines):
        words = boxes[line]
        extents[i] = words[:, 0].min(), np.median(words[:, 1]), words[:, 2].max(), np.median(words[:, 3])
    return extents


def _join_cells(boxes: np.ndarray, segments: list[list[int]]) -> list[list[int]]:
    """Joins segments that stand side by side, as table cells, labels and prices do; not columns, whose rows differ."""
    extents = _extents(boxes, segments)
    x0, y0, x1, y1 = extents.T
    heights = np.maximum(y1 - y0, 1e-6)
    lower = np.minimum(heights[:, None], heights)
    overlap = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    is_column = _in_running_text(extents)
    same_rows = _share_rows(extents)
    beside = (x0[None, :] > x0[:, None]) & (x0[None, :] >= x1[:, None] - 0.5 * lower)
    beside &= overlap > _MIN_OVERLAP * lower
    beside &= np.maximum(heights[:, None], heights) < _MAX_HEIGHT_RATIO * lower
    beside &= ~(is_column[:, None] & is_column) & same_rows
    successors = _mutual_nearest(np.where(beside, x0[None, :] - x1[:, None], np.inf))
    return [[word for i in chain for word in segments[i]] for chain in chains(successors)]


def _in_running_text(extents: np.ndarray) -> np.ndarray:
    """Whether a segment stands among others above and below it that are wide as a column's lines are."""
    heights = _heights(extents)
    widths = extents[:, 2] - extents[:, 0]
    neighbors = _stacked(extents, _NEIGHBOR_LINES)
    typical = np.array([np.median(widths[row]) for row in neighbors])
    return (typical > _COLUMN_WIDTH * heights) & (neighbors.sum(axis=1) >= 3)


def _share_rows(extents: np.ndarray) -> np.ndarray:
    """[a, b]: whether what stands above and below a and b has common rows, as the columns of a table have."""
    bottom, heights = extents[:, 3], _heights(extents)
    stacked = _stacked(extents, _TABLE_LINES)
    level = np.abs(bottom[:, None] - bottom) < _SAME_ROW * np.minimum(heights[:, None], heights)
    counts = stacked.sum(axis=1)
    has_partner = (
        stacked.astype(np.float32) @ level.astype(np.float32)
    ) > 0  # [a, j]: one of a's stack is level with j
    share = (has_partner.astype(np.float32) @ stacked.T.astype(np.float32)) / counts  # of b's stack
    few = np.minimum(counts[:, None], counts) < _FEW_ROWS
    return few | (np.maximum(share, share.T) >= _SHARED_ROWS)


def _stacked(extents: np.ndarray, lines: float) -> np.ndarray:
    """[i, j]: whether j stands above or below i, within so many line heights, in the same column; itself included."""
    x0, y0, x1, y1 = extents.T
    widths = x1 - x0
    shared = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
    near = np.abs((y0 + y1)[:, None] - (y0 + y1)) / 2 < lines * _heights(extents)[:, None]
    stacked = (shared > 0.5 * np.minimum(widths[:, None], widths)) & near
    np.fill_diagonal(stacked, True)  # also where a segment has no width
    return stacked


def _heights(extents: np.ndarray) -> np.ndarray:
    return np.maximum(extents[:, 3] - extents[:, 1], 1e-6)


def _reading_order(extents: np.ndarray) -> np.ndarray:
    """Line a comes before b if it is above it and they share columns, or if it is left of it with nothing across."""
    x0, y0, x1, y1 = extents.T
    middle = (y0 + y1) / 2
    shares = (np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)) > 0
    above = middle[:, None] < middle
    left = (x1[:, None] <= x0) & ~shares
    before = shares & above
    # c lies between a and b in height and reaches over both: a heading across two columns. A page may have 1,000 lines,
    # so the c are tested 8 at a time, as the bits of a byte.
    over = np.packbits(shares & above.T, axis=1)  # [a, c]: c is above a
    under = np.packbits(shares & above, axis=1)
    for a in range(len(extents)):
        across = (under[a] & over) | (over[a] & under)
        before[a] |= left[a] & ~across.any(axis=1)
    np.fill_diagonal(before, False)
    return _topological_order(before, np.lexsort((x0, middle)))


def _topological_order(before: np.ndarray, by_height: np.ndarray) -> np.ndarray:
    """Of the lines that nothing unread comes before, always the one that is highest; a cycle yields its highest."""
    waiting = before.sum(axis=0)
    order, unread = [], list(by_height)
    while unread:
        line = next((i for i in unread if waiting[i] == 0), unread[0])
        unread.remove(line)
        order.append(line)
        waiting -= before[line]
    return np.array(order)


def _block_starts(extents: np.ndarray) -> list[bool]:
    """Whether a line, in reading order, begins a block: after white space, a jump up, or in another column."""
    x0, y0, x1, y1 = extents.T
    heights = y1 - y0
    white = y0[1:] - y1[:-1]
    smaller = np.minimum(heights[1:], heights[:-1])
    apart = (np.minimum(x1[1:], x1[:-1]) - np.maximum(x0[1:], x0[:-1])) <= 0
    starts = (white > _BLOCK_GAP * smaller) | (white < -0.7 * smaller) | apart
    return [True, *starts.tolist()]
