"""Documents: the kind of a file, the number of its pages, and the pixels of each page.

These functions run native decoders, which a hostile file may crash: the pipelines call them in child processes
(``pipelines.decoding.pool``). Call them directly only for files that you trust.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Callable
from enum import StrEnum

import pypdfium2 as pdfium
from PIL import Image

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.images import ColorMode, PageImage, check_page_size, open_image, seek_frame, to_page_image
from ocr_models.io.tfrecord import GZIP_MAGIC, is_tfrecord

MAX_RENDERED_PIXELS = 64_000_000
"""A PDF page that would be larger at the requested dpi is rendered at the highest dpi that fits."""
MIN_RENDERED_DPI = 36
"""If not even this dpi fits, the page's size is taken for an error or an attack."""

HEAD_BYTES = 1024
"""The number of first bytes of a file that ``sniff_kind`` needs."""


class DocumentKind(StrEnum):
    """The kinds of documents, which differ in how their pages are read."""

    IMAGE = "image"
    TIFF = "tiff"
    PDF = "pdf"
    TFRECORD = "tfrecord"
    GZIP_TFRECORD = "gzip_tfrecord"


def sniff_kind(head: bytes) -> DocumentKind:
    """Detects a document's kind from the first ``HEAD_BYTES`` of its content, since names and extensions may be wrong.

    Raises:
        DocumentError: with stage "open", if the file is empty or of another kind.
    """
    if not head:
        raise DocumentError(Stage.OPEN, "the file is empty")
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or _is_webp(head) or _is_bmp(head):
        return DocumentKind.IMAGE
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return DocumentKind.TIFF
    if b"%PDF-" in head:
        return DocumentKind.PDF
    if is_tfrecord(head):
        return DocumentKind.TFRECORD
    if head.startswith(GZIP_MAGIC) and is_tfrecord(_unzip(head)):
        return DocumentKind.GZIP_TFRECORD
    raise DocumentError(
        Stage.OPEN, f"the content is no PNG, JPEG, WebP, BMP, TIFF, PDF or TFRecord; it begins with {head[:12]!r}"
    )


def count_pages(path: str, kind: DocumentKind) -> int:
    """Counts the pages of a local image, TIFF or PDF, without decoding them.

    Raises:
        DocumentError: with stage "open", if a PDF or TIFF is broken, encrypted or without pages; with stage "decode",
            if an image's header is.
    """
    if kind == DocumentKind.PDF:
        with open_pdf(path) as pdf:
            page_count = len(pdf)
        if page_count > os.path.getsize(path):
            raise DocumentError(Stage.OPEN, f"the PDF claims {page_count:,} pages, more than it has bytes")
    elif kind == DocumentKind.TIFF:
        with open_image(path) as tiff:
            page_count = _count_frames(tiff)
    else:
        page_count = 1
    if page_count == 0:
        raise DocumentError(Stage.OPEN, "the document has no pages")
    return page_count


def open_pdf(path: str) -> pdfium.PdfDocument:
    """Opens a PDF.

    Raises:
        DocumentError: with stage "open", if it is broken or needs a password.
    """
    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentError(Stage.OPEN, "the PDF is encrypted; remove its password first") from error
        raise DocumentError(Stage.OPEN, f"the PDF is broken ({error})") from error


def page_renderer(
    path: str, kind: DocumentKind, dpi: float, color_mode: ColorMode = ColorMode.GRAY
) -> Callable[[int], PageImage]:
    """Opens a local image, TIFF or PDF.

    Args:
        path: a local file.
        kind: its kind, from ``sniff_kind``.
        dpi: the resolution at which a PDF is rendered; images have their own.
        color_mode: of the pages.

    Returns:
        A function from the index of a page to its pixels, which raises DocumentError with stage "decode" or "render".
    """
    if kind == DocumentKind.PDF:
        pdf = open_pdf(path)
        pdf.init_forms()
        return lambda page_index: render_pdf_page(pdf, page_index, dpi, color_mode)
    image = open_image(path)
    return lambda page_index: _decode_frame(image, page_index, color_mode)


def render_pdf_page(
    pdf: pdfium.PdfDocument, page_index: int, dpi: float, color_mode: ColorMode = ColorMode.GRAY
) -> PageImage:
    """Renders a page, including annotations and filled-in forms.

    Raises:
        DocumentError: with stage "render", if the page is broken or of an absurd size.
    """
    try:
        page = pdf[page_index]
    except (pdfium.PdfiumError, IndexError) as error:
        raise DocumentError(Stage.RENDER, f"the page can't be loaded ({error})") from error
    try:
        width_pt, height_pt = page.get_size()
        fitting_dpi = _fitting_dpi(width_pt, height_pt, dpi)
        is_gray = color_mode == ColorMode.GRAY
        bitmap = page.render(scale=fitting_dpi / 72, grayscale=is_gray, rev_byteorder=not is_gray)  # RGB, not BGR
        pixels = bitmap.to_numpy().copy()  # the bitmap's memory goes with it
    except pdfium.PdfiumError as error:
        raise DocumentError(Stage.RENDER, f"the page can't be rendered ({error})") from error
    finally:
        page.close()
    return PageImage(pixels, round(fitting_dpi, 2))


def _is_webp(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def _is_bmp(head: bytes) -> bool:
    return head.startswith(b"BM") and head[6:10] == bytes(4)  # many texts begin with these two letters, too


def _unzip(head: bytes) -> bytes:
    """Unpacks the beginning of a gzip file; empty if it is broken."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""


def _count_frames(tiff: Image.Image) -> int:
    """Counts a TIFF's frames. The first that can't be reached is counted as the last: it becomes a page that failed."""
    count = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in open_image
            while True:
                tiff.seek(count)
                count += 1
    except EOFError:
        return count
    except Exception:  # Pillow raises what its parsers raise
        return count + 1


def _decode_frame(image: Image.Image, page_index: int, color_mode: ColorMode) -> PageImage:
    if page_index == 0 and image.tell() == 0:
        return to_page_image(image, color_mode)
    seek_frame(image, page_index)
    return to_page_image(image, color_mode)


def _fitting_dpi(width_pt: float, height_pt: float, dpi: float) -> float:
    """The requested dpi, or the highest at which the page has at most ``MAX_RENDERED_PIXELS``."""
    square_inches = width_pt * height_pt / 72**2
    if not 0 < square_inches <= MAX_RENDERED_PIXELS / MIN_RENDERED_DPI**2:
        raise DocumentError(Stage.RENDER, f"the page's size of {width_pt:g}×{height_pt:g} points is absurd")
    fitting_dpi = min(dpi, (MAX_RENDERED_PIXELS / square_inches) ** 0.5)
    check_page_size(width_pt * fitting_dpi / 72, height_pt * fitting_dpi / 72)
    return fitting_dpi
