from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.export import row_stream
from pipelines.export.row_stream import row_files, stream_rows
from pipelines.output.schemas import PAGES


def write_rows(path: Path, *keys: tuple[str, int], columns: tuple[str, ...] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    filled = {"page_id": "", "status": "ok", "detector_id": "", "recognizer_id": "", "engine": "", "elapsed_ms": 1.0}
    rows = [
        {**filled, "source_uri": uri, "page_index": index, "schema_version": 4, "run_id": path.stem}
        for uri, index in keys
    ]
    table = pa.Table.from_pylist(rows, PAGES.schema)
    pq.write_table(table.select(columns) if columns else table, path, row_group_size=3)


def read(folder: Path, where: pc.Expression | None = None) -> tuple[list[tuple[str, int]], list[tuple[str, str]]]:
    failures: list[tuple[str, str]] = []
    note = lambda name, why: failures.append((Path(name).name, why))  # noqa: E731
    rows = list(stream_rows(row_files(str(folder), note), where, note))
    return [(row["source_uri"], row["page_index"]) for row in rows], failures


def test_rows_of_all_files_come_in_the_order_of_documents_and_pages(tmp_path):
    keys = [(uri, index) for uri in ("/a", "/b", "/c") for index in range(40)]
    for number in range(4):
        write_rows(tmp_path / f"pages/{number}.parquet", *keys[number::4])

    assert read(tmp_path) == (keys, [])


def test_a_file_whose_documents_were_renamed_is_sorted(tmp_path):
    write_rows(tmp_path / "pages/0.parquet", ("/z", 0), ("/z", 1), ("/b", 0), ("/b", 1))
    write_rows(tmp_path / "pages/1.parquet", ("/b", 2), ("/z", 2))

    assert read(tmp_path)[0] == [("/b", 0), ("/b", 1), ("/b", 2), ("/z", 0), ("/z", 1), ("/z", 2)]


def test_only_wanted_rows_come(tmp_path):
    write_rows(tmp_path / "pages/0.parquet", *(("/a", index) for index in range(50)))

    assert read(tmp_path, pc.field("page_index").isin([5, 45]))[0] == [
        ("/a", 5),
        ("/a", 45),
    ]


def test_a_damaged_file_is_noted_and_the_others_are_read(tmp_path):
    write_rows(tmp_path / "pages/0.parquet", ("/a", 0))
    write_rows(tmp_path / "pages/2.parquet", ("/c", 0))
    (tmp_path / "pages/1.parquet").write_bytes(b"PAR1 is not all that a file needs")

    keys, failures = read(tmp_path)

    assert keys == [("/a", 0), ("/c", 0)]
    assert [name for name, _ in failures] == ["1.parquet"] and "can't be read" in failures[0][1]


def test_columns_of_later_versions_are_null(tmp_path):
    write_rows(tmp_path / "pages/0.parquet", ("/a", 0), columns=("source_uri", "page_index", "status"))

    [row] = stream_rows(row_files(str(tmp_path), print), pc.field("also_at").is_null(), print)

    assert row.keys() == set(PAGES.schema.names) and row["words"] is None


def test_files_are_opened_when_the_merge_reaches_them(tmp_path, monkeypatch):
    for number in range(10):
        write_rows(tmp_path / f"pages/{number}.parquet", *((f"/{number}", index) for index in range(5)))
    files = row_files(str(tmp_path), print)
    opened = []
    open_file = row_stream.open_file
    monkeypatch.setattr(row_stream, "open_file", lambda path: opened.append(path) or open_file(path))

    rows = stream_rows(files, None, print)

    next(rows)
    assert len(opened) == 1
    assert len(list(rows)) == 49 and len(opened) == 10
