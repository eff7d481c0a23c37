"""Slants of lines of text that OpenCV's own font draws."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocr_models.pages.found_page import text_slant


def lines_of_text(degrees):
    """A page of 1700 by 2200 pixels, turned clockwise."""
    page = np.full((2200, 1700), 255, np.uint8)
    words = np.random.default_rng(1).choice(
        ["ships", "that", "called", "between", "March", "and", "October", "of", "last", "year"], (40, 14)
    )
    for line, text in enumerate(map(" ".join, words)):
        cv2.putText(page, text, (80, 100 + 50 * line), cv2.FONT_HERSHEY_COMPLEX, 1.2, 0, 3, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((850, 1100), -degrees, 0.75)
    return cv2.warpAffine(page, turn, (1700, 2200), borderValue=255)


@pytest.mark.parametrize(
    ("degrees", "slant"), [(0, 0), (2, 2), (20, 20), (-30, -30), (44, 44), (60, -30), (90, 0), (100, 10), (200, 20)]
)
def test_slant_is_told_apart_from_quarter_turns(degrees, slant):
    assert np.rad2deg(text_slant(lines_of_text(degrees))) == pytest.approx(slant, abs=0.3)


def test_slant_of_a_negative():
    assert np.rad2deg(text_slant(255 - lines_of_text(15))) == pytest.approx(15, abs=0.3)


@pytest.mark.parametrize("shape", [(1, 1), (300, 2), (2200, 1700)])
def test_page_without_ink_has_no_slant(shape):
    assert text_slant(np.full(shape, 200, np.uint8)) == 0.0


def test_noise_has_no_slant():
    noise = np.random.default_rng(1).integers(0, 256, (2200, 1700)).astype(np.uint8)
    assert text_slant(noise) == 0.0
