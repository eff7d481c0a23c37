"""The worklist of a run: the files that its workers open, and what is known of documents that earlier runs read.

The launcher writes it as Parquet files, a few thousand documents each, which workers read: as elements of a pipeline's
graph, millions of documents would not fit into it.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ocr_models.errors import PagebeamError
from pipelines.inputs.discovery import FileStamp, FoundFile
from pipelines.inputs.documents import Known
from pipelines.runtime.storage import StorageError, atomic_writer, delete, exists, join, list_folder, open_file

FILES_PER_PART = 4096
FILES_OF_FIRST_PART = 256  # opened in some seconds: a local run has its first rows soon, see ``chunks``
_PART = "files-"
_FILES = pa.schema(
    [
        pa.field("uri", pa.string(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("size_bytes", pa.int64()),
        pa.field("modified_ns", pa.int64()),
        pa.field("changed_ns", pa.int64()),
        pa.field("input_id", pa.string()),
    ]
)
_KNOWN = pa.schema([pa.field("sha256", pa.string(), nullable=False), pa.field("pages", pa.list_(pa.int32()))])


def write_worklist(folder: str, files: Iterable[FoundFile]) -> list[str]:
    """Writes the files to open, which aren't skipped ones, into parts in a folder; returns the paths of the parts."""
    parts: list[str] = []
    remaining = iter(files)
    while part := list(itertools.islice(remaining, FILES_PER_PART if parts else FILES_OF_FIRST_PART)):
        path = join(folder, f"{_PART}{len(parts):05d}.parquet")
        _write(path, _FILES, [_as_row(file) for file in part])
        parts.append(path)
    return parts


def chunks(parts: Sequence[str], length: int) -> Iterator[Sequence[str]]:
    """The parts of a worklist in the chunks that a local run reads one after the other; the first part is one alone.

    Beam's local runner opens all documents of a pipeline before it reads the first page, and has them in memory.

    Args:
        parts: from ``write_worklist``.
        length: number of parts in a chunk.
    """
    yield parts[:1]
    for start in range(1, len(parts), length):
        yield parts[start : start + length]


def remove_worklist(folder: str) -> None:
    """Removes the parts of a worklist, when all of its files have been opened."""
    names = [name for name in list_folder(folder) if name.startswith(_PART)]
    delete(join(folder, name) for name in names)


def read_part(path: str) -> Iterator[FoundFile]:
    """Yields the files in a part of a worklist.

    Raises:
        PagebeamError: it isn't there.
        StorageError: it can't be read.
    """
    try:
        with open_file(path) as file:
            rows = pq.read_table(file).to_pylist()
    except StorageError as error:
        if exists(path):
            raise
        raise unseen_output(path) from error
    for row in rows:
        stamp = FileStamp(*(row[name] for name in FileStamp._fields))
        known_stamp = None if stamp.size_bytes is None else stamp
        yield FoundFile(row["uri"], row["error"], stamp=known_stamp, input_id=row["input_id"])


def unseen_output(path: str) -> PagebeamError:
    """The error of a worker that doesn't see what the launcher wrote to the output."""
    return PagebeamError(
        f"the output isn't seen on the worker {os.uname().nodename} ({path} is missing there): give an --output that "
        "all workers see under the same path, such as a shared folder or gs://"
    )


def write_known(path: str, known: Mapping[str, tuple[int, ...] | None]) -> None:
    """Writes what is known of documents that earlier runs read, see ``Known``."""
    _write(path, _KNOWN, [{"sha256": sha256, "pages": pages} for sha256, pages in known.items()])


_known: dict[str, tuple[int, ...] | None] = {}
_known_paths: set[str] = set()
_known_lock = threading.Lock()


def read_known(paths: tuple[str, ...]) -> Known:
    """Reads what ``write_known`` wrote, and which documents have been read since; each file once per process.

    Args:
        paths: files of ``write_known``, or with the column ``sha256`` alone for documents of which nothing is to be
            read any more. Of a document in several, the last one counts.
    """
    global _known, _known_paths
    with _known_lock:
        if not _known_paths.issubset(paths):  # they are of another run
            _known, _known_paths = {}, set()
        for path in paths:
            if path not in _known_paths:
                _known.update(_known_in(path))
                _known_paths.add(path)
        return _known


def _known_in(path: str) -> Iterator[tuple[str, tuple[int, ...] | None]]:
    with open_file(path) as file:
        rows = pq.ParquetFile(file)
        table = rows.read([name for name in _KNOWN.names if name in rows.schema_arrow.names])
    digests = table["sha256"].to_pylist()
    if "pages" not in table.column_names:
        return ((digest, ()) for digest in digests if digest)
    pages = (None if of is None else tuple(of) for of in table["pages"].to_pylist())
    return zip(digests, pages, strict=True)


def _as_row(file: FoundFile) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "error": file.error,
        "input_id": file.input_id,
        **(file.stamp._asdict() if file.stamp else {}),
    }


def _write(path: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    with atomic_writer(path) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema), file)
