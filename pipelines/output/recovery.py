"""Recovers an output folder some of whose files were deleted or damaged: what its documents lack is read again.

The rows decide. What is known of documents is counted anew from the rows that can be read, so that pages without one
are no longer known; files that can't be read are moved out of the way of readers, and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ocr_models.errors import Stage
from pipelines.inputs.map_ahead import map_ahead
from pipelines.output.checked_files import DamagedFileError, open_rows
from pipelines.output.documents_table import contents, read_documents
from pipelines.output.lock import check_lock
from pipelines.output.output_folder import (
    Commit,
    current_file,
    current_files,
    documents_path,
    publish,
    unfinished_folder,
)
from pipelines.output.places import ATTRIBUTES, PRESENCE, Places
from pipelines.output.row_changes import KEYS, document_facts, read_columns, with_places
from pipelines.output.schemas import DOCUMENTS, Table
from pipelines.output.shards import OPENED
from pipelines.runtime.storage import atomic_writer, join

DAMAGED = "damaged"
"""Where files go that can't be read, below the output folder."""


@dataclass(frozen=True)
class Recovery:
    """What was wrong.

    Attributes:
        damaged: the files that couldn't be read, or have no rows of the table, which are in ``DAMAGED`` now.
        lost_pages: how many pages had a row, and have none any more.
        is_documents_table_new: whether what is known of documents had been lost.
    """

    damaged: list[str] = field(default_factory=list)
    lost_pages: int = 0
    is_documents_table_new: bool = False

    def __str__(self) -> str:
        told = [f"{path} can't be read as rows, and was moved to {DAMAGED}/{path}" for path in self.damaged]
        if self.is_documents_table_new:
            told.append("what was known of the documents was lost: they are hashed again")
        if self.lost_pages:
            told.append(f"{self.lost_pages:,} pages have no row any more: runs read them again where they find them")
        return "; ".join(told)


def recover(output: str, table: Table, holder: str, counts_rows: bool = True, reads_all: bool = False) -> Recovery:
    """Makes what is known of documents agree with the rows, if it doesn't. Only for whoever holds the lock.

    Args:
        output: the output folder, on any Beam file system.
        table: the table of the rows.
        holder: the run, or other writer, that holds the lock.
        counts_rows: whether the rows are counted, for which the footer of each file is read; else only a lost table of
            documents is noticed.
        reads_all: whether all columns are read, to find damage in any.
    """
    paths = current_files(output, table.folder)
    before = _count_known(output, table)
    is_new = before is None and bool(paths or current_file(output, documents_path(table)))
    if not (is_new or reads_all) and (not counts_rows or _count_rows(output, paths) == (before or 0)):
        return Recovery()
    damaged, keys = [], []
    for path in paths:
        try:
            keys.append(_read_keys(output, path, table, reads_all))
        except DamagedFileError:
            damaged.append(path)
    count = sum(map(len, keys))
    lost = max(0, (before or 0) - count)
    if damaged or is_new or count != before:
        _publish(output, table, holder, damaged, _documents(output, table, keys, is_new))
    return Recovery(damaged, lost, is_new)


def _count_known(output: str, table: Table) -> int | None:
    """How many pages are known to have a row; None if the table of documents is lost."""
    if current_file(output, documents_path(table)) is None:
        return None
    hashes, pages = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    try:
        for batch in read_documents(output, table, ("uri", "sha256", "pages_read")):
            hashes.append(np.fromiter(map(hash, contents(batch).to_pylist()), np.int64, len(batch)))
            pages.append(batch["pages_read"].to_numpy())
    except DamagedFileError:
        return None
    _, firsts = np.unique(np.concatenate(hashes), return_index=True)  # copies have the same rows
    return int(np.concatenate(pages)[firsts].sum())


def _count_rows(output: str, paths: list[str]) -> int | None:
    """The number of rows in files, by their footers; None if one is broken."""

    def count(path: str) -> int | None:
        try:
            with open_rows(output, path) as rows:
                return rows.metadata.num_rows
        except DamagedFileError:
            return None

    counts = list(map_ahead(count, paths))
    known = [number for number in counts if number is not None]
    return sum(known) if len(known) == len(counts) else None


def _read_keys(output: str, path: str, table: Table, reads_all: bool) -> pa.Table:
    with open_rows(output, path) as rows:
        needed = [name for name in KEYS if not table.schema.field(name).nullable]
        if missing := [name for name in needed if name not in rows.schema_arrow.names]:
            raise DamagedFileError(Stage.OPEN, f"{join(output, path)} has no column {', '.join(missing)}")
        for _ in rows.iter_batches() if reads_all else ():
            pass
    return read_columns(output, path, KEYS, table)


def _documents(output: str, table: Table, keys: list[pa.Table], is_new: bool) -> pa.Table:
    """All documents that have rows, with what follows from these."""
    batches = [] if is_new else list(read_documents(output, table))
    known = _without_attributes(pa.concat_tables([DOCUMENTS.empty_table(), *batches]))
    opened = with_places(OPENED.empty_table(), keys)
    opened = opened.filter(pc.invert(pc.is_in(opened["uri"], known["uri"].combine_chunks())))
    facts = document_facts(keys, table)
    return Places(known, opened, PRESENCE.empty_table(), "").documents(facts)


def _without_attributes(documents: pa.Table) -> pa.Table:
    def columns() -> Iterator[pa.ChunkedArray]:
        for of in DOCUMENTS:
            nulls = pa.chunked_array([pa.nulls(len(documents), of.type)])
            yield nulls if of.name in ATTRIBUTES else documents[of.name]

    return pa.Table.from_arrays(list(columns()), schema=DOCUMENTS)


def _publish(output: str, table: Table, holder: str, damaged: list[str], documents: pa.Table) -> None:
    new = f"{unfinished_folder(holder)}/new/documents.parquet"
    with atomic_writer(join(output, new)) as file:
        pq.write_table(documents, file, compression="zstd")
    check_lock(output, holder)
    moves = [(path, f"{DAMAGED}/{path}") for path in damaged]
    publish(output, Commit(holder, [*moves, (new, documents_path(table))], []))
