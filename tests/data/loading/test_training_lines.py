from __future__ import annotations

import numpy as np

from ocr_models.charset import LATIN, Charset
from ocr_models.data.loading.training_lines import _text_of, pdf_lines
from ocr_models.data.pdf_pages import open_pdf, read_pdf_page
from ocr_models.geometry import box_quads
from ocr_models.io.pdf_text import open_pdf_page
from tests.text_pdfs import prose, set_text, write_text_pdf

CHARSET = Charset(LATIN + " ")
# Words of 20 pixels in height: "of the new", and "word" on the next line.
BOXES = np.array([[10, 10, 30, 30], [36, 10, 60, 30], [66, 10, 90, 30], [10, 40, 50, 60]], float)
TEXTS = ("of", "the", "new", "word")
WORDS = np.ones(4, bool)


def text_at(x0, x1, is_word=WORDS, texts=TEXTS, boxes=BOXES):
    return _text_of(box_quads(np.array([[x0, 10, x1, 30]]))[0], boxes, texts, is_word)


def test_piece_has_the_words_that_it_shows():
    assert text_at(10, 90) == "of the new"
    assert text_at(12, 88) == "of the new"  # off by a tenth of the height
    assert text_at(36, 60) == "the"


def test_piece_that_cuts_a_word_has_no_text():
    assert text_at(10, 80) == ""  # half of "new"
    assert text_at(16, 90) == ""  # "of" reaches 6 pixels beyond, more than 0.2 * 20


def test_piece_with_a_word_that_cannot_be_trusted_has_no_text():
    assert text_at(10, 90, is_word=np.array([True, False, True, True])) == ""
    assert text_at(66, 90, is_word=np.array([True, False, True, True])) == "new"


def test_words_without_a_visible_space_have_no_text():
    close = BOXES + np.array([[0, 0, 5, 0], [0] * 4, [0] * 4, [0] * 4])  # one pixel between "of" and "the"
    assert text_at(10, 90, boxes=close) == ""


def test_raised_word_spoils_a_piece():
    raised = BOXES - np.array([[0] * 4, [0, 6, 0, 6], [0] * 4, [0] * 4])
    assert text_at(10, 90, boxes=raised) == ""


def test_lines_of_a_pdf_are_parts_of_its_lines(tmp_path):
    text = prose(3, lines=12)
    path = write_text_pdf(tmp_path / "prose.pdf", [set_text(text)])
    truth = read_pdf_page(open_pdf_page(open_pdf(path), 0), 150)
    for validation in (False, True):
        lines = pdf_lines(lambda: truth, CHARSET, np.random.default_rng(4), validation)
        drawn = [next(lines) for _ in range(40)]
        assert all(any(f" {line.text} " in f" {of_page} " for of_page in text.splitlines()) for line in drawn)
        assert max(len(line.text.split()) for line in drawn) == 7
        assert all(8 <= line.image.shape[0] < 60 for line in drawn)


def test_characters_outside_the_charset_are_left_out(tmp_path):
    text = prose(3, lines=12)
    path = write_text_pdf(tmp_path / "prose.pdf", [set_text(text)])
    truth = read_pdf_page(open_pdf_page(open_pdf(path), 0), 150)
    lines = pdf_lines(lambda: truth, Charset(set("abdefghiklmnoprstuvw ")), np.random.default_rng(4))
    assert not any("y" in next(lines).text for _ in range(30))
