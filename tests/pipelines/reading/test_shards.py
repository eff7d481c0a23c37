from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from ocr_models.errors import PagebeamError
from pipelines.inputs.page_ranges import page_id
from pipelines.output.run_manifest import RunDescription, Totals, read_manifest, write_manifest
from pipelines.output.schemas import CAPTIONS, PAGES
from pipelines.output.shards import Shard, shard_of, shard_path, write_shard


def make_row(page_index: int = 0, **columns: object) -> dict:
    return {
        "page_id": page_id("a.pdf", "00ff", page_index),
        "source_uri": "a.pdf",
        "source_sha256": "00ff",
        "page_index": page_index,
        "page_count": 900,
        "width_px": 10,
        "height_px": 20,
        "dpi": 200.0,
        "rotation_deg": 90,
        "status": "ok",
        "failure": None,
        "text": "Łódź ½\n",
        "mean_confidence": 0.5,
        "words": [{"text": "Łódź", "confidence": 0.5, "quad": [1.0, 2, 3, 4, 5, 6, 7, 8], "line": 0, "in_text": True}],
        "is_complete": True,
        "words_left_out": 0,
        "unknown_script_share": 0.25,
        "lines": [{"text": "Łódź ½", "quad": [1.0, 2, 3, 4, 5, 6, 7, 8], "confidence": 0.5}],
        "detector_id": "d@0",
        "recognizer_id": "r@0",
        "schema_version": 1,
        "elapsed_ms": 1.5,
        "run_id": "run-1",
        **columns,
    }


def sorted_row(page_index: int, **columns: object) -> tuple[str, int, bytes]:
    return "a.pdf", page_index, PAGES.pack_row(make_row(page_index, **columns))


def test_rows_come_back_from_the_shuffle():
    rows = [make_row(0), make_row(1, status="failed", words=None, failure={"stage": "open"})]

    table = PAGES.unpack_rows(map(PAGES.pack_row, rows))

    assert table.schema == PAGES.schema
    assert table.to_pylist()[0] == rows[0]
    assert table.to_pylist()[1]["failure"] == {"stage": "open", "error_type": None, "message": None}
    assert set(make_row()) == set(PAGES.schema.names)


def test_a_row_of_another_table_is_refused():
    with pytest.raises(ValueError, match=r"table of captions has no column .*words"):
        CAPTIONS.pack_row(make_row())


def test_a_shard_is_sorted_and_counted(tmp_path):
    failure = {"stage": "render", "error_type": "DocumentError", "message": "broken"}
    rows = [sorted_row(index) for index in (600, 2, 10)]
    rows.append(sorted_row(1, status="failed", failure=failure))

    shard = write_shard(str(tmp_path), "pages/run=1/part.parquet", PAGES, rows)

    table = pq.read_table(tmp_path / "pages/run=1/part.parquet", partitioning=None)
    assert table["page_index"].to_pylist() == [1, 2, 10, 600]
    first = {"source_uri": "a.pdf", "page_index": 1, "page_count": 900, "stage": "render", "message": "broken"}
    assert shard == Shard("pages/run=1/part.parquet", 4, {"ok": 3, "failed": 1}, {"render": 1}, (first,))


def test_a_shard_that_is_written_twice_is_there_once(tmp_path):
    for _ in range(2):
        write_shard(str(tmp_path), "pages/run=1/part.parquet", PAGES, [sorted_row(0)])

    assert [path.name for path in (tmp_path / "pages/run=1").iterdir()] == ["part.parquet"]


def test_pages_of_a_document_stay_together_and_documents_spread():
    shards = {shard_of("a.pdf", page_index, 8) for page_index in range(64)}

    assert len(shards) == 1
    assert {shard_of(f"{name}.pdf", 0, 8) for name in range(99)} == set(range(8))
    assert shard_path(PAGES, "r", 3, 12) == "pages/run=r/part-00003-of-00012.parquet"


def test_the_manifest_is_only_written_when_the_rows_add_up(tmp_path):
    run = RunDescription("run-1", ["in"], PAGES)
    shards = [Shard("b", 2, {"ok": 2}, {}), Shard("a", 1, {"failed": 1}, {"open": 1})]

    with pytest.raises(PagebeamError, match="3 rows for 4 expected"):
        write_manifest(shards, str(tmp_path), run, Totals(documents=2, failed_documents=1, rows=4))
    with pytest.raises(PagebeamError, match="without its manifest"):
        read_manifest(str(tmp_path), "run-1")

    write_manifest(shards, str(tmp_path), run, Totals(documents=2, failed_documents=1, rows=3))
    manifest = read_manifest(str(tmp_path), "run-1")
    assert manifest["pages"] == {"expected": 3, "ok": 2, "blank": 0, "unknown_script": 0, "failed": 1}
    assert manifest["shards"] == [{"path": "a", "rows": 1}, {"path": "b", "rows": 2}]
    assert json.loads((tmp_path / "runs/run-1.json").read_text()) == manifest
