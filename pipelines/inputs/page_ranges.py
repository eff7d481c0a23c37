"""Documents that were opened, and the ranges of their pages that workers read."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocr_models.io.documents import DocumentKind

# These limits spread the pages of one document evenly over workers, and keep a Beam element to a few seconds of work.
MAX_PAGES_PER_RANGE = 16
RANGES_PER_DOCUMENT = 32
RANGES_PER_GZIP_FILE = 8  # fewer, because all that precedes a range must be decompressed to reach it


@dataclass(frozen=True)
class Document:
    """A document that was opened, or could not be.

    Attributes:
        uri: absolute local path, or URI on one of Beam's file systems.
        sha256: SHA-256 of its bytes, in hex; None if they couldn't be read.
        kind: kind of the document; None if it couldn't be opened.
        page_count: number of pages; 0 if it couldn't be opened.
        error: why it couldn't be opened, or None.
        elapsed_ms: milliseconds that were spent on opening it, if it couldn't be opened.
    """

    uri: str
    sha256: str | None = None
    kind: DocumentKind | None = None
    page_count: int = 0
    error: str | None = None
    elapsed_ms: float = 0.0

    @property
    def expected_rows(self) -> int:
        """The number of rows: one per page, or one for a document that couldn't be opened."""
        return 1 if self.error else self.page_count


@dataclass(frozen=True)
class PageRange:
    """Consecutive pages of a document; an empty range stands for a document that couldn't be opened.

    Attributes:
        document: the document.
        start: index of the first page.
        stop: index after the last page.
        offset: where page ``start`` begins in a TFRecord file, in decompressed bytes; 0 for other kinds.
    """

    document: Document
    start: int
    stop: int
    offset: int = 0


def page_id(source_uri: str, source_sha256: str | None, page_index: int) -> str:
    """The id of a page: the same in every run, as long as the document's URI and bytes are the same."""
    identity = f"{source_uri}\0{source_sha256 or ''}\0{page_index}"
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def split_pages(document: Document, offsets: Sequence[int]) -> Iterator[PageRange]:
    """Splits a document into page ranges.

    Args:
        document: the document.
        offsets: for each page, where it begins in the file, in bytes; 0 if the kind of document has no offsets.
    """
    if document.kind == DocumentKind.GZIP_TFRECORD:
        length = math.ceil(document.page_count / RANGES_PER_GZIP_FILE)
    else:
        length = min(max(document.page_count // RANGES_PER_DOCUMENT, 1), MAX_PAGES_PER_RANGE)
    for start in range(0, document.page_count, length):
        yield PageRange(document, start, min(start + length, document.page_count), offsets[start])
