from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ocr_models.errors import UsageError
from pipelines.cli import main as cli
from pipelines.output.schemas import CAPTIONS, PAGES
from pipelines.report.write_report import write_report
from tests.pipelines import samples
from tests.pipelines.fakes import GUILTY_WIDTH_PX
from tests.pipelines.report.browser import CHROMIUM, Browser

HOSTILE = "<img src=x onerror=document.title='stolen'>"


@pytest.fixture
def output(run, tmp_path) -> Path:
    """Nine pages of seven documents: six are ok, one is blank, one can't be opened, and one can't be read."""
    samples.write_png(tmp_path / f"in/{HOSTILE}.png", 0)
    samples.write_png(tmp_path / "in/wide.png", 1, width=2000, height=100)
    samples.write_png(tmp_path / "in/guilty.png", 2, width=GUILTY_WIDTH_PX)
    (tmp_path / "in/broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (tmp_path / "in/three.pdf").write_bytes(samples.pdf_bytes(["0 0 9 9 re f", "", "0 0 7 7 re f"]))
    record = samples.sequence_example(samples.encoded(Image.fromarray(samples.page_pixels(3, 50, 30))))
    (tmp_path / "in/one.tfrecord").write_bytes(samples.tfrecord_bytes([record]))
    samples.write_png(tmp_path / "in/z/last.png", 4)
    status, _ = run(tmp_path / "in")
    assert status == 3
    return tmp_path / "out"


def data_of(report: Path, kind: str) -> list[Any]:
    """What the scripts of a kind say of pages, in their order."""
    scripts = [file.read_text() for file in sorted((report / "data").glob(f"{kind}-*.js"))]
    assert all(script.startswith(f'pagebeam.add("{kind}", {i}, [') for i, script in enumerate(scripts))
    return [item for script in scripts for item in json.loads(script[script.index(" [") : script.rindex(");")])]


def rows_of(output: Path) -> list[dict[str, Any]]:
    """The rows in the order in which the report has them."""
    return [row for file in sorted(output.glob("pages/*.parquet")) for row in pq.read_table(file).to_pylist()]


def change_rows(output: Path, change: Callable[[dict[str, Any]], None]) -> None:
    for file in output.glob("pages/*.parquet"):
        rows = pq.read_table(file).to_pylist()
        for row in rows:
            change(row)
        pq.write_table(pa.Table.from_pylist(rows, PAGES.schema), file)


def test_every_page_is_there_with_its_words(output, tmp_path):
    report = tmp_path / "report"

    written = write_report(str(output), str(report), PAGES, None)

    rows, words = rows_of(output), data_of(report, "words")
    assert (written.pages, written.pictures, written.missing) == (9, 8, {})
    assert [text for text in data_of(report, "texts")] == [row["text"] or "" for row in rows]
    assert [page["t"] for page in words] == [[word["text"] for word in row["words"] or ()] for row in rows]
    assert [page["q"] for page in words] == [
        [round(number) for word in row["words"] or () for number in word["quad"]] for row in rows
    ]
    assert {number for page in words for number in page["c"]} == {75}
    assert [page["failure"] for page in words] == [row["failure"] for row in rows]
    index = data_of(report, "index")
    assert [page[8] or None for page in index] == [row["width_px"] and row["page_id"] for row in rows]
    assert sum(page[7] >= 0 for page in index) == 2


def test_pictures_are_of_the_pages_and_small(output, tmp_path):
    report = tmp_path / "report"
    write_report(str(output), str(report), PAGES, None)

    for row in rows_of(output):
        if row["width_px"]:
            with Image.open(report / f"pictures/{row['page_id']}.webp") as picture:
                scale = min(1600 / max(row["width_px"], row["height_px"]), 1)
                size = row["width_px"] * scale, row["height_px"] * scale
                assert picture.size == pytest.approx(size, abs=1), row["source_uri"]


def test_a_document_that_is_gone_or_changed_costs_its_picture_alone(output, tmp_path):
    report = tmp_path / "report"
    (tmp_path / "in/wide.png").unlink()
    samples.write_png(tmp_path / "in/z/last.png", 5)

    written = write_report(str(output), str(report), PAGES, None)

    assert (written.pages, written.pictures) == (9, 6)
    reasons = sorted(page["no_picture"] for page in data_of(report, "words") if page["no_picture"])
    assert reasons[0].startswith("the document changed since it was read")
    assert reasons[1].startswith("the file can't be opened")


def test_a_copy_of_a_document_is_drawn_when_the_first_is_gone(run, tmp_path):
    for name in ("a.png", "b.png"):
        samples.write_png(tmp_path / "in" / name, 0)
    run(tmp_path / "in")
    (tmp_path / "in/a.png").unlink()

    assert write_report(str(tmp_path / "out"), str(tmp_path / "report"), PAGES, None).pictures == 1


def test_the_least_confident_pages_and_the_slowest_are_drawn_first(output, tmp_path):
    drawable = [row["page_id"] for row in rows_of(output) if row["width_px"]]

    def change(row: dict[str, Any]) -> None:
        if row["page_id"] in drawable:
            rank = drawable.index(row["page_id"])
            row["elapsed_ms"], row["mean_confidence"] = float(rank), 0.9 - rank / 100

    change_rows(output, change)

    write_report(str(output), str(tmp_path / "report"), PAGES, 2)

    drawn = {path.stem for path in (tmp_path / "report/pictures").iterdir()}
    assert drawn == set(drawable[-2:])


def test_a_second_report_takes_the_place_of_the_first(output, run, tmp_path):
    report = tmp_path / "report"
    write_report(str(output), str(report), PAGES, None)
    pictures = {path: path.stat().st_mtime_ns for path in (report / "pictures").iterdir()}
    (report / "data/words-00001.js").write_text("of a larger run")

    write_report(str(output), str(report), PAGES, 3)

    kept = {path: path.stat().st_mtime_ns for path in (report / "pictures").iterdir()}
    assert len(kept) == 3 and kept.items() <= pictures.items()
    assert not (report / "data/words-00001.js").exists()


def test_folders_with_other_files_are_left_alone(output):
    with pytest.raises(UsageError, match="has other files"):
        write_report(str(output), str(output.parent / "in"), PAGES, 0)


def test_captions_have_a_report(caption, tmp_path):
    samples.write_png(tmp_path / "in/a.png", 0)
    caption(tmp_path / "in")

    written = write_report(str(tmp_path / "out"), str(tmp_path / "report"), CAPTIONS, 1)

    assert (written.pages, written.pictures) == (1, 1)
    assert data_of(tmp_path / "report", "texts")[0].startswith("60x40 rgb")


def test_the_command_writes_into_the_output_folder_and_says_where(output, capsys):
    assert cli.main(["report", str(output), "--pictures", "0"]) == 0

    assert f"open: {output}/report/index.html" in capsys.readouterr().out
    assert not (output / "report/pictures").exists()
    assert cli.main(["doctor", str(output)]) == 0


@pytest.fixture
def page(output, tmp_path) -> Iterator[Browser]:
    """The report, opened from disk. All texts and the name of a document are markup."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")

    def change(row: dict[str, Any]) -> None:
        if row["words"]:
            row["words"][0]["text"] = HOSTILE
            row["text"] = f"{HOSTILE} Größe {row['page_index']}"
            cell = {"row": 0, "column": 0, "row_span": 1, "column_span": 1, "words": [0]}
            row["blocks"] = [
                {"kind": "table", "quad": row["words"][0]["quad"], "level": None, "column": 0, "cells": [cell]}
            ]
            row["lines"][0]["block"] = 0

    change_rows(output, change)
    write_report(str(output), str(tmp_path / "report"), PAGES, None)
    browser = Browser(str(tmp_path / "profile"), (tmp_path / "report/index.html").as_uri())
    browser.wait_for("document.body?.dataset.readyMs")
    yield browser
    browser.close()
    assert browser.errors == []


def test_the_report_is_looked_at_with_the_keyboard(page):
    assert "9pages" in page.evaluate("document.querySelector('.cards').textContent")

    page.press("/")
    page.call("Input.insertText", text='grosse "größe 2"')
    page.press("Enter")
    page.wait_for("document.querySelector('h1').textContent.startsWith('0 pages with')")
    page.press("/")
    page.call("Input.insertText", text="gröSSe")  # ß isn't two letters, but accents and capitals don't matter
    page.press("Enter")
    page.wait_for("document.querySelector('h1').textContent === '0 pages with gröSSe'")
    page.press("/")
    page.call("Input.insertText", text='GROßE "große 2"')
    page.press("Enter")
    page.wait_for("document.querySelector('h1').textContent.startsWith('1 page with')")
    page.press("ArrowDown", "Enter")
    page.wait_for("document.querySelectorAll('.drawing .word polygon').length === 2")
    assert page.evaluate("document.querySelector('h1').textContent") == "three.pdf, page 3"
    page.press("Escape")
    page.wait_for("document.querySelector('a.page') !== null")
    page.evaluate("location.hash = '#/pages?order=document'")
    page.wait_for("document.querySelectorAll('a.page').length === 9")
    page.press("ArrowDown", "ArrowDown", "Enter")
    page.wait_for("document.querySelector('.viewer h1')?.textContent === 'broken.pdf'")
    page.wait_for("document.querySelector('.side .failed') !== null")
    page.press("ArrowRight")
    page.wait_for("document.querySelector('.viewer h1')?.textContent === 'guilty.png'")
    page.press("ArrowLeft", "ArrowLeft")
    page.wait_for("document.querySelector('.viewer h1')?.textContent.startsWith('<img')")
    page.wait_for("document.querySelectorAll('.drawing .word polygon').length === 2")
    assert (
        page.evaluate(
            "document.querySelectorAll('img[onerror]').length + document.querySelectorAll('#main img').length"
        )
        == 0
    )
    assert page.evaluate("document.title").startswith("Pagebeam report")


def test_words_stand_over_the_picture(page):
    page.evaluate("location.hash = '#/pages'")
    page.wait_for("document.querySelectorAll('a.page').length === 9")
    page.evaluate("[...document.querySelectorAll('a.page')].find(a => a.textContent.includes('wide.png')).click()")
    page.wait_for("document.querySelectorAll('.drawing .word polygon').length === 2")
    boxes = page.evaluate(
        "['.drawing image', '.word polygon'].map(name => document.querySelector(name).getBoundingClientRect())"
        ".map(({left, top, width, height}) => [left, top, width, height])"
    )
    (left, top, width, height), word = boxes
    scale = width / 2000  # the word's quad is from (1, 2) to (2000, 100)
    assert word == pytest.approx([left + scale, top + 2 * scale, 1999 * scale, height - 2 * scale], abs=0.5)


def test_blocks_and_cells_stand_over_the_picture_when_they_are_switched_on(page):
    """The fake reader sets one block around its only word; its cell is given by the row."""
    page.evaluate("location.hash = '#/pages'")
    page.wait_for("document.querySelectorAll('a.page').length === 9")
    page.evaluate("[...document.querySelectorAll('a.page')].find(a => a.textContent.includes('wide.png')).click()")
    page.wait_for("document.querySelectorAll('.drawing .block').length === 1")
    display = "getComputedStyle(document.querySelector('.blocks')).display"
    assert page.evaluate(display) == "none"

    page.press("l")

    assert page.evaluate(display) != "none"
    assert page.evaluate("document.querySelector('[data-switch=hasBlocks]').getAttribute('aria-pressed')") == "true"
    assert page.evaluate("document.querySelector('.block text').textContent") == "1 table"
    word, block, cell = page.evaluate(
        "['.word polygon', '.block polygon', '.cell'].map(name => document.querySelector(name).getBoundingClientRect())"
        ".map(({left, top, width, height}) => [left, top, width, height])"
    )
    assert block == pytest.approx(word, abs=0.5) and cell == pytest.approx(word, abs=0.5)
    page.evaluate("document.querySelector('[data-switch=hasBlocks]').click()")
    assert page.evaluate(display) == "none"


def test_pages_of_earlier_versions_have_no_blocks(output, tmp_path):
    def change(row: dict[str, Any]) -> None:
        row["blocks"] = None

    change_rows(output, change)
    write_report(str(output), str(tmp_path / "report"), PAGES, None)

    assert not any("b" in page for page in data_of(tmp_path / "report", "words"))


def test_pictures_come_from_the_decoders(output, tmp_path):
    """A white page is white, and the rest of it, too."""
    write_report(str(output), str(tmp_path / "report"), PAGES, None)
    blank = next(row for row in rows_of(output) if row["status"] == "blank")

    data = (tmp_path / f"report/pictures/{blank['page_id']}.webp").read_bytes()

    assert Image.open(io.BytesIO(data)).convert("L").getextrema() == (255, 255)
