from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.recognition.crops import (
    INPUT_HEIGHT,
    WIDTH_BUCKETS,
    bucket_of,
    logit_length,
    pad_crops,
    resize_crop,
)


@pytest.mark.parametrize(
    ("shape", "width"),
    [
        ((32, 100), 100),
        ((64, 100), 50),
        ((16, 100), 200),
        ((40, 1), 4),  # never less than a time step
        ((20, 400), 640),
        ((20, 1400), 2048),  # 2240, squeezed into the last bucket
        ((1, 1), 32),
    ],
)
def test_crop_gets_height_32_and_keeps_its_shape(shape, width):
    crop = resize_crop(np.full(shape, 77, np.uint8))
    assert crop.shape == (INPUT_HEIGHT, width)
    assert crop.dtype == np.uint8 and (crop == 77).all()


def test_picture_stays_in_place():
    crop = np.full((64, 128), 255, np.uint8)
    crop[32:, 64:] = 0
    resized = resize_crop(crop)
    assert (resized[16:, 32:] == 0).all()
    assert (resized[:16] == 255).all() and (resized[:, :32] == 255).all()


@given(st.integers(1, WIDTH_BUCKETS[-1]))
def test_bucket_is_the_smallest_that_fits(width):
    bucket = bucket_of(width)
    assert bucket in WIDTH_BUCKETS and bucket >= width
    assert not [smaller for smaller in WIDTH_BUCKETS if width <= smaller < bucket]


def test_every_bucket_is_whole_time_steps():
    assert list(WIDTH_BUCKETS) == sorted(WIDTH_BUCKETS)
    assert [4 * logit_length(width) for width in WIDTH_BUCKETS] == list(WIDTH_BUCKETS)
    # A step that the crop fills in part counts.
    assert [logit_length(width) for width in (4, 5, 8, 9)] == [1, 2, 2, 3]


@given(st.integers(4, 96))
def test_padding_repeats_the_last_column(width):
    crop = np.random.default_rng(width).integers(0, 256, (32, width), dtype=np.uint8)
    padded, other = pad_crops([crop, crop[:, :2]], 96)
    assert padded.shape == other.shape == (32, 96)
    np.testing.assert_array_equal(padded[:, :width], crop)
    assert (padded[:, width:] == crop[:, -1:]).all()
    assert (other[:, 2:] == crop[:, 1:2]).all()
