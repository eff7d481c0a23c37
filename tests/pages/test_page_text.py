from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads
from ocr_models.pages.found_page import FoundPage
from ocr_models.pages.page_text import assemble
from ocr_models.records import TableCell, Transcript


def text_of(*words, min_confidence=0.75):
    """The text of a page with one line of words, given as texts and confidences."""
    x = 60.0 * np.arange(len(words))
    quads = box_quads(np.stack([x, 0 * x + 10, x + 50, 0 * x + 30], axis=1))
    nowhere = np.zeros((0, 4, 2), np.float32)
    page = FoundPage(np.full((50, 600), 255, np.uint8), quads, nowhere, np.eye(2, 3), 0, 0.0)
    return assemble([(page, [Transcript(*word) for word in words])], min_confidence).text.strip()


@pytest.mark.parametrize("number", ["0", "6%", "0.00", "27/05/2018", "−5", "≤0.3", "α"])
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


def part(*words, to_given=None):
    """A part of a page with words as text, x and y."""
    quads = box_quads(np.array([(x, y, x + 10 * len(text), y + 20) for text, x, y in words]))
    image, nowhere = np.full((600, 800), 255, np.uint8), np.zeros((0, 4, 2), np.float32)
    page = FoundPage(image, quads, nowhere, np.eye(2, 3) if to_given is None else to_given, 0, 0.0)
    return page, [Transcript(text, 0.9) for text, *_ in words]


def test_blocks_and_cells_have_the_places_of_words_and_lines_on_the_page():
    shifted = np.array([[1.0, 0, 100], [0, 1, 0]])
    rows = [
        (text, x, 300 + 30 * i)
        for i, row in enumerate(("ab", "cd", "ef"))
        for text, x in zip(row, (50, 250), strict=True)
    ]
    page = assemble([part(("Paragraph", 50, 100)), part(*rows, to_given=shifted)], 0.75)

    paragraph, table = page.blocks
    assert (paragraph.kind, paragraph.cells, paragraph.level, paragraph.column) == ("text", None, None, 0)
    assert table.kind == "table"
    assert table.cells == tuple(TableCell(i // 2, i % 2, 1, 1, (1 + i,)) for i in range(6))
    assert [line.block for line in page.lines] == [0, 1, 1, 1]
    assert table.quad.tolist() == [[150, 300], [360, 300], [360, 380], [150, 380]]
    assert page.text == "Paragraph\n\na b\nc d\ne f\n"
