from __future__ import annotations

import numpy as np
import pytest

from ocr_models.records import BlockKind, OcrPage, TableCell, TextBlock, TextLine, Word
from pipelines.export.exported_page import box_px, exported_page, page_of_reading
from tests.pipelines.export.pages import page_with_blocks, row
from tests.run_folders import box

WORDS = [
    [("one", box(0, 0, 10, 5)), ("two", box(12, 0, 20, 5))],
    [("three", box(0, 10, 20, 15))],
    [("four", box(0, 40, 9, 45))],
]


def texts(page):
    return [[line.text for line in block.lines] for block in page.blocks]


def test_blocks_of_a_row_with_blocks():
    page = exported_page(page_with_blocks())

    assert [block.kind for block in page.blocks] == ["header", "heading", "text", "table", "page_number"]
    assert texts(page)[2] == ["Made of", "2. hemp*"]
    assert page.blocks[1].level == 2
    cells = [(cell.row, cell.column, [word.text for word in cell.words]) for cell in page.blocks[3].cells]
    assert cells == [(0, 0, ["Kind"]), (0, 1, ["Price"]), (1, 0, ["a|b"]), (1, 1, ["9.80"])]


def test_blocks_of_an_older_row_are_parted_where_its_text_has_an_empty_line():
    page = exported_page(row(WORDS, text="one two\nthree\n\nfour\n"))

    assert texts(page) == [["one two", "three"], ["four"]]
    assert page.blocks[0].quad == (0, 0, 20, 0, 20, 15, 0, 15)
    assert page.blocks[0].kind == "text"


def test_words_that_are_not_in_the_text_are_left_out():
    given = row(WORDS, text="two\n\nfour\n")
    for i in (0, 2):
        given["words"][i]["in_text"] = False
    given["lines"][0]["text"], given["lines"][1]["text"] = "two", ""

    assert texts(exported_page(given)) == [["two"], ["four"]]


def test_rows_of_version_1_have_only_words_that_are_in_the_text():
    given = row(WORDS)
    for word in given["words"]:
        del word["in_text"]

    assert [line.text for line in exported_page(given).lines] == ["one two", "three", "four"]


def test_the_angle_of_a_line_is_that_of_its_words_and_not_of_its_quad():
    given = row([[("up", [0, 40, 10, 30, 15, 35, 5, 45]), ("hill", [20, 20, 30, 10, 35, 15, 25, 25])]])

    [line] = exported_page(given).lines

    assert line.baseline == pytest.approx((4, 44, 34, 14)) and line.angle_deg == pytest.approx(-45)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("lines", []),
        ("lines", None),
        ("words", [{"text": "a", "confidence": 1.0, "quad": [1.0, 2.0], "line": 0, "in_text": True}]),
        ("words", [{"text": "a", "confidence": 1.0, "quad": None, "line": 0, "in_text": True}]),
        ("words", [{"text": "a", "confidence": 1.0, "quad": [float("nan")] * 8, "line": 0, "in_text": True}]),
        ("blocks", []),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(column, value):
    with pytest.raises(ValueError, match="its row is broken"):
        exported_page(row(WORDS) | {column: value})


def test_a_failed_row_has_no_size_and_no_text():
    page = exported_page(row([], status="failed", text=None, words=None, lines=None, width_px=None, height_px=None))

    assert (page.size_px, page.text, page.blocks) == (None, "", ())


def test_boxes_stay_on_the_page():
    assert box_px([-3, -1, 11.6, -1, 11.6, 7.4, -3, 7.4], (11, 20)) == (0, 0, 11, 7)


def test_blocks_of_what_was_read():
    quad = np.float32([[0, 0], [9, 0], [9, 9], [0, 9]])
    words = tuple(Word(text, 1.0, quad, i) for i, text in enumerate(("Ropes", "hemp", "9.80")))
    lines = TextLine("Ropes", quad, 1.0, 0), TextLine("hemp", quad, 1.0, 1), TextLine("9.80", quad, 1.0, 1)
    cells = TableCell(0, 0, 1, 1, (1,)), TableCell(0, 1, 1, 1, (2,))
    blocks = TextBlock(BlockKind.HEADING, quad, level=2), TextBlock(BlockKind.TABLE, quad, cells=cells)
    read = OcrPage("Ropes\n\nhemp\n9.80\n", words, lines, 0, 1.0, blocks=blocks)

    heading, table = page_of_reading(read, (10, 10), 200).blocks

    assert (heading.kind, heading.level, texts(page_of_reading(read, (10, 10), 200))[0]) == ("heading", 2, ["Ropes"])
    assert [(cell.row, cell.column, cell.words[0].text) for cell in table.cells] == [(0, 0, "hemp"), (0, 1, "9.80")]
