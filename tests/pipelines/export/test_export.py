"""``pagebeam export`` as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.cli import main as cli
from pipelines.export.export_formats import FORMATS, Unit
from pipelines.output.schemas import PAGES
from tests.run_folders import box, page_row, write_run

WORDS = [
    ("Rope", 0.9, box(10, 10, 60, 30), 0),
    ("coils", 0.8, box(70, 10, 120, 30), 0),
    ("Salt", 0.7, box(10, 40, 60, 60), 1),
]
LINES = [
    {"text": "Rope coils", "quad": box(10, 10, 120, 30), "confidence": 0.85},
    {"text": "Salt", "quad": box(10, 40, 60, 60), "confidence": 0.7},
]


def page(document: Path, index: int = 0, **columns: Any) -> dict[str, Any]:
    size = {"width_px": 200, "height_px": 100, "dpi": 100.0}
    text = {"text": "Rope coils\nSalt\n", "lines": LINES, "mean_confidence": 0.8}
    return page_row(document, WORDS, index, **{"source_kind": "image", **size, **text, **columns})


def document(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (100, 200), np.uint8)
    Image.fromarray(pixels).save(path, dpi=(100, 100))
    return path


def failed(path: Path, **columns: Any) -> dict[str, Any]:
    failure = {"stage": "decode", "error_type": "DocumentError", "message": "it is broken"}
    empty = dict.fromkeys(("text", "words", "lines", "mean_confidence", "width_px", "height_px", "dpi"))
    return page(path) | empty | {"status": "failed", "failure": failure} | columns


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """An output folder with two documents of the same name, a TIFF of two pages, and one that couldn't be opened."""
    scans = tmp_path / "scans"
    singles = [page(document(scans / folder / "1.png", i)) for i, folder in enumerate("ab")]
    tiff = document(scans / "fax.tif")
    fax = [page(tiff, i, source_kind="tiff", page_count=2, mean_confidence=0.8 - 0.1 * i) for i in range(2)]
    unopened = failed(document(scans / "locked.pdf"), page_count=None)
    return with_manifest(write_run(tmp_path / "out", "20260131T020000.123Z-0a1b2c", [*singles, *fax, unopened]))


def with_manifest(folder: Path) -> Path:
    (folder / "runs").mkdir()
    (folder / "runs/20260131T020000.123Z-0a1b2c.json").write_text("{}")
    return folder


def export(rows: Path, form: str, *arguments: str) -> tuple[int, dict[str, bytes]]:
    folder = rows.parent / f"as-{form}"
    status = cli.main(["export", str(rows), "--format", form, "--output", str(folder), *arguments])
    return status, {
        str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


@pytest.mark.parametrize(
    "form", [form for form in FORMATS.values() if form.unit != Unit.ALL], ids=lambda form: form.name
)
def test_each_document_has_its_files(form, rows):
    if form.write is None:
        pytest.importorskip("img2pdf", reason="img2pdf is in the extra export")
        (rows.parent / "scans/fax.tif").unlink()  # of which there is only one page

    status, files = export(rows, form.name)

    of_fax = (
        [f"fax.tif.000{n}{form.extension}" for n in (1, 2)] if form.unit == Unit.PAGE else [f"fax.tif{form.extension}"]
    )
    of_fax = of_fax if form.write else []
    assert list(files) == sorted([f"{folder}/1.png{form.extension}" for folder in "ab"] + of_fax)
    assert status == (0 if form.write else 3)


def test_json_lines_are_all_rows_in_one_file(rows):
    status, files = export(rows, "jsonl")

    read = [json.loads(line) for line in files["pages.jsonl"].splitlines()]
    assert status == 0 and list(files) == ["pages.jsonl"]
    keys = [(Path(row["source_uri"]).name, row["page_index"], row["status"]) for row in read]
    assert keys == [
        ("1.png", 0, "ok"),
        ("1.png", 0, "ok"),
        ("fax.tif", 0, "ok"),
        ("fax.tif", 1, "ok"),
        ("locked.pdf", 0, "failed"),
    ]


def test_only_pages_of_a_filter(rows):
    status, files = export(rows, "alto", "--where", "mean_confidence < 0.75")

    assert status == 0 and list(files) == ["fax.tif.0002.xml"]


def test_a_wrong_filter_is_a_usage_error(rows, capsys):
    assert export(rows, "txt", "--where", "state = 'ok'") == (2, {})
    assert "there is no column state" in capsys.readouterr().err


def test_a_folder_without_a_run_is_a_usage_error(tmp_path, capsys):
    (tmp_path / "out").mkdir()

    assert export(tmp_path / "out", "txt") == (2, {})
    assert "no run has written here" in capsys.readouterr().err


def test_originals_that_are_gone_or_changed_cost_only_their_documents(rows, capsys):
    pytest.importorskip("img2pdf", reason="img2pdf is in the extra export")
    scans = rows.parent / "scans"
    (scans / "a/1.png").unlink()
    document(scans / "fax.tif", seed=9)

    status, files = export(rows, "pdf")

    said = capsys.readouterr()
    assert status == 3 and list(files) == ["b/1.png.pdf"]
    assert f"{scans}/a/1.png: the original is gone, or isn't what was read any more" in said.err
    assert f"{scans}/fax.tif: the original is gone, or isn't what was read any more (the file has changed" in said.err
    assert said.out.endswith(f"1 files written below {rows.parent}/as-pdf, with 1 pages; 1 failed pages left out\n")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("txt", "with 3 pages, 2 of them without text, as they failed or were not read; 1 failed pages left out"),
        ("alto", "with 1 pages; 2 failed pages left out"),
        ("jsonl", "with 3 pages, 2 of them without text, as they failed or were not read"),
    ],
)
def test_the_summary_counts_each_page_once(tmp_path, capsys, form, said):
    book, locked = document(tmp_path / "book.tif"), document(tmp_path / "locked.pdf")
    third = page(book, 2, source_kind="tiff", page_count=3)  # the first has no row
    second = failed(book, page_index=1, page_count=3)
    rows = write_run(tmp_path / "out", "20260131T020000.123Z-0a1b2c", [second, third, failed(locked, page_count=None)])

    export(with_manifest(rows), form)

    assert capsys.readouterr().out.endswith(f"{said}\n")


def test_a_copy_of_an_original_serves_as_well(rows, tmp_path):
    pytest.importorskip("img2pdf", reason="img2pdf is in the extra export")
    gone, copy = document(tmp_path / "scans2/old.png"), document(tmp_path / "scans2/new.png")
    row = page(gone, also_at=[str(copy)])
    gone.unlink()

    assert export(with_manifest(write_run(tmp_path / "out2", "r", [row])), "pdf")[0] == 0


def test_a_broken_row_costs_only_its_page(rows, capsys):
    broken = page(document(rows.parent / "scans/c.png")) | {"lines": []}
    write_run(rows, "20260131T020000.124Z-0a1b2d", [broken])

    status, files = export(rows, "txt")

    assert status == 3 and {"c.png.txt", "a/1.png.txt", "fax.tif.txt"} <= files.keys()
    assert files["c.png.txt"] == b"\f"
    assert "scans/c.png, page 1: its row is broken" in capsys.readouterr().err


def test_pages_without_rows_are_empty_so_that_others_keep_their_numbers(tmp_path):
    tiff = document(tmp_path / "a.tif")
    rows = with_manifest(write_run(tmp_path / "out", "r", [page(tiff, i, page_count=4) for i in (1, 3)]))

    assert export(rows, "txt")[1]["a.tif.txt"] == b"\fRope coils\nSalt\n\f\fRope coils\nSalt\n\f"
    assert export(rows, "txt", "--where", "page_index > 1")[1]["a.tif.txt"] == b"Rope coils\nSalt\n\f"


def test_a_second_export_replaces_the_first(rows):
    (rows.parent / "as-txt/a").mkdir(parents=True)
    (rows.parent / "as-txt/a/1.png.txt").write_bytes(b"earlier")

    first, second = export(rows, "txt"), export(rows, "txt")

    assert first == second and first[1]["a/1.png.txt"] == b"Rope coils\nSalt\n\f"


def test_a_full_disk_ends_the_export(rows, capsys, monkeypatch):
    def write(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    form = FORMATS["txt"]
    monkeypatch.setitem(FORMATS, "txt", form.__class__(form.name, form.extension, form.unit, write))

    assert export(rows, "txt")[0] == 1
    assert "make room" in capsys.readouterr().err


def test_rows_with_blocks_of_a_later_schema_are_exported(tmp_path):
    row = page(document(tmp_path / "a.png"))
    extended = PAGES.schema
    names = extended.names
    if "blocks" not in names:  # of version 5
        struct = pa.struct(
            {"kind": pa.string(), "quad": pa.list_(pa.float32()), "level": pa.int32(), "cells": pa.list_(pa.null())}
        )
        line = pa.struct([*extended.field("lines").type.value_type, pa.field("block", pa.int32())])
        extended = extended.set(names.index("lines"), pa.field("lines", pa.list_(line))).append(
            pa.field("blocks", pa.list_(struct))
        )
    lines = [{**line, "block": number} for number, line in enumerate(LINES)]
    blocks = [{"kind": kind, "quad": box(0, 0, 1, 1), "level": 1} for kind in ("heading", "text")]
    (tmp_path / "out/pages").mkdir(parents=True)
    table = pa.Table.from_pylist([{**row, "lines": lines, "blocks": blocks, "run_id": "r"}], extended)
    pq.write_table(table, tmp_path / "out/pages/r-00000.parquet")

    status, files = export(with_manifest(tmp_path / "out"), "md")

    assert (status, files["a.png.md"]) == (0, b"<!-- page 1 -->\n\n# Rope coils\n\nSalt\n\n")


@pytest.mark.parametrize(
    ("form", "predictions"), [("txt", "text"), ("hocr", "hocr"), ("alto", "alto"), ("page", "page")]
)
def test_exports_have_the_scores_of_their_rows(form, predictions, tmp_path):
    labels = tmp_path / "labels"
    for name in "ab":
        document(labels / f"{name}.png")
        truth = [(10, 10, 60, 30, "Rope"), (70, 10, 120, 30, "coil"), (10, 42, 60, 62, "Salt")]
        lines = (f"{x},{y},{x1},{y},{x1},{y1},{x},{y1},{text}\n" for x, y, x1, y1, text in truth)
        (labels / f"gt_{name}.txt").write_text("".join(lines))
    rows = with_manifest(write_run(tmp_path / "out", "r", [page(labels / f"{name}.png") for name in "ab"]))
    export(rows, form)

    of_rows = scores(labels, rows, "pagebeam", tmp_path / "s1")
    of_export = scores(labels, tmp_path / f"as-{form}", predictions, tmp_path / "s2")

    if form == "txt":  # which has no places and no confidences
        of_rows = {name: of_rows[name] for name in of_export}
    assert of_export == of_rows and of_rows


def scores(labels: Path, predictions: Path, form: str, output: Path) -> dict[str, Any]:
    arguments = [str(labels), "--format", "icdar", "--predictions", str(predictions), "--predictions-format", form]
    assert cli.main(["evaluate", *arguments, "--output", str(output), "--workers", "1"]) == 0
    return json.loads((output / "evaluation.json").read_text())["scores"]
