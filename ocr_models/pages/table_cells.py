"""Tells the cells of a table, which are read along its rows, from the columns of running text, which are not.

What is compared are segments: the words between two wide gaps of a line. Few segments are near each other, so that
their pairs are lists, not matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocr_models.limits import check_reading_time
from ocr_models.pages.groups import group_medians, run_members
from ocr_models.pages.neighbors import Pairs, Strips, level_pairs, white_extents

# Thresholds without a unit are shares; they are rules of thumb, and the tests hold what they tell apart.
_MIN_OVERLAP = 0.5  # of the smaller of two heights, for segments side by side
_MAX_HEIGHT_RATIO = 2.2  # of two segments side by side
_COLUMN_WIDTH = 9.0  # in line heights: wider lines are running text
_NEIGHBOR_LINES = 8  # above and below a segment, which decide whether it is running text
_TABLE_LINES = 30  # above and below a segment, which decide whether it is in a table
_SAME_ROW = 0.25  # in line heights: the largest difference of bottoms in a row
_SHARED_ROWS = 0.7  # two stacks are columns of a table if this share of one is level with segments of the other
_FEW_ROWS = 6  # shorter stacks may always share rows
_GUTTER = 0.3  # in line heights: the least white before a column


@dataclass(frozen=True)
class _Stacks:
    """For each segment those above and below it in the same column, and itself.

    Attributes:
        members: int (M,), the segments of all stacks, stack by stack.
        starts: int (L + 1,), where each stack starts in ``members``.
    """

    members: np.ndarray
    starts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(self.starts)

    def of(self, segments: np.ndarray) -> Pairs:
        """The members of the stacks of Q segments, each with the place of its segment among the Q."""
        places, members = run_members(self.starts[segments], self.sizes[segments])
        return places, self.members[members]


def cell_successors(extents: np.ndarray) -> np.ndarray:
    """For each segment the next one on its line, which is a cell or a label's price to its right; or -1.

    Args:
        extents: float64 (L, 4), xmin, ymin, xmax, ymax of the segments in pixels.

    Returns:
        int (L,).
    """
    x0, _, x1, _ = extents.T
    successors = np.full(len(extents), -1)
    left, right = _side_by_side(extents)
    if not len(left):
        return successors
    strips = Strips(extents)
    gaps = x0[right] - x1[left]
    rows = _Rows(extents, _stacks(extents, strips, _TABLE_LINES))
    nearest_right = _nearest_in_rows(left, left, right, gaps, rows)
    nearest_left = _nearest_in_rows(right, left, right, gaps, rows)
    chosen = nearest_right[nearest_right >= 0]
    mutual = chosen[nearest_left[right[chosen]] == chosen]
    left, right = left[mutual], right[mutual]
    parted = _part_columns(extents, strips, left, right)
    successors[left[~parted]] = right[~parted]
    return successors


def _side_by_side(extents: np.ndarray) -> Pairs:
    """The pairs of a segment and one to its right at the same height, in ascending order of the first."""
    x0, y0, x1, y1 = extents.T
    heights = _heights(extents)
    found = [(np.zeros(0, int), np.zeros(0, int))]
    for left, right in level_pairs(extents, _MAX_HEIGHT_RATIO):
        lower = np.minimum(heights[left], heights[right])
        beside = (x0[right] > x0[left]) & (x0[right] >= x1[left] - 0.5 * lower)
        overlap = np.minimum(y1[left], y1[right]) - np.maximum(y0[left], y0[right])
        beside &= overlap > _MIN_OVERLAP * lower
        beside &= np.maximum(heights[left], heights[right]) < _MAX_HEIGHT_RATIO * lower
        found.append((left[beside], right[beside]))
    left, right = (np.concatenate(part) for part in zip(*found, strict=True))
    return left, right


def _nearest_in_rows(
    groups: np.ndarray, left: np.ndarray, right: np.ndarray, gaps: np.ndarray, rows: _Rows
) -> np.ndarray:
    """For each segment the pair with the smallest gap among those of its group that share rows; or -1.

    Most nearest segments share rows, so that few pairs are examined.
    """
    order = np.lexsort((right, left, gaps, groups))
    sizes = np.bincount(groups, minlength=rows.count)
    stops = np.cumsum(sizes)
    nexts = stops - sizes
    nearest = np.full(rows.count, -1)
    waiting = np.flatnonzero(sizes)
    while len(waiting):
        check_reading_time()
        pairs = order[nexts[waiting]]
        shared = rows.are_shared(left[pairs], right[pairs])
        nearest[waiting[shared]] = pairs[shared]
        nexts[waiting] += 1
        waiting = waiting[~shared & (nexts[waiting] < stops[waiting])]
    return nearest


class _Rows:
    """Tells whether the segments above and below two segments have common rows, like the columns of a table."""

    def __init__(self, extents: np.ndarray, stacks: _Stacks) -> None:
        self.count = len(extents)
        self._x0, _, self._x1, self._bottoms = extents.T
        self._heights, self._stacks = _heights(extents), stacks
        by_bottom = np.argsort(self._bottoms, kind="stable")
        rank = np.empty(self.count, int)
        rank[by_bottom] = np.arange(self.count)
        # The members of each stack from top to bottom; keys rise through all stacks.
        owners, members = stacks.of(np.arange(self.count))
        keys = owners * (self.count + 1) + rank[members]
        order = np.argsort(keys, kind="stable")
        self._keys, self._members = keys[order], members[order]
        reach = _SAME_ROW * self._heights
        self._lowest = np.searchsorted(self._bottoms[by_bottom], self._bottoms - reach)
        self._highest = np.searchsorted(self._bottoms[by_bottom], self._bottoms + reach, side="right")

    def are_shared(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Bool (P,) for pairs of segments, int (P,) each."""
        shared = np.minimum(self._stacks.sizes[first], self._stacks.sizes[second]) < _FEW_ROWS
        for one, other in ((first, second), (second, first)):
            rest = np.flatnonzero(~shared)
            share, sizes = self._level_share(one[rest], other[rest])
            shared[rest] = (share >= _SHARED_ROWS) | (sizes < _FEW_ROWS)
        return shared

    def _level_share(self, first: np.ndarray, second: np.ndarray) -> Pairs:
        """The share (P,) of the second segment's stack that is level with a segment of the first one's, and its size.

        Segments that are over both, such as those of a paragraph above a table, don't count.
        """
        pairs, members = self._stacks.of(second)
        beside = np.minimum(self._x1[members], self._x1[first[pairs]]) <= np.maximum(
            self._x0[members], self._x0[first[pairs]]
        )
        pairs, members = pairs[beside], members[beside]
        of_first = first[pairs] * (self.count + 1)
        starts = np.searchsorted(self._keys, of_first + self._lowest[members])
        counts = np.searchsorted(self._keys, of_first + self._highest[members]) - starts
        places, others = run_members(starts, counts)
        others, ours = self._members[others], members[places]
        off = np.abs(self._bottoms[others] - self._bottoms[ours])
        is_level = np.zeros(len(pairs), bool)
        is_level[places[off < _SAME_ROW * np.minimum(self._heights[others], self._heights[ours])]] = True
        sizes = np.bincount(pairs, minlength=len(first))
        return np.bincount(pairs, is_level, len(first)) / np.maximum(sizes, 1), sizes


def _part_columns(extents: np.ndarray, strips: Strips, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Bool (P,): whether pairs of segments side by side belong to two columns of running text.

    They do if segments above and below both are as wide as lines of a column. Only segments along the white space
    between the two count: a paragraph above a table says nothing about its cells.
    """
    edge = extents[right, 0]  # lines of a column begin on one edge, but may end anywhere
    gutter = np.maximum(edge - _GUTTER * _heights(extents[right]), (extents[left, 2] + edge) / 2)
    middle = (extents[:, 1] + extents[:, 3]) / 2
    top, bottom = white_extents(extents, strips, gutter, gutter, middle[left])
    stacks = _stacks(extents, strips, _NEIGHBOR_LINES)
    parted = np.ones(len(left), bool)
    for segments in (left, right):
        pairs, members = stacks.of(segments)
        along = (middle[members] > top[pairs]) & (middle[members] < bottom[pairs])
        parted &= _are_running_text(extents[members[along]], pairs[along], len(left))
    return parted


def _are_running_text(extents: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Bool (count,): which groups of segments are at least three that are as wide as lines of a column."""
    widths = group_medians(extents[:, 2] - extents[:, 0], groups, count)
    heights = group_medians(_heights(extents), groups, count)
    return (np.bincount(groups, minlength=count) >= 3) & (widths > _COLUMN_WIDTH * heights)


def _stacks(extents: np.ndarray, strips: Strips, lines: float) -> _Stacks:
    """The stacks of segments within so many line heights."""
    x0, y0, x1, y1 = extents.T
    widths, middles, reach = x1 - x0, (y0 + y1) / 2, lines * _heights(extents)
    found = [(np.zeros(0, int), np.zeros(0, int))]
    for one, other in strips.near(x0, x1, middles - reach, middles + reach):
        shared = np.minimum(x1[one], x1[other]) - np.maximum(x0[one], x0[other])
        stacked = shared > 0.5 * np.minimum(widths[one], widths[other])
        stacked &= np.abs(middles[one] - middles[other]) < reach[one]
        stacked |= one == other  # also segments without width
        found.append((one[stacked], other[stacked]))
    owners, members = (np.concatenate(part) for part in zip(*found, strict=True))
    return _Stacks(members, np.searchsorted(owners, np.arange(len(extents) + 1)))


def _heights(extents: np.ndarray) -> np.ndarray:
    return np.maximum(extents[:, 3] - extents[:, 1], 1e-6)
