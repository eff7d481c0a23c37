"""Writes output folders of ``pagebeam run`` without running it, with rows of existing documents."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.inputs.page_ranges import page_id
from pipelines.output.schemas import PAGES


def page_row(document: Path, words: list[tuple], page_index: int = 0, **columns: Any) -> dict[str, Any]:
    """The row of a page.

    Args:
        document: the document of the page.
        words: tuples of (text, confidence, the 8 numbers of the quad, line).
        page_index: from 0.
        columns: more columns, or other values for these.
    """
    sha256 = hashlib.sha256(document.read_bytes()).hexdigest()
    return {
        "page_id": page_id(str(document), sha256, page_index),
        "source_uri": str(document),
        "source_sha256": sha256,
        "page_index": page_index,
        "page_count": 1,
        "rotation_deg": 0,
        "status": "ok",
        "words": [dict(zip(("text", "confidence", "quad", "line"), word, strict=True)) for word in words],
        "detector_id": "d@0",
        "engine": "openvino",
        "recognizer_id": "r@0",
        "schema_version": PAGES.version,
        "elapsed_ms": 1.0,
        **columns,
    }


def write_run(folder: Path, run_id: str, rows: list[dict[str, Any]]) -> Path:
    """Adds a run to an output folder; returns the folder."""
    rows = [{**row, "run_id": run_id} for row in rows]
    part = folder / "pages" / f"{run_id}-00000.parquet"
    part.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, PAGES.schema), part)
    return folder


def box(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    """The 8 numbers of a level quad."""
    return [x0, y0, x1, y0, x1, y1, x0, y1]
