"""Born-digital PDFs as training truth: the rendered page, and the words of its text layer with their boxes.

Boxes are as defined in ``word_boxes``, with the extent of the glyphs in place of that of the ink. Text layers are not
always right: letterspaced text appears as single letters, hidden text is listed, text for screen readers stands in
place of what is printed, some fonts state a wrong size. Words without ink are left out, words that can't be trusted are
marked ``ignore``, and a page whose words are torn into letters is refused. Form fields and comments are printed, but
are not in the text layer; ``open_pdf_page`` puts them there.
"""

from __future__ import annotations

import ctypes
import io
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ocr_models.charset import normalize_text
from ocr_models.data.pdf_ink import address_of, render_gray, text_ink
from ocr_models.data.word_boxes import ASCENT_EM, DESCENT_EM
from ocr_models.errors import DocumentError, Stage
from ocr_models.geometry import box_quads
from ocr_models.io.tfrecord import unpacked
from ocr_models.records import PageTruth

_TALL = frozenset("bdfhklABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_FLAT = frozenset("acemnorsuvwxz")
_MAX_WORDS_TORN = 0.3  # the share of words that are single letters
_MIN_WORDS = 20
# Gray levels by which a word must change the page: what changes it less is not seen, or is too faint to be taught.
_MIN_SEEN, _MIN_INK_CONTRAST = 10, 40
# A word is seen whole if it lacks at most this share of its height, and of an em of its width. Of 67,744 words on 165
# pages of Debian's manuals, five lacked more: four that ran off the page, one of them by its comma, and a root sign.
_MAX_LOST_HEIGHT, _MAX_LOST_EM = 0.25, 0.15


@dataclass(frozen=True)
class _Glyph:
    """A character of the text layer, in PDF points with the origin at the bottom-left of the page.

    ``is_replaced`` says that it stands for something else that is printed (``/ActualText``). ``text_object`` identifies
    the object of the page that prints it; 0 for one that PDFium made up.
    """

    char: str
    left: float
    bottom: float
    right: float
    top: float
    baseline: float
    em: float
    angle: float
    is_replaced: bool
    text_object: int


def open_pdf(source: Path | bytes) -> pdfium.PdfDocument:
    """Opens a PDF, given as a file or its bytes. It may be gzipped, as Debian ships PDFs.

    Raises:
        DocumentError: with stage "open", if it is no PDF, is broken or needs a password.
    """
    try:
        if isinstance(source, bytes):
            pdf = pdfium.PdfDocument(unpacked(io.BytesIO(source)).read())
        else:
            with source.open("rb") as file:
                content = unpacked(file)
                pdf = pdfium.PdfDocument(source if content is file else content.read())
        pdf.init_forms()
        return pdf
    except (pdfium.PdfiumError, OSError, EOFError, zlib.error) as error:
        raise DocumentError(Stage.OPEN, f"the PDF can't be opened ({error})") from error


def open_pdf_page(pdf: pdfium.PdfDocument, page_index: int) -> pdfium.PdfPage:
    """A page whose form fields and comments have become part of its content, so that their text is in the text layer.

    Raises:
        pdfium.PdfiumError: the page is broken.
        IndexError: there is no such page.
    """
    page = pdf[page_index]
    # PDFium (in pypdfium2 5.15) doesn't see boxes that a page inherits: flattening would make it a page of 612 × 792.
    if page.get_mediabox(fallback_ok=False) is None:
        page.set_mediabox(*page.get_bbox())
    if raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) != raw.FLATTEN_SUCCESS:  # there are none
        return page
    page.close()  # it doesn't see the change
    return pdf[page_index]


def count_pdf_pages(path: Path) -> int:
    """The number of pages of a PDF, gzipped or not; raises DocumentError as ``open_pdf`` does."""
    with open_pdf(path) as pdf:
        return len(pdf)


def _glyphs(textpage: pdfium.PdfTextPage) -> Iterator[_Glyph]:
    left, right, bottom, top, x, y = (ctypes.c_double() for _ in range(6))
    matrix = raw.FS_MATRIX()
    for i in range(raw.FPDFText_CountChars(textpage)):
        code = raw.FPDFText_GetUnicode(textpage, i)
        # PDFium (in pypdfium2 5.15) calls a hyphen that ends a line U+0002, since it would join the parts of the word.
        is_hyphen = raw.FPDFText_IsHyphen(textpage, i) == 1
        char = "-" if is_hyphen else chr(code) if 0 < code < 0x110000 else " "
        raw.FPDFText_GetCharBox(textpage, i, left, right, bottom, top)
        raw.FPDFText_GetCharOrigin(textpage, i, x, y)
        em = raw.FPDFText_GetFontSize(textpage, i)
        if raw.FPDFText_GetMatrix(textpage, i, matrix):
            em *= float(np.hypot(matrix.c, matrix.d))
        angle = raw.FPDFText_GetCharAngle(textpage, i)
        text_object = raw.FPDFText_GetTextObject(textpage, i)
        is_replaced = not is_hyphen and _has_actual_text(text_object)
        edges = left.value, bottom.value, right.value, top.value
        yield _Glyph(char, *edges, y.value, em, angle, is_replaced, address_of(text_object))


def _has_actual_text(text_object: raw.FPDF_PAGEOBJECT) -> bool:
    """Whether the text layer has other text for an object than what is printed (PDF 1.7, 14.9.4)."""
    size = ctypes.c_ulong()
    return any(
        raw.FPDFPageObjMark_GetParamStringValue(
            raw.FPDFPageObj_GetMark(text_object, i), b"ActualText", None, 0, ctypes.byref(size)
        )
        for i in range(raw.FPDFPageObj_CountMarks(text_object))
    )


def _split_words(glyphs: Iterator[_Glyph]) -> Iterator[list[_Glyph]]:
    """Splits the glyphs at white space, at a new baseline, and at wide gaps without a space in the text layer."""
    word: list[_Glyph] = []
    for glyph in glyphs:
        if glyph.char.isspace() or glyph.char in "\x00\ufffe\uffff":
            new_word, keep = True, False
        else:
            last = word[-1] if word else glyph
            em = max(glyph.em, 1.0)
            gap = glyph.left - last.right
            new_word = abs(glyph.baseline - last.baseline) > 0.5 * em or gap > 0.5 * em or gap < -2 * em
            keep = True
        if new_word and word:
            yield word
            word = []
        if keep:
            word.append(glyph)
    if word:
        yield word


def _em_is_plausible(word: list[_Glyph], em: float) -> bool:
    """Tells whether the glyphs' heights agree with the font size, which Type 3 and odd fonts misstate."""
    for glyph in word:
        height = glyph.top - glyph.baseline
        if glyph.char in _TALL:
            return 0.52 * em < height < 0.92 * em
        if glyph.char in _FLAT:
            return 0.32 * em < height < 0.68 * em
    return True


def _word_truth(word: list[_Glyph], scale: float, height_px: int) -> tuple[np.ndarray, str, bool]:
    """The word's box (xmin, ymin, xmax, ymax) in pixels, its text, and whether it can be trusted."""
    em = float(np.median([g.em for g in word]))
    baseline = float(np.median([g.baseline for g in word]))
    text = normalize_text("".join(g.char for g in word))
    box = np.array(
        [min(g.left for g in word), baseline + ASCENT_EM * em, max(g.right for g in word), baseline - DESCENT_EM * em]
    )
    box *= scale
    box[[1, 3]] = height_px - box[[1, 3]]
    level = all(abs(g.angle) < 0.02 or abs(g.angle - 2 * np.pi) < 0.02 for g in word)
    trusted = level and box[2] - box[0] >= 1.0 and _em_is_plausible(word, em) and text.strip(".·_-") != ""
    trusted = trusted and not any(0xE000 <= ord(c) <= 0xF8FF for c in text) and not any(g.is_replaced for g in word)
    if not level or not trusted:  # an ignored region must cover the ink even if the font size is wrong
        box[[1, 3]] = _ink_box(word, scale, height_px)[[1, 3]]
    return box, text, trusted


def _ink_box(glyphs: Sequence[_Glyph], scale: float, height_px: int) -> np.ndarray:
    """The box (xmin, ymin, xmax, ymax) in pixels of what glyphs print."""
    left, right = min(g.left for g in glyphs), max(g.right for g in glyphs)
    top, bottom = max(g.top for g in glyphs), min(g.bottom for g in glyphs)
    return np.array([left * scale, height_px - top * scale, right * scale, height_px - bottom * scale])


def _image_boxes(page: pdfium.PdfPage, scale: float, height_px: int) -> Iterator[np.ndarray]:
    """The boxes of pictures, which may show text that isn't in the text layer."""
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = item.get_bounds()
        yield np.array([left * scale, height_px - top * scale, right * scale, height_px - bottom * scale])


class _Ink:
    """What is seen of the words of a page."""

    def __init__(self, page: pdfium.PdfPage, words: Sequence[list[_Glyph]], image: np.ndarray, scale: float) -> None:
        self._scale, self._height_px = scale, image.shape[0]
        by_object: dict[int, list[_Glyph]] = defaultdict(list)
        for glyph in chain.from_iterable(words):
            if glyph.text_object:
                by_object[glyph.text_object].append(glyph)
        boxes = {item: _ink_box(glyphs, scale, self._height_px) for item, glyphs in by_object.items()}
        self._layers, self._inks = text_ink(page, scale, image, boxes)

    def contrast(self, word: list[_Glyph]) -> int:
        """By how many gray levels a word changes the page; 0 if nothing of it is seen."""
        return int(self._of(word).max(initial=0))

    def is_whole(self, word: list[_Glyph]) -> bool:
        """Whether a word is seen in its whole height and width, with enough contrast."""
        seen = self._of(word) >= _MIN_INK_CONTRAST
        x0, y0, x1, y1 = _ink_box(word, self._scale, self._height_px)
        rows, columns = np.nonzero(seen)
        lost_height, lost_width = y1 - y0 - _extent(rows), x1 - x0 - _extent(columns)
        em = max(glyph.em for glyph in word) * self._scale
        return lost_height <= _MAX_LOST_HEIGHT * (y1 - y0) and lost_width <= _MAX_LOST_EM * em

    def _of(self, word: list[_Glyph]) -> np.ndarray:
        x0, y0, x1, y1 = _ink_box(word, self._scale, self._height_px)
        columns = slice(max(int(x0) - 1, 0), max(int(x1) + 2, 0))
        rows = slice(max(int(y0) - 1, 0), max(int(y1) + 2, 0))
        layers = {self._layers.get(glyph.text_object, 0) for glyph in word}
        return np.maximum.reduce([self._inks[layer][rows, columns] for layer in layers])


def _extent(places: np.ndarray) -> int:
    """From the first to the last of several pixels."""
    return int(np.ptp(places)) + 1 if len(places) else 0


def read_pdf_page(page: pdfium.PdfPage, dpi: float) -> PageTruth:
    """The truth of a page rendered at ``dpi``.

    Raises:
        DocumentError: with stage "label" and the reason, if the page is useless or can't be trusted: it is turned,
            shifted by a crop box, nearly empty, or its text layer tears words into letters.
        pdfium.PdfiumError: the page is broken.
    """
    left, bottom = page.get_cropbox()[:2]
    if page.get_rotation() != 0:
        raise DocumentError(Stage.LABEL, f"the page is turned by {page.get_rotation()} degrees")
    if abs(left) > 0.5 or abs(bottom) > 0.5:
        raise DocumentError(
            Stage.LABEL, f"the page's crop box begins at ({left:g}, {bottom:g}) points, not at its corner"
        )
    scale = dpi / 72
    image = render_gray(page, scale)
    listed = list(_split_words(_glyphs(page.get_textpage())))
    ink = _Ink(page, listed, image, scale)
    words = [word for word in listed if ink.contrast(word) >= _MIN_SEEN]
    if len(words) < _MIN_WORDS:
        of_listed = f" that are seen, of {len(listed)}" if len(listed) > len(words) else ""
        raise DocumentError(Stage.LABEL, f"the text layer has {len(words)} words{of_listed}, fewer than {_MIN_WORDS}")
    letters = sum(len(word) == 1 and word[0].char.isalpha() for word in words)
    if letters > _MAX_WORDS_TORN * len(words):
        raise DocumentError(
            Stage.LABEL, f"the text layer is torn: {letters} of its {len(words)} words are single letters"
        )
    boxes, texts, ignore = [], [], []
    for word in words:
        box, text, trusted = _word_truth(word, scale, image.shape[0])
        boxes.append(box)
        trusted = trusted and ink.is_whole(word)
        texts.append(text if trusted else "")
        ignore.append(not trusted)
    for box in _image_boxes(page, scale, image.shape[0]):
        boxes.append(box)
        texts.append("")
        ignore.append(True)
    return PageTruth(image, box_quads(np.stack(boxes)), tuple(texts), np.array(ignore))


def find_pdfs(folders: list[str]) -> list[Path]:
    """All PDFs (``.pdf``, ``.pdf.gz``) below the folders, sorted, without symbolic links."""
    found = [p for folder in folders for p in sorted(Path(folder).rglob("*")) if not p.is_symlink()]
    return [p for p in found if p.name.endswith((".pdf", ".pdf.gz"))]
