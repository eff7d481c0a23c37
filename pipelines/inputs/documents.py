"""Opens documents: hashes them, detects their kind, counts their pages and splits them into ranges."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.documents import DocumentKind, sniff_kind
from ocr_models.io.hashing import CHANGED, file_state
from ocr_models.io.images import ColorMode
from ocr_models.records import TextLayerUse
from pipelines.decoding.child import CountPages, RenderPage
from pipelines.decoding.file_requests import DecodeRecord, HashFile, ListRecords, Record, RecordPlace
from pipelines.decoding.pool import DecodePool
from pipelines.inputs.discovery import FoundFile
from pipelines.inputs.local_copies import LocalFile, download, keep_copy, local_copy
from pipelines.inputs.page_ranges import Document, DocumentPlace, PageRange, split_pages
from pipelines.runtime.storage import is_remote

RECORD_KINDS = (DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD)


Known = Mapping[str, tuple[int, ...] | None]
"""The documents that earlier runs read, by their SHA-256, with the indices of the pages to read; None for all."""


def open_document(file: FoundFile, pool: DecodePool, known: Known | None = None) -> Iterator[PageRange]:
    """Yields the page ranges of a document; one that can't be opened yields an empty range with the error.

    Args:
        file: the document.
        pool: reads it; its limits are those of the document.
        known: documents of which other pages than all, or none, are to be read.
    """
    sha256, start, uri = None, time.perf_counter(), file.uri
    places = (DocumentPlace.of(file),)
    try:
        local = download(uri, max_bytes=pool.limits.document_bytes)
        hashed = pool.submit(HashFile(local.name, pool.limits.document_bytes)).result().value
        sha256 = hashed.digest.sha256
        keep_copy(local, uri, sha256)
        kind = sniff_kind(hashed.digest.head)
        pages = known.get(sha256) if known else None
        if pages == ():
            yield PageRange(Document(uri, sha256, kind, unread=0, places=places), 0, 0)
            return
        page_count, end_offset = 1, 0
        records: list[Record] = []
        if kind in RECORD_KINDS:
            records, end_offset = pool.submit(ListRecords(local.name, pool.limits.document_bytes)).result().value
            page_count = len(records)
        elif kind != DocumentKind.IMAGE:  # an image is checked when it is decoded
            page_count = pool.submit(CountPages(local.name, kind, pool.limits.pages)).result().value
        if file_state(local.name) != hashed.state:  # else what was counted is what was hashed
            raise DocumentError(Stage.OPEN, CHANGED)
        yield from split_pages(Document(uri, sha256, kind, page_count, places=places), records, end_offset, pages)
    except DocumentError as error:
        elapsed_ms = (time.perf_counter() - start) * 1000
        document = Document(uri, sha256, error=str(error), elapsed_ms=elapsed_ms, places=places)
        yield PageRange(document, 0, 0)


def page_requests(
    page_range: PageRange, dpi: float, color_mode: ColorMode, text_layer: TextLayerUse = TextLayerUse.NEVER
) -> Iterator[tuple[int, RenderPage | DecodeRecord, LocalFile]]:
    """The requests for the pixels of a range of pages.

    Args:
        page_range: the pages; none of a document that couldn't be opened.
        dpi: resolution for rendering PDFs.
        color_mode: of the pages.
        text_layer: which pages of PDFs are wanted as their text layers instead.

    Yields:
        For each page its index, the request, and the file that must not be deleted before it is answered.

    Raises:
        DocumentError: before the first request: the file can't be downloaded, or is no TFRecord file any more.
    """
    document, indices = page_range.document, range(page_range.start, page_range.stop)
    if document.kind in RECORD_KINDS:
        file, places = record_places(page_range)
        for index, place in zip(indices, places, strict=True):
            yield index, DecodeRecord(place, color_mode), file
    elif document.kind:
        file = local_copy(document.uri, document.sha256)
        for index in indices:
            page = file.name, document.sha256, document.kind, index
            yield index, RenderPage(*page, dpi, color_mode, text_layer), file


def record_places(page_range: PageRange) -> tuple[LocalFile, list[RecordPlace]]:
    """Where the records of a range of a TFRecord file's pages are: a file on this machine, and places in it.

    Of a remote file only the range is downloaded, unless it is gzipped.

    Raises:
        DocumentError: the file is no TFRecord file, or can't be downloaded.
    """
    document, records = page_range.document, page_range.records
    if document.kind not in RECORD_KINDS:
        raise DocumentError(Stage.OPEN, f"the file is no TFRecord file, but of kind {document.kind}")
    first, stop = records[0].offset, page_range.end_offset if records[-1].digest else None
    if document.kind == DocumentKind.GZIP_TFRECORD or not is_remote(document.uri):
        file = local_copy(document.uri, document.sha256)
        return file, [RecordPlace(file.name, first, record) for record in records]
    file = local_copy(document.uri, document.sha256, first, stop)
    return file, [RecordPlace(file.name, 0, replace(record, offset=record.offset - first)) for record in records]
