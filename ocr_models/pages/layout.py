"""Puts words into lines, and lines into reading order.

All boxes are level: the skew of the page has been removed. Lines are chains of words that follow each other at the same
height. Chains that are side by side are one line, unless they are running text in columns. The order of lines is the
topological one of Breuel 2003, "High performance document layout analysis".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocr_models.limits import check_reading_time

# Thresholds without a unit are shares; they are rules of thumb, and the tests hold what they tell apart.
_MAX_WORD_GAP = 1.3  # in line heights: a wider gap separates two cells or columns
_MIN_OVERLAP = 0.5  # of the smaller of two heights, for words of one line
_MAX_HEIGHT_RATIO = 2.2  # of two words of one line
_WORDS_AT_ONCE = 512  # words whose pairs with others are compared at a time, which bounds memory
_COLUMN_WIDTH = 9.0  # in line heights: wider lines are running text
_NEIGHBOR_LINES = 8  # above and below a segment, which decide whether it is running text
_TABLE_LINES = 30  # above and below a segment, which decide whether it is in a table
_SAME_ROW = 0.25  # in line heights: the largest difference of bottoms in a row
_SHARED_ROWS = 0.7  # two stacks are columns of a table if this share of one is level with segments of the other
_FEW_ROWS = 6  # shorter stacks may always share rows
_CORRIDOR_WIDTH = 0.6  # in median word heights: twice a space; the gutter of LaTeX's twocolumn is about 1
_CORRIDOR_LINES = 5  # lines that end at a corridor on its left, and lines that begin at it on its right
_ROW_STEP = 0.5  # in median word heights: words whose middles differ by more stand in different rows
_CORRIDOR_REACH = 3.0  # in median word heights: the largest distance of these lines from the corridor
_BLOCK_GAP = 0.75  # in line heights: more white than this between two lines separates two blocks


@dataclass(frozen=True)
class PageLayout:
    """The words of each line, in reading order, and for each line whether it begins a block of text."""

    lines: list[list[int]]
    starts_block: list[bool]


def order_words(boxes: np.ndarray) -> PageLayout:
    """Puts words into lines and lines into reading order.

    Args:
        boxes: (N, 4) level word boxes in pixels: xmin, ymin, xmax, ymax.

    Returns:
        Lines of indices into ``boxes``; every word is in exactly one line.
    """
    if not len(boxes):
        return PageLayout([], [])
    boxes = np.asarray(boxes, np.float64)
    lines = _join_cells(boxes, line_segments(boxes))
    extents = _extents(boxes, lines)
    order = _reading_order(extents)
    return PageLayout([lines[i] for i in order], _block_starts(extents[order]))


def line_segments(boxes: np.ndarray) -> list[list[int]]:
    """Chains of words, (N, 4) boxes, that follow each other on a line with no gap as wide as a cell's or column's."""
    boxes = np.asarray(boxes, np.float64)
    return chains(_part_at_corridors(boxes, word_successors(boxes))) if len(boxes) else []


def word_successors(boxes: np.ndarray) -> np.ndarray:
    """For each word, the next one on its line, which is the nearest to its right at the same height; or -1."""
    boxes = np.asarray(boxes, np.float64)
    y0, y1 = boxes[:, 1], boxes[:, 3]
    by_top = np.argsort(y0, kind="stable")
    # Words that overlap enough and are of similar size have similar tops: sorted by top, candidates are a run.
    first = np.searchsorted(y0[by_top], y0 - _MAX_HEIGHT_RATIO * (y1 - y0))
    counts = np.searchsorted(y0[by_top], y1) - first
    found = []
    for start in range(0, len(boxes), _WORDS_AT_ONCE):
        count = counts[start : start + _WORDS_AT_ONCE].clip(min=0)
        word = np.repeat(np.arange(start, start + len(count)), count)
        place_in_run = np.arange(len(word)) - np.repeat(np.cumsum(count) - count, count)
        other = by_top[first[word] + place_in_run]
        cost = _following_costs(boxes[word], boxes[other])
        follows = np.isfinite(cost)
        found.append((word[follows], other[follows], cost[follows]))
    words, others, costs = (np.concatenate(part) for part in zip(*found, strict=True))
    return _mutual_nearest(words, others, costs, len(boxes))


def _part_at_corridors(boxes: np.ndarray, successors: np.ndarray) -> np.ndarray:
    """The successors without those across a white corridor, such as the gutter between two columns.

    The width of a gap alone doesn't tell a gutter from a space: justified text has spaces as wide as a narrow gutter.
    A gutter is white along several lines.
    """
    em = float(np.median(boxes[:, 3] - boxes[:, 1]))
    gaps = boxes[successors, 0] - boxes[:, 2]
    parted = successors.copy()
    for word in np.flatnonzero((successors >= 0) & (gaps >= _CORRIDOR_WIDTH * em)).tolist():
        check_reading_time()
        if _is_at_corridor(boxes, boxes[word], boxes[successors[word]], em):
            parted[word] = -1
    return parted


def _is_at_corridor(boxes: np.ndarray, left: np.ndarray, right: np.ndarray, em: float) -> bool:
    """Whether the gap between two words of a line is part of a corridor."""
    half = _CORRIDOR_WIDTH / 2 * em
    for center in np.linspace(left[2] + half, right[0] - half, 3).tolist():
        top, bottom = _white_extent(boxes, center - half, center + half, float(left[1] + left[3]) / 2)
        if bottom - top < (_CORRIDOR_LINES - 1) * _ROW_STEP * em:  # too short for so many rows: nearly all spaces
            continue
        beside = (boxes[:, 1] > top - half) & (boxes[:, 3] < bottom + half)
        on_left = beside & (boxes[:, 2] <= center) & (boxes[:, 2] > center - _CORRIDOR_REACH * em)
        on_right = beside & (boxes[:, 0] >= center) & (boxes[:, 0] < center + _CORRIDOR_REACH * em)
        if min(_count_rows(boxes[on_left], em), _count_rows(boxes[on_right], em)) >= _CORRIDOR_LINES:
            return True
    return False


def _white_extent(boxes: np.ndarray, x0: float, x1: float, y: float) -> tuple[float, float]:
    """The top and bottom of the strip from ``x0`` to ``x1`` around the height ``y`` that no box reaches into."""
    in_strip = boxes[(boxes[:, 0] < x1) & (boxes[:, 2] > x0)]
    is_above = in_strip[:, 1] + in_strip[:, 3] < 2 * y
    top = in_strip[is_above, 3].max(initial=-np.inf)
    return float(top), float(in_strip[~is_above, 1].min(initial=np.inf))


def _count_rows(boxes: np.ndarray, em: float) -> int:
    """The number of rows that boxes stand in."""
    middles = np.sort(boxes[:, 1] + boxes[:, 3]) / 2
    return int(np.count_nonzero(np.diff(middles, prepend=-np.inf) > _ROW_STEP * em))


def _following_costs(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Costs (P,) of each other box as the next word after its box on a line; infinite where it can't be."""
    x0, y0, x1, y1 = np.ascontiguousarray(boxes.T)
    other_x0, other_y0, _, other_y1 = np.ascontiguousarray(others.T)
    heights, other_heights = y1 - y0, other_y1 - other_y0
    lower = np.minimum(heights, other_heights)
    overlap = np.minimum(y1, other_y1) - np.maximum(y0, other_y0)
    gap = other_x0 - x1
    similar = np.maximum(heights, other_heights) < _MAX_HEIGHT_RATIO * lower
    follows = (other_x0 > x0) & (gap > -0.5 * lower) & (gap < _MAX_WORD_GAP * np.maximum(lower, 1e-6))
    follows &= similar & (overlap > _MIN_OVERLAP * lower)
    return np.where(follows, gap - 0.5 * overlap, np.inf)


def _mutual_nearest(firsts: np.ndarray, seconds: np.ndarray, costs: np.ndarray, count: int) -> np.ndarray:
    """For each of ``count`` firsts, the second with which it forms a pair that is the cheapest for both, or -1."""
    everyone = np.arange(len(costs))
    mutual = cheapest(costs, firsts, count)[firsts] == everyone
    mutual &= cheapest(costs, seconds, count)[seconds] == everyone
    successors = np.full(count, -1)
    successors[firsts[mutual]] = seconds[mutual]
    return successors


def cheapest(costs: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """For each of ``count`` groups, the first index of its lowest cost; -1 if it has no finite cost."""
    falling = np.argsort(costs, kind="stable")[::-1]
    falling = falling[np.isfinite(costs[falling])]
    best = np.full(count, -1)
    best[groups[falling]] = falling  # the last assignment to a group wins
    return best


def group_medians(values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Medians (count,) of the values in each group; NaN for a group without values."""
    rising = np.append(values[np.lexsort((values, groups))], np.nan)
    sizes = np.bincount(groups, minlength=count)
    first = np.cumsum(sizes) - sizes
    lower, upper = (np.where(sizes, first + half, -1) for half in ((sizes - 1) // 2, sizes // 2))
    return (rising[lower] + rising[upper]) / 2


def chains(successors: np.ndarray) -> list[list[int]]:
    """Follows successors from each word that has no predecessor."""
    following = successors.tolist()
    found = []
    for start in sorted(set(range(len(following))) - set(following)):
        chain = [start]
        while following[chain[-1]] >= 0:
            chain.append(following[chain[-1]])
        found.append(chain)
    return found


def _extents(boxes: np.ndarray, lines: list[list[int]]) -> np.ndarray:
    """Bounding boxes (L, 4) of lines, with the medians of the tops and bottoms of their words."""
    sizes = [len(line) for line in lines]
    first = np.cumsum([0, *sizes[:-1]])
    x0, y0, x1, y1 = boxes[np.concatenate(lines)].T
    line_of_word = np.repeat(np.arange(len(lines)), sizes)
    top, bottom = (group_medians(side, line_of_word, len(lines)) for side in (y0, y1))
    return np.stack([np.minimum.reduceat(x0, first), top, np.maximum.reduceat(x1, first), bottom], axis=1)


def _join_cells(boxes: np.ndarray, segments: list[list[int]]) -> list[list[int]]:
    """Joins segments that are side by side, such as table cells, or labels and prices; not columns of text."""
    extents = _extents(boxes, segments)
    x0, y0, x1, y1 = extents.T
    heights = np.maximum(y1 - y0, 1e-6)
    lower = np.minimum(heights[:, None], heights)
    overlap = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    same_rows = _share_rows(extents)
    beside = (x0[None, :] > x0[:, None]) & (x0[None, :] >= x1[:, None] - 0.5 * lower)
    beside &= overlap > _MIN_OVERLAP * lower
    beside &= np.maximum(heights[:, None], heights) < _MAX_HEIGHT_RATIO * lower
    left, right = np.nonzero(beside & same_rows)
    successors = _mutual_nearest(left, right, x0[right] - x1[left], len(segments))
    stacked = _stacked(extents, _NEIGHBOR_LINES)
    for segment in np.flatnonzero(successors >= 0).tolist():
        check_reading_time()
        if _part_columns(extents, stacked, segment, successors[segment]):
            successors[segment] = -1
    return [[word for i in chain for word in segments[i]] for chain in chains(successors)]


def _part_columns(extents: np.ndarray, stacked: np.ndarray, left: int, right: int) -> bool:
    """Whether two segments side by side belong to two columns of running text.

    They do if segments above and below both are as wide as lines of a column. Only segments along the white space
    between the two count: a paragraph above a table says nothing about its cells.
    """
    edge = extents[right, 0]  # lines of a column begin on one edge, but may end anywhere
    gutter = max(edge - _CORRIDOR_WIDTH / 2 * _heights(extents[[right]])[0], (extents[left, 2] + edge) / 2)
    middle = (extents[:, 1] + extents[:, 3]) / 2
    top, bottom = _white_extent(extents, gutter, gutter, float(middle[left]))
    along = (middle > top) & (middle < bottom)
    return all(_is_running_text(extents[stacked[segment] & along]) for segment in (left, right))


def _is_running_text(extents: np.ndarray) -> bool:
    widths = extents[:, 2] - extents[:, 0]
    return len(extents) >= 3 and bool(np.median(widths) > _COLUMN_WIDTH * np.median(_heights(extents)))


def _share_rows(extents: np.ndarray) -> np.ndarray:
    """Bool (L, L): whether the segments above and below a and b have common rows, like the columns of a table."""
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
    """Bool (L, L): whether j is above or below i in the same column, within so many line heights, or i itself."""
    x0, y0, x1, y1 = extents.T
    widths = x1 - x0
    shared = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
    near = np.abs((y0 + y1)[:, None] - (y0 + y1)) / 2 < lines * _heights(extents)[:, None]
    stacked = (shared > 0.5 * np.minimum(widths[:, None], widths)) & near
    np.fill_diagonal(stacked, True)  # also for segments without width
    return stacked


def _heights(extents: np.ndarray) -> np.ndarray:
    return np.maximum(extents[:, 3] - extents[:, 1], 1e-6)


def _reading_order(extents: np.ndarray) -> np.ndarray:
    """Line a comes before b if it is above b and they share columns, or left of b with no line across between them."""
    x0, y0, x1, y1 = extents.T
    middle = (y0 + y1) / 2
    shares = (np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)) > 0
    above = middle[:, None] < middle
    left = (x1[:, None] <= x0) & ~shares
    before = shares & above
    # A line c across is between a and b in height and shares columns with both, like a heading over two columns. A page
    # may have 1,000 lines, so that 8 lines c are tested at a time, as the bits of a byte.
    over = np.packbits(shares & above.T, axis=1)  # [a, c]: c is above a
    under = np.packbits(shares & above, axis=1)
    for a in range(len(extents)):
        check_reading_time()  # a sheet of 12,000 pieces of lines takes over a minute
        across = (under[a] & over) | (over[a] & under)
        before[a] |= left[a] & ~across.any(axis=1)
    np.fill_diagonal(before, False)
    return _topological_order(before, np.lexsort((x0, middle)))


def _topological_order(before: np.ndarray, by_height: np.ndarray) -> np.ndarray:
    """Takes the highest of the lines that no unread line precedes, again and again; in a cycle, the highest line."""
    waiting = before.sum(axis=0)
    order, unread = [], list(by_height)
    while unread:
        line = next((i for i in unread if waiting[i] == 0), unread[0])
        unread.remove(line)
        order.append(line)
        waiting -= before[line]
    return np.array(order)


def _block_starts(extents: np.ndarray) -> list[bool]:
    """Whether each line, in reading order, begins a block: after white space or a jump up, or in another column."""
    x0, y0, x1, y1 = extents.T
    heights = y1 - y0
    white = y0[1:] - y1[:-1]
    smaller = np.minimum(heights[1:], heights[:-1])
    apart = (np.minimum(x1[1:], x1[:-1]) - np.maximum(x0[1:], x0[:-1])) <= 0
    starts = (white > _BLOCK_GAP * smaller) | (white < -0.7 * smaller) | apart
    return [True, *starts.tolist()]
