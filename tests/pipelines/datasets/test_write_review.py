"""Pages are gray pictures with black bars for words."""

from __future__ import annotations

import base64
import csv
import html
import json
import re

import cv2
import numpy as np
import pytest

from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import LocalFiles, SourceOptions
from ocr_models.errors import PagebeamError, UsageError
from ocr_models.reports.review_sheet import COLUMNS
from pipelines.datasets.write_review import ReviewSummary, write_review
from pipelines.inputs.local_copies import forget_copies
from tests.run_folders import box, page_row, write_run

SHADES = {"one": 0, "two": 40, "three": 80, "four": 120}
PLACES = {word: box(20 + 60 * i, 30, 65 + 60 * i, 50) for i, word in enumerate(SHADES)}


def write_page(path, paper=240):
    image = np.full((100, 300), paper, np.uint8)
    for word, shade in SHADES.items():
        x0, y0, _, _, x1, y1, _, _ = PLACES[word]
        image[y0:y1, x0:x1] = shade
    assert cv2.imwrite(str(path), image)
    return path


def words(**confidences):
    return [(text, confidence, PLACES[text], 0) for text, confidence in confidences.items()]


@pytest.fixture
def run_dir(tmp_path):
    first, second = write_page(tmp_path / "a.png"), write_page(tmp_path / "b.png", 200)
    rows = [
        page_row(first, words(one=0.9, two=0.5625, three=0.75)),
        page_row(second, words(one=0.3125, four=0.53125)),
    ]
    forget_copies()
    return write_run(tmp_path / "out", "1", rows)


def read_csv(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def sheet_cells(path):
    """The cells that the sheet's rows carry, in its order."""
    return [json.loads(html.unescape(cells)) for cells in re.findall(r'data-cells="([^"]*)"', path.read_text())]


def test_words_of_little_confidence_are_cut_out_least_sure_first(run_dir, tmp_path):
    summary = write_review(str(run_dir), str(tmp_path / "review"), below=0.6)

    rows = read_csv(tmp_path / "review" / "words.csv")
    assert summary == ReviewSummary(words=3, pages=2, left_out=0, failures=())
    assert [(row["read"], row["confidence"]) for row in rows] == [
        ("one", "0.3125"),
        ("four", "0.5312"),
        ("two", "0.5625"),
    ]
    assert rows[2] | {"crop": ""} == {
        "crop": "",
        "text": "",
        "read": "two",
        "confidence": "0.5625",
        "source_uri": str(tmp_path / "a.png"),
        "page_index": "0",
        "quad": "80 30 125 30 125 50 80 50",
    }
    crop = cv2.imread(str(tmp_path / "review" / rows[2]["crop"]), cv2.IMREAD_GRAYSCALE)
    # 20 pixels high: margins of 2 beside, and of 0.8, rounded to 1, above and below.
    assert crop.shape == (22, 49)
    assert (crop[1:-1, 2:-2] == SHADES["two"]).all() and (crop[0] == 240).all() and (crop[:, 1] == 240).all()


def test_sheet_shows_each_crop_with_its_line_and_carries_its_row(run_dir, tmp_path):
    write_review(str(run_dir), str(tmp_path / "review"), below=0.6)

    page = (tmp_path / "review" / "review.html").read_text()
    rows = read_csv(tmp_path / "review" / "words.csv")
    assert sheet_cells(tmp_path / "review" / "review.html") == [list(row.values()) for row in rows]
    crops = [base64.b64decode(data) for data in re.findall(r'src="data:image/png;base64,([^"]*)"', page)]
    assert crops == [(tmp_path / "review" / row["crop"]).read_bytes() for row in rows]
    assert "one <b>two</b> three" in page
    assert re.findall(r'data-place="(\d)"', page) == ["1", "2", "0"]  # a.png's word comes first by page
    assert "http" not in page.partition("<body")[2]  # needs nothing else


def test_what_was_read_cannot_become_markup(tmp_path):
    document = write_page(tmp_path / "a.png")
    evil = '"><script>alert(1)</script>'
    run_dir = write_run(tmp_path / "out", "1", [page_row(document, [(evil, 0.5, PLACES["one"], 0)])])

    write_review(str(run_dir), str(tmp_path / "review"), below=0.6)

    page = (tmp_path / "review" / "review.html").read_text()
    assert "<script>alert" not in page and page.count("<script>") == 1
    assert sheet_cells(tmp_path / "review" / "review.html")[0][COLUMNS.index("read")] == evil


def test_limit_keeps_the_least_sure_and_says_so(run_dir, tmp_path):
    summary = write_review(str(run_dir), str(tmp_path / "review"), below=0.8, limit=2)

    assert summary == ReviewSummary(words=2, pages=1, left_out=2, failures=())
    assert [row["read"] for row in read_csv(tmp_path / "review" / "words.csv")] == ["one", "four"]
    assert "Left out, as their confidence is higher: 2 words." in (tmp_path / "review" / "review.html").read_text()


def test_page_that_cannot_be_opened_again_costs_its_own_words_only(run_dir, tmp_path):
    (tmp_path / "b.png").write_bytes(b"overwritten")

    summary = write_review(str(run_dir), str(tmp_path / "review"), below=0.6)

    assert (summary.words, summary.pages) == (1, 1)
    [failure] = summary.failures
    assert failure.startswith(f"{tmp_path / 'b.png'}, page 1: ") and failure.endswith("(2 words left out)")
    assert f"Left out: {tmp_path / 'b.png'}, page 1" in (tmp_path / "review" / "review.html").read_text()
    (tmp_path / "a.png").unlink()
    with pytest.raises(PagebeamError, match="none of the 2 pages"):
        write_review(str(run_dir), str(tmp_path / "again"), below=0.6)


def test_run_without_such_words_is_a_usage_error(run_dir, tmp_path):
    with pytest.raises(UsageError, match="higher --below"):
        write_review(str(run_dir), str(tmp_path / "review"), below=0.1)
    assert not (tmp_path / "review").exists()


def test_corrected_sheet_becomes_recognition_examples(run_dir, tmp_path):
    write_review(str(run_dir), str(tmp_path / "review"), below=0.6)
    rows = read_csv(tmp_path / "review" / "words.csv")
    with (tmp_path / "review" / "review.csv").open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file, quoting=csv.QUOTE_ALL)  # as the browser saves it
        table.writerow(COLUMNS)
        for row in rows:
            text = {"one": "uno", "two": "due"}.get(row["read"], "")
            table.writerow([text if name == "text" else row[name] for name in COLUMNS])

    source = open_source("review", str(tmp_path / "review" / "review.csv"), SourceOptions())
    pictures = [picture for item in source.items(LocalFiles()) for picture in source.read(item, None)]

    examples = {example.texts[0]: example for picture in pictures for example in picture.examples}
    assert examples.keys() == {"uno", "due"}
    crops = {row["read"]: (tmp_path / "review" / row["crop"]).read_bytes() for row in rows}
    assert (examples["uno"].data, examples["due"].data) == (crops["one"], crops["two"])


def test_words_that_are_formulas_are_no_formulas_in_the_table_and_come_back_as_texts(tmp_path):
    document = write_page(tmp_path / "a.png")
    run_dir = write_run(
        tmp_path / "out",
        "1",
        [page_row(document, [(t, c, PLACES["one"], 0) for t, c in (("=1+1", 0.5), ("@SUM(A1)", 0.4))])],
    )

    write_review(str(run_dir), str(tmp_path / "review"), below=0.6)

    table = (tmp_path / "review" / "words.csv").read_text("utf-8-sig")
    rows = read_csv(tmp_path / "review" / "words.csv")
    assert [row["read"] for row in rows] == ["'@SUM(A1)", "'=1+1"]
    assert sheet_cells(tmp_path / "review" / "review.html") == [list(row.values()) for row in rows]
    filled = table.replace(",,'", ",'=1+1,'")  # the text, typed into the table as it stands there for "read"
    (tmp_path / "review" / "words.csv").write_text(filled, "utf-8-sig")
    source = open_source("review", str(tmp_path / "review" / "words.csv"), SourceOptions())
    examples = [
        e for item in source.items(LocalFiles()) for picture in source.read(item, None) for e in picture.examples
    ]
    assert [example.texts for example in examples] == [("=1+1",)] * 2
