"""OCR of one local document, without Beam."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from ocr_models.bundle import DEFAULT_BUNDLES, WEIGHTS
from ocr_models.errors import DocumentError, PagebeamError, Stage, UsageError
from ocr_models.io.documents import HEAD_BYTES, DocumentKind, count_pages, page_renderer, sniff_kind
from ocr_models.io.images import PageImage
from ocr_models.pages.document_page import DocumentPage
from ocr_models.pages.page_reader import PageReader

_BATCH = 8  # pages read together, as in the pipeline: enough to fill the recognizer's batches


def read_document(
    path: str | os.PathLike[str],
    reader: PageReader | None = None,
    *,
    pages: Iterable[int] | None = None,
    dpi: float = 200.0,
) -> Iterator[DocumentPage]:
    """Reads the pages of an image, TIFF or PDF in this process.

    The decoders of images and PDFs are native code that a hostile file can crash, and they run in this process: use
    this function for files that you trust. The pipeline (``pagebeam run``, ``pagebeam.ReadDocuments``) isolates them.

    Args:
        path: the local file; its type is detected from its content.
        reader: the models; by default the shipped ones, which are loaded once per process.
        pages: indices of the pages to read, from 0, in the order wanted; by default all pages.
        dpi: resolution at which a PDF is rendered; images have their own.

    Returns:
        An iterator that reads up to 8 pages ahead and yields them in order. In a notebook, a page shows as a picture
        with its words.

    Raises:
        DocumentError: the file can't be opened or is no image, TIFF or PDF; or, from the iterator, a page can't be
            decoded. Then the pages before it have been yielded; its message names the page, counted from 1, so that
            one can go on with the next ones by ``pages``.
        UsageError: from the iterator, if the document has no page of an index in ``pages``.
    """
    name = os.fspath(path)
    try:
        kind = _kind_of(name)
        page_count = count_pages(name, kind)
        render = page_renderer(name, kind, dpi)
    except DocumentError as error:
        raise DocumentError(error.stage, f"{name}: {error}") from error
    indices = iter(range(page_count) if pages is None else pages)
    return _read_pages(name, kind, dpi, render, page_count, indices, reader)


@functools.cache
def shipped_reader() -> PageReader:
    """The shipped models, loaded once per process."""
    detector, recognizer = (str(WEIGHTS / DEFAULT_BUNDLES[task]) for task in ("detection", "recognition"))
    return PageReader.load(detector, recognizer)


def _kind_of(path: str) -> DocumentKind:
    try:
        with open(path, "rb") as file:
            kind = sniff_kind(file.read(HEAD_BYTES))
    except OSError as error:
        raise DocumentError(Stage.OPEN, f"the file can't be read ({error.strerror})") from error
    if kind in (DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD):
        raise DocumentError(Stage.OPEN, "a TFRecord file, not one document; read it with the pipeline (pagebeam run)")
    return kind


def _read_pages(
    path: str,
    kind: DocumentKind,
    dpi: float,
    render: Callable[[int], PageImage],
    page_count: int,
    indices: Iterator[int],
    reader: PageReader | None,
) -> Iterator[DocumentPage]:
    while batch := list(islice(indices, _BATCH)):
        images: list[np.ndarray] = []
        failure: PagebeamError | None = None
        for index in batch:
            try:
                images.append(_pixels(path, render, page_count, index))
            except PagebeamError as error:
                failure = error
                break
        if images:
            for index, page in zip(batch, (reader or shipped_reader()).read_pages(images), strict=False):
                yield DocumentPage(**vars(page), path=path, kind=kind, index=index, dpi=dpi)
        if failure:
            raise failure


def _pixels(path: str, render: Callable[[int], PageImage], page_count: int, index: int) -> np.ndarray:
    if not 0 <= index < page_count:
        raise UsageError(f"{path} has no page of index {index}; give indices from 0 to {page_count - 1}")
    try:
        return render(index).pixels
    except DocumentError as error:
        raise DocumentError(error.stage, f"{path}, page {index + 1}: {error}") from error
