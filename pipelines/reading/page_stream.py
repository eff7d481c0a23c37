"""From page ranges to rows, in batches, with the next pages decoded while the models read: no Beam in here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.documents import DocumentKind
from ocr_models.io.images import ColorMode, PageImage
from pipelines.decoding.child import Answer, DecodeRecord, RenderPage
from pipelines.decoding.pool import DecodeAhead, DecodePool
from pipelines.inputs.documents import Document, PageRange, local_copy, read_records
from pipelines.reading.schemas import Row, Table, page_id

MAX_BATCH_BYTES = 64_000_000
"""A batch of very large pages is cut short, to bound memory; so is what is decoded meanwhile."""


class Reader(Protocol):
    """What a run does with its pages, which is all that sets the kinds of runs apart.

    Attributes:
        table: what its rows are like.
        color_mode: what it wants pages in.
        model_ids: the columns that name its models, in every row.
    """

    table: Table
    color_mode: ColorMode
    model_ids: dict[str, str]

    def read_pages(self, images: list[np.ndarray]) -> list[Row]:
        """Reads pages together.

        Args:
            images: uint8, (H, W) in gray or (H, W, 3) in RGB.

        Returns:
            For each page its ``status`` and the columns of what was read; ``PageStream`` adds the others.

        Raises:
            Exception: of any kind, for the whole batch. An attribute ``stage`` of it says where.
        """


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
        reader: makes rows of pages.
        pool: the decoders.
        dpi: for rendering PDFs.
        run_id: goes into the rows.
        batch_size: pages that are read at once; as many again are decoded meanwhile, large pages fewer.
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
        self._decoder = DecodeAhead(pool, MAX_BATCH_BYTES)
        self._dpi = dpi
        self._run_id = run_id
        self._batch_size = batch_size
        self._observe_ms = observe_ms
        self._pending: deque[_PendingPage] = deque()

    def add(self, page_range: PageRange) -> Iterator[Row]:
        """Takes a range in; yields the rows of the pages that were finished in the meantime, these or earlier ones."""
        document = page_range.document
        if document.error:
            yield self._failed_row(document, 0, DocumentError(Stage.OPEN, document.error))
        page_index = page_range.start
        try:
            for page_index, answer, file in self._submit(page_range):
                self._pending.append(_PendingPage(document, page_index, answer, file))
                if len(self._pending) >= 2 * self._batch_size:
                    yield from self._read_batch()
                page_index += 1
            if document.kind and page_index < page_range.stop:
                raise DocumentError(
                    Stage.OPEN, f"the file has {page_index} pages, but had {document.page_count} before"
                )
        except DocumentError as error:  # the file went away or breaks off: so do the pages that are left
            for lost_index in range(page_index, page_range.stop):
                yield self._failed_row(document, lost_index, error)

    def finish(self) -> Iterator[Row]:
        """Yields the rows of all pages that are still on their way."""
        while self._pending:
            yield from self._read_batch()

    def _submit(self, page_range: PageRange) -> Iterator[tuple[int, Future[Answer], Any]]:
        document, pages = page_range.document, range(page_range.start, page_range.stop)
        color_mode = self._reader.color_mode
        if document.kind in (DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD):
            for page_index, record in zip(pages, read_records(page_range), strict=False):
                yield page_index, self._decoder.submit(DecodeRecord(record, color_mode)), None
        elif document.kind:
            file = local_copy(document.uri, document.sha256)
            for page_index in pages:
                request = RenderPage(file.name, document.sha256, document.kind, page_index, self._dpi, color_mode)
                yield page_index, self._decoder.submit(request), file

    def _read_batch(self) -> Iterator[Row]:
        pages: list[_DecodedPage] = []
        size_bytes = 0
        while self._pending and len(pages) < self._batch_size and size_bytes < MAX_BATCH_BYTES:
            pending = self._pending.popleft()
            try:
                answer = self._decoder.take(pending.answer)
            except DocumentError as error:
                yield self._failed_row(pending.document, pending.page_index, error)
                continue
            pages.append(_DecodedPage(pending.document, pending.page_index, answer.value, answer.elapsed_ms))
            size_bytes += answer.value.pixels.nbytes
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
            common = self._common_columns(page.document, page.page_index, page)
            yield {**common, **result, "elapsed_ms": page.decode_ms + read_ms}

    def _failed_row(
        self, document: Document, page_index: int, error: Exception, page: _DecodedPage | None = None
    ) -> Row:
        failure = {
            "stage": getattr(error, "stage", Stage.READ),
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
            **self._reader.model_ids,
            "schema_version": self._reader.table.version,
            "elapsed_ms": 0.0,
            "run_id": self._run_id,
        }
        if page:
            height_px, width_px = page.image.pixels.shape[:2]
            columns.update(width_px=width_px, height_px=height_px, dpi=page.image.dpi, elapsed_ms=page.decode_ms)
        return columns
