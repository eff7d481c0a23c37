"""Born-digital PDFs as training truth: the rendered page, and the words of its text layer with their boxes.

Boxes are as defined in ``word_boxes``, with the extent of the glyphs in place of that of the ink. Text layers are not
always right: letterspaced text appears as single letters, hidden text is listed, text for screen readers stands in
place of what is printed, some fonts state a wrong size. Words that can't be trusted are marked ``ignore``, and a page
whose words are torn into letters is refused.
"""

from __future__ import annotations

import ctypes
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ocr_models.charset import normalize_text
from ocr_models.data.word_boxes import ASCENT_EM, DESCENT_EM
from ocr_models.errors import DocumentError, Stage
from ocr_models.geometry import box_quads
from ocr_models.io.tfrecord import unpacked
from ocr_models.records import PageTruth

_TALL = frozenset("bdfhklABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_FLAT = frozenset("acemnorsuvwxz")
_MAX_WORDS_TORN = 0.3  # the share of words that are single letters
_MIN_WORDS = 20
_MIN_INK_CONTRAST = 40  # gray levels between the darkest and the lightest pixel of a word's box; less is hidden text


@dataclass(frozen=True)
class _Glyph:
    """A character of the text layer, in PDF points with the origin at the bottom-left of the page.

    ``is_replaced`` says that it stands for something else that is printed (``/ActualText``).
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


def open_pdf(source: Path | bytes) -> pdfium.PdfDocument:
    """Opens a PDF, given as a file or its bytes. It may be gzipped, as Debian ships PDFs.

    Raises:
        DocumentError: with stage "open", if it is no PDF, is broken or needs a password.
    """
    try:
        if isinstance(source, bytes):
            return pdfium.PdfDocument(unpacked(io.BytesIO(source)).read())
        with source.open("rb") as file:
            content = unpacked(file)
            return pdfium.PdfDocument(source if content is file else content.read())
    except (pdfium.PdfiumError, OSError, EOFError, zlib.error) as error:
        raise DocumentError(Stage.OPEN, f"the PDF can't be opened ({error})") from error


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
        is_replaced = not is_hyphen and _has_actual_text(raw.FPDFText_GetTextObject(textpage, i))
        yield _Glyph(char, left.value, bottom.value, right.value, top.value, y.value, em, angle, is_replaced)


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
        ink = np.array([min(g.left for g in word), max(g.top for g in word), 0, min(g.bottom for g in word)]) * scale
        box[1], box[3] = height_px - ink[1], height_px - ink[3]
    return box, text, trusted


def _image_boxes(page: pdfium.PdfPage, scale: float, height_px: int) -> Iterator[np.ndarray]:
    """The boxes of pictures, which may show text that isn't in the text layer."""
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = item.get_bounds()
        yield np.array([left * scale, height_px - top * scale, right * scale, height_px - bottom * scale])


def _has_ink(image: np.ndarray, box: np.ndarray) -> bool:
    x0, y0, x1, y1 = np.round(box).astype(int)
    crop = image[max(y0, 0) : y1, max(x0, 0) : x1]
    return crop.size > 0 and int(crop.max()) - int(crop.min()) >= _MIN_INK_CONTRAST


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
    textpage = page.get_textpage()
    words = list(_split_words(_glyphs(textpage)))
    if len(words) < _MIN_WORDS:
        raise DocumentError(Stage.LABEL, f"the text layer has {len(words)} words, fewer than {_MIN_WORDS}")
    letters = sum(len(word) == 1 and word[0].char.isalpha() for word in words)
    if letters > _MAX_WORDS_TORN * len(words):
        raise DocumentError(
            Stage.LABEL, f"the text layer is torn: {letters} of its {len(words)} words are single letters"
        )
    image = page.render(scale=scale, grayscale=True).to_numpy()
    image = np.ascontiguousarray(image[..., 0] if image.ndim == 3 else image)
    boxes, texts, ignore = [], [], []
    for word in words:
        box, text, trusted = _word_truth(word, scale, image.shape[0])
        boxes.append(box)
        trusted = trusted and _has_ink(image, box)
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
