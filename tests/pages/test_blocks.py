"""Pages set as boxes of words: 20 high, 10 for each character, 6 between words, on a page of 1,000 by 1,400."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_models.pages.blocks import find_blocks
from ocr_models.pages.layout import order_words
from ocr_models.records import BlockKind

PROSE = """
It was the best of times, it was the worst
of times, it was the age of wisdom, it was
the age of foolishness, it was the epoch of
belief, it was the epoch of incredulity, it
was the season of light, it was the season
""".strip().splitlines()
LEADING = 28


def line(x, y, text, height=20):
    words = []
    for word in text.split():
        width = height / 2 * len(word)
        words.append((word, (x, y, x + width, y + height)))
        x += width + 0.3 * height
    return words


def prose(x, y, lines=PROSE):
    return [word for i, text in enumerate(lines) for word in line(x, y + i * LEADING, text)]


def blocks_of(words):
    """Kind, level, column and text of each block."""
    texts = [text for text, _ in words]
    boxes = np.array([box for _, box in words], float)
    found = find_blocks(boxes, texts, order_words(boxes), 1400)
    return [(b.kind, b.level, b.column, "\n".join(" ".join(texts[i] for i in of) for of in b.lines)) for b in found]


def cells_of(words):
    texts = [text for text, _ in words]
    boxes = np.array([box for _, box in words], float)
    [table] = [b for b in find_blocks(boxes, texts, order_words(boxes), 1400) if b.kind == BlockKind.TABLE]
    return [(*cell[:4], " ".join(texts[i] for i in cell.words)) for cell in table.cells]


def test_no_words():
    assert find_blocks(np.zeros((0, 4)), [], order_words(np.zeros((0, 4))), 1400) == []


@pytest.mark.parametrize(("height", "level"), [(22, None), (24, 3), (28, 2), (36, 1)])
def test_level_of_a_heading_is_its_size(height, level):
    """1.1, 1.2, 1.4 and 1.8 times the size of the text."""
    heading, body = blocks_of(line(100, 300, "Of times and seasons", height) + prose(100, 380))
    assert heading == (BlockKind.TEXT if level is None else BlockKind.HEADING, level, 0, "Of times and seasons")
    assert body == (BlockKind.TEXT, None, 0, "\n".join(PROSE))


def test_indented_first_lines_begin_paragraphs():
    words = prose(100, 300) + line(130, 300 + 5 * LEADING, "It was the spring of hope, it was the winter")
    words += prose(100, 300 + 6 * LEADING, PROSE[1:])
    first = "It was the spring of hope, it was the winter"
    assert [text for *_, text in blocks_of(words)] == ["\n".join(PROSE), "\n".join([first, *PROSE[1:]])]


def test_items_of_a_list_are_blocks():
    items = ["- Flour, sifted", "- Two eggs, and more", "- Salt"]
    assert [text for *_, text in blocks_of(prose(100, 300, items))] == items


def test_text_columns_are_counted_from_the_left():
    words = line(100, 220, "Of times and seasons, in two columns", 36) + prose(100, 300) + prose(600, 300)
    words += prose(600, 300 + 6 * LEADING)  # below the end of the left column
    assert [(kind, column) for kind, _, column, _ in blocks_of(words)] == [
        (BlockKind.HEADING, 0),
        (BlockKind.TEXT, 0),
        (BlockKind.TEXT, 1),
        (BlockKind.TEXT, 1),
    ]


@pytest.mark.parametrize(
    ("y", "text", "kind"),
    [
        (60, "A Tale of Two Cities 5", BlockKind.HEADER),
        (60, "A Tale of Two Cities", BlockKind.HEADER),
        (60, "5", BlockKind.PAGE_NUMBER),
        (1320, "- 5 -", BlockKind.PAGE_NUMBER),
        (1320, "Page 5 of 12", BlockKind.PAGE_NUMBER),
        (1320, "xiv", BlockKind.PAGE_NUMBER),
        (1320, "5 A Tale of Two Cities", BlockKind.FOOTER),
        (1320, "Printed in London", BlockKind.FOOTER),
        (200, "A Tale of Two Cities 5", BlockKind.TEXT),  # too far from the edge: 0.16 of the page's height
    ],
)
def test_headers_and_footers(y, text, kind):
    kinds = [of for of, *_, found in blocks_of(line(400, y, text) + prose(100, 400)) if found == text]
    assert kinds == [kind]


def test_page_number_between_two_columns_comes_last():
    words = prose(100, 300) + prose(600, 300) + line(555, 1320, "5")
    assert [kind for kind, *_ in blocks_of(words)] == [BlockKind.TEXT, BlockKind.TEXT, BlockKind.PAGE_NUMBER]


def test_first_line_of_a_page_that_is_full_of_text_is_no_header():
    assert [kind for kind, *_ in blocks_of(prose(100, 60, PROSE * 9))] == [BlockKind.TEXT]


def test_cells_of_a_table_without_rules():
    rows = [["Year", "Pages", "Share"], ["2021", "1,204", ""], ["2022", "30", "3%"], ["2023", "99", "7%"]]
    words = [w for i, row in enumerate(rows) for j, c in enumerate(row) for w in line(100 + 180 * j, 300 + i * 30, c)]
    assert cells_of(words) == [(i, j, 1, 1, c) for i, row in enumerate(rows) for j, c in enumerate(row) if c]


def test_cell_over_two_columns_and_a_cell_of_two_lines():
    words = line(330, 300, "Pages or sheets")
    for i, row in enumerate(
        [("Ledger of the harbour", "1,204", "12%"), ("and of the keeper", "", ""), ("Log", "30", "3%")]
    ):
        words += [w for x, c in zip((100, 330, 450), row, strict=True) for w in line(x, 330 + i * LEADING, c)]
    words += line(100, 330 + 3 * LEADING, "Manifest") + line(330, 330 + 3 * LEADING, "99")
    assert cells_of(words) == [
        (0, 0, 1, 1, "Ledger of the harbour and of the keeper"),
        (0, 1, 1, 1, "1,204"),
        (0, 2, 1, 1, "12%"),
        (1, 0, 1, 1, "Log"),
        (1, 1, 1, 1, "30"),
        (1, 2, 1, 1, "3%"),
        (2, 0, 1, 1, "Manifest"),
        (2, 1, 1, 1, "99"),
    ]


def test_entries_of_a_table_of_contents_are_cells():
    words = []
    for i, (title, page) in enumerate([("Preface", "7"), ("The period", "12"), ("The mail", "115")]):
        y = 300 + i * LEADING
        words += [*line(100, y, title), ("." * 40, (300, y, 700, y + 20)), *line(740 - 10 * len(page), y, page)]
    assert [cell[4] for cell in cells_of(words)] == [
        "Preface " + "." * 40,
        "7",
        "The period " + "." * 40,
        "12",
        "The mail " + "." * 40,
        "115",
    ]
