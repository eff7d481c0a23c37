"""Documents: the kind of a file, the number of its pages, and the pixels of each page.

These functions run native decoders, which a hostile file may crash: the pipelines call them in child processes
(``pipelines.decoding.pool``). Call them directly only for files that you trust.
"""

from __future__ import annotations

import array
import ctypes
import io
import itertools
import math
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_models.errors import DocumentError, Stage
from ocr_models.io import images
from ocr_models.io.files import open_regular
from ocr_models.io.heif import heif_format
from ocr_models.io.images import ColorMode, PageImage, check_page_size, open_image, to_page_image
from ocr_models.io.pdfium_calls import page_objects
from ocr_models.io.tfrecord import GZIP_MAGIC, HEADER_BYTES, is_tfrecord
from ocr_models.io.tiff import FileFrom, page_directories
from ocr_models.limits import over_limit

MAX_RENDERED_PIXELS = 64_000_000
"""A PDF page that would be larger at the requested dpi is rendered at the highest dpi that fits."""
max_image_bytes: int | None = None
"""Limit for an image in a PDF, decoded; None for none. A decoding process sets it by the memory that it may take."""
MIN_RENDERED_DPI = 36
"""If not even this dpi fits, the page's size is taken for an error or an attack."""

HEAD_BYTES = 1024
"""The number of first bytes of a file that ``sniff_kind`` needs."""


_IMAGE_MAGIC = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",  # JPEG
    b"\0\0\0\x0cjP  \r\n\x87\n",  # JPEG 2000 in a box file (.jp2) ...
    b"\xff\x4f\xff\x51",  # ... and as a bare codestream (.j2k)
    b"GIF87a",
    b"GIF89a",
)


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
    if head.startswith(_IMAGE_MAGIC) or _is_webp(head) or _is_bmp(head) or heif_format(head):
        return DocumentKind.IMAGE
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return DocumentKind.TIFF
    if b"%PDF-" in head:
        return DocumentKind.PDF
    if is_tfrecord(head):
        return DocumentKind.TFRECORD
    content = _unzip(head) if head.startswith(GZIP_MAGIC) else head
    if is_tfrecord(content):
        return DocumentKind.GZIP_TFRECORD
    packed = "gzipped content" if head.startswith(GZIP_MAGIC) else "content"
    ends = f" and ends after {len(content)} bytes" if len(content) < HEADER_BYTES else ""
    raise DocumentError(
        Stage.OPEN,
        f"the {packed} is no PNG, JPEG, JPEG 2000, GIF, WebP, BMP, HEIC, AVIF, TIFF, PDF or TFRecord; it begins "
        f"with {content[:12]!r}{ends}",
    )


def count_pages(path: str, kind: DocumentKind, max_pages: int | None = None) -> int:
    """Counts the pages of a local image, TIFF or PDF, without decoding them.

    Args:
        path: a local file.
        kind: its kind, from ``sniff_kind``.
        max_pages: more pages are refused; None for any number.

    Raises:
        DocumentError: with stage "open", if a PDF is broken or encrypted, or a document has no pages or too many. Other
            images aren't opened: they have one page.
    """
    if kind == DocumentKind.PDF:
        page_count = _count_pdf_pages(path, max_pages)
    elif kind == DocumentKind.TIFF:
        with _open_file(path) as file:  # those over the limit aren't counted
            page_count = sum(1 for _ in itertools.islice(page_directories(file), max_pages and max_pages + 1))
        if max_pages and page_count > max_pages:
            raise _too_many_pages("the TIFF has more pages", max_pages)
    else:
        page_count = 1
    if page_count == 0:
        raise DocumentError(Stage.OPEN, "the document has no pages")
    return page_count


def _count_pdf_pages(path: str, max_pages: int | None) -> int:
    with open_pdf(path) as pdf:
        page_count = len(pdf)
    if page_count > os.path.getsize(path):
        raise DocumentError(Stage.OPEN, f"the PDF claims {page_count:,} pages, more than it has bytes")
    if max_pages and page_count > max_pages:
        raise _too_many_pages(f"the PDF has {page_count:,} pages", max_pages)
    return page_count


def _too_many_pages(what: str, max_pages: int) -> DocumentError:
    return over_limit(Stage.OPEN, f"{what}, and the limit is {max_pages:,}", "--max-pages")


def open_pdf(source: str | bytes, has_forms: bool = False) -> pdfium.PdfDocument:
    """Opens a PDF.

    Args:
        source: a local file, or its content.
        has_forms: whether its form fields are to be rendered.

    Raises:
        DocumentError: with stage "open", if it is broken or needs a password.
    """
    try:
        pdf = pdfium.PdfDocument(source)
        if has_forms:
            pdf.init_forms()
        return pdf
    except pdfium.PdfiumError as error:
        raise DocumentError(Stage.OPEN, _why_not_opened(source, error)) from error


def _why_not_opened(source: str | bytes, error: pdfium.PdfiumError) -> str:
    """Asks qpdf: of a PDF without pages, PDFium (in pypdfium2 5.15) names the error of the file before it."""
    import pikepdf  # takes a while, and most PDFs can be opened

    try:
        with pikepdf.open(io.BytesIO(source) if isinstance(source, bytes) else source) as pdf:
            return f"the PDF is broken ({error})" if len(pdf.pages) else "the document has no pages"
    except pikepdf.PasswordError:
        return "the PDF is encrypted; remove its password first"
    except (pikepdf.PdfError, OSError):
        is_encrypted = "password" in str(error).lower()
        return "the PDF is encrypted; remove its password first" if is_encrypted else f"the PDF is broken ({error})"


class PdfPlace(NamedTuple):
    """Where PDFium shows a page right.

    Attributes:
        pdf: a document.
        page_index: of the page in it, from 0.
        user_unit: the page's unit of length in 1/72 inch (PDF 1.6), which PDFium passes over.
    """

    pdf: pdfium.PdfDocument
    page_index: int
    user_unit: float


def places_of_pdf_pages(path: str) -> Callable[[int], PdfPlace]:
    """Opens a PDF, with its forms.

    Returns:
        A function from the index of a page to its place.

    Raises:
        DocumentError: with stage "open", if it is broken or needs a password.
    """
    # pikepdf takes a while, and only those who open PDFs need it.
    from ocr_models.io.pdf_images import open_with_qpdf, page_with_stated_bits, user_unit

    pdf, source = open_pdf(path, has_forms=True), open_with_qpdf(path)

    def place_of(page_index: int) -> PdfPlace:
        if source is None:
            return PdfPlace(pdf, page_index, 1.0)
        unit, mended = user_unit(source, page_index), page_with_stated_bits(source, page_index)
        if mended is None:
            return PdfPlace(pdf, page_index, unit)
        return PdfPlace(open_pdf(mended, has_forms=True), 0, unit)

    return place_of


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
        place_of = places_of_pdf_pages(path)
        return lambda page_index: render_pdf_page(place_of(page_index), dpi, color_mode)
    if kind == DocumentKind.TIFF:
        return _tiff_renderer(path, color_mode)
    image = open_image(_open_file(path))  # which is closed with the last reference to the image
    return lambda page_index: to_page_image(image, color_mode)


def _tiff_renderer(path: str, color_mode: ColorMode) -> Callable[[int], PageImage]:
    with _open_file(path) as file:
        directories = array.array("Q", page_directories(file))

    def render(page_index: int) -> PageImage:
        if page_index >= len(directories):
            raise DocumentError(Stage.DECODE, f"the file has no page {page_index + 1} any more")
        with io.BufferedReader(FileFrom(path, directories[page_index])) as file, open_image(file) as image:
            return to_page_image(image, color_mode)

    return render


def render_pdf_page(place: PdfPlace, dpi: float, color_mode: ColorMode = ColorMode.GRAY) -> PageImage:
    """Renders a page, including annotations and filled-in forms.

    Args:
        place: of the page.
        dpi: the resolution; a page that would have more than ``MAX_RENDERED_PIXELS`` gets the highest that fits.
        color_mode: of the pixels.

    Raises:
        DocumentError: with stage "render", if the page is broken or of an absurd size.
    """
    try:
        page = place.pdf[place.page_index]
    except (pdfium.PdfiumError, IndexError) as error:
        raise DocumentError(Stage.RENDER, f"the page can't be loaded ({error})") from error
    try:
        size = rendered_size(page, dpi, place.user_unit)
        check_images(page)
        is_gray = color_mode == ColorMode.GRAY
        bitmap = page.render(scale=size.scale, grayscale=is_gray, rev_byteorder=not is_gray)  # RGB, not BGR
        pixels = bitmap.to_numpy().copy()  # the bitmap's memory goes with it
    except pdfium.PdfiumError as error:
        raise DocumentError(Stage.RENDER, f"the page can't be rendered ({error})") from error
    finally:
        page.close()
    return PageImage(pixels, size.dpi)


@dataclass(frozen=True)
class RenderedSize:
    """The size of a PDF page as it is rendered: in pixels, at ``scale`` pixels per unit of the page, and its dpi."""

    width_px: int
    height_px: int
    scale: float
    dpi: float


def rendered_size(page: pdfium.PdfPage, dpi: float, user_unit: float) -> RenderedSize:
    """The size of a page at a resolution, as in ``render_pdf_page``.

    Raises:
        DocumentError: with stage "render", if the page is of an absurd size.
    """
    width, height = page.get_size()
    fitting_dpi = _fitting_dpi(user_unit * width, user_unit * height, dpi)
    scale = user_unit * fitting_dpi / 72
    return RenderedSize(math.ceil(width * scale), math.ceil(height * scale), scale, round(fitting_dpi, 2))


def check_images(page: pdfium.PdfPage) -> None:
    """Raises MemoryError for an image that doesn't fit: PDFium would leave it out, and the page would look blank."""
    if max_image_bytes is None:
        return
    for address in page_objects(page, [pdfium_c.FPDF_PAGEOBJ_IMAGE]):
        image = pdfium.PdfImage(ctypes.cast(address, pdfium_c.FPDF_PAGEOBJECT), page=page, pdf=page.pdf)
        width, height = image.get_px_size()
        if width * height * image.get_metadata().bits_per_pixel // 8 > max_image_bytes:
            raise MemoryError


def _is_webp(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def _is_bmp(head: bytes) -> bool:
    return head.startswith(b"BM") and head[6:10] == bytes(4)  # many texts begin with these two letters, too


def _unzip(head: bytes) -> bytes:
    """Unpacks the beginning of a gzip file, whose first members may be empty; empty if it is broken."""
    unpacked = b""
    try:
        while head and not unpacked:
            member = zlib.decompressobj(wbits=31)
            unpacked, head = member.decompress(head, HEAD_BYTES), member.unused_data
    except zlib.error:
        pass
    return unpacked


def _open_file(path: str) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as error:
        raise DocumentError(Stage.OPEN, f"the file can't be opened ({error})") from error


def _fitting_dpi(width_pt: float, height_pt: float, dpi: float) -> float:
    """The requested dpi, or the highest at which the page has at most ``MAX_RENDERED_PIXELS``."""
    square_inches = width_pt * height_pt / 72**2
    max_pixels = min(MAX_RENDERED_PIXELS, images.MAX_PAGE_PIXELS)
    if not 0 < square_inches <= max_pixels / MIN_RENDERED_DPI**2:
        raise DocumentError(Stage.RENDER, f"the page's size of {width_pt:g}×{height_pt:g} points is absurd")
    fitting_dpi = min(dpi, (max_pixels / square_inches) ** 0.5)
    check_page_size(width_pt * fitting_dpi / 72, height_pt * fitting_dpi / 72)
    return fitting_dpi
