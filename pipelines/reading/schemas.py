"""The tables of rows: their columns, and how rows travel to the files.

A row is a dict with a table's columns. On the way to its shard it is packed into bytes, as one compressed Arrow record
batch, which is what keeps the shuffle small.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """What the rows of a run are like.

    Attributes:
        folder: where they go, below the output folder.
        version: of the schema.
        schema: the columns.
        statuses: what can become of a page: "ok" first, "failed" last.
        headline: the column that a person looks at first, a text.
    """

    folder: str
    version: int
    schema: pa.Schema
    statuses: tuple[str, ...]
    headline: str

    def pack_row(self, row: Row) -> bytes:
        """Packs a row for the shuffle; ``unpack_rows`` is the way back.

        Raises:
            ValueError: for a row that isn't one of this table's (``pyarrow.ArrowInvalid`` is a ValueError too).
        """
        if strange := row.keys() - set(self.schema.names):
            raise ValueError(f"the table of {self.folder} has no column {', '.join(sorted(strange))}")
        packed = pa.BufferOutputStream()
        with pa.CompressedOutputStream(packed, "zstd") as stream:
            stream.write(pa.RecordBatch.from_pylist([row], schema=self.schema).serialize())
        return packed.getvalue().to_pybytes()

    def unpack_rows(self, packed_rows: Iterable[bytes]) -> pa.Table:
        """An Arrow table of packed rows, in their order."""
        return pa.Table.from_batches(map(self._unpack_row, packed_rows), self.schema).combine_chunks()

    def _unpack_row(self, packed: bytes) -> pa.RecordBatch:
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            return pa.ipc.read_record_batch(stream.read_buffer(), self.schema)


def page_id(source_uri: str, source_sha256: str | None, page_index: int) -> str:
    """The same for the same page of the same bytes at the same place, in every run; different for every other page."""
    identity = f"{source_uri}\0{source_sha256 or ''}\0{page_index}"
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _column(name: str, kind: pa.DataType, doc: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"doc": doc})


_QUAD = pa.list_(pa.float32())  # of no fixed size, which Spark can't read
_QUAD_DOC = "x, y of 4 corners in pixels, to 1/8, clockwise from the text's own top left"

_WORD = pa.struct(
    [
        _column("text", pa.string(), "the word as read"),
        _column("confidence", pa.float32(), "0 to 1: how likely the word is read without a fault"),
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

_CAPTION = pa.struct(
    [
        _column("text", pa.string(), "the caption"),
        _column("probability", pa.float32(), "0 to 1, that the captioner gives to this caption as a whole"),
    ]
)

_FAILURE = pa.struct(
    [
        _column("stage", pa.string(), "where it failed: open, render, decode or read"),
        _column("error_type", pa.string(), "the error's class; DocumentError for a bad document"),
        _column("message", pa.string(), "what was wrong, for people"),
    ]
)

# What all tables begin with: which page it is.
_PAGE_COLUMNS = (
    _column("page_id", pa.string(), "32 hex digits: a hash of source_uri, source_sha256 and page_index", False),
    _column("source_uri", pa.string(), "the document: an absolute path, or a URI", False),
    _column("source_sha256", pa.string(), "of the document's bytes, in hex; null where they can't be read"),
    _column("page_index", pa.int32(), "from 0; in a TFRecord file the record's; 0 for a whole document", False),
    _column("page_count", pa.int32(), "pages in the document; null where it can't be opened"),
    _column("width_px", pa.int32(), "of the page as read, upright as its file says (EXIF); null if not decoded"),
    _column("height_px", pa.int32(), "like width_px"),
    _column("dpi", pa.float32(), "as rendered for PDFs, else as the file says; null where it doesn't"),
)
_FAILURE_COLUMN = _column("failure", _FAILURE, "null unless failed")


def _run_columns(version: int) -> tuple[pa.Field, ...]:
    """What all tables end with: how the row came about."""
    return (
        _column("schema_version", pa.int32(), f"of this table; now {version}", False),
        _column("elapsed_ms", pa.float32(), "spent on the page: its decoding and its share of its batch", False),
        _column("run_id", pa.string(), "the run that wrote the row; also the hive partition `run`", False),
    )


_PAGES_VERSION = 1

PAGES = Table(
    folder="pages",
    version=_PAGES_VERSION,
    schema=pa.schema(
        [
            *_PAGE_COLUMNS,
            _column(
                "rotation_deg", pa.int32(), "how far the content is turned clockwise: 0, 90, 180, 270; null if failed"
            ),
            _column("status", pa.string(), "ok; blank (no words found); failed", False),
            _FAILURE_COLUMN,
            _column(
                "text", pa.string(), "the page as a person would read it; an empty line parts blocks; null if failed"
            ),
            _column("mean_confidence", pa.float32(), "of the words, weighted by length, 0 to 1; null unless ok"),
            _column("words", pa.list_(_WORD), "in reading order; null if failed"),
            _column("lines", pa.list_(_LINE), "in reading order; null if failed"),
            _column("detector_id", pa.string(), "name and digest of the model that found the words", False),
            _column("recognizer_id", pa.string(), "name and digest of the model that read them", False),
            *_run_columns(_PAGES_VERSION),
        ]
    ),
    statuses=("ok", "blank", "failed"),
    headline="text",
)
"""What ``pagebeam run`` writes."""

_CAPTIONS_VERSION = 1

CAPTIONS = Table(
    folder="captions",
    version=_CAPTIONS_VERSION,
    schema=pa.schema(
        [
            *_PAGE_COLUMNS,
            _column("status", pa.string(), "ok; failed", False),
            _FAILURE_COLUMN,
            _column("caption", pa.string(), "the best of `captions`; null if failed"),
            _column("captions", pa.list_(_CAPTION), "best first, at most as many as the beam is wide; null if failed"),
            _column("captioner_id", pa.string(), "name and digest of the model that wrote them", False),
            *_run_columns(_CAPTIONS_VERSION),
        ]
    ),
    statuses=("ok", "failed"),
    headline="caption",
)
"""What ``pagebeam caption`` writes."""
