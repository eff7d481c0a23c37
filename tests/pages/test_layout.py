"""Pages set as boxes of words: 10 high, 5 for each character, 3 between words, unless said otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_models.errors import DocumentError
from ocr_models.limits import reading_within
from ocr_models.pages.blocks import find_blocks
from ocr_models.pages.layout import order_words

LEADING = 14.0
PROSE = """
It was the best of times, it was
the worst of times, it was the age
of wisdom, it was the age of folly,
it was the epoch of belief, it was
the epoch of incredulity, it was the
season of light and of darkness.
""".strip().splitlines()
OTHER_PROSE = """
Call me Ishmael. Some years ago, and
never mind how long precisely, having
little or no money in my purse, and
nothing particular on the shore, I
thought I would sail about a little
and see the watery part of the world.
""".strip().splitlines()


def line(x, y, text, height=10.0):
    """The words of a line from (x, y) on: text and box each."""
    words = []
    for word in text.split():
        width = 0.5 * height * len(word)
        words.append((word, (x, y, x + width, y + height)))
        x += width + 0.3 * height
    return words


def block(x, y, lines):
    return [word for i, text in enumerate(lines) for word in line(x, y + i * LEADING, text)]


def justified(x, y, lines, width):
    """A block whose lines, but for the last, are spread over a width in pixels."""
    words = []
    for i, text in enumerate(lines):
        of_line = line(0, y + i * LEADING, text)
        slack = (width - of_line[-1][1][2]) / max(1, len(of_line) - 1) if i < len(lines) - 1 else 0.0
        words += [
            (word, (x + x0 + j * slack, y0, x + x1 + j * slack, y1))
            for j, (word, (x0, y0, x1, y1)) in enumerate(of_line)
        ]
    return words


def read(words):
    """The lines as text, with an empty one before each block but the first."""
    boxes = np.array([box for _, box in words]).reshape(-1, 4) + 1000
    text = []
    for block in find_blocks(boxes, [word for word, _ in words], order_words(boxes), page_height=3000):
        text += [""] * bool(text) + [" ".join(words[i][0] for i in line) for line in block.lines]
    return text


def two_columns():
    heading = line(100, 0, "A heading across both columns", height=16)
    return heading + block(0, 40, PROSE) + block(230, 40, OTHER_PROSE)


def receipt():
    items = [("Bread and butter", "2.50"), ("Tea", "1.20"), ("Marmalade", "10.00"), ("Total", "13.70")]
    return [
        word
        for i, (label, price) in enumerate(items)
        for word in line(0, i * LEADING, label) + line(200 - 5 * len(price), i * LEADING, price)
    ]


def table():
    rows = [("Year", "Pages", "Share"), ("2021", "1,204", "12 %"), ("2022", "30", "3 %"), ("2023", "99", "7 %")]
    return [
        word for i, cells in enumerate(rows) for j, cell in enumerate(cells) for word in line(90 * j, i * LEADING, cell)
    ]


PAGES = {
    "one line": line(10, 10, "Just one line of text"),
    "two columns": two_columns(),
    "receipt": receipt(),
    "table": table(),
}


def test_empty_page():
    assert order_words(np.zeros((0, 4))).lines == read([]) == []


def test_one_word():
    assert read(line(5, 5, "word")) == ["word"]


def test_one_line():
    assert read(PAGES["one line"]) == ["Just one line of text"]


def test_words_of_one_line_may_stand_a_little_up_or_down():
    words = line(0, 0, "set by a trembling hand")
    shifted = [
        (text, (x0, y0 + dy, x1, y1 + dy)) for (text, (x0, y0, x1, y1)), dy in zip(words, (0, 2, -2, 3, 0), strict=True)
    ]
    assert read(shifted) == ["set by a trembling hand"]


def test_paragraphs_are_blocks():
    words = block(0, 0, PROSE[:3]) + block(0, 3 * LEADING + 15, PROSE[3:])
    assert read(words) == [*PROSE[:3], "", *PROSE[3:]]


def test_two_columns_below_a_heading():
    assert read(two_columns()) == ["A heading across both columns", "", *PROSE, "", *OTHER_PROSE]


@pytest.mark.parametrize("gutter", [7, 10, 13, 40])
def test_gutter_of_justified_columns_is_no_space(gutter):
    """LaTeX's is as wide as a line is high; and here is a gap between words of 7."""
    left, right = justified(0, 0, PROSE, 190), justified(190 + gutter, 0, OTHER_PROSE, 200)
    assert read(left + right) == [*PROSE, "", *OTHER_PROSE]


@given(st.lists(st.lists(st.integers(1, 11), min_size=4, max_size=9), min_size=3, max_size=12))
def test_white_between_the_words_of_justified_prose_parts_no_line(lengths):
    lines = [" ".join("x" * length for length in of_line) for of_line in lengths]
    widths = [5 * sum(of_line) + 3 * (len(of_line) - 1) for of_line in lengths]
    lines = [text for text, width in zip(lines, widths, strict=True) if max(widths) - width < 4 * text.count(" ")]
    assert [text for text in read(justified(0, 0, lines, max(widths))) if text] == lines


def test_table_below_a_paragraph_is_read_by_rows_as_it_is_alone():
    rows = [("Item", "Quantity", "Price", "Amount"), ("Rope", "12", "3.40", "40.80")]
    cells = [word for i, row in enumerate(rows) for j, cell in enumerate(row) for word in line(60 * j, i * 20, cell)]
    alone = [" ".join(row) for row in rows]
    assert [text for text in read(cells) if text] == alone
    below = [(word, (x0, y0 + 100, x1, y1 + 100)) for word, (x0, y0, x1, y1) in cells]
    assert [text for text in read(block(0, 0, PROSE) + below) if text] == [*PROSE, *alone]


def test_heading_amid_columns_parts_them():
    """Upper columns are read before the heading, lower ones after it."""
    upper = block(0, 0, PROSE) + block(230, 0, OTHER_PROSE)
    heading = line(60, 120, "The second half, across both columns", height=16)
    lower = block(0, 170, OTHER_PROSE) + block(230, 170, PROSE)
    assert read(upper + heading + lower) == [
        *PROSE,
        "",
        *OTHER_PROSE,
        "",
        "The second half, across both columns",
        "",
        *OTHER_PROSE,
        "",
        *PROSE,
    ]


def test_brace_left_of_indented_lines_above_it_comes_after_them():
    code = [(0, "while (rope > 0) {"), (30, "coil(rope);"), (30, "rope = rope - 1;"), (0, "}"), (0, "moor(ship);")]
    words = [word for i, (x, text) in enumerate(code) for word in line(x, i * LEADING, text)]
    assert [text for text in read(words) if text] == [text for _, text in code]


def test_note_at_the_right_edge_above_a_paragraph_comes_before_it():
    note = "(continued from the previous page)"
    assert read(line(240, 0, note) + block(0, 40, PROSE)) == [note, "", *PROSE]


def test_three_columns():
    columns = [PROSE, OTHER_PROSE, PROSE[::-1]]
    words = [word for i, lines in enumerate(columns) for word in block(220 * i, 0, lines)]
    assert read(words) == [*PROSE, "", *OTHER_PROSE, "", *PROSE[::-1]]


def test_columns_whose_lines_are_not_level_with_each_other():
    words = block(0, 0, PROSE) + block(230, 6, OTHER_PROSE)
    assert read(words) == [*PROSE, "", *OTHER_PROSE]


def test_labels_and_prices_are_joined():
    assert read(receipt()) == ["Bread and butter 2.50", "Tea 1.20", "Marmalade 10.00", "Total 13.70"]


def test_table_is_read_by_rows():
    assert read(table()) == ["Year Pages Share", "2021 1,204 12 %", "2022 30 3 %", "2023 99 7 %"]


def test_narrow_columns_of_terms_are_read_one_by_one():
    """A reference card: each column is a table, but their rows stand at different heights."""

    def card(x, pitch, names):
        rows = [(x, i * pitch, name) for i, name in enumerate(names)]
        rows += [(x + 60, i * pitch, f"about {name}") for i, name in enumerate(names)]
        return [word for row in rows for word in line(*row)]

    first = [f"a{i}" for i in range(10)]
    second = [f"b{i}" for i in range(8)]
    expected = [f"{name} about {name}" for name in first + second]
    assert [text for text in read(card(0, 14, first) + card(160, 17.5, second)) if text] == expected


@pytest.mark.parametrize("stretch", [1.0, 0.97])
def test_columns_of_a_card_in_common_rows_are_read_one_by_one(stretch):
    """Terms and explanations in three columns, with headings at different heights.

    In a scan, the second column may stand nearer to the first than the third to the second.
    """

    def card(x, names):
        rows = []
        for i, name in enumerate(names):
            rows += line(x, i * LEADING, name)
            rows += line(x + 60, i * LEADING, f"of {name}") if name.islower() else []
        return rows

    columns = [[f"{letter}{i}" for i in range(14)] for letter in "abc"]
    columns[0][5], columns[1][8] = "SHEEP", "GOATS"
    words = [w for x, names in zip((0, 160, 160 + 160 * stretch), columns, strict=True) for w in card(x, names)]
    expected = [f"{name} of {name}" if name.islower() else name for names in columns for name in names]
    assert [text for text in read(words) if text] == expected


def test_index_in_two_columns_is_read_column_by_column():
    """Entries are narrow and stand in common rows, as cells do; what is wrapped is indented in both columns."""
    first = [
        "ale 1, 20",
        "bee 2, 3,",
        "  14, 28",
        "cog 4",
        "dye 5",
        "egg 6, 30,",
        "  31",
        *(f"fig{i} 7" for i in range(8)),
    ]
    second = [
        "gem 8",
        "hat 9",
        "ink 10, 11,",
        "  12",
        "jug 13",
        "keg 14,",
        "  15, 16",
        *(f"log{i} 17" for i in range(8)),
    ]
    words = [
        word
        for x, entries in ((0, first), (160, second))
        for i, entry in enumerate(entries)
        for word in line(x + 20 * entry.startswith(" "), i * LEADING, entry)
    ]
    assert [text for text in read(words) if text] == [entry.strip() for entry in first + second]


def test_columns_of_a_table_that_are_equally_wide_are_read_by_rows():
    """Four columns 80 apart: the first two look like the last two, but each looks like the next one, too."""
    rows = [[f"{letter}{i}" for letter in "abcd"] for i in range(20)]
    words = [w for i, row in enumerate(rows) for j, cell in enumerate(row) for w in line(80 * j, i * LEADING, cell)]
    assert [text for text in read(words) if text] == [" ".join(row) for row in rows]


def test_terms_are_read_before_what_explains_them():
    """As in a manual; headings above and below the list have nothing to their right, and don't count."""
    terms = [("rope", PROSE[:1]), ("tar", PROSE[:3]), ("oil", PROSE[:2]), ("bell", PROSE[:2]), ("sail", PROSE[:1])]
    words, expected, y = [], [], 0
    for heading in ("Cargo", "Goods"):
        words += line(0, y, heading)
        expected.append(heading)
        y += LEADING
        for term, lines in terms:
            words += line(10, y, term) + block(60, y, lines)
            expected += [f"{term} {lines[0]}", *lines[1:]]
            y += len(lines) * LEADING
    for heading in ("Value", "Author", "Notes"):
        words += line(0, y, heading)
        expected.append(heading)
        y += 2 * LEADING
    assert [text for text in read(words) if text] == expected


def test_marks_beside_notes_are_no_column():
    """Icons left of two notes, in which the detector sees marks: the second note is not read before the first one."""
    icons = [(0, 30, 12, 42), (0, 130, 12, 142)]
    words = line(0, 0, "Of notes and of warnings, and of rope") + block(20, 30, PROSE[:3])
    words += line(0, 90, "Of tar and oil, and of what they are") + block(20, 130, PROSE[3:])
    boxes = np.array([box for _, box in words] + icons)
    lines = order_words(boxes, are_text=np.arange(len(boxes)) < len(words)).lines
    texts = [text for text, _ in words] + ["*", "*"]
    of_text = [" ".join(texts[i] for i in of if texts[i] != "*") for of in lines]
    expected = ["Of notes and of warnings, and of rope", *PROSE[:3], "Of tar and oil, and of what they are", *PROSE[3:]]
    assert [text for text in of_text if text] == expected
    assert sorted(i for of in lines for i in of) == list(range(len(boxes)))


@pytest.mark.parametrize("marks", [["•", "•", "•"], ["1.", "2.", "10."]])
def test_list_marks_stay_with_their_items(marks):
    items = ["Flour, sifted twice", "Two eggs", "A pinch of salt"]
    words = [
        word
        for i, (mark, item) in enumerate(zip(marks, items, strict=True))
        for word in line(0, i * LEADING, mark) + line(25, i * LEADING, item)
    ]
    assert [text for text in read(words) if text] == [f"{mark} {item}" for mark, item in zip(marks, items, strict=True)]


@pytest.mark.parametrize("words", PAGES.values(), ids=PAGES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_order_of_detection_does_not_matter(words, data):
    shuffled = data.draw(st.permutations(words))
    assert read(shuffled) == read(words)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 400), st.floats(0, 400), st.floats(0, 120), st.floats(0, 40)).map(
            lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
        ),
        max_size=25,
    )
)
def test_every_word_stands_in_exactly_one_line(boxes):
    """Whatever the boxes: overlapping, equal, without height or width."""
    layout = order_words(np.array(boxes).reshape(-1, 4))
    assert sorted(word for words in layout.lines for word in words) == list(range(len(boxes)))
    assert all(layout.lines)


def test_the_order_of_a_page_takes_no_longer_than_its_reading_may():
    boxes = np.float64([[0, 20 * i, 90, 20 * i + 10] for i in range(5)])

    with pytest.raises(DocumentError, match="--max-read-seconds"), reading_within(0.0):
        order_words(boxes)
    assert [line for line in order_words(boxes).lines] == [[0], [1], [2], [3], [4]]
