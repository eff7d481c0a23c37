from __future__ import annotations

import numpy as np
import pytest

from ocr_models.pages import neighbors
from ocr_models.pages.neighbors import Strips, level_pairs, white_extents


@pytest.fixture(params=[1 << 20, 50], ids=["at once", "in portions"])
def boxes(request, monkeypatch):
    """200 boxes of 0 to 60 by 0 to 20 within 300 by 300."""
    monkeypatch.setattr(neighbors, "_AT_ONCE", request.param)
    corners, sizes = np.random.default_rng(0).random((2, 200, 2)) * np.array([[[300, 300]], [[60, 20]]])
    return np.concatenate([corners, corners + sizes], axis=1)


def test_windows_meet_all_boxes_in_them_once(boxes):
    x0, y0, x1, y1 = boxes.T
    middles = (y0 + y1) / 2
    portions = list(Strips(boxes).near(x0, x1, y0 - 30, y1 + 30))
    windows, found = (np.concatenate(part) for part in zip(*portions, strict=True))
    assert (np.diff(windows) >= 0).all()
    pairs = list(zip(windows.tolist(), found.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    expected = (np.maximum(x0[:, None], x0) <= np.minimum(x1[:, None], x1)) & (abs(middles - middles[:, None]) < 30)
    assert set(zip(*(i.tolist() for i in np.nonzero(expected)), strict=True)) <= set(pairs)


def test_window_without_ends_meets_all_boxes(boxes):
    ((_, found),) = Strips(boxes).near(*np.array([[-np.inf], [np.inf], [-np.inf], [np.inf]]))
    assert sorted(found.tolist()) == list(range(200))


def test_no_boxes():
    x = np.zeros(2)
    top, bottom = white_extents(np.zeros((0, 4)), Strips(np.zeros((0, 4))), x, x, x)
    assert top.tolist() == [-np.inf] * 2 and bottom.tolist() == [np.inf] * 2


def test_white_ends_at_the_nearest_boxes(boxes):
    x = np.linspace(-20, 380, 50)
    top, bottom = white_extents(boxes, Strips(boxes), x, x + 5, np.full(50, 150.0))
    for i in range(50):
        reaching = boxes[(boxes[:, 0] < x[i] + 5) & (boxes[:, 2] > x[i])]
        is_above = reaching[:, 1] + reaching[:, 3] < 300
        assert top[i] == reaching[is_above, 3].max(initial=-np.inf)
        assert bottom[i] == reaching[~is_above, 1].min(initial=np.inf)


def test_level_pairs_are_those_that_overlap_in_similar_heights(boxes):
    first, second = (np.concatenate(part) for part in zip(*level_pairs(boxes, 2.2), strict=True))
    y0, y1 = boxes[:, 1], boxes[:, 3]
    heights = y1 - y0
    expected = (y0[:, None] < y1) & (y0 < y1[:, None])
    expected &= np.maximum(heights[:, None], heights) < 2.2 * np.minimum(heights[:, None], heights)
    assert set(zip(*(i.tolist() for i in np.nonzero(expected)), strict=True)) <= set(
        zip(first.tolist(), second.tolist(), strict=True)
    )
