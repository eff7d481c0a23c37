from __future__ import annotations

import pytest

from ocr_models.detection.scales import first_scale, scale_for_text, sheet_sample, tile_sides


def test_page_is_seen_by_its_long_side_and_strip_by_its_short_side():
    assert first_scale(2260, 1600) == 1130 / 2260
    assert first_scale(8000, 1600) == 0.5  # 800 / 1600
    assert first_scale(600, 400) == 1  # never enlarged at first sight


def test_endless_strip_is_seen_within_the_memory_it_may_take():
    assert first_scale(40_000, 1000) == pytest.approx((3400 * 2600 / 40_000_000) ** 0.5)


@pytest.mark.parametrize(
    ("text_px", "scale"),
    [
        (28, 0.5),  # seen with 14 pixels
        (0, 0.5),  # no text
        (14, 1.0),  # 7 pixels are too few: seen with 14
        (100, 0.14),  # 50 are too many
        (4, 2.0),  # never more than doubled
    ],
)
def test_text_of_odd_sizes_is_seen_at_a_good_size(text_px, scale):
    assert scale_for_text(0.5, text_px) == pytest.approx(scale)


def test_page_is_one_tile_and_sheet_is_parted_evenly():
    assert tile_sides(0.5, 2260, 1600) == (2260, 1600)
    # 9000 * 0.5 = 4500 is seen in three parts of at most 1600; 3900 * 0.5 = 1950 is seen at once.
    assert tile_sides(0.5, 9000, 3900) == (3000, 3900)


def test_sample_of_a_sheet_is_its_middle():
    assert sheet_sample(3300, 2550) is None
    # 1130 / 6800 = 0.17 is less than half of 0.5; 1600 / 0.5 = 3200 pixels of the middle are seen.
    assert sheet_sample(6800, 4400) == (slice(1800, 5000), slice(600, 3800))
    assert sheet_sample(6800, 2000) == (slice(1800, 5000), slice(0, 2000))
