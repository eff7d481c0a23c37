"""The tables of rows: their columns, and how rows are packed on the way to their files.

A row is a dict with a table's columns. For the shuffle to its shard it is packed into bytes, as one compressed Arrow
record batch, which keeps the shuffle small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ocr_models.errors import UsageError

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """The schema of a run's rows.

    Attributes:
        folder: folder of the rows, below the output folder.
        version: version of the schema.
        schema: the columns.
        statuses: possible statuses of a page: "ok" first, "failed" last.
        headline: the text column that a person wants to see first.
    """

    folder: str
    version: int
    schema: pa.Schema
    statuses: tuple[str, ...]
    headline: str

    def pack_row(self, row: Row) -> bytes:
        """Packs a row for the shuffle; ``unpack_rows`` is the inverse.

        Raises:
            ValueError: the row doesn't fit this table (``pyarrow.ArrowInvalid`` is a ValueError too).
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


def _column(name: str, kind: pa.DataType, doc: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"doc": doc})


_QUAD = pa.list_(pa.float32())  # not of a fixed size, which Spark can't read
_QUAD_DOC = "x, y of 4 corners in pixels, rounded to 1/8, clockwise from the text's own top left"

_WORD = pa.struct(
    [
        _column("text", pa.string(), "the word as read"),
        _column(
            "confidence",
            pa.float32(),
            "0 to 1: estimated probability that the word is read exactly right; null for hidden text",
        ),
        _column("quad", _QUAD, _QUAD_DOC),
        _column("line", pa.int32(), "index of its line in `lines`"),
        _column(
            "in_text",
            pa.bool_(),
            "false for a word with too little confidence for `text` (`--min-confidence`; a number or a single letter "
            "on a line that is read well needs three quarters of it), and for leader dots; a rule of other marks, such "
            "as `----`, is one word, which `text` has",
        ),
    ]
)

_LINE = pa.struct(
    [
        _column("text", pa.string(), "the words of the line that are in the page's `text`; may be empty"),
        _column("quad", _QUAD, _QUAD_DOC),
        _column("confidence", pa.float32(), "0 to 1; null for hidden text"),
        _column("block", pa.int32(), "index of its block in `blocks`; null before version 5"),
    ]
)

_CELL = pa.struct(
    [
        _column("row", pa.int32(), "its first row, from 0"),
        _column("column", pa.int32(), "its first column, from 0 at the left"),
        _column("row_span", pa.int32(), "how many rows it covers"),
        _column("column_span", pa.int32(), "how many columns it covers"),
        _column("words", pa.list_(pa.int32()), "indices of its words in `words`"),
    ]
)

_BLOCK = pa.struct(
    [
        _column("kind", pa.string(), "text (a paragraph), heading, table, header, footer or page_number"),
        _column("quad", _QUAD, _QUAD_DOC),
        _column("level", pa.int32(), "1 to 3, of a heading, by its size on the page; null of other blocks"),
        _column("column", pa.int32(), "index of its text column from the left; 0 if there is one column"),
        _column("cells", pa.list_(_CELL), "of a table, row by row; null of other blocks"),
    ]
)

_CAPTION = pa.struct(
    [
        _column("text", pa.string(), "the caption"),
        _column("probability", pa.float32(), "0 to 1: the captioner's probability for the caption as a whole"),
    ]
)

_FAILURE = pa.struct(
    [
        _column("stage", pa.string(), "where it failed: open, render, decode or read"),
        _column("error_type", pa.string(), "class of the error; DocumentError for a bad document"),
        _column("message", pa.string(), "what was wrong, for a person to read"),
    ]
)

# The first columns of all tables, which identify the page.
_PAGE_COLUMNS = (
    _column(
        "page_id",
        pa.string(),
        "32 hex digits: a hash of source_sha256 (of source_uri if the bytes can't be read) and page_index",
        False,
    ),
    _column("source_uri", pa.string(), "where the document is, or was last: an absolute path, or a URI", False),
    _column(
        "also_at",
        pa.list_(pa.string()),
        "other places where the same bytes are or were: copies, and names before a renaming",
    ),
    _column(
        "input_id",
        pa.string(),
        "the user's own id of the document (`--id-column`; of METS, its file's): that of source_uri, or else of the "
        "first of also_at that has one; null if none has",
    ),
    _column("source_sha256", pa.string(), "SHA-256 of the document's bytes, in hex; null if they can't be read"),
    _column("source_kind", pa.string(), "image, tiff, pdf, tfrecord or gzip_tfrecord; null if it can't be opened"),
    _column(
        "page_index",
        pa.int32(),
        "from 0; in a TFRecord file, the record's index; 0 if the document can't be opened",
        False,
    ),
    _column("page_count", pa.int32(), "number of pages in the document; null if it can't be opened"),
    _column("width_px", pa.int32(), "width of the page as read, upright and with square pixels; null if not decoded"),
    _column("height_px", pa.int32(), "height, like width_px"),
    _column("dpi", pa.float32(), "resolution of the rendering for PDFs, else the file's own; null if it has none"),
)
_FAILURE_COLUMN = _column("failure", _FAILURE, "null unless failed")


def _run_columns(version: int) -> tuple[pa.Field, ...]:
    """The last columns of all tables, which say how the row was made."""
    return (
        _column("schema_version", pa.int32(), f"version of this table's schema; now {version}", False),
        _column(
            "elapsed_ms",
            pa.float32(),
            "time for its decoding and its share of its batch; if failed, the time until it failed",
            False,
        ),
        _column("run_id", pa.string(), "the run that read the page", False),
        _column("reader_id", pa.string(), "16 hex digits: a hash of the models and options that change what is read"),
    )


_PAGES_VERSION = 5
UNKNOWN_SCRIPT = "unknown_script"
"""The status of pages of which the models can't read more than half."""

PAGES = Table(
    folder="pages",
    version=_PAGES_VERSION,
    schema=pa.schema(
        [
            *_PAGE_COLUMNS,
            _column(
                "rotation_deg", pa.int32(), "how far the content is turned clockwise: 0, 90, 180, 270; null if failed"
            ),
            _column(
                "status",
                pa.string(),
                "ok; blank (`text` is empty); unknown_script (`unknown_script_share` is above 0.5); failed",
                False,
            ),
            _FAILURE_COLUMN,
            _column("text", pa.string(), "the page in reading order; empty lines separate blocks; null if failed"),
            _column(
                "mean_confidence",
                pa.float32(),
                "mean over all words, weighted by length, 0 to 1; null if blank or failed, and for hidden text",
            ),
            _column("words", pa.list_(_WORD), "the words read, in reading order; null if failed"),
            _column(
                "is_complete",
                pa.bool_(),
                "false if only the 20,000 most certain words are kept; null if failed",
            ),
            _column("words_left_out", pa.int32(), "how many of `words` are not in `text`; null if failed"),
            _column(
                "unknown_script_share",
                pa.float32(),
                "0 to 1: share of the characters that are in a script the models don't know, such as Greek; their "
                "words have confidence 0 and are not in `text`; null if failed",
            ),
            _column("lines", pa.list_(_LINE), "in reading order; null if failed"),
            _column(
                "text_source",
                pa.string(),
                "text_layer: the words are those of the PDF page itself, with confidence 1, and the row's models did "
                "not read it; hidden_text: likewise, but some are hidden, as another OCR lays them under a scan, and "
                "confidences are null; ocr: they were read; null if failed",
            ),
            _column(
                "blocks",
                pa.list_(_BLOCK),
                "in reading order, each of consecutive `lines`; null if failed, and before version 5",
            ),
            _column("detector_id", pa.string(), "name and digest of the model that found the words", False),
            _column("recognizer_id", pa.string(), "name and digest of the model that read them", False),
            _column("engine", pa.string(), "what computed the models: openvino, tensorflow or jax", False),
            *_run_columns(_PAGES_VERSION),
        ]
    ),
    statuses=("ok", "blank", UNKNOWN_SCRIPT, "failed"),
    headline="text",
)
"""What ``pagebeam run`` writes."""

_CAPTIONS_VERSION = 3

CAPTIONS = Table(
    folder="captions",
    version=_CAPTIONS_VERSION,
    schema=pa.schema(
        [
            *_PAGE_COLUMNS,
            _column("status", pa.string(), "ok; failed", False),
            _FAILURE_COLUMN,
            _column("caption", pa.string(), "the first of `captions`; null if failed"),
            _column("captions", pa.list_(_CAPTION), "best first, at most --beam-width of them; null if failed"),
            _column("captioner_id", pa.string(), "name and digest of the model that wrote them", False),
            *_run_columns(_CAPTIONS_VERSION),
        ]
    ),
    statuses=("ok", "failed"),
    headline="caption",
)
"""What ``pagebeam caption`` writes."""


TABLES = {table.folder: table for table in (PAGES, CAPTIONS)}


def find_table(folder: str) -> Table:
    """The table whose rows are in a folder of that name. Raises UsageError if there is none."""
    if folder not in TABLES:
        raise UsageError(f"no table is called {folder}; the tables are {' and '.join(TABLES)}")
    return TABLES[folder]


DOCUMENTED_DOCUMENTS = pa.schema(
    [
        _column("uri", pa.string(), "a place where a document is or was: an absolute path, or a URI", False),
        _column("sha256", pa.string(), "SHA-256 of its bytes, in hex; null if they can't be read"),
        _column("kind", pa.string(), "as `source_kind` of its rows"),
        _column("page_count", pa.int32(), "number of its pages; null if it can't be opened"),
        _column("pages_read", pa.int32(), "how many of them have a row; fewer than page_count after an interruption"),
        _column("pages_failed", pa.int32(), "how many of these rows are failed ones"),
        _column("reader_id", pa.string(), 'as in its rows; "mixed" if its rows differ'),
        _column("run_id", pa.string(), "the last run that read one of its pages"),
        _column("size_bytes", pa.int64(), "size of the file"),
        _column("modified_ns", pa.int64(), "its last change, in ns since 1970; null if the file must be hashed again"),
        _column("changed_ns", pa.int64(), "the last change of its inode; null if it is on a remote file system"),
        _column("vanished", pa.string(), "when a run first didn't find it any more, in ISO 8601; null if it is there"),
        _column(
            "input_id",
            pa.string(),
            "the user's own id of this place (`--id-column`; of METS, its file's); null if it never had one",
        ),
    ]
)
"""The documents that an output folder knows, one row for each place of each."""
DOCUMENTS = pa.schema([field.remove_metadata() for field in DOCUMENTED_DOCUMENTS])
"""The same as it is written: what the columns mean takes as much room as the documents of a small run."""
