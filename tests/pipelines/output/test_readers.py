"""What other tools see of an output folder: each page once, by the lines in ``docs/rows.md``."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.output.read_rows import read_rows
from tests.pipelines import samples
from tests.run_folders import box, page_row, write_run

ROWS = (Path(__file__).parents[3] / "docs/rows.md").read_text()
LINES = dict(re.findall(r"^\| (DuckDB|pandas|polars|Spark|pyarrow) \| `([^`]+)` \|$", ROWS, re.MULTILINE))


@pytest.fixture
def outputs(run, tmp_path, monkeypatch) -> None:
    """An output of several runs, with a changed document, a copy and a renamed one."""
    folder = tmp_path / "in"
    for seed in range(4):
        samples.write_png(folder / f"{seed}.png", seed)
    run(folder, output="ocr-out")
    samples.write_tiff(folder / "0.png", [Image.fromarray(samples.page_pixels(seed)) for seed in (8, 9)])
    (folder / "copy.png").write_bytes((folder / "1.png").read_bytes())
    (folder / "2.png").rename(folder / "moved.png")
    (folder / "bad.pdf").write_bytes(b"%PDF-")
    run(folder, output="ocr-out")
    monkeypatch.chdir(tmp_path)


def opened(tool: str) -> Any:
    """What a tool's line gives, without Spark."""
    name = next(name for name in ("duckdb", "pandas", "polars", "pyarrow.dataset") if LINES[tool].startswith(name))
    importlib.import_module(name)
    return eval(LINES[tool], {name.split(".")[0]: importlib.import_module(name.split(".")[0])})


def read(tool: str) -> list[Any]:
    """The ids of the pages that a tool's line reads."""
    if tool == "Spark":
        pyspark = pytest.importorskip("pyspark", reason="Spark isn't installed: it takes 400 MB and Java")
        spark = pyspark.sql.SparkSession.builder.master("local[1]").getOrCreate()
        return [row.page_id for row in eval(LINES[tool], {"spark": spark}).collect()]
    found = opened(tool)
    if tool == "DuckDB":
        return [page_id for (page_id,) in found.project("page_id").fetchall()]
    if tool == "polars":
        return found.select("page_id").collect()["page_id"].to_list()
    return found.to_table()["page_id"].to_pylist() if tool == "pyarrow" else found["page_id"].tolist()


@pytest.mark.parametrize("tool", ["DuckDB", "pandas", "polars", "Spark", "pyarrow"])
def test_each_tool_sees_each_page_once(outputs, tool):
    pages = read(tool)

    assert len(pages) == len(set(pages)) == 6  # two of 0.png, 1.png and its copy, moved.png, 3.png, and bad.pdf


@pytest.fixture
def two_versions(tmp_path, monkeypatch) -> None:
    """Rows of an older version, without the column ``blocks`` and the field ``in_text`` of words, and of this one."""
    (tmp_path / "scan.png").write_bytes(b"scan")
    words = [("Cargo", 1.0, box(0, 0, 9, 9), 0)]
    for index, run_id in enumerate(("20250101", "20260101")):
        write_run(tmp_path / "ocr-out", run_id, [page_row(tmp_path / "scan.png", words, index)])
    oldest = tmp_path / "ocr-out/pages/20250101-00000.parquet"
    rows = pq.read_table(oldest)
    fields = [field for field in rows.schema.field("words").type.value_type if field.name != "in_text"]
    schema = pa.schema(
        [pa.field("words", pa.list_(pa.struct(fields))) if field.name == "words" else field for field in rows.schema]
    )
    older = schema.remove(schema.get_field_index("blocks"))
    pq.write_table(pa.Table.from_pylist(rows.select(older.names).to_pylist(), older), oldest)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("tool", "is_whole"), [("DuckDB", True), ("pandas", False), ("pyarrow", False)])
def test_a_tool_gives_of_two_versions_what_the_docs_say(two_versions, tool, is_whole):
    found = opened(tool)
    as_arrow = {"DuckDB": lambda: found.to_arrow_table(), "pandas": lambda: pa.Table.from_pandas(found)}
    rows = as_arrow.get(tool, lambda: found.to_table())()

    assert len(rows) == 2 and rows.column("words").combine_chunks().values.field("text").to_pylist() == ["Cargo"] * 2
    assert ("blocks" in rows.schema.names) == ("in_text" in str(rows.schema.field("words").type)) == is_whole


def test_polars_refuses_two_versions_as_the_docs_say(two_versions):
    with pytest.raises(polars.exceptions.SchemaError, match="extra"):
        opened("polars").collect()


def test_read_rows_gives_two_versions_whole(two_versions):
    frame = polars.from_arrow(read_rows("ocr-out"))

    assert frame.height == 2 and "blocks" in frame.columns
    assert all("in_text" in word for words in frame["words"].to_list() for word in words)
    assert len(read_rows("ocr-out").to_pandas()) == 2
