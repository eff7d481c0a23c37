"""Documents that were opened, and the ranges of their pages that workers read."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocr_models.io.documents import DocumentKind
from pipelines.decoding.file_requests import Record

# These limits spread the pages of one document evenly over workers, and keep a Beam element to a few seconds of work.
MAX_PAGES_PER_RANGE = 16
RANGES_PER_DOCUMENT = 32
RANGES_PER_GZIP_FILE = 8  # fewer, and not short, because each decoder unpacks all that precedes a range to reach it
MIN_PAGES_PER_GZIP_RANGE = 64


@dataclass(frozen=True)
class Document:
    """A document that was opened, or could not be.

    Attributes:
        uri: absolute local path, or URI on one of Beam's file systems.
        sha256: SHA-256 of its bytes, in hex; None if they couldn't be read.
        kind: kind of the document; None if it couldn't be opened.
        page_count: number of pages; 0 if it couldn't be opened.
        error: why it couldn't be opened, or None.
        skipped: why it isn't read, although it was found, such as "hidden"; None if it is read.
        elapsed_ms: milliseconds that were spent on opening it, if it couldn't be opened.
    """

    uri: str
    sha256: str | None = None
    kind: DocumentKind | None = None
    page_count: int = 0
    error: str | None = None
    skipped: str | None = None
    elapsed_ms: float = 0.0

    @property
    def expected_rows(self) -> int:
        """The number of rows: one per page, or one for a document that couldn't be opened; none if it isn't read."""
        return 1 if self.error else self.page_count


@dataclass(frozen=True)
class PageRange:
    """Consecutive pages of a document; an empty range stands for one that couldn't be opened or isn't read.

    Attributes:
        document: the document.
        start: index of the first page.
        stop: index after the last page.
        records: the records of the pages if the document is a TFRecord file.
        end_offset: where the last of these records ends, in unpacked bytes; 0 for other kinds of documents.
    """

    document: Document
    start: int
    stop: int
    records: tuple[Record, ...] = ()
    end_offset: int = 0


def page_id(source_uri: str, source_sha256: str | None, page_index: int) -> str:
    """The id of a page: the same in every run, as long as the document's URI and bytes are the same."""
    identity = f"{source_uri}\0{source_sha256 or ''}\0{page_index}"
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def split_pages(document: Document, records: Sequence[Record] = (), end_offset: int = 0) -> Iterator[PageRange]:
    """Splits a document into page ranges.

    Args:
        document: the document.
        records: the records of the pages if the document is a TFRecord file.
        end_offset: where the last of them ends, in unpacked bytes.
    """
    if document.kind == DocumentKind.GZIP_TFRECORD:
        length = max(math.ceil(document.page_count / RANGES_PER_GZIP_FILE), MIN_PAGES_PER_GZIP_RANGE)
    else:
        length = min(max(document.page_count // RANGES_PER_DOCUMENT, 1), MAX_PAGES_PER_RANGE)
    for start in range(0, document.page_count, length):
        stop = min(start + length, document.page_count)
        end = records[stop].offset if stop < len(records) else end_offset
        yield PageRange(document, start, stop, tuple(records[start:stop]), end)
