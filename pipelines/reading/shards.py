"""The shards of a run, written so that a reader never sees a partial file.

A file is written under a temporary name, which readers skip, and then renamed. Its final name depends only on the run
and the shard's number, so that a bundle that runs twice leaves one file.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.reading.schemas import Table
from pipelines.runtime.storage import atomic_writer, join, open_file

ROWS_PER_GROUP = 64  # about 2 MB of words, which are unpacked at a time
FIRST_FAILURES = 10  # kept for the manifest and for the screen
PAGES_PER_BLOCK = 64  # consecutive pages of a document that stay together in a shard

SortedRow = tuple[str, int, bytes]
"""A packed row, preceded by its sort key: source_uri and page_index."""


@dataclass(frozen=True)
class Shard:
    """A written file.

    Attributes:
        path: path below the output folder.
        rows: number of rows.
        statuses: number of rows by status.
        failures: number of failed rows by stage.
        first_failures: source_uri, page_index, page_count, stage and message of its first failed rows.
    """

    path: str
    rows: int
    statuses: dict[str, int]
    failures: dict[str, int]
    first_failures: tuple[dict[str, Any], ...] = ()


def shard_of(source_uri: str, page_index: int, shard_count: int) -> int:
    """The shard that a page belongs to, whatever the runner and the number of workers."""
    block = f"{source_uri}\0{page_index // PAGES_PER_BLOCK}".encode()
    return int.from_bytes(hashlib.sha256(block).digest()[:8], "big") % shard_count


def shard_path(table: Table, run_id: str, shard: int, shard_count: int) -> str:
    """The path of a shard below the output folder."""
    return f"{table.folder}/run={run_id}/part-{shard:05d}-of-{shard_count:05d}.parquet"


def write_shard(output: str, path: str, table: Table, rows: Iterable[SortedRow]) -> Shard:
    """Writes rows, in the order of their documents and pages, to one Parquet file.

    Args:
        output: the output folder, on any Beam file system.
        path: the file's path below it.
        table: the schema of the rows.
        rows: in any order.
    """
    statuses: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    first: list[dict[str, Any]] = []
    with atomic_writer(join(output, path)) as file, pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
        in_order = sorted(rows)
        for start in range(0, len(in_order), ROWS_PER_GROUP):
            group = table.unpack_rows(packed for _, _, packed in in_order[start : start + ROWS_PER_GROUP])
            statuses.update(group["status"].to_pylist())
            failed = _failures(group)
            failures.update(failure["stage"] for failure in failed)
            first += failed[: FIRST_FAILURES - len(first)]
            writer.write_table(group)
    return Shard(path, statuses.total(), dict(statuses), dict(failures), tuple(first))


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


def add_empty_shards(shards: Iterable[Shard], output: str, table: Table, run_id: str, shard_count: int) -> list[Shard]:
    """Writes a file for each shard without rows, as the files' names promise ``shard_count`` shards; returns all."""
    shards = list(shards)
    paths = {shard_path(table, run_id, shard, shard_count) for shard in range(shard_count)}
    missing = paths - {shard.path for shard in shards}
    return shards + [write_shard(output, path, table, []) for path in sorted(missing)]


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
