from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_models.captioning.views import (
    adjust_contrast,
    adjust_hue_saturation,
    center_view,
    distort_colors,
    random_view,
)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_middle_of_a_square():
    image = noise(10, 10)
    # Of 10 pixels the middle 6 begin at (10 - 6) / 2 = 2.
    np.testing.assert_array_equal(center_view(image, 10, 6), image[2:8, 2:8])


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (500, 20), (346, 346), (299, 700)])
def test_pictures_of_any_size_become_squares(shape):
    view = center_view(noise(*shape), 346, 299)
    assert view.shape == (299, 299, 3) and view.dtype == np.uint8


def test_shrinking_averages():
    # A chessboard of 0 and 255 has the mean 127.5 everywhere.
    board = np.repeat((np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    assert np.abs(center_view(board, 8, 4).astype(int) - 127.5).max() <= 1


def test_random_views_differ_but_not_with_one_seed():
    image = noise(40, 60)

    def views(seed):
        rng = np.random.default_rng(seed)
        return [random_view(image, 40, 30, rng) for _ in range(3)]

    first, second = views(1), views(2)
    assert all(view.shape == (30, 30, 3) and view.dtype == np.uint8 for view in first)
    np.testing.assert_array_equal(first, views(1))
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_random_views_are_cropped_everywhere_and_mirrored():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, 3] = 255  # seen whole, the bright column is on the right, or on the left where mirrored
    rng = np.random.default_rng(0)
    whole = [random_view(image, 4, 4, rng).mean(axis=(0, 2)) for _ in range(40)]
    mirrored = sum(bool(columns[0] > columns[3]) for columns in whole)
    assert 8 <= mirrored <= 32
    # A crop of 3 of 4 columns has the bright one where it begins at column 1, half of the time.
    crops = [random_view(image, 4, 3, rng) for _ in range(40)]
    assert 8 <= sum(bool(np.ptp(crop.mean(axis=(0, 2))) > 20) for crop in crops) <= 32


def test_contrast_moves_away_from_the_mean_of_each_channel():
    image = np.array([[[0.2, 0.5, 0.0], [0.4, 0.5, 1.0]]], np.float32)  # means 0.3, 0.5, 0.5
    np.testing.assert_allclose(adjust_contrast(image, 0.5), [[[0.25, 0.5, 0.25], [0.35, 0.5, 0.75]]], atol=1e-6)


def test_hue_and_saturation():
    red = np.array([[[1, 0, 0]]], np.float32)
    np.testing.assert_allclose(adjust_hue_saturation(red, 120, 1), [[[0, 1, 0]]], atol=1e-3)  # green
    np.testing.assert_allclose(adjust_hue_saturation(red, -120, 1), [[[0, 0, 1]]], atol=1e-3)  # blue
    # Without saturation all channels are the value, the largest of the three: white for red.
    np.testing.assert_allclose(adjust_hue_saturation(red, 0, 0), [[[1, 1, 1]]], atol=1e-3)
    pink = np.array([[[1, 0.5, 0.5]]], np.float32)  # saturation 0.5; twice as much is all, ten times can't be more
    for factor in (2, 10):
        np.testing.assert_allclose(adjust_hue_saturation(pink, 0, factor), [[[1, 0, 0]]], atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_distorted_colors_keep_the_picture(seed):
    image = noise(12, 16, seed)
    distorted = distort_colors(image, np.random.default_rng(seed))
    assert distorted.shape == image.shape and distorted.dtype == np.uint8
    # Brightness moves by 32 at most; a gray picture has no hue and saturation, and no contrast to change.
    gray = np.full((4, 4, 3), 100, np.uint8)
    assert np.abs(distort_colors(gray, np.random.default_rng(seed)).astype(int) - 100).max() <= 33
