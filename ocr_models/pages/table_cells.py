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
_BESIDE = 0.75  # the same to something beside a segment: lines of a paragraph are not twice as far apart
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
    rows = _Rows(extents, strips, _stacks(extents, strips, _TABLE_LINES))
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

    def __init__(self, extents: np.ndarray, strips: Strips, stacks: _Stacks) -> None:
        self.count = len(extents)
        self._extents, self._strips = extents, strips
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
        rising = self._bottoms[by_bottom]
        self._ranks = {
            reach: (
                np.searchsorted(rising, self._bottoms - reach * self._heights),
                np.searchsorted(rising, self._bottoms + reach * self._heights, side="right"),
            )
            for reach in (_SAME_ROW, _BESIDE)
        }

    def are_shared(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Bool (P,) for pairs of segments, int (P,) each."""
        shared = np.minimum(self._stacks.sizes[left], self._stacks.sizes[right]) < _FEW_ROWS
        for one, other in ((left, right), (right, left)):
            rest = np.flatnonzero(~shared)
            pairs, members = self._beside(one[rest], other[rest])
            sizes = np.bincount(pairs, minlength=len(rest))
            level = np.bincount(pairs, self._are_near(one[rest], pairs, members, _SAME_ROW), len(rest))
            shared[rest] = (level >= _SHARED_ROWS * sizes) | (sizes < _FEW_ROWS)
        widths = self._x1[left] - self._x0[left]
        rest = np.flatnonzero(~shared & (widths <= _COLUMN_WIDTH * self._heights[left]))
        if len(rest):
            shared[rest] = self._are_terms(left[rest], right[rest])
        return shared

    def _are_terms(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Bool (P,): whether segments at the left are narrow, and stand beside the first lines of what explains them.

        Only those along the white between the two count, and no headings, which have nothing at their right.
        """
        top, bottom = _white_before(self._extents, self._strips, left, right)
        pairs, members = self._beside(right, left)
        along = (self._bottoms[members] > top[pairs]) & (self._bottoms[members] <= bottom[pairs])
        pairs, members = pairs[along], members[along]
        are_level, are_beside = (self._are_near(right, pairs, members, reach) for reach in (_SAME_ROW, _BESIDE))
        are_wide = are_beside & (self._x1[members] - self._x0[members] > _COLUMN_WIDTH * self._heights[members])
        level, beside, wide = (np.bincount(pairs, flags, len(left)) for flags in (are_level, are_beside, are_wide))
        return (level >= np.maximum(1, _SHARED_ROWS * beside)) & (wide == 0)

    def _beside(self, first: np.ndarray, second: np.ndarray) -> Pairs:
        """The members of the stack of each second segment, (P,), and their pairs.

        Segments that are over both, such as those of a paragraph above a table, are left out.
        """
        pairs, members = self._stacks.of(second)
        beside = np.minimum(self._x1[members], self._x1[first[pairs]]) <= np.maximum(
            self._x0[members], self._x0[first[pairs]]
        )
        return pairs[beside], members[beside]

    def _are_near(self, first: np.ndarray, pairs: np.ndarray, members: np.ndarray, reach: float) -> np.ndarray:
        """Bool (M,): whether members are level, within a share of heights, with one of their first one's stack."""
        lowest, highest = self._ranks[reach]
        of_first = first[pairs] * (self.count + 1)
        starts = np.searchsorted(self._keys, of_first + lowest[members])
        counts = np.searchsorted(self._keys, of_first + highest[members]) - starts
        places, others = run_members(starts, counts)
        others, ours = self._members[others], members[places]
        off = np.abs(self._bottoms[others] - self._bottoms[ours])
        are_near = np.zeros(len(pairs), bool)
        are_near[places[off < reach * np.minimum(self._heights[others], self._heights[ours])]] = True
        return are_near


def _part_columns(extents: np.ndarray, strips: Strips, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Bool (P,): whether pairs of segments side by side belong to two columns of running text.

    They do if segments above and below both are as wide as lines of a column. Only segments along the white space
    between the two count: a paragraph above a table says nothing about its cells.
    """
    middle = (extents[:, 1] + extents[:, 3]) / 2
    top, bottom = _white_before(extents, strips, left, right)
    stacks = _stacks(extents, strips, _NEIGHBOR_LINES)
    parted = np.ones(len(left), bool)
    for segments in (left, right):
        pairs, members = stacks.of(segments)
        along = (middle[members] > top[pairs]) & (middle[members] < bottom[pairs])
        parted &= _are_running_text(extents[members[along]], pairs[along], len(left))
    return parted


def _white_before(extents: np.ndarray, strips: Strips, left: np.ndarray, right: np.ndarray) -> Pairs:
    """The tops and bottoms (P,) of the white between pairs of segments side by side, just before the right ones."""
    edge = extents[right, 0]  # lines of a column begin on one edge, but may end anywhere
    gutter = np.maximum(edge - _GUTTER * _heights(extents[right]), (extents[left, 2] + edge) / 2)
    return white_extents(extents, strips, gutter, gutter, (extents[left, 1] + extents[left, 3]) / 2)


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
