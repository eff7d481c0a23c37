"""What an output folder holds now: its pages and documents, its runs, and who writes to it. It is read, not changed."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ocr_models.errors import UsageError
from pipelines.output.documents_table import contents, read_documents
from pipelines.output.failed_pages import COLUMNS, failed_pages, reason
from pipelines.output.gates import drift, last_good_run, statistics_of
from pipelines.output.lock import Holder, living_parts, read_holder
from pipelines.output.output_folder import RUNS, current_names, pending_commit, unfinished_folder, unfinished_runs
from pipelines.output.page_statistics import BINS, PageStatistics, sum_by_kind
from pipelines.output.parts import arrays, whole_runs
from pipelines.output.read_rows import read_files
from pipelines.output.run_manifest import read_description, read_manifests, timestamp
from pipelines.output.schemas import TABLES, Table
from pipelines.output.shards import ROWS
from pipelines.output.snapshot import read_together
from pipelines.runtime.storage import StorageError, join, list_folder, open_file

SHOWN_URIS = 10
_MORE_COLUMNS = ("status", "source_kind", "reader_id")


def describe_output(output: str) -> dict[str, Any]:
    """All that ``pagebeam status`` says, fit for JSON.

    Of the rows, only columns of a few bytes per page are read, a file at a time.

    Args:
        output: the output folder, on any Beam file system.

    Raises:
        UsageError: it is no output folder.
    """
    check_output(output)
    return read_together(output, lambda: _describe(output))


def check_output(output: str) -> None:
    """Raises UsageError for a folder to which no run has written."""
    if not (current_names(output, RUNS) or unfinished_runs(output) or read_holder(output) or living_parts(output)):
        raise UsageError(f"{output}: no run has written here; give the --output folder of a run")


def tables_of(output: str) -> list[Table]:
    """The tables that an output folder has rows of; that of pages if it has none."""
    found = [table for table in TABLES.values() if current_names(output, table.folder)]
    return found or [next(iter(TABLES.values()))]


def _describe(output: str) -> dict[str, Any]:
    manifests = read_manifests(output)
    holder, pending, living = read_holder(output), pending_commit(output), living_parts(output)
    return {
        "output": output,
        "tables": {table.folder: _describe_table(output, table, manifests) for table in tables_of(output)},
        "runs": [_describe_run(manifest) for manifest in manifests],
        "drift": _describe_drift(whole_runs(manifests)),
        "array": _describe_array(manifests, [part.number for part, _ in living]),
        "unfinished": list(_describe_unfinished(output)),
        "pending_commit": pending.run_id if pending else None,
        "holder": _describe_holder(holder) if holder else None,
        "part_holders": {str(part): _describe_holder(of_part) for part, of_part in living},
    }


def _describe_holder(holder: Holder) -> dict[str, Any]:
    return {**asdict(holder), "is_dead": holder.is_dead, "text": str(holder)}


def _describe_array(manifests: list[dict[str, Any]], living: list[int]) -> dict[str, Any] | None:
    """The parts of the last run in parts; None if there was none, or a run that isn't in parts came later."""
    last = arrays(manifests)[-1:]
    if not last or not manifests[-1].get("part"):
        return None
    array = last[0]
    return {
        "id": array.array_id,
        "count": array.count,
        "started": array.runs[0]["started"],
        "missing": array.missing,
        "going_on": sorted(living),
    }


def _describe_table(output: str, table: Table, manifests: list[dict[str, Any]]) -> dict[str, Any]:
    confidence = [name for name in ("mean_confidence", "text_source") if name in table.schema.names]
    statistics, failures, readers = [], Counter[tuple[str, str]](), Counter[str | None]()
    files = 0
    last_row: tuple[str, str | None] = ("", None)
    for _, rows in read_files(output, table, [*COLUMNS, *_MORE_COLUMNS, *confidence]):
        files += 1
        statistics.append(PageStatistics.of_rows(rows))
        failures.update(map(reason, failed_pages(rows)))
        readers.update(_counts(rows["reader_id"]))
        last_row = max(last_row, _last_reader(rows), key=lambda row: row[0])
    by_kind = sum_by_kind(statistics)
    known = [run["reader_id"] for run in manifests if run["table"] == table.folder and run.get("reader_id")]
    reader_id = known[-1] if known else last_row[1]
    return {
        "files": files,
        **_describe_pages(sum(by_kind.values(), PageStatistics()), table),
        "by_kind": {kind: _describe_pages(pages, table) for kind, pages in by_kind.items()},
        "reader_id": reader_id,
        "read_by_others": sum(count for reader, count in readers.items() if reader_id and reader != reader_id),
        "documents": _describe_documents(output, table),
        "failures": [{"stage": stage, "reason": why, "pages": count} for (stage, why), count in failures.most_common()],
    }


def _describe_pages(pages: PageStatistics, table: Table) -> dict[str, Any]:
    rated = sum(pages.confidences)
    return {
        "pages": pages.pages,
        "by_status": {status: pages.statuses.get(status, 0) for status in table.statuses},
        "from_text_layer": pages.from_text_layer,
        "mean_confidence": round(pages.confidence_sum / rated, 6) if rated else None,
        "confidences": {f"{i / BINS:.1f}": count for i, count in enumerate(pages.confidences)},
    }


def _counts(column: pa.ChunkedArray) -> dict[Any, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def _last_reader(rows: pa.Table) -> tuple[str, str | None]:
    """The last run that has rows here, and what read them."""
    last = pc.max(rows["run_id"]).as_py()
    readers = rows.filter(pc.equal(rows["run_id"], last))["reader_id"]
    return (last, readers[0].as_py()) if last else ("", None)


def _describe_documents(output: str, table: Table) -> dict[str, Any]:
    kinds = Counter[str | None]()
    gone: dict[str, str] = {}
    for batch in read_documents(output, table, ("uri", "sha256", "kind", "vanished")):
        is_gone = pc.is_valid(batch["vanished"])
        kinds.update(_counts(batch.filter(pc.invert(is_gone))["kind"]))
        lost = batch.filter(is_gone)
        gone.update(zip(contents(lost).to_pylist(), lost["uri"].to_pylist(), strict=True))
    for batch in read_documents(output, table, ("uri", "sha256", "vanished")) if gone else ():
        for content in contents(batch.filter(pc.is_null(batch["vanished"]))).to_pylist():
            gone.pop(content, None)  # renamed: the same bytes are elsewhere
    return {
        "found": sum(kinds.values()),
        "by_kind": {kind or "unopened": count for kind, count in sorted(kinds.items(), key=str)},
        "vanished": len(gone),
        "first_vanished": sorted(gone.values())[:SHOWN_URIS],
    }


def _describe_run(manifest: dict[str, Any]) -> dict[str, Any]:
    pages, is_cut_off = manifest["pages"], manifest["stopped"] == "cut off"
    read = pages["expected"] - pages["left"]
    statistics = sum(statistics_of(manifest).values(), PageStatistics())
    rated = sum(statistics.confidences)
    return {
        "run_id": manifest["run_id"],
        "table": manifest["table"],
        "started": manifest["started"],
        "finished": manifest["finished"],
        "stopped": manifest["stopped"],
        "part": manifest.get("part"),
        "gates_exceeded": manifest.get("gates_exceeded", []),
        "pages_read": read,
        "pages_failed": pages["failed"],
        "pages_known": pages["known"],
        "pages_left": pages["left"],
        "words": statistics.words,
        "mean_confidence": round(statistics.confidence_sum / rated, 6) if rated else None,
        # Of a run that was cut off, the time is until it was taken over.
        "pages_per_s": None if is_cut_off or not manifest["elapsed_s"] else round(read / manifest["elapsed_s"], 2),
    }


def _describe_drift(manifests: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What moved between the last run that read pages and the last good one before it."""
    reading = [manifest for manifest in manifests if manifest["pages"]["expected"]]
    last = reading[-1] if reading else None
    good = last_good_run(last, reading) if last else None
    if not last or not good:
        return None
    changes = sorted(drift(statistics_of(good), statistics_of(last)), key=lambda change: -change[1])
    return {
        "run_id": last["run_id"],
        "since": good["run_id"],
        "changes": [{"what": what, "size": round(size, 6)} for what, size in changes],
    }


def _describe_unfinished(output: str) -> Iterator[dict[str, Any]]:
    """The runs that go on or were cut off, with what they have written so far."""
    pending = pending_commit(output)
    for run_id in unfinished_runs(output):
        if pending and run_id == pending.run_id:
            continue
        with contextlib.suppress(StorageError):  # it is given up at this moment
            started = timestamp(read_description(output, run_id).start_time)
            yield {"run_id": run_id, "started": started, "pages": _count_staged(output, run_id)}


def _count_staged(output: str, run_id: str) -> int:
    folder = join(output, f"{unfinished_folder(run_id)}/{ROWS}")
    return sum(count_rows(join(folder, name)) for name in list_folder(folder) if name.endswith(".parquet"))


def count_rows(path: str) -> int:
    """The number of rows of a Parquet file; only its footer is read."""
    with open_file(path) as file:
        return pq.read_metadata(file).num_rows
