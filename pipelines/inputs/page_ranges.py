"""Documents that were opened, and the ranges of their pages that workers read."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ocr_models.io.documents import DocumentKind
from pipelines.decoding.file_requests import Record
from pipelines.inputs.discovery import FileStamp, FoundFile

# These limits spread the pages of one document evenly over workers, and keep a Beam element to a few seconds of work.
MAX_PAGES_PER_RANGE = 16
RANGES_PER_DOCUMENT = 32
RANGES_PER_GZIP_FILE = 8  # fewer, and not short, because each decoder unpacks all that precedes a range to reach it
MIN_PAGES_PER_GZIP_RANGE = 64
PAGES_PER_FETCH = 256  # of a remote document go to one worker: 25 to 80 s of a core's work, for one more download


class DocumentPlace(NamedTuple):
    """A place of a document: its path or URI, its stamp, and the user's id of it."""

    uri: str
    stamp: FileStamp | None
    input_id: str | None

    @staticmethod
    def of(file: FoundFile) -> DocumentPlace:
        """The place of a file that was found."""
        return DocumentPlace(file.uri, file.stamp, file.input_id)


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
        unread: number of its pages that this run reads; None for all. The others are known from earlier runs.
        places: all places where its bytes were found, ``uri`` among them, in the order of their URIs.
    """

    uri: str
    sha256: str | None = None
    kind: DocumentKind | None = None
    page_count: int = 0
    error: str | None = None
    skipped: str | None = None
    elapsed_ms: float = 0.0
    unread: int | None = None
    places: tuple[DocumentPlace, ...] = ()

    @property
    def expected_rows(self) -> int:
        """The number of rows: one per page to read, or one for a document that couldn't be opened."""
        return 1 if self.error else self.page_count if self.unread is None else self.unread

    @property
    def content(self) -> str:
        """What is the same for all copies: the digest of the bytes, or the URI if they can't be read."""
        return content_key(self.sha256, self.uri)

    @property
    def also_at(self) -> list[str]:
        """The other places where it was found."""
        return [place.uri for place in self.places if place.uri != self.uri]

    @property
    def input_id(self) -> str | None:
        """The user's id of the first of its places that has one."""
        return next((place.input_id for place in self.places if place.input_id is not None), None)


@dataclass(frozen=True)
class PageRange:
    """Consecutive pages of a document; an empty range stands for one that couldn't be opened or isn't read.

    Attributes:
        document: the document.
        start: index of the first page.
        stop: index after the last page.
        records: the records of the pages if the document is a TFRecord file.
        end_offset: where the last of these records ends, in unpacked bytes; 0 for other kinds of documents.
        number: its number among the ranges of its document, from 0.
    """

    document: Document
    start: int
    stop: int
    records: tuple[Record, ...] = ()
    end_offset: int = 0
    number: int = 0

    @staticmethod
    def without_pages(file: FoundFile, error: str | None = None, skipped: str | None = None) -> PageRange:
        """The empty range of a file that can't be opened or isn't read."""
        return PageRange(Document(file.uri, error=error, skipped=skipped, places=(DocumentPlace.of(file),)), 0, 0)

    @staticmethod
    def of_copies(copies: Iterable[PageRange]) -> PageRange:
        """The same range of several copies of a document, which is read once, from the first of their places."""
        ranges = sorted(copies, key=lambda page_range: page_range.document.uri)
        places = tuple(sorted({place.uri: place for copy in ranges for place in copy.document.places}.values()))
        first = ranges[0]
        return replace(first, document=replace(first.document, places=places))


def content_key(source_sha256: str | None, source_uri: str) -> str:
    """See ``Document.content``."""
    return source_sha256 or source_uri


def page_id(source_uri: str, source_sha256: str | None, page_index: int) -> str:
    """The id of a page: the same in every run and place, as long as the document's bytes are the same."""
    identity = f"{content_key(source_sha256, source_uri)}\0{page_index}"
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def split_pages(
    document: Document, records: Sequence[Record] = (), end_offset: int = 0, pages: Iterable[int] | None = None
) -> Iterator[PageRange]:
    """Splits a document into page ranges; one of which no page is read has an empty range.

    Args:
        document: the document.
        records: the records of the pages if the document is a TFRecord file.
        end_offset: where the last of them ends, in unpacked bytes.
        pages: indices of the pages to read, ascending; None for all.
    """
    if document.kind == DocumentKind.GZIP_TFRECORD:
        length = max(math.ceil(document.page_count / RANGES_PER_GZIP_FILE), MIN_PAGES_PER_GZIP_RANGE)
    else:
        length = min(max(document.page_count // RANGES_PER_DOCUMENT, 1), MAX_PAGES_PER_RANGE)
    if pages is None:
        spans = [(start, min(start + length, document.page_count)) for start in range(0, document.page_count, length)]
    else:
        pages = [index for index in pages if index < document.page_count]
        document, spans = replace(document, unread=len(pages)), list(_spans(pages, length))
    for number, (start, stop) in enumerate(spans):
        end = records[stop].offset if stop < len(records) else end_offset
        yield PageRange(document, start, stop, tuple(records[start:stop]), end, number)
    if not spans:
        yield PageRange(document, 0, 0)


def _spans(pages: Sequence[int], length: int) -> Iterator[tuple[int, int]]:
    """The first index and the index after the last of runs of consecutive pages, of at most this length."""
    start = 0
    for i in range(1, len(pages) + 1):
        if i == len(pages) or pages[i] != pages[i - 1] + 1 or i - start == length:
            yield pages[start], pages[i - 1] + 1
            start = i
