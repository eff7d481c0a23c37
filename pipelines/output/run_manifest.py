"""The manifest of a run, ``DIR/runs/<run_id>.json``: what it found, read and left, and whether that adds up."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from ocr_models.errors import PagebeamError
from pipelines.inputs.page_ranges import Document
from pipelines.output.checked_files import read_json
from pipelines.output.output_folder import (
    DESCRIPTION,
    RUNS,
    current_file,
    manifest_path,
    pending_commit,
    unfinished_folder,
)
from pipelines.output.page_statistics import sum_by_kind
from pipelines.output.parts import Part
from pipelines.output.places import DocumentChanges
from pipelines.output.schemas import PAGES, Row, Table, find_table
from pipelines.output.shards import Shard, first_failures
from pipelines.runtime.storage import join, list_folder, write_bytes
from pipelines.runtime.versions import versions


@dataclass(frozen=True)
class Found:
    """What a run found at its inputs before it opened any file.

    Attributes:
        documents: number of documents.
        to_open: how many of them are new, changed, or to be read again.
        known_pages: pages of the others, which were read before.
        skipped: number of files found that aren't read, by reason.
        older: number of known documents that were read by other models or with other options.
    """

    documents: int = 0
    to_open: int = 0
    known_pages: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    older: int = 0


@dataclass(frozen=True)
class Totals:
    """What a run's rows must add up to.

    Attributes:
        documents: number of documents that were opened, copies included.
        rows: number of rows: one per page to read, and one per document that couldn't be opened.
        skipped: number of files found that aren't read, by reason.
    """

    documents: int = 0
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(document: Document) -> Totals:
        """The totals of one document and its copies."""
        if document.skipped:
            return Totals(skipped=Counter([document.skipped]))
        places = max(len(document.places), 1)
        return Totals(places, document.expected_rows)

    @staticmethod
    def of_row(row: Row) -> Totals:
        """The totals of one row, for when only rows are known: a document is counted by its first page."""
        return Totals(int(row["page_index"] == 0), 1)

    @staticmethod
    def sum(parts: Iterable[Totals]) -> Totals:
        """The sum of several totals."""
        documents = rows = 0
        skipped: Counter[str] = Counter()
        for part in parts:
            documents += part.documents
            rows += part.rows
            skipped += part.skipped
        return Totals(documents, rows, skipped)


def new_run_id() -> str:
    """A new id, which begins with the time, UTC, to the millisecond: ids of later runs are greater."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


@dataclass(frozen=True)
class RunDescription:
    """What is known about a run before it reads.

    Attributes:
        run_id: id of the run, a new one by default.
        inputs: inputs as the user gave them.
        table: schema of its rows.
        options: all options of the run but its inputs.
        models: id and digest of each model, by role.
        start_time: seconds since the epoch.
        found: what was found at the inputs; None if its workers look for that.
        reader_id: as in its rows; None if the rows say it alone.
        part: the part of a job array that it is; None if it is none.
        array: see ``pipelines.output.parts.array_id``.
    """

    run_id: str = field(default_factory=new_run_id)
    inputs: Sequence[str] = ()
    table: Table = PAGES
    options: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    start_time: float = field(default_factory=time.time)
    found: Found | None = None
    reader_id: str | None = None
    part: Part | None = None
    array: str | None = None


def write_description(output: str, run: RunDescription) -> None:
    """Says among a run's unfinished files what they are, for the run that takes them over if this one is cut off."""
    found = asdict(run.found) if run.found else None
    part = asdict(run.part) if run.part else None
    content = {**vars(run), "inputs": list(run.inputs), "table": run.table.folder, "found": found, "part": part}
    write_bytes(join(output, description_path(run.run_id)), json.dumps(content, indent=1, ensure_ascii=False).encode())


def read_description(output: str, run_id: str) -> RunDescription:
    """Reads what ``write_description`` wrote."""
    values = read_json(
        output, description_path(run_id), "delete the folder that it is in, whose pages are then read again"
    )
    found = Found(**values["found"]) if values["found"] else None
    part = Part(**values["part"]) if values.get("part") else None
    return RunDescription(**{**values, "table": find_table(values["table"]), "found": found, "part": part})


def description_path(run_id: str) -> str:
    """Where ``write_description`` writes, below the output folder."""
    return f"{unfinished_folder(run_id)}/{DESCRIPTION}"


def build_manifest(
    run: RunDescription,
    shards: Sequence[Shard],
    totals: Totals | None,
    stopped: str | None,
    changes: DocumentChanges,
    known_pages: int = 0,
) -> dict[str, Any]:
    """The content of the manifest.

    Args:
        run: the run.
        shards: its shards, each page once.
        totals: what its rows must add up to; None if that isn't known, because the run was cut off.
        stopped: why it stopped before all pages were read; None if it didn't.
        changes: what it found of documents.
        known_pages: pages of the documents that it opened which earlier runs had read.

    Raises:
        PagebeamError: the run's numbers don't add up.
    """
    rows = sum(shard.rows for shard in shards)
    opened = totals or Totals(documents=changes.new + changes.changed + changes.moved + changes.touched, rows=rows)
    found = run.found or Found(opened.documents, opened.documents, skipped=dict(opened.skipped))
    left_documents, left_pages = found.to_open - opened.documents, opened.rows - rows
    _check(run, left_documents, left_pages, opened, stopped if totals else "it was cut off")
    end_time = time.time()
    statistics = sum_by_kind(shard.statistics for shard in shards)
    statuses = _sum_counts(kind.statuses for kind in statistics.values())
    return {
        "run_id": run.run_id,
        "table": run.table.folder,
        "schema_version": run.table.version,
        "started": timestamp(run.start_time),
        "finished": timestamp(end_time),
        "elapsed_s": round(end_time - run.start_time, 3),
        "stopped": stopped,
        "inputs": list(run.inputs),
        "options": run.options,
        "models": run.models,
        "reader_id": run.reader_id,
        "part": asdict(run.part) if run.part else None,
        "array": run.array,
        "documents": {
            "found": found.documents,
            "known": found.documents - found.to_open,
            "left": left_documents,
            "read_by_other_models": found.older,
            **asdict(changes),
        },
        "skipped": dict(sorted(found.skipped.items(), key=lambda reason: (-reason[1], reason[0]))),
        "pages": {
            "found": found.known_pages + known_pages + opened.rows,
            "known": found.known_pages + known_pages,
            "left": left_pages,
            "expected": opened.rows,
            **{status: statuses[status] for status in run.table.statuses},
        },
        "failures_by_stage": _sum_counts(shard.failures for shard in shards),
        "first_failures": first_failures(failure for shard in shards for failure in shard.first_failures),
        "statistics": {kind: asdict(counts) for kind, counts in statistics.items()},
        "versions": versions(),
    }


def _check(run: RunDescription, left_documents: int, left_pages: int, totals: Totals, stopped: str | None) -> None:
    """Raises PagebeamError if more was read than found, or less without a reason."""
    is_right = min(left_documents, left_pages) >= 0 if stopped else left_documents == left_pages == 0
    if not is_right:
        raise PagebeamError(
            f"run {run.run_id} doesn't add up: {totals.rows - left_pages:,} rows for {totals.rows:,} expected, "
            f"{totals.documents:,} documents opened of {totals.documents + left_documents:,}; its rows are kept, and "
            "the same command goes on with them"
        )


def read_manifest(output: str, run_id: str) -> dict[str, Any]:
    """Reads a run's manifest back.

    Raises:
        PagebeamError: there is none, so the run is not complete.
    """
    path = current_file(output, manifest_path(run_id))
    if path is None:
        raise PagebeamError(f"run {run_id} has no manifest in {output}: it was cut off; run the same command again")
    return read_json(output, path, "delete it: the rows can be used without it")


def read_manifests(output: str) -> list[dict[str, Any]]:
    """The manifests of all runs that are committed, oldest first."""
    names = {f"{RUNS}/{name}" for name in list_folder(join(output, RUNS)) if name.endswith(".json")}
    pending = pending_commit(output)
    names |= {path for _, path in (pending.moves if pending else []) if path.startswith(f"{RUNS}/")}
    ids = [name.removeprefix(f"{RUNS}/").removesuffix(".json") for name in names]
    return sorted((read_manifest(output, run_id) for run_id in ids), key=lambda run: (run["started"], run["run_id"]))


def _sum_counts(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return total


def timestamp(seconds: float) -> str:
    """A time in seconds since the epoch, in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
