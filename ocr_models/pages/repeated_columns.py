"""Finds the columns of reference cards, indexes and word lists, which look like those of a table.

Their lines are narrow and stand in common rows, as cells do. What tells them apart is that the left edges within one
column, of terms and explanations, or of entries and what they are wrapped to, are repeated in the next one, at the same
distances. A table of columns all equally wide repeats its edges, too, and so does a label before a price: only columns
that have edges of their own are told.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ocr_models.geometry import runs_of

# Lengths are in heights of a line. Thresholds are rules of thumb; the tests hold what they tell apart.
_SAME_EDGE = 0.35  # segments whose left edges differ by less are aligned
_STRETCHED = 0.05  # or by a share of the distance: scans aren't as wide as high
_SAME_WORD = 0.2  # the same for a word in a segment that is over a gutter
_LEAST_PITCH = 12.0  # from the left edge of one column to that of the next
_LEAST_LINES = 12  # of a column, beside another one
_FEW_LINES = 3  # of it between two lines that are over both
_MAIN_LINES, _OF_EDGE = 5, 2  # least segments that begin at the left edge of a column, and at another one in it
_REPEATED = 0.6  # share of the segments of a column that begin at edges that the next one has, too
_LEFT_OVER = 0.05  # share of segments that may begin left of the first column
_MOST_EDGES = 60  # at which columns may begin; a page with more has none


class Gutter(NamedTuple):
    """The white before a column: its lines begin at ``x``, from ``top`` to ``bottom``; pixels.

    No two segments one below the other are over it.
    """

    x: float
    top: float
    bottom: float

    def parts(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Bool (P,): whether the gutter is between segments side by side, (P, 4) each."""
        least, middle = self.x - _SAME_EDGE * (left[:, 3] - left[:, 1]), (left[:, 1] + left[:, 3]) / 2
        return (left[:, 0] < least) & (right[:, 0] >= least) & (middle > self.top) & (middle < self.bottom)

    def is_before(self, words: np.ndarray) -> np.ndarray:
        """Bool (N,): whether words, (N, 4), begin a line of the column, though those before them reach up to them."""
        off, middle = np.abs(words[:, 0] - self.x), (words[:, 1] + words[:, 3]) / 2
        return (off < _SAME_WORD * (words[:, 3] - words[:, 1])) & (middle > self.top) & (middle < self.bottom)


def find_gutters(extents: np.ndarray) -> list[Gutter]:
    """The gutters between columns with repeated edges.

    Args:
        extents: float64 (L, 4), xmin, ymin, xmax, ymax of segments of lines in pixels.
    """
    if len(extents) < 2 * _LEAST_LINES:
        return []
    height = max(float(np.median(extents[:, 3] - extents[:, 1])), 1e-6)
    edges, counts = _edges(extents[:, 0], _SAME_EDGE * height)
    main = np.flatnonzero(counts >= _MAIN_LINES)
    if len(main) < 2 or len(main) > _MOST_EDGES:
        return []
    first = edges[main[0]]
    if (extents[:, 0] < first - height).mean() > _LEFT_OVER:
        return []
    for start in edges[main[1:]].tolist():
        starts = [first]
        while _repeats(edges, counts, starts[-1], start, height):
            starts.append(start)
            start = _nearest(edges[main], 2 * start - starts[-2])
        found = [gutter for left, x in pairwise(starts) for gutter in _white(extents, left, x, height)]
        if found:
            return found
    return []


def _edges(lefts: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The places (E,) at which segments begin, from left to right, and how many do."""
    rising = np.sort(lefts)
    firsts = np.flatnonzero(np.diff(rising, prepend=-np.inf) > reach)
    counts = np.diff(firsts, append=len(rising))
    return rising[firsts + (counts - 1) // 2], counts


def _nearest(edges: np.ndarray, place: float) -> float:
    return float(edges[np.abs(edges - place).argmin()])


def _repeats(edges: np.ndarray, counts: np.ndarray, start: float, after: float, height: float) -> bool:
    """Whether the edges in a column, from ``start`` on, are those in the one ``after``, but not equally far apart."""
    pitch = after - start
    if pitch < _LEAST_PITCH * height:
        return False
    reach = _SAME_EDGE * height
    columns = []
    for left in (start, after):
        inside = (edges >= left - reach) & (edges < left + (1 - _STRETCHED) * pitch)
        columns.append((edges[inside] - left, counts[inside]))
    (own, own_counts), (others, other_counts) = columns
    if not len(own) or not len(others):
        return False
    same = np.abs(own[:, None] - others) <= np.maximum(reach, _STRETCHED * own)[:, None]
    same &= np.minimum(own_counts[:, None], other_counts) >= _OF_EDGE
    is_own, is_other = same.any(axis=1), same.any(axis=0)
    if is_own.sum() < 2 or not same[(np.abs(own) <= reach)].any():
        return False
    shares = own_counts[is_own].sum() / own_counts.sum(), other_counts[is_other].sum() / other_counts.sum()
    if min(shares) < _REPEATED:
        return False
    inner = own[is_own & (own > reach)]
    steps = pitch / inner
    is_even = np.abs(steps - np.round(steps)) * inner <= reach  # such as the columns of a table of numbers
    return bool(len(inner)) and not any(
        all(np.abs(edges - start - step * k).min() <= reach for k in range(1, 2 * round(pitch / step)))
        for step in inner[is_even].tolist()
    )


def _white(extents: np.ndarray, left: float, x: float, height: float) -> list[Gutter]:
    """The white at the left of a column that begins at ``x``, after one at ``left``, between segments over it."""
    reach, pitch = _SAME_EDGE * height, x - left
    x0, y0, x1, y1 = extents.T
    middle = (y0 + y1) / 2
    over = np.sort(middle[(x0 < x - reach) & (x1 > x + reach)])
    bounds = np.concatenate([[-np.inf], over, [np.inf]])
    on_left = (x0 >= left - reach) & (x0 < x - reach) & (x1 <= x + reach)
    on_right = (x0 >= x - reach) & (x0 < x + pitch - reach)
    lines = [
        np.bincount(np.searchsorted(over, middle[side]), minlength=len(over) + 1)
        for side in (on_left, on_right & (np.abs(x0 - x) <= reach))
    ]
    few = np.minimum(*lines)
    if few.max() < _LEAST_LINES:
        return []
    return [Gutter(x, float(bounds[i]), float(bounds[j])) for i, j in runs_of(few >= _FEW_LINES).tolist()]
