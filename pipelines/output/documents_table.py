"""The documents that an output folder knows: which files are still the same, and where the same bytes are."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.inputs.discovery import FileStamp, FoundFile
from pipelines.output.checked_files import open_rows
from pipelines.output.output_folder import current_file, documents_path
from pipelines.output.schemas import DOCUMENTS, Table
from pipelines.runtime.storage import join, open_file

_BATCH_ROWS = 1 << 16


def read_documents(output: str, table: Table, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yields the documents that a table's rows were read from, in batches; the columns are those of ``DOCUMENTS``."""
    path = current_file(output, documents_path(table))
    if path is None:
        return
    with open_rows(output, path) as file:
        yield from _batches(file, columns)


def _batches(file: pq.ParquetFile, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    for batch in file.iter_batches(_BATCH_ROWS, columns=None if columns is None else list(columns)):
        yield _with_missing(pa.Table.from_batches([batch]), columns)


class DocumentsCopy:
    """The documents as they are now, whatever is committed later, in a temporary file: some 50 bytes a document.

    Args:
        output: the output folder.
        table: the table whose documents they are.
    """

    def __init__(self, output: str, table: Table) -> None:
        self._file: IO[bytes] | None = None
        path = current_file(output, documents_path(table))
        if path is not None:
            self._file = tempfile.TemporaryFile(prefix="pagebeam-")  # noqa: SIM115  closed with this object
            with open_file(join(output, path)) as file:
                shutil.copyfileobj(file, self._file, 1 << 20)

    def read(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Like ``read_documents``."""
        return _batches(pq.ParquetFile(self._file), columns) if self._file else iter(())


def _with_missing(documents: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    """The documents with the columns that an earlier version didn't write, which are null."""
    for name in DOCUMENTS.names if columns is None else columns:
        if name not in documents.column_names:
            documents = documents.append_column(
                DOCUMENTS.field(name), pa.nulls(len(documents), DOCUMENTS.field(name).type)
            )
    return documents


def documents_near(output: str, table: Table, opened: pa.Table, presence: pa.Table) -> pa.Table:
    """The documents that a run may change, in their order: at its places, and other places of their contents.

    Args:
        output: the output folder.
        table: the table whose documents they are.
        opened: the documents that the run opened, with the columns of ``shards.OPENED``.
        presence: places that vanished or returned, with the column ``uri``.
    """
    uris = pa.chunked_array([*opened["uri"].chunks, *presence["uri"].chunks], pa.string()).combine_chunks()
    here = [
        contents(batch.filter(pc.is_in(batch["uri"], uris)))
        for batch in read_documents(output, table, ("uri", "sha256"))
    ]
    of_all = [chunk for found in (contents(opened), *here) for chunk in found.chunks]
    wanted = pa.chunked_array(of_all, pa.string()).unique()
    near = [
        batch.filter(pc.or_(pc.is_in(batch["uri"], uris), pc.is_in(contents(batch), wanted)))
        for batch in read_documents(output, table)
    ]
    return pa.concat_tables([DOCUMENTS.empty_table(), *near]).combine_chunks()


def write_documents_after(file: BinaryIO, output: str, table: Table, near: pa.Table, after: pa.Table) -> None:
    """Writes all documents in the order of their places, a batch at a time.

    Args:
        file: where to.
        output: the output folder.
        table: the table whose documents they are.
        near: from ``documents_near``.
        after: what takes their place, in order.
    """
    replaced, rest = near["uri"].combine_chunks(), after
    with pq.ParquetWriter(file, DOCUMENTS, compression="zstd") as writer:
        for batch in read_documents(output, table):
            others = batch.filter(pc.invert(pc.is_in(batch["uri"], replaced))).select(DOCUMENTS.names)
            count = pc.sum(pc.less_equal(rest["uri"], batch["uri"][-1])).as_py() or 0
            writer.write_table(pa.concat_tables([others, rest.slice(0, count)]).sort_by("uri"))
            rest = rest.slice(count)
        writer.write_table(rest)


def contents(rows: pa.Table, sha256: str = "sha256", uri: str = "uri") -> pa.ChunkedArray:
    """What is the same for all copies of a document, see ``pipelines.inputs.page_ranges.content_key``."""
    return pc.coalesce(rows[sha256], rows[uri])


class KnownFiles:
    """Finds files among those that are known, by numbers of 8 bytes each, so that millions of them fit in memory.

    Two hashes of 64 bits must both be equal, that of the place and that of the stamp, for a file to be taken for one
    that it isn't.

    Args:
        documents: batches of the columns ``COLUMNS`` of known documents.
    """

    COLUMNS = ("uri", "size_bytes", "modified_ns", "changed_ns", "vanished", "input_id")

    def __init__(self, documents: Iterator[pa.Table]) -> None:
        places, stamps, ids = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        vanished = [np.empty(0, bool)]
        for batch in documents:
            columns = [batch[name].to_pylist() for name in self.COLUMNS[:4]]
            ids.append(np.fromiter(map(_hash_id, batch["input_id"].to_pylist()), np.int64, len(batch)))
            places.append(np.fromiter(map(hash, columns[0]), np.int64, len(batch)))
            stamps.append(np.fromiter(map(_hash_stamp, *columns[1:]), np.int64, len(batch)))
            vanished.append(pc.is_valid(batch["vanished"]).to_numpy())
        unsorted = np.concatenate(places)
        self._order = np.argsort(unsorted, kind="stable")
        self._places = unsorted[self._order]
        self._stamps, self._ids = np.concatenate(stamps), np.concatenate(ids)
        self.vanished = np.concatenate(vanished)
        """Whether each document had vanished, in the order of the documents."""
        self.seen = np.zeros(len(unsorted), bool)
        """Whether each document was among the files that were looked up."""

    def find(self, files: Sequence[FoundFile]) -> tuple[np.ndarray, np.ndarray]:
        """Looks files up, and notes that they were seen.

        Returns:
            For each file its index among the documents, -1 if it is in none of their places, and whether it is
            unchanged and has no new id.
        """
        if not len(self._places):
            return np.full(len(files), -1), np.zeros(len(files), bool)
        places = np.fromiter((hash(file.uri) for file in files), np.int64, len(files))
        stamps = np.fromiter((_hash_stamp(*file.stamp or _UNKNOWN) for file in files), np.int64, len(files))
        positions = np.minimum(np.searchsorted(self._places, places), len(self._places) - 1)
        found = self._places[positions] == places
        indices = np.where(found, self._order[positions], -1)
        self.seen[indices[found]] = True
        ids = np.fromiter((_hash_id(file.input_id) for file in files), np.int64, len(files))
        has_known_id = (ids == _NO_ID) | (ids == self._ids[indices])
        return indices, found & (self._stamps[indices] == stamps) & (stamps != _NEVER) & has_known_id


_UNKNOWN = FileStamp(0, None)
_NEVER = 0
"""The hash of a stamp that tells nothing."""

_NO_ID = 0


def _hash_id(input_id: str | None) -> int:
    return _NO_ID if input_id is None else hash(input_id) or 1


def _hash_stamp(size_bytes: int | None, modified_ns: int | None, changed_ns: int | None) -> int:
    if size_bytes is None or modified_ns is None:
        return _NEVER
    return hash((size_bytes, modified_ns, -1 if changed_ns is None else changed_ns)) or 1


def stamp_columns(stamp: FileStamp | None) -> dict[str, int | None]:
    """The columns of a document that hold its stamp."""
    return dict(stamp._asdict()) if stamp else dict.fromkeys(FileStamp._fields)
