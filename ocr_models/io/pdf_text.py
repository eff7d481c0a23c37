"""The text layer of a PDF page as PDFium gives it: characters with their places, and the words that they form.

Letterspaced text comes as single letters, invisible, covered and switched-off text is listed, text for screen readers
(``/ActualText``) stands in place of what is printed, some fonts state a wrong size or map to no character. Nothing of
that is decided here. Form fields and comments are printed, but are not in the layer; ``open_pdf_page`` puts them there.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ocr_models.geometry import run_boxes
from ocr_models.word_boxes import ASCENT_EM, DESCENT_EM

_TALL, _FLAT = (np.zeros(128, bool) for _ in range(2))  # ASCII characters
_TALL[[ord(char) for char in "bdfhklABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"]] = True
_FLAT[[ord(char) for char in "acemnorsuvwxz"]] = True
_HYPHENS = (0x02, 0xFFFE)
_NO_CHARACTERS = "\x00\ufffe\uffff"
# Accents that stand over or under letters as characters of their own, as TeX's older fonts have them.
_ACCENTS = dict(
    zip(
        "`´ˆ^˜~¯˘˙¨˚˝ˇ¸˛",
        map(
            chr,
            (0x300, 0x301, 0x302, 0x302, 0x303, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30A, 0x30B, 0x30C, 0x327, 0x328),
        ),
        strict=True,
    )
)
_DOTLESS = {"ı": "i", "ȷ": "j"}
_ACCENT_OVERLAP = 0.5  # of the accent's width, with its letter
_MADE_UP_GAP_EM = 0.12  # PDFium makes up breaks also where there is less white; a thin space is 0.17 em
_MAX_GAP_EM, _MAX_BACK_EM, _MAX_SHIFT_EM = 0.5, 2.0, 0.5  # within a word, from a character to the next


@dataclass(frozen=True)
class Glyphs:
    """The N characters of a text layer, in its order, and the T text objects that print them.

    Lengths are PDF points. ``boxes`` have the origin at the bottom left of the page; ``sides`` are in a frame that is
    turned so that the text of the object runs to the right, with y upward.

    Attributes:
        chars: N strings of one character; a space for what PDFium made up and for what has no character at all.
        boxes: float64 (N, 4): left, bottom, right, top.
        owners: int (N,), the text object of each; -1 for what PDFium made up.
        addresses: (T,), identify the objects as ``pdf_ink.address_of`` does.
        origins: float64 (T, 2), where the first glyph of each stands on its baseline.
        ems: float64 (T,), font sizes.
        directions: float64 (T, 2), unit vectors along the text.
        is_replaced: bool (T,), whether the layer has other text for it than what is printed (``/ActualText``).
        is_invisible: bool (T,), whether it is printed without ink, as the text of scans is (rendering mode 3).
    """

    chars: np.ndarray
    boxes: np.ndarray
    owners: np.ndarray
    addresses: np.ndarray
    origins: np.ndarray
    ems: np.ndarray
    directions: np.ndarray
    is_replaced: np.ndarray
    is_invisible: np.ndarray

    def alphabet(self) -> list[str]:
        """The different characters."""
        return list(map(chr, np.unique(self.chars.view(np.uint32)).tolist()))

    def sides(self) -> np.ndarray:
        """The boxes (N, 4), each in the frame of its text; exact for text at right angles to the page."""
        cos, sin = self.directions[self.owners].T
        corners = self.boxes[:, [0, 2, 2, 0]], self.boxes[:, [1, 1, 3, 3]]
        along = corners[0] * cos[:, None] + corners[1] * sin[:, None]
        up = corners[1] * cos[:, None] - corners[0] * sin[:, None]
        return np.stack([along.min(axis=1), up.min(axis=1), along.max(axis=1), up.max(axis=1)], axis=1)

    def baselines(self) -> np.ndarray:
        """The heights (T,) of the baselines of the text objects, each in the frame of its text."""
        (x, y), (cos, sin) = self.origins.T, self.directions.T
        return y * cos - x * sin


def open_pdf_page(pdf: pdfium.PdfDocument, page_index: int) -> pdfium.PdfPage:
    """A page whose form fields and comments have become part of its content, so that their text is in the text layer.

    Raises:
        pdfium.PdfiumError: the page is broken.
        IndexError: there is no such page.
    """
    page = pdf[page_index]
    if not _has_printed_annotations(page):
        return page
    # PDFium (in pypdfium2 5.15) doesn't see boxes that a page inherits: flattening would make it a page of 612 × 792.
    if page.get_mediabox(fallback_ok=False) is None:
        page.set_mediabox(*page.get_bbox())
    if raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) != raw.FLATTEN_SUCCESS:  # there are none
        return page
    page.close()  # it doesn't see the change
    return pdf[page_index]


def _has_printed_annotations(page: pdfium.PdfPage) -> bool:
    """Whether a page has annotations besides links, which most pages of manuals have and which print no text."""
    for i in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, i)
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        raw.FPDFPage_CloseAnnot(annotation)
        if kind not in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP):
            return True
    return False


def read_glyphs(textpage: pdfium.PdfTextPage) -> Glyphs:
    """The characters of a text layer."""
    count = max(0, raw.FPDFText_CountChars(textpage))
    layer, indices = textpage.raw, range(count)
    codes = np.array([raw.FPDFText_GetUnicode(layer, i) for i in indices], np.int64)
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    sides: list[tuple[float, float, float, float]] = []
    for i in indices:
        raw.FPDFText_GetCharBox(layer, i, left, right, bottom, top)
        sides.append((left.value, bottom.value, right.value, top.value))
    pointers = [raw.FPDFText_GetTextObject(layer, i) for i in indices]
    of_chars = np.frombuffer(b"".join(pointers), np.uintp)
    addresses, firsts, owners = np.unique(of_chars, return_index=True, return_inverse=True)
    # PDFium (in pypdfium2 5.15) calls a hyphen that ends a line U+0002, since it would join the parts of the word.
    hyphens = [i for i in np.flatnonzero(np.isin(codes, _HYPHENS)).tolist() if raw.FPDFText_IsHyphen(layer, i) == 1]
    codes[hyphens] = ord("-")
    details = [_object_details(layer, i, pointers[i]) for i in firsts.tolist()]
    if len(addresses) and not addresses[0]:  # a null pointer: what PDFium made up
        addresses, details, owners = addresses[1:], details[1:], owners - 1
    x, y, ems, cos, sin, is_replaced, is_invisible = np.array(details, np.float64).reshape(-1, 7).T
    # Tagged PDFs have a soft hyphen for one that ends a line, which says the same.
    is_replaced[~np.isin(np.arange(len(addresses)), np.delete(owners, hyphens))] = False
    chars = np.array([chr(code) if 0 < code < 0x110000 else " " for code in codes.tolist()], "U1")
    boxes = np.nan_to_num(np.array(sides, np.float64).reshape(-1, 4), posinf=0.0, neginf=0.0)
    directions, origins = np.stack([cos, sin], axis=1), np.stack([x, y], axis=1)
    of_objects = addresses, origins, ems, directions, is_replaced.astype(bool), is_invisible.astype(bool)
    return Glyphs(*_compose_accents(chars, boxes, owners.reshape(-1)), *of_objects)


def _compose_accents(
    chars: np.ndarray, boxes: np.ndarray, owners: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The characters, boxes and owners of glyphs, with accents and the letters that they stand at made one."""
    used: list[int] = []
    for i in np.flatnonzero(np.isin(chars.view(np.uint32), list(map(ord, _ACCENTS)))).tolist():
        for letter in (i + 1, i - 1):
            if not 0 <= letter < len(chars) or owners[letter] < 0:
                continue
            char = str(chars[letter])
            both = unicodedata.normalize("NFC", _DOTLESS.get(char, char) + _ACCENTS[str(chars[i])])
            (left, _, right, _), (first, _, last, _) = boxes[i], boxes[letter]
            overlap = min(right, last) - max(left, first)
            if char.isalpha() and len(both) == 1 and overlap > _ACCENT_OVERLAP * (right - left):
                chars[letter] = both
                boxes[letter] = run_boxes(boxes[[i, letter]], np.zeros(1, int))[0]
                used.append(i)
                break
    return np.delete(chars, used), np.delete(boxes, used, axis=0), np.delete(owners, used)


def _object_details(
    layer: raw.FPDF_TEXTPAGE, first: int, text_object: raw.FPDF_PAGEOBJECT
) -> tuple[float, float, float, float, float, bool, bool]:
    """The origin, font size and direction of a text object, by its first character; if it is replaced, invisible."""
    x, y, matrix = ctypes.c_double(), ctypes.c_double(), raw.FS_MATRIX()
    raw.FPDFText_GetCharOrigin(layer, first, x, y)
    em, cos, sin = raw.FPDFText_GetFontSize(layer, first), 1.0, 0.0
    if raw.FPDFText_GetMatrix(layer, first, matrix):
        em *= float(np.hypot(matrix.c, matrix.d))
        length = float(np.hypot(matrix.a, matrix.b))
        cos, sin = (matrix.a / length, matrix.b / length) if length > 0 else (cos, sin)
    is_invisible = raw.FPDFTextObj_GetTextRenderMode(text_object) == raw.FPDF_TEXTRENDERMODE_INVISIBLE
    return x.value, y.value, em, cos, sin, _has_actual_text(text_object), is_invisible


def _has_actual_text(text_object: raw.FPDF_PAGEOBJECT) -> bool:
    """Whether the text layer has other text for an object than what is printed (PDF 1.7, 14.9.4)."""
    size = ctypes.c_ulong()
    return any(
        raw.FPDFPageObjMark_GetParamStringValue(
            raw.FPDFPageObj_GetMark(text_object, i), b"ActualText", None, 0, ctypes.byref(size)
        )
        for i in range(raw.FPDFPageObj_CountMarks(text_object))
    )


def split_words(glyphs: Glyphs) -> list[np.ndarray]:
    """The words: arrays of indices of glyphs.

    They end at white space, where the baseline or direction changes, and at wide gaps without a space in the layer.
    """
    no_text = [ord(char) for char in glyphs.alphabet() if char.isspace() or char in _NO_CHARACTERS]
    kept = np.flatnonzero(~np.isin(glyphs.chars.view(np.uint32), no_text) & (glyphs.owners >= 0))
    if not len(kept):
        return []
    owners, sides = glyphs.owners[kept], glyphs.sides()[kept]
    em, baseline = np.maximum(glyphs.ems, 1.0)[owners], glyphs.baselines()[owners]
    direction = glyphs.directions[owners]
    gap = sides[1:, 0] - sides[:-1, 2]
    is_space = np.ones(len(glyphs.chars), bool)
    is_space[kept] = False
    spaces = (is_space & (glyphs.owners >= 0)).cumsum()[kept]  # those that are in the document
    starts = (np.diff(spaces) > 0) | ((np.diff(kept) > 1) & (np.abs(gap) > _MADE_UP_GAP_EM * em[1:]))
    starts |= np.abs(np.diff(baseline)) > _MAX_SHIFT_EM * em[1:]
    starts |= (gap > _MAX_GAP_EM * em[1:]) | (gap < -_MAX_BACK_EM * em[1:])
    starts |= (direction[1:] * direction[:-1]).sum(axis=1) < 0.99  # 8 degrees
    return np.split(kept, np.flatnonzero(starts) + 1)


@dataclass(frozen=True)
class PlacedWords:
    """The W words of a text layer, with places in points.

    Attributes:
        texts: as in the layer.
        owners: int (W,), the text object of each word's first glyph.
        ink: float64 (W, 4), the extent of the glyphs on the page: left, bottom, right, top.
        boxes: float64 (W, 4), of the form that ``word_boxes`` defines, with the extent of the glyphs in place of that
            of their ink, in the frame of the word's text (see ``Glyphs``). Where the font size is wrong, of the glyphs.
        is_em_plausible: bool (W,), whether the font size agrees with the heights of the glyphs. Type 3 and odd fonts
            misstate it.
        is_replaced: bool (W,), whether the layer has other text than what is printed.
    """

    texts: list[str]
    owners: np.ndarray
    ink: np.ndarray
    boxes: np.ndarray
    is_em_plausible: np.ndarray
    is_replaced: np.ndarray


def place_words(glyphs: Glyphs, words: Sequence[np.ndarray]) -> PlacedWords:
    """The places of words, each an array of indices of glyphs."""
    if not words:
        none, places = np.zeros(0, bool), np.zeros((0, 4))
        return PlacedWords([], none.astype(int), places, places, none, none)
    members = np.concatenate(words)
    starts = np.cumsum([0, *(len(word) for word in words[:-1])])
    owners = glyphs.owners[members]
    sides, em, baseline = glyphs.sides()[members], glyphs.ems[owners], glyphs.baselines()[owners]
    extent = run_boxes(sides, starts)
    middle_baseline, middle_em = (_middles(values, owners, starts) for values in (baseline, em))
    plausible = _plausible_ems(glyphs.chars[members], sides[:, 3] - baseline, em, starts)
    boxes = extent.copy()
    boxes[:, 1] = np.where(plausible, middle_baseline - DESCENT_EM * middle_em, extent[:, 1])
    boxes[:, 3] = np.where(plausible, middle_baseline + ASCENT_EM * middle_em, extent[:, 3])
    chars = glyphs.chars[members].tolist()
    texts = ["".join(chars[start : start + len(word)]) for start, word in zip(starts.tolist(), words, strict=True)]
    is_replaced = np.logical_or.reduceat(glyphs.is_replaced[owners], starts)
    return PlacedWords(texts, owners[starts], run_boxes(glyphs.boxes[members], starts), boxes, plausible, is_replaced)


def object_boxes(glyphs: Glyphs, words: Sequence[np.ndarray], boxes: np.ndarray) -> dict[int, np.ndarray]:
    """The boxes around what the words have of each text object, by its address, in the order of the layer.

    Args:
        glyphs: of the page.
        words: arrays of indices of glyphs.
        boxes: (N, 4) of all glyphs.
    """
    if not words:
        return {}
    members = np.concatenate(words)
    members = members[np.argsort(glyphs.owners[members], kind="stable")]
    owners, starts = np.unique(glyphs.owners[members], return_index=True)
    hulls, addresses = run_boxes(boxes[members], starts), glyphs.addresses[owners]
    return {int(addresses[i]): hulls[i] for i in np.argsort(members[starts]).tolist()}


def _middles(values: np.ndarray, owners: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The median of each word's values, which are the same for all glyphs of a text object."""
    middles = values[starts]
    stops = np.append(starts[1:], len(values))
    mixed = np.minimum.reduceat(owners, starts) < np.maximum.reduceat(owners, starts)
    for i in np.flatnonzero(mixed).tolist():
        middles[i] = np.median(values[starts[i] : stops[i]])
    return middles


def _plausible_ems(chars: np.ndarray, heights: np.ndarray, ems: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Bool (W,): whether the height of each word's first letter with a known one agrees with the font size."""
    codes = chars.view(np.uint32).clip(max=127)  # the last of which is neither
    tall, flat = _TALL[codes], _FLAT[codes]
    least, most = np.where(tall, 0.52, 0.32) * ems, np.where(tall, 0.92, 0.68) * ems
    agrees = np.append((least < heights) & (heights < most), True)
    telling = np.where(tall | flat, np.arange(len(chars)), len(chars))
    return agrees[np.minimum.reduceat(telling, starts)]
