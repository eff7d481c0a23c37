from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.data.sources import quads as quads_module
from ocr_models.data.sources.quads import crosses_itself, fit_quad, signed_area
from ocr_models.geometry import box_quads

WIDTH, HEIGHT = 100, 60


def quad(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float64).reshape(4, 2)


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return box_quads(np.array([[x0, y0, x1, y1]]))[0]


numbers = st.one_of(
    st.integers(-150, 250), st.floats(-150, 250, width=32), st.sampled_from([0.0, WIDTH, HEIGHT, 1e300])
)
quads = st.lists(numbers, min_size=8, max_size=8).map(lambda n: quad(*n))


@given(quads)
def test_what_is_kept_is_clockwise_simple_inside_and_not_empty(corners):
    fitted = fit_quad(corners, WIDTH, HEIGHT)
    if fitted.rejection is None:
        assert fitted.quad is not None
    if fitted.quad is not None:
        assert fitted.quad.dtype == np.float32 and fitted.quad.shape == (4, 2)
        assert (fitted.quad >= 0).all() and (fitted.quad <= [WIDTH, HEIGHT]).all()
        assert signed_area(fitted.quad.astype(np.float64)) > 0.99
        assert not crosses_itself(fitted.quad.astype(np.float64))


@given(quads)
def test_rules_applied_twice_change_nothing_more(corners):
    fitted = fit_quad(corners, WIDTH, HEIGHT)
    if fitted.rejection is None and signed_area(fitted.quad.astype(np.float64)) > 1.01:
        edges = np.linalg.norm(np.roll(fitted.quad, -1, axis=0) - fitted.quad, axis=1)
        if edges.min() > 1.01:  # else the float32 may be just too small
            again = fit_quad(fitted.quad, WIDTH, HEIGHT)
            np.testing.assert_array_equal(again.quad, fitted.quad)
            assert again.repairs == () and again.rejection is None


@given(st.integers(0, 90), st.integers(0, 50), st.integers(1, 10), st.integers(1, 10), st.integers(0, 3))
def test_good_quad_stays_as_it_is_whatever_corner_is_its_first(x, y, width, height, first):
    corners = np.roll(box(x, y, x + width, y + height), first, axis=0)
    fitted = fit_quad(corners, WIDTH, HEIGHT)
    np.testing.assert_array_equal(fitted.quad, corners)
    assert fitted.repairs == () and fitted.rejection is None


def test_counterclockwise_quad_is_turned_about_its_first_corner():
    fitted = fit_quad(quad(10, 10, 10, 20, 50, 20, 50, 10), WIDTH, HEIGHT)
    np.testing.assert_array_equal(fitted.quad, box(10, 10, 50, 20))
    assert fitted.repairs == ("counterclockwise corners turned",)


def test_crossing_corners_are_put_in_order():
    # Top-left, top-right, bottom-left, bottom-right: an hourglass.
    fitted = fit_quad(quad(10, 10, 50, 10, 10, 20, 50, 20), WIDTH, HEIGHT)
    np.testing.assert_array_equal(fitted.quad, box(10, 10, 50, 20))
    assert fitted.repairs == ("corners that crossed put in order",)


def test_quad_that_is_mostly_inside_is_clipped():
    fitted = fit_quad(box(80, 10, 120, 20), WIDTH, HEIGHT)  # 20 of 40 pixels are inside
    np.testing.assert_array_equal(fitted.quad, box(80, 10, 100, 20))
    assert fitted.repairs == ("clipped to the picture",) and fitted.rejection is None


def test_quad_that_is_mostly_outside_becomes_a_region_to_ignore():
    fitted = fit_quad(box(81, 10, 121, 20), WIDTH, HEIGHT)  # 19 of 40 pixels are inside
    np.testing.assert_array_equal(fitted.quad, box(81, 10, 100, 20))
    assert fitted.rejection == "outside the picture of 100×60: 81,10 121,10 121,20 81,20"


def test_turned_quad_counts_the_area_that_is_inside():
    # A square on its corner about (100, y): its right half is outside, so that just half is inside.
    diamond = quad(100, 10, 120, 30, 100, 50, 80, 30)
    assert fit_quad(diamond, WIDTH, HEIGHT).repairs == ("clipped to the picture",)
    assert fit_quad(np.add(diamond, [1, 0]), WIDTH, HEIGHT).rejection
    np.testing.assert_array_equal(fit_quad(diamond, WIDTH, HEIGHT).quad, quad(100, 10, 100, 30, 100, 50, 80, 30))


@pytest.mark.parametrize(
    "corners",
    [
        box(10, 10, 10, 20),  # no width
        box(10, 10, 10.9, 40),  # an edge below 1 px, though 27 px²
        quad(10, 10, 50, 10, 50, 10.01, 10, 10.01),
        quad(10, 10, 20, 10, 30, 10, 40, 10),  # on a line
        quad(*[5] * 8),
    ],
)
def test_empty_quad_is_rejected_and_leaves_nothing(corners):
    fitted = fit_quad(corners, WIDTH, HEIGHT)
    assert fitted.quad is None and fitted.rejection.startswith("empty: ")


def test_quad_beside_the_picture_leaves_nothing():
    fitted = fit_quad(box(200, 10, 240, 20), WIDTH, HEIGHT)
    assert fitted.quad is None and fitted.rejection.startswith("outside the picture")


small = st.lists(st.integers(-2, 12), min_size=8, max_size=8).map(lambda n: quad(*n))


@given(small)
def test_the_short_way_for_plain_quads_leads_to_the_same_place(corners):
    with pytest.MonkeyPatch.context() as patch:
        short = fit_quad(corners, 10, 9)
        patch.setattr(quads_module, "_is_plain", lambda *_: False)
        long = fit_quad(corners, 10, 9)

    assert (short.repairs, short.rejection) == (long.repairs, long.rejection)
    assert np.array_equal(short.quad, long.quad) if short.quad is not None else long.quad is None
