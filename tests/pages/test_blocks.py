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


@pytest.mark.parametrize(
    ("y", "text", "kind"),
    [
        (1160, "5", BlockKind.PAGE_NUMBER),  # alone below the text, at 0.17 of the page's height
        (1240, "1 Of ropes and tar, see the log", BlockKind.TEXT),  # a note, at 0.11
        (1240, "Of ropes and tar, see page 58.", BlockKind.TEXT),
        (1240, "Of ropes and tar | 58", BlockKind.FOOTER),
        (1240, "58 - Of ropes and tar", BlockKind.FOOTER),
    ],
)
def test_numbers_of_pages_are_told_from_those_of_notes(y, text, kind):
    kinds = [of for of, *_, found in blocks_of(prose(100, 400) + line(300, y, text)) if found == text]
    assert kinds == [kind]


def test_last_entry_of_a_table_of_contents_is_no_footer():
    words = []
    for i in range(4):
        y = 1240 + 35 * i
        words += [*line(100, y, "The mail"), ("." * 30, (300, y, 600, y + 20)), *line(700, y, str(20 + i))]
    assert [kind for kind, *_ in blocks_of(words)] == [BlockKind.TABLE]


def test_items_in_items_are_blocks():
    items = [(100, "- Flour of wheat and of rye"), (130, "- sifted twice"), (100, "- Salt")]
    words = [word for i, (x, text) in enumerate(items) for word in line(x, 300 + i * LEADING, text)]
    assert [text for *_, text in blocks_of(words)] == [text for _, text in items]


def test_notes_of_consecutive_numbers_are_blocks():
    notes = ["7 It was the age of foolishness", "of the epoch, and of belief", "8 It was the season", "9 Of light"]
    words = prose(100, 300) + [word for i, text in enumerate(notes) for word in line(100, 1000 + i * 22, text, 16)]
    assert [text for *_, text in blocks_of(words)][1:] == ["\n".join(notes[:2]), *notes[2:]]


def test_line_left_of_a_quotation_begins_a_paragraph():
    quotation = ["It was the season", "It was the spring", "It was the winter"]
    words = prose(160, 300, quotation) + prose(100, 300 + 3 * LEADING)
    assert [text for *_, text in blocks_of(words)] == ["\n".join(quotation), "\n".join(PROSE)]


def test_centered_lines_stay_together():
    texts = ["It was the season", "It was the spring of hope, it was", "the winter", "It was the spring of hope of it"]
    words = [w for i, t in enumerate(texts) for w in line(500 - 5 * len(t), 400 + i * LEADING, t)]
    assert next(text for *_, text in blocks_of(words + prose(100, 800))) == "\n".join(texts)


def test_section_with_a_long_number_and_a_short_name_is_a_heading():
    heading, _ = blocks_of(line(100, 300, "3.13.1. Use", 28) + prose(100, 380))
    assert heading[:2] == (BlockKind.HEADING, 2)


def test_wide_letters_at_the_end_of_a_paragraph_belong_to_it():
    """Code is set in wider letters: 1.2 times as large in the mean of height and width."""
    words = prose(100, 300)
    for i, word in enumerate(["season_of", "darkness"]):
        words.append((word, (100 + 160 * i, 300 + 5 * LEADING, 100 + 160 * i + 14 * len(word), 321 + 5 * LEADING)))
    assert [text for *_, text in blocks_of(words)] == ["\n".join([*PROSE, "season_of darkness"])]


def test_columns_that_stand_close_are_parted():
    """15 between the second and third column is no wide gap, but all rows have it."""
    rows = [("oil", "58.80", "2.43"), ("tar", "60.28", "1.75"), ("rope", "59.88", "2.31"), ("bell", "60.65", "1.76")]
    words = [
        w
        for i, row in enumerate(rows)
        for x, c in zip((100, 300, 365), row, strict=True)
        for w in line(x, 300 + i * 30, c)
    ]
    assert cells_of(words) == [(i, j, 1, 1, c) for i, row in enumerate(rows) for j, c in enumerate(row)]


def test_letter_between_entries_of_an_index_is_no_part_of_one():
    words = []
    for y, name, page in [(300, "of the oil", "5"), (328, "of the rope", "6"), (434, "of the sails", "7")]:
        words += line(100, y, name) + line(400, y, page)
    words += line(100, 378, "S")
    assert [text for *_, text in cells_of(words)] == ["of the oil", "5", "of the rope", "6", "S", "of the sails", "7"]


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
