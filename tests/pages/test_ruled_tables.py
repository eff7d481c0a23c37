from __future__ import annotations

import numpy as np
import pytest

from ocr_models.pages.blocks import find_blocks
from ocr_models.pages.layout import order_words
from ocr_models.pages.ruled_tables import find_grids
from ocr_models.records import BlockKind
from tests.pages.table_pages import KINDS, SIZE, TablePage, table_page


def cells_of(page):
    """The cells of the tables that are found on a page, and the kinds of its blocks."""
    boxes = np.array(page.boxes)
    blocks = find_blocks(boxes, page.texts, order_words(boxes, find_grids(page.image, boxes)), SIZE[1])
    assert sorted(word for block in blocks for line in block.lines for word in line) == list(range(len(boxes)))
    kinds = [block.kind for block in blocks]
    return [(*cell[:4], cell.words) for block in blocks for cell in block.cells or ()], kinds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_cells_of_drawn_tables(kind, seed):
    page = table_page(seed, kind)
    cells, kinds = cells_of(page)
    assert cells == page.cells
    assert kinds == [BlockKind.TEXT, BlockKind.TABLE, BlockKind.TEXT]


def test_row_with_a_cell_of_several_lines_is_read_cell_by_cell():
    page = TablePage()
    for x, y, *words in [
        (120, 110, "rope"),
        (320, 110, "oil"),
        (120, 210, "tar", "and"),
        (120, 250, "bell"),
        (320, 210, "tide"),
    ]:
        page.line(x, y, words)
    for x in (100, 300, 500):
        page.rule(x, 100, x, 300)
    for y in (100, 200, 300):
        page.rule(100, y, 500, y)

    boxes = np.array(page.boxes)
    lines = order_words(boxes, find_grids(page.image, boxes)).lines

    assert [" ".join(page.texts[i] for i in line) for line in lines] == ["rope oil", "tar and", "bell", "tide"]


def test_cell_over_two_rows():
    page = TablePage()
    for x, y, word in [
        (120, 150, "rope"),
        (320, 110, "oil"),
        (320, 210, "tide"),
        (120, 310, "bell"),
        (320, 310, "tar"),
    ]:
        page.line(x, y, [word])
    for x in (100, 300, 500):
        page.rule(x, 100, x, 400)
    for y in (100, 300, 400):
        page.rule(100, y, 500, y)
    page.rule(300, 200, 500, 200)

    assert cells_of(page)[0] == [
        (0, 0, 2, 1, [0]),
        (0, 1, 1, 1, [1]),
        (1, 1, 1, 1, [2]),
        (2, 0, 1, 1, [3]),
        (2, 1, 1, 1, [4]),
    ]


def test_frame_and_crossing_strokes_without_words_are_no_table():
    page = TablePage()
    page.line(150, 200, ["cargo", "of", "oil"])
    for y in (100, 300, 700, 800, 900):
        page.rule(100, y, 600, y)
    page.rule(100, 100, 100, 300)
    page.rule(600, 100, 600, 300)
    page.rule(300, 700, 300, 900)

    assert cells_of(page) == ([], [BlockKind.TEXT])


def test_page_without_pixels_has_no_rules():
    assert find_grids(np.full((3, 3), 255, np.uint8), np.zeros((0, 4))) == []
