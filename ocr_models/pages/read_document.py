"""OCR of one local document, without Beam."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from ocr_models.bundle import DEFAULT_BUNDLES, WEIGHTS
from ocr_models.errors import DocumentError, PagebeamError, Stage, UsageError
from ocr_models.io.documents import HEAD_BYTES, DocumentKind, count_pages, sniff_kind
from ocr_models.io.images import ColorMode, PageImage
from ocr_models.io.text_layer import TextLayer, page_decoder
from ocr_models.pages.document_page import DocumentPage
from ocr_models.pages.layer_page import lay_out_layer
from ocr_models.pages.page_reader import PageReader
from ocr_models.records import TextLayerUse

_BATCH = 8  # pages read together, as in the pipeline: enough to fill the recognizer's batches


def read_document(
    path: str | os.PathLike[str],
    reader: PageReader | None = None,
    *,
    pages: Iterable[int] | None = None,
    dpi: float = 200.0,
    text_layer: str = TextLayerUse.AUTO,
) -> Iterator[DocumentPage]:
    """Reads the pages of an image, TIFF or PDF in this process.

    The decoders of images and PDFs are native code that a hostile file can crash, and they run in this process: use
    this function for files that you trust. The pipeline (``pagebeam run``, ``pagebeam.ReadDocuments``) isolates them.

    Args:
        path: the local file; its type is detected from its content.
        reader: the models; by default the shipped ones, which are loaded once per process.
        pages: indices of the pages to read, from 0, in the order wanted; by default all pages.
        dpi: resolution at which a PDF is rendered; images have their own.
        text_layer: "auto" takes the words of a PDF page from its own text where that is seen, maps to characters and
            covers the ink of the page; "hidden" also takes hidden text, as another OCR lays it under a scan, if it
            covers most of the ink; "never" reads all pages.

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
        if text_layer not in list(TextLayerUse):
            raise UsageError(
                f"text_layer is {text_layer!r}; give one of {', '.join(map(repr, map(str, TextLayerUse)))}"
            )
        decode = page_decoder(name, kind, dpi, ColorMode.GRAY, TextLayerUse(text_layer))
    except DocumentError as error:
        raise DocumentError(error.stage, f"{name}: {error}") from error
    indices = iter(range(page_count) if pages is None else pages)
    return _read_pages(name, kind, dpi, decode, page_count, indices, reader)


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
    decode: Callable[[int], PageImage | TextLayer],
    page_count: int,
    indices: Iterator[int],
    reader: PageReader | None,
) -> Iterator[DocumentPage]:
    while batch := list(islice(indices, _BATCH)):
        decoded: list[PageImage | TextLayer] = []
        failure: PagebeamError | None = None
        for index in batch:
            try:
                decoded.append(_decode(path, decode, page_count, index))
            except PagebeamError as error:
                failure = error
                break
        images = [page.pixels for page in decoded if isinstance(page, PageImage)]
        read = iter((reader or shipped_reader()).read_pages(images) if images else [])
        for index, content in zip(batch, decoded, strict=False):
            page = lay_out_layer(content) if isinstance(content, TextLayer) else next(read)
            yield DocumentPage(**vars(page), path=path, kind=kind, index=index, dpi=dpi)
        if failure:
            raise failure


def _decode(
    path: str, decode: Callable[[int], PageImage | TextLayer], page_count: int, index: int
) -> PageImage | TextLayer:
    if not 0 <= index < page_count:
        raise UsageError(f"{path} has no page of index {index}; give indices from 0 to {page_count - 1}")
    try:
        return decode(index)
    except DocumentError as error:
        raise DocumentError(error.stage, f"{path}, page {index + 1}: {error}") from error
