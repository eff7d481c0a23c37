from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads
from ocr_models.pages.found_page import FoundPage
from ocr_models.pages.page_text import assemble
from ocr_models.records import Transcript


def text_of(*words, min_confidence=0.75):
    """The text of a page with one line of words, given as texts and confidences."""
    x = 60.0 * np.arange(len(words))
    quads = box_quads(np.stack([x, 0 * x + 10, x + 50, 0 * x + 30], axis=1))
    nowhere = np.zeros((0, 4, 2), np.float32)
    page = FoundPage(np.full((50, 600), 255, np.uint8), quads, nowhere, np.eye(2, 3), 0, 0.0)
    return assemble([(page, [Transcript(*word) for word in words])], min_confidence).text.strip()


@pytest.mark.parametrize("number", ["0", "6%", "0.00", "27/05/2018"])
def test_number_on_a_line_that_is_read_well_needs_less_confidence(number):
    # Three quarters of 0.75 are 0.5625.
    assert text_of(("Total", 0.99), (number, 0.57), ("supplies", 0.99)) == f"Total {number} supplies"
    assert text_of(("Total", 0.99), (number, 0.56), ("supplies", 0.99)) == "Total supplies"


@pytest.mark.parametrize("text", ["son", "2n", "7,", "-", "1)"])
def test_other_words_need_all_of_it(text):
    assert text_of(("Total", 0.99), (text, 0.74), ("supplies", 0.99)) == "Total supplies"


def test_number_on_a_doubtful_line_is_left_out():
    assert text_of(("1", 0.7), ("ll=", 0.6)) == ""


def test_numbers_follow_the_confidence_that_is_asked_for():
    assert text_of(("Total", 0.99), ("6", 0.1), min_confidence=0.0) == "Total 6"
    assert text_of(("Total", 0.99), ("6", 0.7), min_confidence=0.95) == "Total"
