"""The text layer of a PDF page, where it can stand in for reading the page.

A layer is taken if the words that are seen and map to characters cover the ink of the page. What they don't cover may
be a scan, a picture with text, letters drawn as outlines, or a font without characters: then the page has to be read.
Whether words are seen, and what ink there is, is told from small renderings with and without the text (``pdf_ink``).

Hidden text, as another OCR lays it under a scan, is taken only if asked for, and if it covers most of the page's ink.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ocr_models.charset import printed_text
from ocr_models.errors import DocumentError
from ocr_models.geometry import runs_of
from ocr_models.io.documents import (
    DocumentKind,
    check_images,
    page_renderer,
    places_of_pdf_pages,
    render_pdf_page,
    rendered_size,
)
from ocr_models.io.images import ColorMode, PageImage
from ocr_models.io.pdf_ink import are_inked, is_ink_covered, render_gray, shrink_drawing, text_ink
from ocr_models.io.pdf_text import (
    Glyphs,
    PlacedWords,
    object_boxes,
    open_pdf_page,
    place_words,
    read_glyphs,
    split_words,
)
from ocr_models.records import TextLayerUse, TextSource

_MAX_CHARACTERS, _MAX_OBJECTS = 100_000, 100_000  # of a page that is looked at; a newspaper page has 50,000 characters
_MAX_SMALL_PIXELS = 8_000_000  # of the small rendering, which has 72 dpi up to the size of A0 ...
_MIN_SCALE = 0.5  # ... and at least half of that: smaller text couldn't be told from nothing
_MIN_SEEN = 10  # gray levels by which a word changes the page, as in training
_NEAR_PX, _TRIES = 8, 16  # between the corners of equal words in the same place; words that are compared
# The most ink that a layer may leave uncovered: a share of the page's, and that of so many of its words. Of 300 pages
# of development PDFs, 246 have 0.02 or less, and their layers lack 9 of 80,403 words that reading finds. Of the others,
# 8 lack three words and more, the first of them at 0.029; most have music, whose signs have no characters. Five words
# keep a small picture on a full page from being lost; one of the 246 has more.
_MAX_UNCOVERED, _MAX_UNCOVERED_WORDS = 0.02, 5.0
_TORN_RUN = 4  # single letters one after the other: letterspaced
_SAME_PLACE = 0.7  # share of the smaller of two boxes with the same text that is printed twice, as bold type or shadow


@dataclass(frozen=True)
class TextLayer:
    """The words of a page from its text layer.

    Attributes:
        texts: N words, in the order of the layer; ligatures are spelled out.
        quads: float32 (N, 4, 2), pixels of the page as rendered at ``dpi``.
        width_px: of the page as rendered.
        height_px: of the page as rendered.
        dpi: as it would be rendered.
        source: ``TEXT_LAYER``, or ``HIDDEN_TEXT``: some of the words are hidden.
        drawing: uint8 (h, w), gray: the page without its text, from ``shrink_drawing``; None if it has no
            upright rules.
    """

    texts: tuple[str, ...]
    quads: np.ndarray
    width_px: int
    height_px: int
    dpi: float
    source: TextSource = TextSource.TEXT_LAYER
    drawing: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """About the memory that it takes."""
        drawn = 0 if self.drawing is None else self.drawing.nbytes
        return self.quads.nbytes + sum(map(len, self.texts)) + drawn


def page_decoder(
    path: str,
    kind: DocumentKind,
    dpi: float,
    color_mode: ColorMode = ColorMode.GRAY,
    use: TextLayerUse = TextLayerUse.NEVER,
) -> Callable[[int], PageImage | TextLayer]:
    """Opens a local image, TIFF or PDF.

    Args:
        path: a local file.
        kind: its kind, from ``sniff_kind``.
        dpi: the resolution of a PDF's pages; images have their own.
        color_mode: of the pixels.
        use: when the text layer of a page is wanted instead of its pixels.

    Returns:
        A function from the index of a page to its text layer, or else its pixels. It raises DocumentError with stage
        "decode" or "render".

    Raises:
        DocumentError: with stage "open", if a PDF is broken or needs a password.
    """
    if kind != DocumentKind.PDF or use == TextLayerUse.NEVER:
        return page_renderer(path, kind, dpi, color_mode)
    place_of = places_of_pdf_pages(path)
    changing_places = functools.cache(lambda: places_of_pdf_pages(path))  # the pages are rendered as they are

    def decode(page_index: int) -> PageImage | TextLayer:
        place = place_of(page_index)
        try:
            page = open_pdf_page(place.pdf, place.page_index, lambda: changing_places()(page_index)[:2])
            try:
                layer = read_text_layer(page, dpi, place.user_unit, use == TextLayerUse.HIDDEN)
            finally:
                page.close()
        except (pdfium.PdfiumError, DocumentError, IndexError, MemoryError):  # rendering it will say why
            layer = None
        return layer or render_pdf_page(place, dpi, color_mode)

    return decode


def read_text_layer(
    page: pdfium.PdfPage, dpi: float, user_unit: float = 1.0, keeps_hidden: bool = False
) -> TextLayer | None:
    """The text layer of a page if it says all that is printed, else None.

    Args:
        page: from ``open_pdf_page``.
        dpi: the resolution of ``quads``.
        user_unit: the page's unit of length in 1/72 inch.
        keeps_hidden: whether hidden text counts, too, if visible text alone doesn't say all.

    Raises:
        DocumentError: the page is of an absurd size.
        MemoryError: a picture on it doesn't fit into memory.
        pdfium.PdfiumError: the page is broken.
    """
    size = rendered_size(page, dpi, user_unit)
    listed = _list_words(page)
    if listed is None:
        return None
    chosen = _choose_words(page, listed, keeps_hidden)
    if chosen is None:
        return None
    kept, source, ground = chosen
    quads = _quads(page, listed, kept, size.width_px, size.height_px)
    texts = tuple(listed.texts[i] for i in kept.tolist())
    drawing = None if ground is None else shrink_drawing(ground)
    return TextLayer(texts, quads, size.width_px, size.height_px, size.dpi, source, drawing)


@dataclass(frozen=True)
class _Listed:
    """What a text layer lists, whether it is seen or not.

    Attributes:
        glyphs: of the layer.
        members: the glyphs in words, from ``split_words``.
        words: its W words.
        texts: of the words, as they are printed.
        is_hidden: bool (W,), which are printed without ink.
    """

    glyphs: Glyphs
    members: np.ndarray
    words: PlacedWords
    texts: list[str]
    is_hidden: np.ndarray


def _list_words(page: pdfium.PdfPage) -> _Listed | None:
    """None if there is too much to look at."""
    textpage = page.get_textpage()
    if raw.FPDFPage_CountObjects(page) > _MAX_OBJECTS or raw.FPDFText_CountChars(textpage) > _MAX_CHARACTERS:
        return None
    glyphs = read_glyphs(textpage)
    members, starts = split_words(glyphs)
    words = place_words(glyphs, members, starts)
    texts = printed_text("\n".join(words.texts)).split("\n") if words.texts else []
    return _Listed(glyphs, members, words, texts, glyphs.is_invisible[words.owners])


def _choose_words(
    page: pdfium.PdfPage, listed: _Listed, keeps_hidden: bool
) -> tuple[np.ndarray, TextSource, np.ndarray | None] | None:
    """The words to take; None if they don't say all that is printed.

    Returns:
        Their indices; what they are; and a small rendering of the page without text, uint8 (H, W), None of a scan.
    """
    width_pt, height_pt = page.get_size()
    scale = min(1.0, (_MAX_SMALL_PIXELS / (width_pt * height_pt)) ** 0.5)
    is_scan = raw.FPDFPage_CountObjects(page) > 0 and bool(listed.is_hidden.all())
    if scale < _MIN_SCALE or (is_scan and not (keeps_hidden and listed.texts)):  # a scan need not be rendered
        return None
    check_images(page)
    image = render_gray(page, scale)
    matrix = _page_to_pixels(page, image.shape[1], image.shape[0])
    boxes = _transform_boxes(listed.words.ink, matrix)
    if is_scan:
        is_seen, ground = np.zeros(len(boxes), bool), None
    else:
        is_seen, ground = _are_seen(page, listed, scale, image, matrix, boxes)
    unmapped = set(filter(_is_unmapped, listed.glyphs.alphabet))
    is_mapped = np.array([bool(text) for text in listed.texts], bool)
    if unmapped:
        is_mapped &= [unmapped.isdisjoint(text) for text in listed.words.texts]
    is_trusted = is_mapped & ~_are_torn(listed.words.texts)

    def kept(is_shown: np.ndarray) -> np.ndarray:
        return np.flatnonzero(is_shown & is_mapped & ~_are_double(listed.words.texts, boxes, is_shown))

    def says_all(covered: int, uncovered: int) -> bool:
        share = uncovered / max(1, covered + uncovered)
        return share <= _MAX_UNCOVERED and uncovered <= _MAX_UNCOVERED_WORDS * covered / max(1, int(is_seen.sum()))

    visible = kept(is_seen)
    if len(visible) and is_ink_covered(image, boxes[is_seen & is_trusted], says_all):
        return visible, TextSource.TEXT_LAYER, ground
    if not (is_scan or len(visible)) and int(image.max()) - int(image.min()) < _MIN_SEEN:  # an empty page
        return visible, TextSource.TEXT_LAYER, ground
    if keeps_hidden and listed.is_hidden.any():
        # Of 18 searchable PDFs of books, receipts and papers, by Tesseract and by pagebeam export, hidden words cover
        # 67 to 100 % of the ink. Where they cover less than half, most of the page would be lost.
        is_laid = is_seen | (listed.is_hidden & _are_on_page(boxes, image.shape))
        if is_ink_covered(image, boxes[is_laid & is_trusted], lambda covered, uncovered: covered > uncovered):
            return kept(is_laid), TextSource.HIDDEN_TEXT, ground
    return None


def _are_seen(
    page: pdfium.PdfPage, listed: _Listed, scale: float, image: np.ndarray, matrix: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bool (W,): which words change the picture of the page, on which they have these boxes; the page without text."""
    of_glyphs = _transform_boxes(listed.glyphs.boxes, matrix)
    layers, inks, ground = text_ink(page, scale, image, object_boxes(listed.glyphs, listed.members, of_glyphs))
    addresses = listed.glyphs.addresses[listed.words.owners].tolist()
    of_words = np.array([layers.get(address, 0) for address in addresses], int)
    is_seen = np.zeros(len(boxes), bool)
    for layer, ink in enumerate(inks):
        is_seen |= (of_words == layer) & are_inked(ink >= _MIN_SEEN, boxes)
    return is_seen & ~listed.is_hidden, ground


def _are_on_page(boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Bool (N,): whose middles are on a picture of this shape."""
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
    return (x > 0) & (x < shape[1]) & (y > 0) & (y < shape[0])


def _page_to_pixels(page: pdfium.PdfPage, width_px: int, height_px: int) -> np.ndarray:
    """The affine (2, 3) from points of a page to pixels of its rendering; PDFium knows its crop box and rotation."""
    size = 1 << 24  # what FPDF_PageToDevice returns is rounded
    places = []
    for x, y in ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0)):
        device_x, device_y = raw.c_int(), raw.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, size, size, 0, x, y, device_x, device_y)
        places.append((device_x.value * width_px / size, device_y.value * height_px / size))
    origin, right, up = np.array(places)
    return np.stack([(right - origin) / 1000, (up - origin) / 1000, origin], axis=1)


def _transform_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) transformed by an affine (2, 3) that turns by right angles."""
    first, second = (boxes[:, i : i + 2] @ matrix[:, :2].T + matrix[:, 2] for i in (0, 2))
    return np.hstack([np.minimum(first, second), np.maximum(first, second)])


def _is_unmapped(char: str) -> bool:
    """Whether a glyph has no character: a replacement, of private use, not assigned, or a control."""
    return char == "\ufffd" or unicodedata.category(char) in ("Co", "Cn", "Cs", "Cc")


def _are_torn(texts: Sequence[str]) -> np.ndarray:
    """Bool (N,): the words that are single letters of a letterspaced one. Letters without case may stand alone."""
    single = np.array([len(text) == 1 and text.lower() != text.upper() for text in texts], bool)
    torn = np.zeros(len(texts), bool)
    for start, stop in runs_of(single).tolist():
        torn[start:stop] = stop - start >= _TORN_RUN
    return torn


def _are_double(texts: Sequence[str], boxes: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Bool (N,): the words that are printed once more in the place of an earlier one."""
    double = np.zeros(len(texts), bool)
    if len(texts) < 2:
        return double
    known: dict[str, int] = {}
    ids = np.array([known.setdefault(text, len(known)) for text in texts], np.int64) << 40
    halves = np.array([[[0, 0]], [[0, 1]], [[1, 0]], [[1, 1]]]) / 2  # shifts: what is near is in one cell once
    x, y = np.moveaxis((boxes[:, :2] / _NEAR_PX + halves).clip(0, 1e5).astype(np.int64), 2, 0)
    shifted = ids + (x << 20) + y
    ordered = np.sort(shifted[:, is_seen], axis=1)
    if not (ordered[:, 1:] == ordered[:, :-1]).any():  # as on most pages
        return double
    for cells in shifted:
        order = np.argsort(cells, kind="stable")
        order = order[is_seen[order]]
        starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
        stops = np.append(starts[1:], len(order))
        together = stops - starts > 1
        for start, stop in zip(starts[together].tolist(), stops[together].tolist(), strict=True):
            words = order[start:stop].tolist()
            for place, i in enumerate(words):
                double[i] |= any(_share_place(*boxes[[i, j]].tolist()) for j in words[max(0, place - _TRIES) : place])
    return double


def _share_place(a: Sequence[float], b: Sequence[float]) -> bool:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(0.0, width) * max(0.0, height) > _SAME_PLACE * smaller


def _quads(page: pdfium.PdfPage, listed: _Listed, kept: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """The quads, float32 (N, 4, 2), of the words with these indices, within the page as rendered in this size."""
    left, bottom, right, top = listed.words.boxes[kept].T
    corners = np.stack([np.stack([left, right, right, left]), np.stack([top, top, bottom, bottom])])  # (2, 4, N)
    cos, sin = listed.glyphs.directions[listed.words.owners[kept]].T
    points = np.stack([corners[0] * cos - corners[1] * sin, corners[0] * sin + corners[1] * cos])  # on the page
    matrix = _page_to_pixels(page, width_px, height_px)
    quads = points.transpose(2, 1, 0) @ matrix[:, :2].T + matrix[:, 2]
    return quads.clip(0, [width_px, height_px]).astype(np.float32)
