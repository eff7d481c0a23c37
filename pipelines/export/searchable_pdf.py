"""Searchable PDFs: the original pages, with their words as invisible text under them.

Pages of PDFs stay as they are. Images keep their bytes (most JPEG, JPEG 2000 and PNG, TIFFs of group 4 in one strip) or
are packed without loss. Text in a quad fills it whatever its angle.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import img2pdf
import pikepdf
from pikepdf import Dictionary
from PIL import ExifTags, Image

from ocr_models import __version__
from ocr_models.errors import DocumentError, Stage
from ocr_models.io.documents import DocumentKind
from ocr_models.io.files import open_regular
from ocr_models.io.images import ColorMode, decode_upright, open_image, to_8_bits
from ocr_models.io.jpeg2000 import component_bits
from ocr_models.io.tiff import FileFrom, page_directories
from pipelines.export.exported_page import ExportedPage
from pipelines.export.glyphless_font import GlyphlessFont
from pipelines.export.invisible_text import Placement, add_text, page_placement, remove_invisible_text
from pipelines.export.pdfa import is_allowed, keep_pdfa, make_pdfa

_UNKNOWN_DPI = 200.0  # of images that state none: that at which PDFs are rendered
_MIN_SIDE_PT, _MAX_SIDE_PT = 3.0, 14_400  # PDF 1.7, annex C
_VERSION = "1.5"  # at least: that of JPEG 2000
_ANY_SIZE = (72.0,) * 4  # of a page that only its image is taken from, and of the image on it
_LAYERS = ("text_layer", "hidden_text")  # values of ``text_source``: the PDF has the page's words already
_NO_JPEG_FRAMES = (0xC4, 0xC8, 0xCC)  # the markers from 0xC0 to 0xCF that begin tables, not a frame
_PDF_JPEG_FRAMES = (0xC0, 0xC1, 0xC2)  # Huffman-coded, sequential or progressive
# By EXIF's orientation, from 1: how the unit square of an image, which is upright, lies in that of its page.
_ORIENTATIONS = (
    (1, 0, 0, 1, 0, 0),
    (-1, 0, 0, 1, 1, 0),
    (-1, 0, 0, -1, 1, 1),
    (1, 0, 0, -1, 0, 1),
    (0, -1, -1, 0, 1, 1),
    (0, -1, 1, 0, 0, 1),
    (0, 1, 1, 0, 0, 0),
    (0, 1, -1, 0, 1, 0),
)


def write_searchable_pdf(
    file: BinaryIO,
    path: str,
    kind: str,
    pages: Iterable[ExportedPage],
    keeps_all: bool = True,
    is_pdfa: bool = False,
) -> None:
    """Writes a document as a searchable PDF.

    Args:
        file: is written to.
        path: the original, on this machine.
        kind: its kind, one of ``DocumentKind``.
        pages: its pages in order. One without text stays without; an image that couldn't be decoded is left out.
        keeps_all: whether pages of a PDF that are not among ``pages`` stay, without more text than they have.
        is_pdfa: whether it must be PDF/A: that of images is made so, that of a PDF must have said so.

    Raises:
        DocumentError: the original can't be used, or isn't a PDF (or PDF/A, if that is wanted), TIFF or image.
    """
    if kind == DocumentKind.PDF:
        pdf = _open(path)
        if is_pdfa:
            keep_pdfa(pdf)
        _add_layers(pdf, pages, keeps_all)
    elif kind in (DocumentKind.TIFF, DocumentKind.IMAGE):
        pdf = pikepdf.new()
        _add_images(pdf, pages, _tiff_frames(path) if kind == DocumentKind.TIFF else _image_frame(path), is_pdfa)
        if is_pdfa:
            make_pdfa(pdf)
        else:
            pdf.docinfo.Producer = f"pagebeam {__version__}"
    else:
        raise DocumentError(Stage.OPEN, "a TFRecord file has no pages for a PDF; export it in another format")
    with pdf:
        pdf.save(file, deterministic_id=True, min_version=_VERSION)


def write_text_pdf(file: BinaryIO, page: ExportedPage, size_px: tuple[int, int]) -> None:
    """Writes a PDF of one page that has the page's words and no picture."""
    pdf = pikepdf.new()
    _add_page(pdf, page, size_px, Dictionary(), b"", font := GlyphlessFont(pdf))
    font.finish()
    with pdf:
        pdf.save(file, deterministic_id=True)


def _open(path: str) -> pikepdf.Pdf:
    try:
        return pikepdf.open(path)
    except pikepdf.PasswordError as error:
        raise DocumentError(Stage.OPEN, "the PDF is encrypted; remove its password first") from error
    except pikepdf.PdfError as error:
        raise DocumentError(Stage.OPEN, f"the PDF is broken, and qpdf can't repair it ({error})") from error


def _add_layers(pdf: pikepdf.Pdf, pages: Iterable[ExportedPage], keeps_all: bool) -> None:
    font, kept = GlyphlessFont(pdf), set()
    for page in pages:
        if page.index >= len(pdf.pages):
            raise DocumentError(Stage.RENDER, f"qpdf finds no page {page.index + 1} in the PDF, which may be broken")
        kept.add(page.index)
        if page.size_px and page.blocks and page.row.get("text_source") not in _LAYERS:
            original = pdf.pages[page.index]
            remove_invisible_text(pdf, original)
            add_text(pdf, original, page, page_placement(original, page.size_px), font)
    font.finish()
    if not keeps_all:
        for index in reversed(range(len(pdf.pages))):
            if index not in kept:
                del pdf.pages[index]


_Frames = Callable[[int], BinaryIO]  # from the index of a page to a file whose first frame it is


def _image_frame(path: str) -> _Frames:
    return lambda index: open_regular(path)


def _tiff_frames(path: str) -> _Frames:
    with open_regular(path) as file:
        directories = list(page_directories(file))
    return lambda index: io.BufferedReader(FileFrom(path, directories[index]))


def _add_images(pdf: pikepdf.Pdf, pages: Iterable[ExportedPage], frames: _Frames, is_pdfa: bool) -> None:
    font = GlyphlessFont(pdf)
    for page in pages:
        if page.size_px:
            with frames(page.index) as file:
                encoded, orientation = _encoded(file, is_pdfa)
            with encoded:
                resources = Dictionary(XObject=Dictionary(Image=pdf.copy_foreign(_only_image(encoded))))
            matrix = " ".join(map(str, _ORIENTATIONS[orientation - 1]))
            _add_page(pdf, page, page.size_px, resources, f"{matrix} cm /Image Do".encode(), font)
    if not len(pdf.pages):
        raise DocumentError(Stage.DECODE, "none of its pages could be decoded when it was read")
    font.finish()


def _add_page(
    pdf: pikepdf.Pdf,
    page: ExportedPage,
    size_px: tuple[int, int],
    resources: Dictionary,
    content: bytes,
    font: GlyphlessFont,
) -> None:
    """Adds a page with a text and a content, which is drawn in the unit square."""
    dpi = max(page.dpi or _UNKNOWN_DPI, 72 * max(size_px) / _MAX_SIDE_PT)
    width, height = (72 * side / dpi for side in size_px)
    added = pdf.add_blank_page(page_size=(max(width, _MIN_SIDE_PT), max(height, _MIN_SIDE_PT)))
    added.obj.Resources = resources
    del added.obj.Contents  # an empty one
    if content:
        added.obj.Contents = pdf.make_stream(f"q {width:.4f} 0 0 {height:.4f} 0 0 cm ".encode() + content + b" Q\n")
    if page.blocks:
        add_text(pdf, added, page, Placement((0, height), (width / size_px[0], 0), (0, -height / size_px[1])), font)


def _encoded(file: BinaryIO, is_pdfa: bool) -> tuple[pikepdf.Pdf, int]:
    """A PDF of the first frame of an image file, and in which of EXIF's orientations the image in it is."""
    with open_image(file) as image:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        orientation = orientation if orientation in range(1, 9) else 1
        if _is_kept(image, file, orientation):
            file.seek(0)
            try:
                kept = _to_pdf(file.read())
                if not is_pdfa or is_allowed(_only_image(kept)):
                    return kept, orientation
            except Exception as error:  # unusual colors, or whatever else img2pdf and Pillow raise
                logging.getLogger(__name__).debug("img2pdf: %s", error)
    file.seek(0)
    with open_image(file) as image:
        packed = _to_pdf(_packed(image))
    if is_pdfa:
        is_allowed(_only_image(packed))  # always, as it is gray or RGB; a wrong profile goes
    return packed, 1


def _is_kept(image: Image.Image, file: BinaryIO, orientation: int) -> bool:
    """Whether readers of PDFs show an image file as it is.

    img2pdf (0.6.3) takes arithmetic and lossless JPEG, too, of which PDFium or MuPDF make a black page.
    """
    if image.has_transparency_data:
        return False
    if image.format == "TIFF":
        return image.info.get("compression") == "group4" and orientation == 1
    if image.format == "JPEG":
        return _jpeg_frame(file) in _PDF_JPEG_FRAMES
    if image.format == "JPEG2000":  # with fewer bits, white is shown as a middle gray
        return image.mode in ("L", "RGB", "I;16") and min(component_bits(file)) >= 8
    return image.format == "PNG"


def _jpeg_frame(file: BinaryIO) -> int:
    """The marker that begins the frame of a JPEG, which says how it is coded (ISO/IEC 10918-1, B.1.1.3); 0 if none."""
    file.seek(2)
    while byte := file.read(1):
        if byte == b"\xff":  # it begins a marker, or fills the space before one
            continue
        if byte[0] >> 4 == 0xC and byte[0] not in _NO_JPEG_FRAMES:
            return byte[0]
        file.seek(int.from_bytes(file.read(2)) - 2, os.SEEK_CUR)
    return 0


def _only_image(pdf: pikepdf.Pdf) -> Any:
    [image] = pdf.pages[0].images.values()
    return image


def _to_pdf(data: bytes) -> pikepdf.Pdf:
    pdf = img2pdf.convert(data, first_frame_only=True, rotation=img2pdf.Rotation.none, layout_fun=lambda *_: _ANY_SIZE)
    assert pdf is not None  # as there is no outputstream
    return pikepdf.open(io.BytesIO(pdf))


def _packed(image: Image.Image) -> bytes:
    """An image as a PNG: upright, without transparency, with 8 bits a color."""
    image = decode_upright(image)
    if image.mode in ("CMYK", "LAB"):
        image.info.pop("icc_profile", None)  # which isn't that of the RGB it becomes
    if image.mode not in ("1", "L", "RGB", "P") or "transparency" in image.info:
        is_gray = image.mode in ("LA", "La", "F") or image.mode.startswith("I")
        image = to_8_bits(image, ColorMode.GRAY if is_gray else ColorMode.RGB)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
