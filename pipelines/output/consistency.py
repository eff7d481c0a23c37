"""Checks whether the files of an output folder fit together, and repairs what can be repaired without reading pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ocr_models.errors import DocumentError
from pipelines.output.current_view import check_output, tables_of
from pipelines.output.documents_table import contents, read_documents
from pipelines.output.leftovers import find_leftovers, remove_leftovers
from pipelines.output.lock import dead_parts, read_holder, remove_dead_parts
from pipelines.output.output_folder import (
    SUPERSEDED,
    current_files,
    documents_path,
    finish_commit,
    manifest_path,
    pending_commit,
)
from pipelines.output.recovery import recover
from pipelines.output.row_changes import align
from pipelines.output.run_manifest import read_manifests
from pipelines.output.schemas import Table
from pipelines.output.snapshot import read_together
from pipelines.runtime.storage import join, open_file

_SHOWN = 3  # examples in a sentence
_REPAIR = "pagebeam doctor --repair"
_READ_AGAIN = f"{_REPAIR}; then the same run again reads the pages that have no row any more"
_COLUMNS = ("page_id", "source_uri", "source_sha256", "page_index", "page_count", "status", "failure", "run_id")


class Finding(NamedTuple):
    """Something that is wrong.

    Attributes:
        what: what is wrong, where.
        remedy: what to do.
    """

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


def check_consistency(output: str) -> list[Finding]:
    """Checks all files of an output folder; returns what is wrong.

    All columns of all rows are read, a group of rows at a time; 32 bytes per page are kept.

    Args:
        output: the output folder, on any Beam file system.

    Raises:
        UsageError: it is no output folder.
    """
    check_output(output)
    return read_together(output, lambda: list(_check(output)))


def repair(output: str, holder: str) -> list[str]:
    """Completes a cut-off commit, removes leftovers and locks of dead parts, and moves damaged files away.

    Args:
        output: the output folder.
        holder: who holds its lock.

    Returns:
        What was lost.
    """
    finish_commit(output)
    remove_dead_parts(output)
    mended = [str(recover(output, table, holder, reads_all=True)) for table in tables_of(output)]
    remove_leftovers(output, find_leftovers(output))
    return [sentence for sentence in mended if sentence]


def _check(output: str) -> Iterator[Finding]:
    yield from _check_writers(output)
    manifests = {run["run_id"]: run for run in read_manifests(output)}
    for run in manifests.values():
        yield from _check_manifest(run)
    for table in tables_of(output):
        yield from _TableCheck(output, table).check(manifests)


def _check_writers(output: str) -> Iterator[Finding]:
    """What writers left that were killed."""
    holder, pending = read_holder(output), pending_commit(output)
    if holder and holder.is_dead:
        yield Finding(f"the lock is held by {holder}, which is gone", f"the next run takes it over, or {_REPAIR}")
    for part, of_part in dead_parts(output):
        what = f"the lock of part {part} is held by {of_part}, which is gone"
        yield Finding(what, f"the next run takes it over, or {_REPAIR}")
    if pending and (holder is None or holder.is_dead):
        what = f"the commit of {pending.run_id} was cut off: plain Parquet readers may see pages twice, or not at all"
        yield Finding(what, f"the next run completes it, or {_REPAIR}")
    if leftovers := find_leftovers(output):
        what = f"{len(leftovers):,} files are left over from writers that were killed: {_some(leftovers)}"
        yield Finding(what, f"remove them with {_REPAIR}")


def _check_manifest(run: dict[str, Any]) -> Iterator[Finding]:
    pages, run_id = run["pages"], run["run_id"]
    counted = sum(count for kind in run["statistics"].values() for count in kind["statuses"].values())
    sums = {
        "found": (pages["found"], pages["known"] + pages["expected"], "known + expected"),
        "expected": (pages["expected"], counted + pages["left"], "rows + left"),
        "failed": (pages["failed"], sum(run["failures_by_stage"].values()), "failures by stage"),
    }
    for name, (is_said, is_sum, of) in sums.items():
        if is_said != is_sum:
            what = f"{manifest_path(run_id)} doesn't add up: {name} {is_said:,}, but {of} {is_sum:,}"
            yield Finding(what, "if nobody changed the file, this is a fault of Pagebeam: please report it")


class _TableCheck:
    """Checks the rows of one table."""

    def __init__(self, output: str, table: Table) -> None:
        self._output, self._table = output, table
        self._halves: list[np.ndarray] = []  # of page ids: 64 of their 128 bits
        self._pages: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # hashes of contents, rows, failed rows
        self._run_rows: Counter[str] = Counter()
        self._unreadable = 0

    def check(self, manifests: dict[str, dict[str, Any]]) -> Iterator[Finding]:
        """Yields what is wrong."""
        files = current_files(self._output, self._table.folder)
        for path in files:
            yield from self._check_file(path)
        for path in current_files(self._output, f"{SUPERSEDED}/{self._table.folder}"):
            yield from self._count_superseded(path)
        yield from self._check_repeated(files)
        yield from self._check_documents()
        yield from self._check_runs(manifests)

    def _check_file(self, path: str) -> Iterator[Finding]:
        wrong: Counter[str] = Counter()
        try:
            with open_file(join(self._output, path)) as file:
                parquet = pq.ParquetFile(file)
                if missing := [name for name in self._needed() if name not in parquet.schema_arrow.names]:
                    yield self._misfit(path, f"has no column {', '.join(missing)}")
                    return
                for batch in parquet.iter_batches():  # all columns, to find damage in any
                    wrong += self._check_rows(align(pa.Table.from_batches([batch]), self._table.schema))
        except (OSError, DocumentError, pa.ArrowException) as error:
            self._unreadable += 1
            yield self._misfit(path, f"can't be read ({error})")
        for what, count in wrong.items():
            yield Finding(f"{path}: {count:,} rows {what}", "this is a fault of Pagebeam: please report it")

    def _needed(self) -> list[str]:
        return [field.name for field in self._table.schema if not field.nullable]

    def _misfit(self, path: str, what: str) -> Finding:
        return Finding(f"{path} {what}", f"get it back from a backup, or {_READ_AGAIN}")

    def _check_rows(self, rows: pa.Table) -> Counter[str]:
        self._halves.append(_halves(rows["page_id"]))
        is_failed = pc.equal(rows["status"], "failed").to_numpy()
        keys, inverse = np.unique(_hashes(contents(rows, "source_sha256", "source_uri")), return_inverse=True)
        self._pages.append((keys, np.bincount(inverse), np.bincount(inverse, is_failed).astype(np.int64)))
        self._run_rows.update(rows["run_id"].to_pylist())
        beyond = pc.fill_null(pc.greater_equal(rows["page_index"], rows["page_count"]), False)
        unexplained = pc.is_null(rows["failure"]).to_numpy() == is_failed
        strange = pc.invert(pc.is_in(rows["status"], pa.array(self._table.statuses)))
        return +Counter(
            {
                "have a page_index beyond the page_count of their document": pc.sum(beyond).as_py() or 0,
                "failed without a failure, or have one and didn't fail": int(unexplained.sum()),
                f"have a status other than {', '.join(self._table.statuses)}": pc.sum(strange).as_py() or 0,
            }
        )

    def _count_superseded(self, path: str) -> Iterator[Finding]:
        try:
            with open_file(join(self._output, path)) as file:
                self._run_rows.update(pq.ParquetFile(file).read(["run_id"])["run_id"].to_pylist())
        except (OSError, DocumentError, pa.ArrowException) as error:
            yield Finding(f"{path} can't be read ({error})", "pagebeam compact removes it")

    def _check_repeated(self, files: list[str]) -> Iterator[Finding]:
        halves = np.sort(np.concatenate([np.empty(0, np.uint64), *self._halves]))
        repeated = np.unique(halves[1:][halves[1:] == halves[:-1]])
        if not len(repeated):
            return
        found: Counter[tuple[str, str]] = Counter()
        for path in files:
            rows = self._read_if_possible(path, ["page_id", "source_uri"])
            for row in rows.filter(pa.array(np.isin(_halves(rows["page_id"]), repeated))).to_pylist():
                found[row["page_id"], row["source_uri"]] += 1
        by_id: Counter[str] = Counter()
        for (page, _), count in found.items():
            by_id[page] += count
        twice = {page for page, count in by_id.items() if count > 1}  # whole ids, not halves alone
        if twice:
            uris = sorted({uri for page, uri in found if page in twice})
            what = f"{self._table.folder}: {len(twice):,} pages have several rows, of {_some(uris)}"
            yield Finding(what, "if no file was copied into the folder, this is a fault of Pagebeam: please report it")

    def _read_if_possible(self, path: str, columns: list[str]) -> pa.Table:
        schema = pa.schema([self._table.schema.field(name) for name in columns])
        try:
            with open_file(join(self._output, path)) as file:
                return pq.ParquetFile(file).read(columns)
        except (OSError, DocumentError, pa.ArrowException):  # said before
            return schema.empty_table()

    def _check_documents(self) -> Iterator[Finding]:
        """Compares the rows with what is known of their documents."""
        path = documents_path(self._table)
        parts = [np.concatenate([np.empty(0, np.int64), *column]) for column in zip(*self._pages, strict=True)]
        contents_, rows, failed = _sum_by_key(*parts) if parts else (np.empty(0, np.int64),) * 3
        is_listed, wrong = np.zeros(len(contents_), bool), []
        try:
            for batch in read_documents(self._output, self._table, ("uri", "sha256", "pages_read", "pages_failed")):
                keys = _hashes(contents(batch))
                at = np.minimum(np.searchsorted(contents_, keys), max(len(contents_) - 1, 0))
                is_here = contents_[at] == keys if len(contents_) else np.zeros(len(keys), bool)
                is_listed[at[is_here]] = True
                counts = [
                    np.where(is_here, part[at], 0) if len(part) else np.zeros(len(keys)) for part in (rows, failed)
                ]
                is_right = (counts[0] == batch["pages_read"].to_numpy()) & (
                    counts[1] == batch["pages_failed"].to_numpy()
                )
                wrong += batch["uri"].filter(pa.array(~is_right)).to_pylist()
        except (OSError, DocumentError, pa.ArrowException) as error:
            yield self._misfit(path, f"can't be read ({error})")
            return
        because = ", as files can't be read (see above)" if self._unreadable else ""
        remedy = f"get the file that is missing from a backup, or {_READ_AGAIN}"
        if wrong:
            what = f"{path} says otherwise than the rows of {len(wrong):,} documents{because}: {_some(wrong)}"
            yield Finding(what, remedy)
        if unlisted := int((~is_listed).sum()):
            yield Finding(f"{path} lacks {unlisted:,} documents that have rows", remedy)

    def _check_runs(self, manifests: dict[str, dict[str, Any]]) -> Iterator[Finding]:
        """Compares the rows with the manifests of the runs that read them."""
        for run_id, count in sorted(self._run_rows.items()):
            if run_id not in manifests:
                what = f"{count:,} rows in {self._table.folder} are of run {run_id}, which has no manifest"
                yield Finding(what, f"get {manifest_path(run_id)} back from a backup; the rows can be used without it")
            elif count > (most := manifests[run_id]["pages"]["expected"]):
                what = f"{count:,} rows are of run {run_id}, but its manifest says {most:,}"
                yield Finding(what, "see whether files were copied into the folder")


def _halves(ids: pa.ChunkedArray) -> np.ndarray:
    """The first 64 bits of page ids, which tell millions of them apart."""
    return np.fromiter((int(page[:16], 16) for page in ids.to_pylist()), np.uint64, len(ids))


def _hashes(values: pa.ChunkedArray) -> np.ndarray:
    return np.fromiter(map(hash, values.to_pylist()), np.int64, len(values))


def _sum_by_key(keys: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """The keys, each once and sorted, and the sums of their values."""
    unique, inverse = np.unique(keys, return_inverse=True)
    return unique, *(np.bincount(inverse, value, len(unique)).astype(np.int64) for value in values)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
