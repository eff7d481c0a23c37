"""Finds boxes that are near each other without comparing all pairs: a sheet may have 60,000 pieces of lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ocr_models.limits import check_reading_time
from ocr_models.pages.groups import portions, run_members

Pairs = tuple[np.ndarray, np.ndarray]
"""Two arrays int (P,): indices of the first and of the second of each pair."""

_AT_ONCE = 1 << 20  # pairs that are examined at a time, which bounds memory


def level_pairs(boxes: np.ndarray, height_ratio: float) -> Iterator[Pairs]:
    """All pairs of boxes (N, 4) that overlap in height and whose heights differ by less than a ratio, and others.

    The pairs come in portions, in ascending order of their first.
    """
    y0, y1 = boxes[:, 1], boxes[:, 3]
    by_top = np.argsort(y0, kind="stable")
    # Boxes that overlap and are of similar height have similar tops: sorted by top, they are a run.
    first = np.searchsorted(y0[by_top], y0 - height_ratio * (y1 - y0))
    counts = (np.searchsorted(y0[by_top], y1) - first).clip(min=0)
    for some in portions(counts, _AT_ONCE):
        check_reading_time()
        box, place = run_members(first[some], counts[some])
        yield box + some.start, by_top[place]


class Strips:
    """Boxes sorted into vertical strips, and by height within each.

    Strips are as wide as the boxes on average, so that a box is in three of them at most, on average.

    Args:
        boxes: (N, 4) xmin, ymin, xmax, ymax in pixels.
    """

    def __init__(self, boxes: np.ndarray) -> None:
        self._width = max(1.0, float((boxes[:, 2] - boxes[:, 0]).mean())) if len(boxes) else 1.0
        middles = (boxes[:, 1] + boxes[:, 3]) / 2
        by_height = np.argsort(middles, kind="stable")
        self._heights = middles[by_height]
        self._first_strip = self._strips_of(boxes[:, 0]).astype(int)
        last = self._strips_of(boxes[:, 2]).astype(int)
        self._ends = (self._first_strip.min(initial=0), last.max(initial=0))
        rank, strip = run_members(self._first_strip[by_height], (last - self._first_strip)[by_height] + 1)
        order = np.argsort(strip, kind="stable")
        self._boxes = by_height[rank[order]]
        self._keys = self._key(strip[order], rank[order])

    def near(self, x0: np.ndarray, x1: np.ndarray, y0: np.ndarray, y1: np.ndarray) -> Iterator[Pairs]:
        """The pairs of Q windows and boxes that share a strip and whose middles are within the window's height.

        All pairs with a box that overlaps its window in width are among them, each once.

        Args:
            x0, x1, y0, y1: (Q,), the sides of the windows in pixels; they may be infinite.

        Yields:
            Pairs in portions, in ascending order of their windows; all of a window are in one portion.
        """
        first, last = (np.clip(self._strips_of(x), *self._ends).astype(int) for x in (x0, x1))
        window, strip = run_members(first, last - first + 1)
        low = np.searchsorted(self._heights, y0)[window]
        high = np.searchsorted(self._heights, y1, side="right")[window]
        starts = np.searchsorted(self._keys, self._key(strip, low))
        counts = (np.searchsorted(self._keys, self._key(strip, high)) - starts).clip(min=0)
        for some in portions(np.bincount(window, counts, len(x0)), _AT_ONCE):
            check_reading_time()
            runs = slice(*np.searchsorted(window, (some.start, some.stop)))
            run, place = run_members(starts[runs], counts[runs])
            windows, boxes = window[runs][run], self._boxes[place]
            once = strip[runs][run] == np.maximum(first[windows], self._first_strip[boxes])
            yield windows[once], boxes[once]

    def _strips_of(self, x: np.ndarray) -> np.ndarray:
        return np.floor(x / self._width)

    def _key(self, strip: np.ndarray, rank: np.ndarray) -> np.ndarray:
        return strip * (len(self._heights) + 1) + rank


def white_extents(boxes: np.ndarray, strips: Strips, x0: np.ndarray, x1: np.ndarray, y: np.ndarray) -> Pairs:
    """The tops and bottoms (Q,) of the white around the height ``y`` between ``x0`` and ``x1``, all (Q,).

    They are those of the nearest boxes that reach between the two; infinite where there are none.

    Args:
        boxes: (N, 4), xmin, ymin, xmax, ymax in pixels.
        strips: of these boxes.
    """
    top, bottom = np.full(len(y), -np.inf), np.full(len(y), np.inf)
    everywhere = np.full(len(y), np.inf)
    for place, box in strips.near(x0, x1, -everywhere, everywhere):
        reaches = (boxes[box, 0] < x1[place]) & (boxes[box, 2] > x0[place])
        place, box = place[reaches], box[reaches]
        is_above = boxes[box, 1] + boxes[box, 3] < 2 * y[place]
        np.maximum.at(top, place[is_above], boxes[box[is_above], 3])
        np.minimum.at(bottom, place[~is_above], boxes[box[~is_above], 1])
    return top, bottom
