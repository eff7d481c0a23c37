"""The shards of a run: Parquet files of rows, written as they fill, so that a reader never sees a partial file.

A file is written under a temporary name, which readers skip, and then renamed. While its run goes on, it is among the
unfinished files of the output folder.
"""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.output.checked_files import open_rows
from pipelines.output.output_folder import unfinished_folder
from pipelines.output.page_statistics import PageStatistics, sum_by_kind
from pipelines.output.places import PRESENCE
from pipelines.output.schemas import DOCUMENTS, Row, Table
from pipelines.runtime.storage import atomic_writer, exists, join, list_folder, open_file

ROWS_PER_GROUP = 64  # about 2 MB of words, which are unpacked at a time
FIRST_SHARD_S = 30.0  # after the start of a bundle; with the start of a run, its first rows take less than a minute
FIRST_FAILURES = 10  # kept for the manifest and for the screen
ROWS, STAGED_DOCUMENTS = "rows", "documents"  # folders of unfinished files


@dataclass(frozen=True)
class Shard:
    """A file of rows.

    Attributes:
        path: path below the output folder.
        rows: number of rows.
        failures: number of failed rows by stage.
        first_failures: source_uri, page_index, page_count, stage and message of its first failed rows.
        statistics: what is compared between runs, by kind of document.
    """

    path: str
    rows: int
    failures: dict[str, int]
    first_failures: tuple[dict[str, Any], ...]
    statistics: dict[str, PageStatistics]


class ShardWriter:
    """Collects the rows of one worker, packed, and writes them to a shard whenever there are enough.

    Args:
        output: the output folder, on any Beam file system.
        run_id: the run.
        table: the schema of the rows.
        rows_per_shard: number of rows in a file. What is lost when a worker is killed is less than that. The first file
            has fewer if they take longer than ``FIRST_SHARD_S``, so that there is something to look at soon.
    """

    def __init__(self, output: str, run_id: str, table: Table, rows_per_shard: int) -> None:
        self._output, self._run_id, self._table, self._rows_per_shard = output, run_id, table, rows_per_shard
        self._rows: list[tuple[str, int, bytes]] = []
        self._first_due = time.monotonic() + FIRST_SHARD_S

    def add(self, row: Row) -> Iterator[Shard]:
        """Accepts a row; yields a shard if one was written. Raises ValueError if the row doesn't fit the table."""
        self._rows.append((row["source_uri"], row["page_index"], self._table.pack_row(row)))
        if len(self._rows) >= self._rows_per_shard or time.monotonic() > self._first_due:
            yield from self.finish()

    def finish(self) -> Iterator[Shard]:
        """Writes the rows that are left; yields their shard, if there are any."""
        rows, self._rows, self._first_due = sorted(self._rows), [], math.inf
        if rows:
            path = f"{unfinished_folder(self._run_id)}/{ROWS}/{uuid.uuid4().hex}.parquet"
            groups = (rows[start : start + ROWS_PER_GROUP] for start in range(0, len(rows), ROWS_PER_GROUP))
            tables = (self._table.unpack_rows(packed for _, _, packed in group) for group in groups)
            yield write_shard(self._output, path, self._table, tables)


def write_shard(output: str, path: str, table: Table, groups: Iterable[pa.Table]) -> Shard:
    """Writes rows to one Parquet file.

    Args:
        output: the output folder, on any Beam file system.
        path: the file's path below it.
        table: the schema of the rows.
        groups: the rows, in order, in groups that are small enough to be in memory.
    """

    def written() -> Iterator[pa.Table]:
        with (
            atomic_writer(join(output, path)) as file,
            pq.ParquetWriter(file, table.schema, compression="zstd") as rows,
        ):
            for group in groups:
                rows.write_table(group, row_group_size=ROWS_PER_GROUP)
                yield group

    return _describe(path, table, written())


def read_shard(output: str, path: str, table: Table) -> Shard:
    """Describes a shard that was written before."""
    with open_rows(output, path) as rows:
        batches = rows.iter_batches(ROWS_PER_GROUP)
        return _describe(path, table, (pa.Table.from_batches([batch]) for batch in batches))


def _describe(path: str, table: Table, groups: Iterable[pa.Table]) -> Shard:
    failures: Counter[str] = Counter()
    first: list[dict[str, Any]] = []
    rows, statistics = 0, []
    for group in groups:
        failed = _failures(group)
        failures.update(failure["stage"] for failure in failed)
        first += failed[: FIRST_FAILURES - len(first)]
        rows += group.num_rows
        statistics.append(PageStatistics.of_rows(group))
    return Shard(path, rows, dict(failures), tuple(first), sum_by_kind(statistics))


def unfinished_shards(output: str, run_id: str, table: Table) -> list[Shard]:
    """The shards that a run has written; of a run that goes on, more will come."""
    folder = f"{unfinished_folder(run_id)}/{ROWS}"
    return [read_shard(output, f"{folder}/{name}", table) for name in _complete_files(output, folder)]


def has_shards(output: str, run_id: str) -> bool:
    """Whether a run has written a shard."""
    return bool(_complete_files(output, f"{unfinished_folder(run_id)}/{ROWS}"))


def unfinished_documents(output: str, run_id: str) -> pa.Table:
    """What a run's workers have written about the documents that they opened: uri, sha256 and stamp of each place."""
    tables = []
    for path in document_paths(output, run_id):
        with open_file(path) as file:
            tables.append(pq.read_table(file))
    return pa.concat_tables([OPENED.empty_table(), *tables], promote_options="default")  # of earlier versions, too


def document_paths(output: str, run_id: str) -> list[str]:
    """The files that ``write_documents`` has written for a run."""
    folder = f"{unfinished_folder(run_id)}/{STAGED_DOCUMENTS}"
    return [join(output, f"{folder}/{name}") for name in _complete_files(output, folder)]


def _complete_files(output: str, folder: str) -> list[str]:
    return sorted(name for name in list_folder(join(output, folder)) if name.endswith(".parquet"))


OPENED = pa.schema(
    [DOCUMENTS.field(name) for name in ("uri", "sha256", "size_bytes", "modified_ns", "changed_ns", "input_id")]
)
"""The columns of ``unfinished_documents``."""


def write_documents(output: str, run_id: str, documents: list[dict[str, Any]]) -> str:
    """Writes documents that were opened, dicts with the columns of ``OPENED``; returns the path."""
    path = f"{unfinished_folder(run_id)}/{STAGED_DOCUMENTS}/{uuid.uuid4().hex}.parquet"
    with atomic_writer(join(output, path)) as file:
        pq.write_table(pa.Table.from_pylist(documents, OPENED), file)
    return path


def first_failures(failures: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first failed rows of several shards, in the order of their documents and pages."""
    return sorted(failures, key=lambda failure: (failure["source_uri"], failure["page_index"]))[:FIRST_FAILURES]


def _failures(rows: pa.Table) -> list[dict[str, Any]]:
    """What ``Shard.first_failures`` says of each failed row."""
    failed = rows.filter(pc.is_valid(rows["failure"])).select(["source_uri", "page_index", "page_count", "failure"])
    return [
        {**row, "stage": failure["stage"], "message": failure["message"]}
        for row in failed.to_pylist()
        if (failure := row.pop("failure"))
    ]


def first_headline(output: str, table: Table, paths: Iterable[str]) -> dict[str, Any] | None:
    """Source_uri, page_index and headline of the first row in these shards that has a headline; None if none has."""
    columns = ["source_uri", "page_index", table.headline]
    for path in paths:
        with open_file(join(output, path)) as file:
            for batch in pq.ParquetFile(file).iter_batches(columns=columns):
                for row in batch.to_pylist():
                    if row[table.headline]:
                        return row
    return None


def write_presence(output: str, run_id: str, presence: pa.Table) -> None:
    """Notes which known documents a run no longer found, or found again; the columns are those of ``PRESENCE``."""
    with atomic_writer(join(output, _presence_path(run_id))) as file:
        pq.write_table(presence, file)


def read_presence(output: str, run_id: str) -> pa.Table:
    """Reads what ``write_presence`` wrote; empty if nothing was."""
    path = join(output, _presence_path(run_id))
    if not exists(path):
        return PRESENCE.empty_table()
    with open_file(path) as file:
        return pq.read_table(file)


def _presence_path(run_id: str) -> str:
    return f"{unfinished_folder(run_id)}/presence.parquet"
