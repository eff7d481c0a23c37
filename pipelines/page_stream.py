"""From page ranges to rows, in batches, with the next pages decoded while the models read: no Beam in here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ocr_models.documents import DocumentKind
from ocr_models.errors import DocumentError
from ocr_models.images import PageImage
from ocr_models.records import OcrPage
from pipelines.decode_child import Answer, DecodeRecord, RenderPage
from pipelines.decode_pool import DecodePool
from pipelines.schemas import SCHEMA_VERSION, Row, page_id
from pipelines.sources import Document, PageRange, local_copy, read_records

MAX_BATCH_PIXELS = 64_000_000
"""A batch of very large pages is cut short, to bound memory."""


class Reader(Protocol):
    """What reads pages: ``ocr_models.page_reader.PageReader``, or a stand-in for it in a test."""

    detector_id: str
    recognizer_id: str

    def read_pages(self, images: list[np.ndarray]) -> list[OcrPage]:
        """Reads gray pages, uint8 (H, W). May raise for a batch; an error's ``stage`` says where."""


@dataclass(frozen=True)
class _PendingPage:
    """A page on its way through the decoder."""

    document: Document
    page_index: int
    answer: Future[Answer]
    file: Any = None  # keeps a downloaded document from being deleted


@dataclass(frozen=True)
class _DecodedPage:
    document: Document
    page_index: int
    image: PageImage
    decode_ms: float


class PageStream:
    """Reads page ranges as they come.

    Args:
        reader: the models.
        pool: the decoders.
        dpi: for rendering PDFs.
        run_id: goes into the rows.
        batch_size: pages that are read at once; as many again are decoded meanwhile.
        observe_ms: is told what a page took in the stages "decode" and "read".
    """

    def __init__(
        self,
        reader: Reader,
        pool: DecodePool,
        dpi: float,
        run_id: str,
        batch_size: int = 8,
        observe_ms: Callable[[str, float], None] = lambda stage, elapsed_ms: None,
    ):
        self._reader = reader
        self._pool = pool
        self._dpi = dpi
        self._run_id = run_id
        self._batch_size = batch_size
        self._observe_ms = observe_ms
        self._pending: deque[_PendingPage] = deque()

    def add(self, page_range: PageRange) -> Iterator[Row]:
        """Takes a range in; yields the rows of the pages that were finished in the meantime, these or earlier ones."""
        document = page_range.document
        if document.error:
            yield self._failed_row(document, 0, DocumentError("open", document.error))
        page_index = page_range.start
        try:
            for page_index, answer, file in self._submit(page_range):
                self._pending.append(_PendingPage(document, page_index, answer, file))
                if len(self._pending) >= 2 * self._batch_size:
                    yield from self._read_batch()
                page_index += 1
            if document.kind and page_index < page_range.stop:
                raise DocumentError("open", f"the file has {page_index} pages, but had {document.page_count} before")
        except DocumentError as error:  # the file went away or breaks off: so do the pages that are left
            for lost_index in range(page_index, page_range.stop):
                yield self._failed_row(document, lost_index, error)

    def finish(self) -> Iterator[Row]:
        """Yields the rows of all pages that are still on their way."""
        while self._pending:
            yield from self._read_batch()

    def _submit(self, page_range: PageRange) -> Iterator[tuple[int, Future[Answer], Any]]:
        document, pages = page_range.document, range(page_range.start, page_range.stop)
        if document.kind in (DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD):
            for page_index, record in zip(pages, read_records(page_range), strict=False):
                yield page_index, self._pool.submit(DecodeRecord(record)), None
        elif document.kind:
            file = local_copy(document.uri, document.sha256)
            for page_index in pages:
                request = RenderPage(file.name, document.sha256, document.kind, page_index, self._dpi)
                yield page_index, self._pool.submit(request), file

    def _read_batch(self) -> Iterator[Row]:
        pages: list[_DecodedPage] = []
        pixels = 0
        while self._pending and len(pages) < self._batch_size and pixels < MAX_BATCH_PIXELS:
            pending = self._pending.popleft()
            try:
                answer = pending.answer.result()
            except DocumentError as error:
                yield self._failed_row(pending.document, pending.page_index, error)
                continue
            pages.append(_DecodedPage(pending.document, pending.page_index, answer.value, answer.elapsed_ms))
            pixels += answer.value.pixels.size
        if pages:
            yield from self._read(pages)

    def _read(self, pages: list[_DecodedPage]) -> Iterator[Row]:
        start = time.perf_counter()
        try:
            results = self._reader.read_pages([page.image.pixels for page in pages])
        except Exception as error:
            if len(pages) == 1:
                yield self._failed_row(pages[0].document, pages[0].page_index, error, pages[0])
            else:  # one by one, so that only the guilty page fails
                for page in pages:
                    yield from self._read([page])
            return
        read_ms = (time.perf_counter() - start) * 1000 / len(pages)
        for page, result in zip(pages, results, strict=True):
            self._observe_ms("decode", page.decode_ms)
            self._observe_ms("read", read_ms)
            yield self._read_row(page, result, read_ms)

    def _read_row(self, page: _DecodedPage, result: OcrPage, read_ms: float) -> Row:
        return {
            **self._common_columns(page.document, page.page_index, page),
            "rotation_deg": result.rotation_deg,
            "status": "ok" if result.words else "blank",
            "text": result.text,
            "mean_confidence": result.mean_confidence if result.words else None,
            "words": [
                {
                    "text": word.text,
                    "confidence": _confidence(word.confidence),
                    "quad": _flat(word.quad),
                    "line": word.line,
                }
                for word in result.words
            ],
            "lines": [
                {"text": line.text, "quad": _flat(line.quad), "confidence": _confidence(line.confidence)}
                for line in result.lines
            ],
            "elapsed_ms": page.decode_ms + read_ms,
        }

    def _failed_row(
        self, document: Document, page_index: int, error: Exception, page: _DecodedPage | None = None
    ) -> Row:
        failure = {
            "stage": getattr(error, "stage", "read"),
            "error_type": type(error).__name__,
            "message": str(error),
        }
        return {**self._common_columns(document, page_index, page), "status": "failed", "failure": failure}

    def _common_columns(self, document: Document, page_index: int, page: _DecodedPage | None) -> Row:
        columns = {
            "page_id": page_id(document.uri, document.sha256, page_index),
            "source_uri": document.uri,
            "source_sha256": document.sha256,
            "page_index": page_index,
            "page_count": document.page_count or None,
            "detector_id": self._reader.detector_id,
            "recognizer_id": self._reader.recognizer_id,
            "schema_version": SCHEMA_VERSION,
            "elapsed_ms": 0.0,
            "run_id": self._run_id,
        }
        if page:
            height_px, width_px = page.image.pixels.shape
            columns.update(width_px=width_px, height_px=height_px, dpi=page.image.dpi, elapsed_ms=page.decode_ms)
        return columns


def _flat(quad: np.ndarray) -> np.ndarray:
    """A quad's 8 numbers, to an eighth of a pixel: what is finer is noise, and makes rows twice as large."""
    return np.round(np.ravel(quad) * 8) / 8


def _confidence(confidence: float) -> float:
    return round(confidence * 1024) / 1024  # for the same reason
