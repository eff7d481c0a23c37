"""Words of any size and polarity, found and read by the shipped models on pages made of a sample."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np

from ocr_models.geometry import quad_boxes
from ocr_models.pages.word_finder import inside_of


def counted(page):
    return Counter(word.text for word in page.words if word.in_text)


def share_read(page, expected):
    return (counted(page) & expected).total() / expected.total()


def test_negative_of_a_page_is_read_as_the_page(reader, letter, page):
    (negative,) = reader.read_pages([255 - letter])
    assert negative.rotation_deg == 0
    assert share_read(negative, counted(page)) > 0.95


def test_words_on_a_dark_band_are_read_beside_dark_words(reader, letter, page):
    top, bottom = 750, 1070  # two paragraphs, between the white above and below them
    banded = letter.copy()
    banded[top:bottom] = 255 - banded[top:bottom]
    (mixed,) = reader.read_pages([banded])
    assert share_read(mixed, counted(page)) > 0.95


def test_headline_is_one_word_among_words_of_usual_size(reader, letter, page):
    """A word of the letter stands above it ten times enlarged: letters of 200 pixels and more."""
    word = max(page.words, key=lambda word: (word.confidence > 0.95) * len(word.text))
    ((x0, y0, x1, y1),) = quad_boxes(np.array([word.quad])).round().astype(int)
    large = cv2.resize(letter[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3], None, fx=10, fy=10, interpolation=cv2.INTER_CUBIC)
    width = max(large.shape[1] + 100, letter.shape[1])
    sheet = np.full((large.shape[0] + 100 + letter.shape[0], width), 255, np.uint8)
    sheet[50 : 50 + large.shape[0], 50 : 50 + large.shape[1]] = large
    sheet[-letter.shape[0] :, : letter.shape[1]] = letter
    (read,) = reader.read_pages([sheet])
    assert counted(read)[word.text] == counted(page)[word.text] + 1
    assert share_read(read, counted(page)) > 0.95


def test_words_of_a_sheet_in_tiles_are_found_once(reader, letter, page):
    """Twelve letters on one sheet, of which the detector sees a part at a time."""
    (sheet,) = reader.read_pages([np.tile(letter, (3, 4))])
    expected = Counter({text: 12 * count for text, count in counted(page).items()})
    assert share_read(sheet, expected) > 0.95
    assert counted(sheet).total() < 1.02 * expected.total()
    assert sheet.is_complete


def test_quads_inside_a_headline_have_their_center_there():
    headline = np.array([[10, 10], [50, 10], [50, 30], [10, 30]], np.float32)
    quads = headline + np.array([[[0, 0]], [[15, 0]], [[25, 0]], [[0, -12]]], np.float32)
    assert inside_of(headline, quads).tolist() == [True, True, False, False]
