"""From page ranges to rows, in batches, while the next pages are decoded. It doesn't use Beam."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.images import ColorMode, PageImage
from ocr_models.io.text_layer import TextLayer
from ocr_models.limits import reading_within
from ocr_models.records import TextLayerUse
from pipelines.decoding.child import Answer
from pipelines.decoding.pool import DecodePool
from pipelines.decoding.stream import BatchStream, Done, Submission
from pipelines.inputs.documents import page_requests
from pipelines.inputs.page_ranges import Document, PageRange, page_id
from pipelines.output.schemas import Row, Table

Content = TypeVar("Content", PageImage, TextLayer)


class Reader(Protocol):
    """What a run does with its pages; kinds of runs differ in nothing else.

    Attributes:
        table: the schema of its rows.
        color_mode: color mode of the pages that it reads.
        model_ids: ids of its models, by the columns that every row has for them.
        text_layer: which pages of PDFs are wanted as their text layers.
    """

    table: Table
    color_mode: ColorMode
    model_ids: dict[str, str]
    text_layer: TextLayerUse

    def read_pages(self, images: list[np.ndarray]) -> list[Row]:
        """Reads pages together.

        Args:
            images: uint8, (H, W) in gray or (H, W, 3) in RGB.

        Returns:
            For each page its ``status`` and the columns of what was read; ``PageStream`` adds the others.

        Raises:
            Exception: of any kind: the whole batch failed. Its attribute ``stage``, if any, says at which stage.
        """

    def read_layer(self, layer: TextLayer) -> Row:
        """The same columns for a page from its text layer; called only if ``text_layer`` wants any."""


@dataclass(frozen=True)
class _Page:
    """Identifies a page: its document, and its index in it."""

    document: Document
    index: int


@dataclass(frozen=True)
class _DecodedPage(Generic[Content]):
    page: _Page
    content: Content
    decode_ms: float

    @property
    def nbytes(self) -> int:
        return self.content.nbytes


class PageStream(BatchStream[PageRange, _Page, _DecodedPage[PageImage], Row]):
    """Turns page ranges into rows, one for every page, without the column ``run_id``.

    Args:
        reader: reads the pages.
        pool: the decoders.
        dpi: resolution for rendering PDFs.
        batch_size: number of pages read at once; as many are decoded meanwhile, or fewer if they are large.
        observe_ms: called with a stage, "decode" or "read", and the milliseconds that a page took in it.
        reader_id: the column of that name.
    """

    def __init__(
        self,
        reader: Reader,
        pool: DecodePool,
        dpi: float,
        batch_size: int = 8,
        observe_ms: Callable[[str, float], None] = lambda stage, elapsed_ms: None,
        reader_id: str | None = None,
    ) -> None:
        super().__init__(pool, batch_size, ahead=batch_size)
        self._read_s = pool.limits.read_s
        self._reader, self._dpi, self._observe_ms, self._reader_id = reader, dpi, observe_ms, reader_id

    def submissions(self, page_range: PageRange) -> Iterator[Submission[_Page] | Done[Row]]:
        document = page_range.document
        if document.error:
            error = DocumentError(Stage.OPEN, document.error)
            error.elapsed_ms = document.elapsed_ms
            yield Done(self._failed_row(_Page(document, 0), error))
        try:
            wanted = self._dpi, self._reader.color_mode, self._reader.text_layer
            for index, request, file in page_requests(page_range, *wanted):
                yield Submission(_Page(document, index), request, file)
        except DocumentError as error:  # the file can't be downloaded, before any request: all of its pages are lost
            for index in range(page_range.start, page_range.stop):
                yield Done(self._failed_row(_Page(document, index), error))

    def items(self, submission: Submission[_Page], answer: Answer) -> Iterable[_DecodedPage[PageImage] | Done[Row]]:
        if isinstance(answer.value, TextLayer):
            return [Done(self._layer_row(submission.key, answer.value, answer.elapsed_ms))]
        return [_DecodedPage(submission.key, answer.value, answer.elapsed_ms)]

    def undecoded(self, submission: Submission[_Page], error: DocumentError) -> Row:
        return self._failed_row(submission.key, error)

    def process(self, pages: list[_DecodedPage[PageImage]]) -> list[Row]:
        start = time.perf_counter()
        try:
            with reading_within(self._read_s):  # a batch that takes longer is read again, page by page
                read = self._reader.read_pages([page.content.pixels for page in pages])
        except Exception as error:
            vars(error)["elapsed_ms"] = (time.perf_counter() - start) * 1000
            raise
        read_ms = (time.perf_counter() - start) * 1000 / len(pages)
        return [self._row(page, columns, read_ms) for page, columns in zip(pages, read, strict=True)]

    def unprocessed(self, page: _DecodedPage[PageImage], error: Exception) -> Row:
        return self._failed_row(page.page, error, page)

    def status_of(self, row: Row) -> str:
        return row["status"]

    def _layer_row(self, page: _Page, layer: TextLayer, decode_ms: float) -> Row:
        decoded, start = _DecodedPage(page, layer, decode_ms), time.perf_counter()
        try:
            with reading_within(self._read_s):
                columns = self._reader.read_layer(layer)
        except Exception as error:
            vars(error)["elapsed_ms"] = (time.perf_counter() - start) * 1000
            return self._failed_row(page, error, decoded)
        return self._row(decoded, columns, (time.perf_counter() - start) * 1000)

    def _row(self, page: _DecodedPage[Any], columns: Row, read_ms: float) -> Row:
        self._observe_ms("decode", page.decode_ms)
        self._observe_ms("read", read_ms)
        return {**self._common_columns(page.page, page), **columns, "elapsed_ms": page.decode_ms + read_ms}

    def _failed_row(self, page: _Page, error: Exception, decoded: _DecodedPage[Any] | None = None) -> Row:
        failure = {
            "stage": str(getattr(error, "stage", Stage.READ)),
            "error_type": type(error).__name__,
            "message": str(error),
        }
        columns = self._common_columns(page, decoded)
        columns["elapsed_ms"] += getattr(error, "elapsed_ms", 0.0)
        return {**columns, "status": "failed", "failure": failure}

    def _common_columns(self, page: _Page, decoded: _DecodedPage[Any] | None) -> Row:
        document = page.document
        columns = {
            "page_id": page_id(document.uri, document.sha256, page.index),
            "source_uri": document.uri,
            "also_at": document.also_at,
            "input_id": document.input_id,
            "source_sha256": document.sha256,
            "source_kind": document.kind and str(document.kind),
            "page_index": page.index,
            "page_count": document.page_count or None,
            **self._reader.model_ids,
            "reader_id": self._reader_id,
            "schema_version": self._reader.table.version,
            "elapsed_ms": 0.0,
        }
        if decoded:
            content = decoded.content
            columns.update(width_px=content.width_px, height_px=content.height_px, dpi=content.dpi)
            columns["elapsed_ms"] = decoded.decode_ms
        return columns
