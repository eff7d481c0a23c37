"""The manifest of a run, ``DIR/runs/<run_id>.json``: it is written last and means that the run is complete."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ocr_models.errors import PagebeamError
from pipelines.inputs.page_ranges import Document
from pipelines.reading.schemas import PAGES, Row, Table
from pipelines.reading.shards import Shard, first_failures
from pipelines.runtime.storage import (
    StorageError,
    delete,
    exists,
    join,
    list_folder,
    read_bytes,
    remove_empty_folder,
    write_bytes,
)
from pipelines.runtime.versions import versions


@dataclass(frozen=True)
class Totals:
    """What a run's rows must add up to.

    Attributes:
        documents: number of documents found.
        failed_documents: number of documents that couldn't be opened.
        rows: number of rows: one per page, and one per failed document.
        skipped: number of files found that aren't read, by reason.
    """

    documents: int = 0
    failed_documents: int = 0
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(document: Document) -> Totals:
        """The totals of one document."""
        if document.skipped:
            return Totals(skipped=Counter([document.skipped]))
        return Totals(1, int(document.error is not None), document.expected_rows)

    @staticmethod
    def of_row(row: Row) -> Totals:
        """The totals of one row, for when only rows are known: a document is counted by its first page."""
        is_first, is_opened = row["page_index"] == 0, row["page_count"] is not None
        return Totals(int(is_first), int(is_first and not is_opened), 1)

    @staticmethod
    def sum(parts: Iterable[Totals]) -> Totals:
        """The sum of several totals."""
        documents = failed_documents = rows = 0
        skipped: Counter[str] = Counter()
        for part in parts:
            documents += part.documents
            failed_documents += part.failed_documents
            rows += part.rows
            skipped += part.skipped
        return Totals(documents, failed_documents, rows, skipped)


def _new_run_id() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + secrets.token_hex(3)


@dataclass(frozen=True)
class RunDescription:
    """What is known about a run before it starts.

    Attributes:
        run_id: id of the run, a new one by default. It begins with the time of the start, UTC, to the second.
        inputs: inputs as the user gave them.
        table: schema of its rows.
        options: all options of the run but its inputs.
        models: id and digest of each model, by role.
        start_time: seconds since the epoch.
    """

    run_id: str = field(default_factory=_new_run_id)
    inputs: Sequence[str] = ()
    table: Table = PAGES
    options: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    start_time: float = field(default_factory=time.time)


def manifest_path(output: str, run_id: str) -> str:
    """The path of a run's manifest."""
    return join(output, f"runs/{run_id}.json")


def write_manifest(shards: Iterable[Shard], output: str, run: RunDescription, totals: Totals) -> dict[str, Any]:
    """Checks that the rows add up to what was opened, and commits the run by writing its manifest.

    Raises:
        PagebeamError: there are too few or too many rows; then no manifest is written.
    """
    manifest = build_manifest(run, totals, sorted(shards, key=lambda shard: shard.path))
    write_bytes(manifest_path(output, run.run_id), json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    return manifest


def build_manifest(run: RunDescription, totals: Totals, shards: list[Shard]) -> dict[str, Any]:
    """The content of the manifest. Raises PagebeamError as ``write_manifest`` does."""
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
        "inputs": list(run.inputs),
        "options": run.options,
        "models": run.models,
        "documents": {"found": totals.documents, "failed_to_open": totals.failed_documents},
        "skipped": dict(sorted(totals.skipped.items(), key=lambda reason: (-reason[1], reason[0]))),
        "pages": {"expected": totals.rows, **{status: statuses[status] for status in run.table.statuses}},
        "failures_by_stage": _sum_counts(shard.failures for shard in shards),
        "first_failures": first_failures(failure for shard in shards for failure in shard.first_failures),
        "shards": [{"path": shard.path, "rows": shard.rows} for shard in shards],
        "versions": versions(),
    }


def read_manifest(output: str, run_id: str) -> dict[str, Any]:
    """Reads a run's manifest back.

    Raises:
        PagebeamError: there is none, so the run is not complete.
    """
    path = manifest_path(output, run_id)
    if not exists(path):
        raise PagebeamError(f"the run ended without its manifest {path}: its rows are not complete; run it again")
    return json.loads(read_bytes(path))


def discard_run(output: str, run: RunDescription) -> None:
    """Deletes the files of a run that failed, unless it has a manifest; readers would ignore them, but not the disk."""
    with contextlib.suppress(StorageError):  # the run's own error matters more
        if not exists(manifest_path(output, run.run_id)):
            folder = join(output, f"{run.table.folder}/run={run.run_id}")
            delete(join(folder, name) for name in list_folder(folder))
            remove_empty_folder(folder)


def _sum_counts(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return total


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
