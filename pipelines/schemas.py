"""The table of pages: its columns, and how rows travel to the files.

A row is a dict with these columns. On the way to its shard it is packed into bytes, as one compressed Arrow record
batch, which is what keeps the shuffle small.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 1

STATUSES = ("ok", "blank", "failed")

Row = dict[str, Any]


def _column(name: str, kind: pa.DataType, doc: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"doc": doc})


_QUAD = pa.list_(pa.float32())  # of no fixed size, which Spark can't read
_QUAD_DOC = "x, y of 4 corners in pixels, to 1/8, clockwise from the text's own top left"

_WORD = pa.struct(
    [
        _column("text", pa.string(), "the word as read"),
        _column("confidence", pa.float32(), "0 to 1"),
        _column("quad", _QUAD, _QUAD_DOC),
        _column("line", pa.int32(), "index of its line in `lines`"),
    ]
)

_LINE = pa.struct(
    [
        _column("text", pa.string(), "the line's words with spaces between them"),
        _column("quad", _QUAD, _QUAD_DOC),
        _column("confidence", pa.float32(), "0 to 1"),
    ]
)

_FAILURE = pa.struct(
    [
        _column("stage", pa.string(), "where it failed: open, render, decode or read"),
        _column("error_type", pa.string(), "the error's class; DocumentError for a bad document"),
        _column("message", pa.string(), "what was wrong, for people"),
    ]
)

PAGES_SCHEMA = pa.schema(
    [
        _column("page_id", pa.string(), "32 hex digits: a hash of source_uri, source_sha256 and page_index", False),
        _column("source_uri", pa.string(), "the document: an absolute path, or a URI", False),
        _column("source_sha256", pa.string(), "of the document's bytes, in hex; null where they can't be read"),
        _column("page_index", pa.int32(), "from 0; in a TFRecord file the record's; 0 for a whole document", False),
        _column("page_count", pa.int32(), "pages in the document; null where it can't be opened"),
        _column("width_px", pa.int32(), "of the page as read, upright as its file says (EXIF); null if not decoded"),
        _column("height_px", pa.int32(), "like width_px"),
        _column("dpi", pa.float32(), "as rendered for PDFs, else as the file says; null where it doesn't"),
        _column("rotation_deg", pa.int32(), "how far the content is turned clockwise: 0, 90, 180, 270; null if failed"),
        _column("status", pa.string(), "ok; blank (no words found); failed", False),
        _column("failure", _FAILURE, "null unless failed"),
        _column("text", pa.string(), "the page as a person would read it; an empty line parts blocks; null if failed"),
        _column("mean_confidence", pa.float32(), "of the words, weighted by length, 0 to 1; null unless ok"),
        _column("words", pa.list_(_WORD), "in reading order; null if failed"),
        _column("lines", pa.list_(_LINE), "in reading order; null if failed"),
        _column("detector_id", pa.string(), "name and digest of the model that found the words", False),
        _column("recognizer_id", pa.string(), "name and digest of the model that read them", False),
        _column("schema_version", pa.int32(), f"of this table; now {SCHEMA_VERSION}", False),
        _column("elapsed_ms", pa.float32(), "spent on the page: its decoding and its share of its batch", False),
        _column("run_id", pa.string(), "the run that wrote the row; also the hive partition `run`", False),
    ]
)


def page_id(source_uri: str, source_sha256: str | None, page_index: int) -> str:
    """The same for the same page of the same bytes at the same place, in every run; different for every other page."""
    identity = f"{source_uri}\0{source_sha256 or ''}\0{page_index}"
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def pack_row(row: Row) -> bytes:
    """Packs a row for the shuffle; ``unpack_rows`` is the way back. Raises ArrowInvalid for a row that isn't one."""
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(pa.RecordBatch.from_pylist([row], schema=PAGES_SCHEMA).serialize())
    return packed.getvalue().to_pybytes()


def unpack_rows(packed_rows: Iterable[bytes]) -> pa.Table:
    """A table of packed rows, in their order."""
    return pa.Table.from_batches(map(_unpack_row, packed_rows), PAGES_SCHEMA).combine_chunks()


def _unpack_row(packed: bytes) -> pa.RecordBatch:
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return pa.ipc.read_record_batch(stream.read_buffer(), PAGES_SCHEMA)
