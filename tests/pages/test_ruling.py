from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads
from ocr_models.pages.ruling import were_rules, without_rules

# A word of 20 pixels in height: three letters whose stems end two pixels before the edges of its box.
WORD = np.array([[40, 50, 100, 70]], float)


def page_with(*bars):
    """A page of 120 x 140 with the word and other black bars: x0, y0, x1, y1."""
    page = np.full((120, 140), 250, np.uint8)
    for x0, y0, x1, y1 in ((44, 52, 50, 68), (60, 52, 66, 68), (90, 52, 96, 68), *bars):
        page[y0:y1, x0:x1] = 20
    return page


@pytest.mark.parametrize("y0, y1", [(0, 120), (45, 90), (28, 72)])
def test_upright_rule_beside_a_word_is_erased(y0, y1):
    ruled = page_with((37, y0, 39, y1), (102, y0, 103, y1))
    seen = slice(20, 100)  # a height and a half above and below the word
    np.testing.assert_array_equal(without_rules(ruled, box_quads(WORD))[seen], page_with()[seen])
    assert ruled[60, 37] == 20  # the page as given is left alone


@pytest.mark.parametrize(
    "bar",
    [
        pytest.param((38, 48, 39, 75), id="a bracket, which is 27 high"),
        pytest.param((30, 0, 36, 120), id="the stem of a drop cap, which is 6 wide"),
        pytest.param((33, 40, 38, 84), id="a stem of 5, which goes on for 24 above and below"),
        pytest.param((0, 47, 140, 49), id="a rule above"),
        pytest.param((10, 0, 12, 120), id="a rule more than a height away"),
    ],
)
def test_all_else_stays(bar):
    page = page_with(bar)
    assert without_rules(page, box_quads(WORD)) is page


def test_rule_of_a_form_is_erased_though_the_scanner_made_it_wide():
    page = page_with((33, 0, 38, 120))
    np.testing.assert_array_equal(without_rules(page, box_quads(WORD))[20:100], page_with()[20:100])


def test_letters_above_each_other_are_no_rule():
    """Two "l" of 24 pixels with 3 of white between them."""
    page = page_with((70, 47, 72, 71), (70, 74, 72, 98))
    assert without_rules(page, box_quads(WORD)) is page


def test_rule_is_seen_through_noise():
    rng = np.random.default_rng(1)
    ruled = page_with((37, 0, 38, 120)).astype(float)
    ruled[:, 37] = 180  # a hairline, gray from blur
    noisy = np.clip(ruled + rng.normal(0, 10, ruled.shape), 0, 255).astype(np.uint8)
    erased = without_rules(noisy, box_quads(WORD))
    assert np.abs(erased[50:70, 37].astype(float) - 250).max() < 15


def test_light_letters_on_dark_ground_stay():
    page = 255 - page_with((37, 0, 39, 120))
    expected = page.copy()
    expected[20:100, 36:40] = 5  # the rule is erased, one and a half heights above and below, too
    np.testing.assert_array_equal(without_rules(page, box_quads(WORD)), expected)


def test_box_around_a_rule_is_told_from_that_of_a_letter():
    ruled = page_with((33, 0, 35, 120), (104, 0, 105, 120))
    boxes = np.array([[28, 50, 40, 70], [86, 50, 106, 70], [40, 50, 100, 70]], float)
    erased = without_rules(ruled, box_quads(WORD))
    assert were_rules(ruled, erased, boxes).tolist() == [True, False, False]  # the second holds a letter, too


@pytest.mark.parametrize("height", [12, 16, 40])
def test_white_letters_on_black_ground_stay(height):
    image = np.zeros((4 * height, 20 * height), np.uint8)
    image[int(1.5 * height) : int(2.5 * height), height : 15 * height : height // 3] = 255  # upright strokes
    quads = box_quads(np.array([[height, 1.5 * height, 15 * height, 2.5 * height]]))
    assert without_rules(image, quads) is image
    image[:, 5 * height + 1 : 5 * height + 3] = 255  # a rule
    erased = without_rules(image, quads)
    assert not erased[0].any()
    assert erased[2 * height, height] == 255


def test_small_print_beside_nothing_has_no_rules():
    # A blur over two pixels makes rules of the white columns at the right of a picture; see ``findings``.
    image = np.full((60, 97), 255, np.uint8)
    image[24:36, 10:80:6] = 0
    assert without_rules(image, box_quads(np.array([[8.0, 24.0, 82.0, 36.0]]))) is image
