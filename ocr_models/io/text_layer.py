"""The text layer of a PDF page, where it can stand in for reading the page: born-digital pages.

A layer is taken if the words that are seen and map to characters cover the ink of the page. What they don't cover may
be a scan, a picture with text, letters drawn as outlines, or a font without characters: then the page has to be read.
Whether words are seen, and what ink there is, is told from small renderings with and without the text (``pdf_ink``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image

from ocr_models.charset import printed_text
from ocr_models.errors import DocumentError
from ocr_models.geometry import runs_of
from ocr_models.io.documents import check_images, open_pdf, rendered_size, user_units
from ocr_models.io.pdf_ink import render_gray, text_ink
from ocr_models.io.pdf_text import (
    Glyphs,
    PlacedWords,
    object_boxes,
    open_pdf_page,
    place_words,
    read_glyphs,
    split_words,
)

DRAWING_DPI = 50
"""Resolution of ``TextLayer.drawing``, as on a page of 200 dpi at a quarter of its size."""

_SMALL_DPI = 72  # of the small rendering
_MAX_CHARACTERS, _MAX_OBJECTS = 100_000, 100_000  # of a page that is looked at; a newspaper page has 50,000 characters
_MAX_SMALL_PIXELS = 8_000_000  # of the small rendering, which has 72 dpi up to the size of A0 ...
_MIN_SCALE = 0.5  # ... and at least half of that: smaller text couldn't be told from nothing
_MIN_SEEN = 10  # gray levels by which a word changes the page, as in training
_MIN_EDGE = 24  # gray levels between neighbors in the small rendering: strokes of 6-point text have 60
_RULE_PX = 48  # edges that are as long, and upright, are of rules, frames and fills, not of letters below 66 points
_LEAST_UPRIGHT_PX = 18  # in one column of pixels, from which on it may hold a rule beside two lines of text
_CROSSING_PX = 2  # half of the width of a rule that crosses them
_CELL_PX, _MIN_DENSITY = 4, 0.25  # share of the pixels of three by three cells that are strokes
_LONG_PX = 6  # words
_NEAR_PX, _TRIES = 8, 16  # between the corners of equal words in the same place; words that are compared
_MARGIN_PX = 2  # around words, for the blur of the small rendering
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
        drawing: uint8 (h, w), gray: the page without its text at ``DRAWING_DPI``, in which the rules of tables are
            searched; None if it has none that are upright.
    """

    texts: tuple[str, ...]
    quads: np.ndarray
    width_px: int
    height_px: int
    dpi: float
    drawing: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """About the memory that it takes."""
        drawn = 0 if self.drawing is None else self.drawing.nbytes
        return self.quads.nbytes + sum(map(len, self.texts)) + drawn


def layer_reader(path: str, dpi: float) -> Callable[[int], TextLayer | None]:
    """Opens a local PDF.

    Returns:
        A function from the index of a page to its text layer; None if the page has to be read, or is broken.

    Raises:
        DocumentError: with stage "open", if the PDF is broken or needs a password.
    """
    pdf, user_unit = open_pdf(path), user_units(path)
    pdf.init_forms()

    def read(page_index: int) -> TextLayer | None:
        try:
            page = open_pdf_page(pdf, page_index)
            try:
                return read_text_layer(page, dpi, user_unit(page_index))
            finally:
                page.close()
        except (pdfium.PdfiumError, DocumentError, IndexError, MemoryError):  # rendering it will say why
            return None

    return read


def read_text_layer(page: pdfium.PdfPage, dpi: float, user_unit: float = 1.0) -> TextLayer | None:
    """The text layer of a page if it says all that is printed, else None.

    Args:
        page: from ``open_pdf_page``.
        dpi: the resolution of ``quads``.
        user_unit: the page's unit of length in 1/72 inch.

    Raises:
        DocumentError: the page is of an absurd size.
        MemoryError: a picture on it doesn't fit into memory.
        pdfium.PdfiumError: the page is broken.
    """
    size = rendered_size(page, dpi, user_unit)
    seen = _see(page)
    if seen is None or not seen.says_all:
        return None
    kept = seen.kept
    quads = _quads(page, seen.glyphs, seen.words, kept, size.width_px, size.height_px)
    texts = tuple(printed_text(seen.words.texts[i]) for i in kept.tolist())
    return TextLayer(texts, quads, size.width_px, size.height_px, size.dpi, _drawing(seen.ground))


def _drawing(ground: np.ndarray) -> np.ndarray | None:
    """A small rendering without text, (H, W), at ``DRAWING_DPI``; None if no upright rule can be on it."""
    steps = np.maximum(ground[:, 1:], ground[:, :-1]) - np.minimum(ground[:, 1:], ground[:, :-1])
    if np.count_nonzero(steps >= _MIN_EDGE, axis=0).max(initial=0) < _LEAST_UPRIGHT_PX:
        return None
    height, width = (max(1, round(side * DRAWING_DPI / _SMALL_DPI)) for side in ground.shape)
    return np.asarray(Image.fromarray(ground).resize((width, height), Image.Resampling.BOX))


@dataclass(frozen=True)
class _Seen:
    """What is seen of a text layer.

    Attributes:
        glyphs: of the layer.
        words: W words of the layer.
        is_seen: bool (W,), which are printed.
        is_unmapped: bool (W,), which have glyphs without a character.
        is_double: bool (W,), which are printed in the same place before.
        is_empty: whether nothing at all is seen on the page.
        covered: pixels of the page's ink that are those of words which can be trusted.
        uncovered: pixels of its other ink.
        ground: uint8 (H, W), the page without its text.
    """

    glyphs: Glyphs
    words: PlacedWords
    is_seen: np.ndarray
    is_unmapped: np.ndarray
    is_double: np.ndarray
    is_empty: bool
    covered: int
    uncovered: int
    ground: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """The indices of the words to take."""
        return np.flatnonzero(self.is_seen & ~self.is_unmapped & ~self.is_double)

    @property
    def says_all(self) -> bool:
        """Whether its words cover the ink of the page; without words, whether the page is empty."""
        if not self.kept.size:
            return self.is_empty
        per_word = self.covered / max(1, int(self.is_seen.sum()))
        share = self.uncovered / max(1, self.covered + self.uncovered)
        return share <= _MAX_UNCOVERED and self.uncovered <= _MAX_UNCOVERED_WORDS * per_word


def _see(page: pdfium.PdfPage) -> _Seen | None:
    """None if the layer is empty and the page isn't, or if it has too much to look at."""
    objects = raw.FPDFPage_CountObjects(page)
    textpage = page.get_textpage()
    if objects > _MAX_OBJECTS or raw.FPDFText_CountChars(textpage) > _MAX_CHARACTERS:
        return None
    width_pt, height_pt = page.get_size()
    scale = min(1.0, (_MAX_SMALL_PIXELS / (width_pt * height_pt)) ** 0.5)
    if scale < _MIN_SCALE:
        return None
    glyphs = read_glyphs(textpage)
    split = split_words(glyphs)
    if objects and all(glyphs.is_invisible[glyphs.owners[word[0]]] for word in split):  # a scan need not be rendered
        return None
    check_images(page)
    image = render_gray(page, scale)
    height_px, width_px = image.shape
    words = place_words(glyphs, split)
    matrix = _page_to_pixels(page, width_px, height_px)
    boxes = _transform_boxes(words.ink, matrix)
    layers, inks, ground = text_ink(
        page, scale, image, object_boxes(glyphs, split, _transform_boxes(glyphs.boxes, matrix))
    )
    of_words = np.array([layers.get(int(address), 0) for address in glyphs.addresses[words.owners]], int)
    is_seen = np.zeros(len(boxes), bool)
    of_words[glyphs.is_invisible[words.owners]] = -1
    for layer, ink in enumerate(inks):
        is_seen |= (of_words == layer) & _are_inked(ink >= _MIN_SEEN, boxes)
    unmapped = set(filter(_is_unmapped, glyphs.alphabet()))
    is_unmapped = np.array([not (printed_text(t) and unmapped.isdisjoint(t)) for t in words.texts], bool)
    trusted = is_seen & ~is_unmapped & ~_are_torn(words.texts)
    is_double = _are_double(words.texts, boxes, is_seen)
    is_empty = int(image.max()) - int(image.min()) < _MIN_SEEN
    counts = _count_ink(image, boxes[trusted])
    return _Seen(glyphs, words, is_seen, is_unmapped, is_double, is_empty, *counts, ground)


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


def _are_inked(ink: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Bool (N,): whether there is ink, bool (H, W), in each of N boxes; in both halves of one that is long."""
    found = np.zeros(len(boxes), bool)
    for i, (x0, y0, x1, y1) in enumerate(_slices(boxes, ink.shape, 0).tolist()):
        if max(x1 - x0, y1 - y0) < _LONG_PX:  # PDFium puts small glyphs on whole pixels, so that a dot may lie beside
            is_on_page = x1 > x0 and y1 > y0
            found[i] = is_on_page and ink[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1].any()
        elif x1 - x0 >= y1 - y0:
            middle = (x0 + x1) // 2
            found[i] = ink[y0:y1, x0:middle].any() and ink[y0:y1, middle:x1].any()
        else:
            middle = (y0 + y1) // 2
            found[i] = ink[y0:middle, x0:x1].any() and ink[middle:y1, x0:x1].any()
    return found


def _slices(boxes: np.ndarray, shape: Sequence[int], margin: int) -> np.ndarray:
    """The pixels, int (N, 4), that boxes touch on a picture, with a margin: the first and the one after the last."""
    limits = np.array([shape[1], shape[0], shape[1], shape[0]])
    outward = np.hstack([np.floor(boxes[:, :2]) - margin, np.ceil(boxes[:, 2:]) + margin])
    return np.clip(outward, 0, limits).astype(int)


def _count_ink(image: np.ndarray, boxes: np.ndarray) -> tuple[int, int]:
    """The ink of a page, uint8 (H, W), inside of boxes (N, 4) and outside.

    It is counted as pixels of upright edges, of which text is full. Outside, those of rules, frames and fills and those
    of line drawings don't count.
    """
    edges = np.zeros(image.shape, bool)
    step = np.maximum(image[:, 1:], image[:, :-1]) - np.minimum(image[:, 1:], image[:, :-1])
    np.greater_equal(step, _MIN_EDGE, out=edges[:, 1:])
    total = int(np.count_nonzero(edges))
    for x0, y0, x1, y1 in _slices(boxes, image.shape, _MARGIN_PX).tolist():
        edges[y0:y1, x0:x1] = False
    outside = int(np.count_nonzero(edges))
    covered = total - outside
    if outside:
        edges &= ~_long_runs(edges)
        outside = int(np.count_nonzero(edges & _are_dense(edges)))
    return covered, outside


def _long_runs(edges: np.ndarray) -> np.ndarray:
    """The pixels in vertical runs of ``_RULE_PX`` and more, which rules that cross them may interrupt."""
    joined = edges.copy()
    for gap in range(1, _CROSSING_PX + 1):
        joined[gap:-gap] |= edges[: -2 * gap] & edges[2 * gap :]
    core, length = joined, 1
    while length < _RULE_PX:  # the lower ends of runs of a length that doubles
        step = min(length, _RULE_PX - length)
        core = core[step:] & core[:-step]
        length += step
    runs = np.zeros_like(edges)
    runs[: len(core)], length = core, 1
    while length < _RULE_PX:
        step = min(length, _RULE_PX - length)
        runs[step:] |= runs[:-step].copy()
        length += step
    return runs


def _are_dense(strokes: np.ndarray) -> np.ndarray:
    """Bool (H, W): where the strokes around are as dense as those of text; lines of drawings are not."""
    height, width = (-(-side // _CELL_PX) for side in strokes.shape)
    padded = np.zeros((height * _CELL_PX, width * _CELL_PX), np.uint8)
    padded[: strokes.shape[0], : strokes.shape[1]] = strokes
    cells = np.pad(padded.reshape(height, _CELL_PX, width, _CELL_PX).sum(axis=(1, 3), dtype=np.int32), 1)
    rows = cells[:-2] + cells[1:-1] + cells[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    dense = around >= _MIN_DENSITY * (3 * _CELL_PX) ** 2
    return dense.repeat(_CELL_PX, axis=0).repeat(_CELL_PX, axis=1)[: strokes.shape[0], : strokes.shape[1]]


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
    ids = np.unique(texts, return_inverse=True)[1].astype(np.int64) << 40
    for shift in ((0, 0), (0, 1), (1, 0), (1, 1)):  # of half a cell: what is near is in one cell once
        x, y = (boxes[:, :2] / _NEAR_PX + np.array(shift) / 2).clip(0, 1e5).astype(np.int64).T
        cells = ids + (x << 20) + y
        order = np.argsort(cells, kind="stable")
        order = order[is_seen[order]]
        starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
        stops = np.append(starts[1:], len(order))
        together = stops - starts > 1
        for start, stop in zip(starts[together].tolist(), stops[together].tolist(), strict=True):
            words = order[start:stop].tolist()
            for place, i in enumerate(words):
                double[i] |= any(_share_place(boxes[i], boxes[j]) for j in words[max(0, place - _TRIES) : place])
    return double


def _share_place(a: np.ndarray, b: np.ndarray) -> bool:
    overlap = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return bool(overlap > _SAME_PLACE * min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2])))


def _quads(
    page: pdfium.PdfPage, glyphs: Glyphs, words: PlacedWords, kept: np.ndarray, width_px: int, height_px: int
) -> np.ndarray:
    """The quads, float32 (N, 4, 2), of the words with these indices on the page as rendered in this size, within it."""
    left, bottom, right, top = words.boxes[kept].T
    corners = np.stack([np.stack([left, right, right, left]), np.stack([top, top, bottom, bottom])])  # (2, 4, N)
    cos, sin = glyphs.directions[words.owners[kept]].T
    points = np.stack([corners[0] * cos - corners[1] * sin, corners[0] * sin + corners[1] * cos])  # on the page
    matrix = _page_to_pixels(page, width_px, height_px)
    quads = points.transpose(2, 1, 0) @ matrix[:, :2].T + matrix[:, 2]
    return quads.clip(0, [width_px, height_px]).astype(np.float32)
