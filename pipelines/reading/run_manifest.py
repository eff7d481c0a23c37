"""The manifest of a run, ``DIR/runs/<run_id>.json``: written last, it says that the run is whole."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from apache_beam.io.filesystems import FileSystems

import ocr_models
from ocr_models.errors import PagebeamError
from pipelines.inputs.documents import Document
from pipelines.reading.schemas import Table
from pipelines.reading.shards import Shard, atomic_writer, join

VERSIONED_PACKAGES = ("apache-beam", "keras", "numpy", "pyarrow", "pypdfium2", "pillow", "opencv-python-headless")


@dataclass(frozen=True)
class Totals:
    """What a run's rows must add up to.

    Attributes:
        documents: all that were found.
        failed_documents: those of them that couldn't be opened.
        rows: a row for every page, and one for every failed document.
    """

    documents: int = 0
    failed_documents: int = 0
    rows: int = 0

    @staticmethod
    def of(document: Document) -> Totals:
        """What one document adds."""
        return Totals(1, int(document.error is not None), document.expected_rows)

    @staticmethod
    def sum(parts: Iterable[Totals]) -> Totals:
        """The totals of several parts."""
        documents = failed_documents = rows = 0
        for part in parts:
            documents += part.documents
            failed_documents += part.failed_documents
            rows += part.rows
        return Totals(documents, failed_documents, rows)


@dataclass(frozen=True)
class RunDescription:
    """What is known about a run before it starts.

    Attributes:
        run_id: its name.
        inputs: as the user gave them.
        table: what its rows are like.
        options: all that influenced the rows.
        models: id and digest of each model.
        start_time: seconds since the epoch.
    """

    run_id: str
    inputs: list[str]
    table: Table
    options: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    start_time: float = field(default_factory=time.time)


def manifest_path(output: str, run_id: str) -> str:
    """Where a run's manifest is."""
    return join(output, f"runs/{run_id}.json")


def write_manifest(shards: Iterable[Shard], output: str, run: RunDescription, totals: Totals) -> dict[str, Any]:
    """Checks that the rows add up to what was opened, and commits the run by writing its manifest.

    Raises:
        PagebeamError: where rows are missing or too many; then there is no manifest.
    """
    manifest = build_manifest(run, totals, sorted(shards, key=lambda shard: shard.path))
    with atomic_writer(manifest_path(output, run.run_id)) as file:
        file.write(json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    return manifest


def build_manifest(run: RunDescription, totals: Totals, shards: list[Shard]) -> dict[str, Any]:
    """The manifest as it goes into the file."""
    rows = sum(shard.rows for shard in shards)
    if rows != totals.rows:
        raise PagebeamError(
            f"run {run.run_id} wrote {rows} rows for {totals.rows} expected: its files are not complete; run it again"
        )
    end_time = time.time()
    statuses = _sum_counts(shard.statuses for shard in shards)
    return {
        "run_id": run.run_id,
        "schema_version": run.table.version,
        "started": _timestamp(run.start_time),
        "finished": _timestamp(end_time),
        "elapsed_s": round(end_time - run.start_time, 3),
        "inputs": run.inputs,
        "options": run.options,
        "models": run.models,
        "documents": {"found": totals.documents, "failed_to_open": totals.failed_documents},
        "pages": {"expected": totals.rows, **{status: statuses[status] for status in run.table.statuses}},
        "failures_by_stage": _sum_counts(shard.failures for shard in shards),
        "shards": [{"path": shard.path, "rows": shard.rows} for shard in shards],
        "versions": versions(),
    }


def read_manifest(output: str, run_id: str) -> dict[str, Any]:
    """Reads a run's manifest back.

    Raises:
        PagebeamError: where there is none: the run isn't whole.
    """
    path = manifest_path(output, run_id)
    if not FileSystems.exists(path):
        raise PagebeamError(f"the run ended without its manifest {path}: its rows are not complete; run it again")
    with FileSystems.open(path) as file:
        return json.loads(file.read())


def _sum_counts(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return total


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    packages = {package: metadata.version(package) for package in VERSIONED_PACKAGES}
    return {"pagebeam": ocr_models.__version__, "python": platform.python_version(), **packages}
