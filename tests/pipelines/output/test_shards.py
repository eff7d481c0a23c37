from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from ocr_models.errors import PagebeamError
from pipelines.inputs.page_ranges import page_id
from pipelines.output.page_statistics import PageStatistics
from pipelines.output.places import DocumentChanges
from pipelines.output.run_manifest import Found, RunDescription, Totals, build_manifest
from pipelines.output.schemas import CAPTIONS, PAGES
from pipelines.output.shards import Shard, ShardWriter, read_shard, unfinished_shards


def make_row(page_index: int = 0, **columns: object) -> dict:
    return {
        "page_id": page_id("a.pdf", "00ff", page_index),
        "source_uri": "a.pdf",
        "also_at": [],
        "input_id": "A-1",
        "source_sha256": "00ff",
        "source_kind": "pdf",
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
        "lines": [{"text": "Łódź ½", "quad": [1.0, 2, 3, 4, 5, 6, 7, 8], "confidence": 0.5, "block": 0}],
        "blocks": [
            {
                "kind": "table",
                "quad": [1.0, 2, 3, 4, 5, 6, 7, 8],
                "level": None,
                "column": 0,
                "cells": [{"row": 0, "column": 1, "row_span": 1, "column_span": 2, "words": [0]}],
            }
        ],
        "text_source": "ocr",
        "detector_id": "d@0",
        "engine": "openvino",
        "recognizer_id": "r@0",
        "schema_version": 1,
        "elapsed_ms": 1.5,
        "run_id": "run-1",
        "reader_id": "0123456789abcdef",
        **columns,
    }


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


def write(tmp_path, rows, rows_per_shard=100):
    writer = ShardWriter(str(tmp_path), "run-1", PAGES, rows_per_shard)
    return [shard for row in rows for shard in writer.add(row)] + list(writer.finish())


def test_a_shard_is_sorted_and_counted(tmp_path):
    failure = {"stage": "render", "error_type": "DocumentError", "message": "broken"}
    rows = [make_row(index) for index in (600, 2, 10)]
    rows.append(make_row(1, status="failed", failure=failure, words=None, mean_confidence=None))

    [shard] = write(tmp_path, rows)

    assert pq.read_table(tmp_path / shard.path)["page_index"].to_pylist() == [1, 2, 10, 600]
    first = {"source_uri": "a.pdf", "page_index": 1, "page_count": 900, "stage": "render", "message": "broken"}
    confidences = (0, 0, 0, 0, 0, 3, 0, 0, 0, 0)
    statistics = {"pdf": PageStatistics({"ok": 3, "failed": 1}, 3, confidences, 1.5)}
    assert shard == Shard(shard.path, 4, {"render": 1}, (first,), statistics)
    assert read_shard(str(tmp_path), shard.path, PAGES) == shard == unfinished_shards(str(tmp_path), "run-1", PAGES)[0]


def test_pages_from_text_layers_do_not_count_in_confidences(tmp_path):
    rows = [make_row(0), make_row(1, text_source="text_layer", mean_confidence=1.0), make_row(2, text_source=None)]
    [shard] = write(tmp_path, rows)
    statistics = PageStatistics({"ok": 3}, 3, (0, 0, 0, 0, 0, 2, 0, 0, 0, 0), 1.0, from_text_layer=1)
    assert shard.statistics == {"pdf": statistics}
    assert (statistics + statistics).from_text_layer == 2


def test_shards_are_written_as_they_fill(tmp_path):
    shards = write(tmp_path, [make_row(index) for index in range(7)], rows_per_shard=3)

    assert [shard.rows for shard in shards] == [3, 3, 1]
    assert {path.parent for path in tmp_path.rglob("*.parquet")} == {tmp_path / "_unfinished/run-1/rows"}


def test_a_manifest_is_made_only_if_the_rows_add_up():
    run = RunDescription("run-1", ["in"], PAGES, found=Found(documents=5, to_open=2, known_pages=30))
    shards = [
        Shard("b", 2, {}, (), {"pdf": PageStatistics({"ok": 2})}),
        Shard("a", 1, {"open": 1}, (), {"unopened": PageStatistics({"failed": 1})}),
    ]

    def build(documents: int, rows: int, stopped: str | None = None) -> dict:
        return build_manifest(run, shards, Totals(documents, rows), stopped, DocumentChanges(1, new=2), known_pages=7)

    with pytest.raises(PagebeamError, match="3 rows for 4 expected, 2 documents opened of 2"):
        build(2, 4)
    with pytest.raises(PagebeamError, match="3 rows for 3 expected, 1 documents opened of 2"):
        build(1, 3)
    with pytest.raises(PagebeamError, match="3 rows for 2 expected"):
        build(2, 2, stopped="deadline")
    assert build(1, 5, stopped="deadline")["pages"]["left"] == 2
    manifest = build(2, 3)
    expected = {
        "found": 40,
        "known": 37,
        "left": 0,
        "expected": 3,
        "ok": 2,
        "blank": 0,
        "unknown_script": 0,
        "failed": 1,
    }
    assert manifest["pages"] == expected
    counts = {"found": 5, "known": 3, "failed_to_open": 1, "left": 0, "read_by_other_models": 0, "new": 2}
    assert {name: count for name, count in manifest["documents"].items() if count or name in counts} == counts
