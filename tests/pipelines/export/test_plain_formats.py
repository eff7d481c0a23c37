from __future__ import annotations

import importlib
import io
import json
import re
from pathlib import Path

import pytest

from pipelines.export.export_formats import FORMATS
from pipelines.export.exported_page import exported_page
from tests.pipelines.export.pages import block, cell, page_with_blocks, row
from tests.run_folders import box

EXPORTING = (Path(__file__).parents[3] / "docs/exporting.md").read_text()
TSV_LINES = dict(re.findall(r"^\| \w+ \| `((\w+)\..*tsv.*)` \|$", EXPORTING, re.MULTILINE))


def write(name: str, *rows: dict) -> str:
    file = io.BytesIO()
    FORMATS[name].write(file, [exported_page(given) for given in rows])
    return file.getvalue().decode()


def test_text_has_a_form_feed_after_each_page():
    pages = row([[("one", box(1, 1, 9, 9))]]), row([]), row([[("three", box(1, 1, 9, 9))]])

    assert write("txt", *pages) == "one\n\f\fthree\n\f"


def test_tsv_has_tesseract_s_rows():
    page = row([[("a", box(1, 2, 9, 12)), ("b\tc", box(11, 2, 19, 12))], [("d", box(1, 20, 9, 30))]], page_index=4)

    assert write("tsv", page).splitlines() == [
        "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext",
        "1\t5\t0\t0\t0\t0\t0\t0\t200\t100\t-1\t",
        "2\t5\t1\t0\t0\t0\t1\t2\t18\t28\t-1\t",
        "3\t5\t1\t1\t0\t0\t1\t2\t18\t28\t-1\t",
        "4\t5\t1\t1\t1\t0\t1\t2\t18\t10\t-1\t",
        "5\t5\t1\t1\t1\t1\t1\t2\t8\t10\t75\ta",
        "5\t5\t1\t1\t1\t2\t11\t2\t8\t10\t75\tb c",
        "4\t5\t1\t1\t2\t0\t1\t20\t8\t10\t-1\t",
        "5\t5\t1\t1\t2\t1\t1\t20\t8\t10\t75\td",
    ]


@pytest.mark.parametrize("line", TSV_LINES)
def test_other_tools_read_words_with_quotation_marks_from_tsv(line, tmp_path, monkeypatch):
    words = ["He", "said", '"yes', "and", "NA", "null", 'left"', '"', "now"]
    (tmp_path / "words").mkdir()
    (tmp_path / "words/letter.jpg.tsv").write_text(write("tsv", row([[(word, box(1, 1, 9, 9)) for word in words]])))
    monkeypatch.chdir(tmp_path)

    module = importlib.import_module(TSV_LINES[line])
    found = eval(line, {TSV_LINES[line]: module})

    rows = found.fetchall() if TSV_LINES[line] == "duckdb" else found.to_numpy().tolist()
    assert [row[-1] for row in rows if row[0] == 5] == words


def test_three_tools_are_shown_for_tsv():
    assert sorted(TSV_LINES.values()) == ["duckdb", "pandas", "polars"]


def test_json_lines_are_whole_rows():
    page = page_with_blocks()

    assert json.loads(write("jsonl", page)) == page


def test_markdown_has_headings_paragraphs_and_tables_without_headers_and_page_numbers():
    assert write("md", page_with_blocks()) == (
        "<!-- page 1 -->\n\n## Rope \\#1\n\nMade of\n2\\. hemp\\*\n\n"
        "| Kind | Price |\n| --- | --- |\n| a\\|b | 9.80 |\n\n"
    )


def test_markdown_shows_text_as_it_is():
    words = ["-", "+ 1", "# no", "=", "1) x", "a_b", "[l](u)", "<b>", "&amp;", "`c`", "1.5", "\\n", "~~x~~"]
    page = row([[(word, box(1, 1, 9, 9))] for word in words])

    assert write("md", page).splitlines()[2:-1] == [
        "\\-",
        "\\+ 1",
        "\\# no",
        "\\=",
        "1\\) x",
        "a\\_b",
        "\\[l\\](u)",
        "\\<b\\>",
        "\\&amp;",
        "\\`c\\`",
        "1.5",
        "\\\\n",
        "\\~\\~x\\~\\~",
    ]


def test_cells_that_span_columns_and_words_in_no_cell():
    page = row([[("Total", box(1, 1, 9, 9)), ("3", box(20, 1, 29, 9))], [("note", box(1, 20, 9, 29))]])
    page["blocks"] = [block("table", box(1, 1, 29, 29), cells=[cell(0, 0, [0], column_span=2), cell(0, 2, [1])])]
    for line in page["lines"]:
        line["block"] = 0

    assert write("md", page).splitlines()[2:] == ["| Total |  | 3 |", "| --- | --- | --- |", "", "note", ""]
