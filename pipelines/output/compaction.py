"""Compaction: small files become larger ones, and what later runs replaced is removed.

A run leaves at least a file per worker, so that thirty nights leave sixty small files or more, which cost readers more
time to open than to read. The rows stay the same. All files change in one commit (``output_folder.publish``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ocr_models.errors import PagebeamError
from pipelines.output.checked_files import open_rows
from pipelines.output.current_view import count_rows
from pipelines.output.leftovers import COMPACTION, find_leftovers, remove_leftovers
from pipelines.output.lock import check_lock
from pipelines.output.output_folder import (
    SUPERSEDED,
    Commit,
    current_files,
    finish_commit,
    publish,
    unfinished_folder,
)
from pipelines.output.row_changes import align
from pipelines.output.run_manifest import new_run_id, read_manifests
from pipelines.output.schemas import TABLES, Table
from pipelines.output.shards import ROWS_PER_GROUP, write_shard
from pipelines.output.snapshot import read_together
from pipelines.runtime.storage import join, list_folder

ROWS_PER_FILE = 2_000
"""At most as many rows are merged into a file: some 20 MB, so that ten million pages are 5,000 to 10,000 files. Larger
ones would be read a little faster, but a run that changes one page writes its whole file anew, in memory."""
BYTES_PER_FILE = 256 << 20
"""At most as many bytes, unpacked, are merged: of dense pages, with up to 20,000 words each, fewer fit into memory."""


@dataclass(frozen=True)
class _File:
    path: str
    rows: int
    unpacked_bytes: int
    first_uri: str

    @property
    def is_small(self) -> bool:
        """Whether it can be merged with any other small one."""
        return self.rows <= ROWS_PER_FILE // 2 and self.unpacked_bytes <= BYTES_PER_FILE // 2


@dataclass(frozen=True)
class Compaction:
    """What a compaction changes. Paths are below the output folder.

    Attributes:
        groups: files of current rows that become one each, with the folder of their table.
        rows: number of rows in these files.
        files: number of all files of current rows before it.
        superseded: files of rows that later runs replaced, which are removed.
        superseded_rows: number of rows in these.
        leftovers: files of writers that were killed, which are removed.
        bytes: size of all files that it reads and then removes.
        removed_bytes: size of those of them that no new ones replace.
    """

    groups: list[tuple[Table, list[str]]]
    rows: int
    files: int
    superseded: list[str]
    superseded_rows: int
    leftovers: list[str]
    bytes: int
    removed_bytes: int

    @property
    def files_after(self) -> int:
        """Number of files of current rows after it."""
        return self.files - sum(len(paths) - 1 for _, paths in self.groups)


def plan_compaction(output: str, before: datetime | None = None) -> Compaction:
    """Says what ``compact`` would change.

    Args:
        output: the output folder, on any Beam file system.
        before: only rows are removed that were replaced before this time; None for all.
    """
    return read_together(output, lambda: _plan(output, before))


def compact(output: str, holder: str, before: datetime | None = None) -> Compaction:
    """Merges the small files of current rows, and removes replaced rows and leftovers; returns what it changed.

    The files of a group are in memory at the same time, at most ``BYTES_PER_FILE``, two to three times.

    Args:
        output: the output folder, on any Beam file system.
        holder: id of the compaction, see ``new_compaction_id``, which holds the lock.
        before: as of ``plan_compaction``.

    Raises:
        PagebeamError: a merged file has other rows than those that it was made of. Then nothing is changed.
        LockedError: another has taken over the lock.
    """
    finish_commit(output)
    plan = _plan(output, before)
    moves, deletes = [], list(plan.superseded)
    for number, (table, paths) in enumerate(plan.groups):
        new = f"{unfinished_folder(holder)}/new/{number:05d}.parquet"
        _merge(output, table, paths, new)
        moves.append((new, f"{table.folder}/{holder}-{number:05d}.parquet"))
        deletes += paths
    check_lock(output, holder)
    if moves or deletes:
        publish(output, Commit(holder, moves, deletes))
    remove_leftovers(output, plan.leftovers)
    return plan


def new_compaction_id() -> str:
    """A new id for a compaction, which is also the beginning of the names of its files."""
    return COMPACTION + new_run_id()


def _plan(output: str, before: datetime | None) -> Compaction:
    groups, files, rows = [], 0, 0
    for table in TABLES.values():
        paths = current_files(output, table.folder)
        files += len(paths)
        for group in _group([_look(output, path) for path in paths]):
            groups.append((table, [file.path for file in group]))
            rows += sum(file.rows for file in group)
    superseded = list(_superseded(output, before))
    leftovers = find_leftovers(output)
    removed = _size(output, [*superseded, *leftovers])
    return Compaction(
        groups=groups,
        rows=rows,
        files=files,
        superseded=superseded,
        superseded_rows=sum(count_rows(join(output, path)) for path in superseded),
        leftovers=leftovers,
        bytes=removed + _size(output, [path for _, paths in groups for path in paths]),
        removed_bytes=removed,
    )


def _look(output: str, path: str) -> _File:
    with open_rows(output, path) as parquet:
        footer = parquet.metadata
        unpacked = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
        first = next(parquet.iter_batches(1, columns=["source_uri"]), None)
        return _File(path, footer.num_rows, unpacked, first["source_uri"][0].as_py() if first else "")


def _group(files: Sequence[_File]) -> Iterator[list[_File]]:
    """Yields files to merge: of neighbors in the order of their documents, until there are enough rows or bytes.

    As all are small, each group but the last is at least half full, and none is more than full.
    """
    group: list[_File] = []
    for file in sorted((file for file in files if file.is_small), key=lambda file: (file.first_uri, file.path)):
        group.append(file)
        rows, unpacked = sum(file.rows for file in group), sum(file.unpacked_bytes for file in group)
        if rows > ROWS_PER_FILE // 2 or unpacked > BYTES_PER_FILE // 2:
            yield from [group] if len(group) > 1 else []
            group = []
    if len(group) > 1:
        yield group


def _superseded(output: str, before: datetime | None) -> Iterator[str]:
    """The files of rows that were replaced before a time, by runs of which the manifest says when they ended."""
    ends = {run["run_id"]: datetime.fromisoformat(run["finished"]) for run in read_manifests(output)} if before else {}
    for table in TABLES.values():
        for path in current_files(output, f"{SUPERSEDED}/{table.folder}"):
            run_id = path.rpartition("/")[2].rpartition("-")[0]
            if before is None or (run_id in ends and ends[run_id] < before):
                yield path


def _merge(output: str, table: Table, paths: Sequence[str], new: str) -> None:
    rows = pa.concat_tables([_read(output, path, table) for path in paths]).combine_chunks()
    order = pc.sort_indices(rows, [("source_uri", "ascending"), ("page_index", "ascending")])
    starts = range(0, len(rows), ROWS_PER_GROUP)
    groups = (rows.take(order.slice(start, ROWS_PER_GROUP)) for start in starts)
    written = write_shard(output, new, table, groups)
    if written.rows != len(rows) or count_rows(join(output, new)) != len(rows):
        raise PagebeamError(f"{output}: {written.rows:,} of {len(rows):,} rows were merged; nothing is changed")


def _read(output: str, path: str, table: Table) -> pa.Table:
    with open_rows(output, path) as rows:
        return align(rows.read(), table.schema)


def _size(output: str, paths: Sequence[str]) -> int:
    """Bytes of files that are there."""
    sizes = {}
    for folder in {path.rpartition("/")[0] for path in paths}:
        sizes.update({f"{folder}/{name}".lstrip("/"): size for name, size in list_folder(join(output, folder)).items()})
    return sum(sizes.get(path, 0) for path in paths)
