from __future__ import annotations

import numpy as np

from ocr_models.pages.groups import cheapest, flat_lists, group_medians, portions, run_members


def test_cheapest_of_each_group():
    # Group 0 has 3, 1 and 1, of which the first counts; group 1 nothing finite; group 2 a 5; group 3 nothing.
    costs, groups = np.array([3, 1, np.inf, 5, 1]), np.array([0, 0, 1, 2, 0])
    assert cheapest(costs, groups, 4).tolist() == [1, -1, 3, -1]


def test_group_medians():
    # Group 0 has 9, 1 and 2; group 1 nothing; group 2 has 4 and 7.
    medians = group_medians(np.array([9, 4, 1, 7, 2]), np.array([0, 2, 0, 2, 0]), 3)
    np.testing.assert_array_equal(medians, [2, np.nan, 5.5])


def test_run_members():
    runs, places = run_members(np.array([7, 0, 3, 5]), np.array([2, 0, -1, 3]))
    assert runs.tolist() == [0, 0, 3, 3, 3] and places.tolist() == [7, 8, 5, 6, 7]


def test_portions_hold_no_more_than_fits_or_one_item():
    cut = [(some.start, some.stop) for some in portions(np.array([2, 3, 9, 0, 5, 1]), 5)]
    assert cut == [(0, 2), (2, 3), (3, 5), (5, 6)]
    assert list(portions(np.zeros(0, int), 5)) == []


def test_flat_lists():
    items, groups = flat_lists([[4, 5], [], [6]])
    assert items.tolist() == [4, 5, 6] and groups.tolist() == [0, 0, 2]
