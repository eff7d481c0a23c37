"""What other tools see of an output folder: each page once, by the lines in ``docs/rows.md``."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.pipelines import samples

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


def read(tool: str) -> list[Any]:
    """The ids of the pages that a tool's line reads."""
    if tool == "Spark":
        pyspark = pytest.importorskip("pyspark", reason="Spark isn't installed: it takes 400 MB and Java")
        spark = pyspark.sql.SparkSession.builder.master("local[1]").getOrCreate()
        return [row.page_id for row in eval(LINES[tool], {"spark": spark}).collect()]
    names = {"duckdb": None, "pandas": None, "polars": None, "pyarrow.dataset": None}
    name = next(name for name in names if LINES[tool].startswith(name))
    importlib.import_module(name)
    found = eval(LINES[tool], {name.split(".")[0]: importlib.import_module(name.split(".")[0])})
    if tool == "DuckDB":
        return [page_id for (page_id,) in found.project("page_id").fetchall()]
    if tool == "polars":
        return found.select("page_id").collect()["page_id"].to_list()
    return found.to_table()["page_id"].to_pylist() if tool == "pyarrow" else found["page_id"].tolist()


@pytest.mark.parametrize("tool", ["DuckDB", "pandas", "polars", "Spark", "pyarrow"])
def test_each_tool_sees_each_page_once(outputs, tool):
    pages = read(tool)

    assert len(pages) == len(set(pages)) == 6  # two of 0.png, 1.png and its copy, moved.png, 3.png, and bad.pdf
