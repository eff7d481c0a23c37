"""The text layer of a PDF page as PDFium gives it: characters with their places, and the words that they form.

Letterspaced text comes as single letters, invisible, covered and switched-off text is listed, text for screen readers
(``/ActualText``) stands in place of what is printed, some fonts state a wrong size or map to no character. Nothing of
that is decided here. Form fields and comments are printed, but are not in the layer; ``open_pdf_page`` puts them there.
"""

from __future__ import annotations

import ctypes
import functools
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ocr_models.geometry import run_boxes
from ocr_models.io.pdfium_calls import (
    address_of,
    char_box,
    char_code,
    char_font_size,
    char_matrix,
    char_object,
    char_origin,
    fill,
    numbers_of,
    object_mark_count,
    object_render_mode,
)
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
_IS_ACCENT = np.zeros(max(map(ord, _ACCENTS)) + 2, bool)  # by code point; the last stands for all that follow
_IS_ACCENT[list(map(ord, _ACCENTS))] = True
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
        addresses: (T,), identify the objects as ``pdfium_calls.page_objects`` does.
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

    @functools.cached_property
    def alphabet(self) -> list[str]:
        """The different characters."""
        return list(map(chr, np.unique(self.chars.view(np.uint32)).tolist()))

    @functools.cached_property
    def sides(self) -> np.ndarray:
        """The boxes (N, 4), each in the frame of its text; exact for text at right angles to the page."""
        cos, sin = self.directions[self.owners].T
        left, bottom, right, top = self.boxes.T
        xs, ys = (left * cos, right * cos), (bottom * sin, top * sin)
        ups, backs = (bottom * cos, top * cos), (left * sin, right * sin)
        sides = np.empty(self.boxes.shape)
        np.add(np.minimum(*xs), np.minimum(*ys), out=sides[:, 0])
        np.subtract(np.minimum(*ups), np.maximum(*backs), out=sides[:, 1])
        np.add(np.maximum(*xs), np.maximum(*ys), out=sides[:, 2])
        np.subtract(np.maximum(*ups), np.minimum(*backs), out=sides[:, 3])
        return sides

    @functools.cached_property
    def baselines(self) -> np.ndarray:
        """The heights (T,) of the baselines of the text objects, each in the frame of its text."""
        (x, y), (cos, sin) = self.origins.T, self.directions.T
        return y * cos - x * sin


def open_pdf_page(
    pdf: pdfium.PdfDocument, page_index: int, to_change: Callable[[], tuple[pdfium.PdfDocument, int]] | None = None
) -> pdfium.PdfPage:
    """A page whose form fields and comments have become part of its content, so that their text is in the text layer.

    Args:
        pdf: the document; pages with fields or comments change in it, if ``to_change`` is None.
        page_index: from 0.
        to_change: gives a document to change instead, and the index of the page in that.

    Raises:
        pdfium.PdfiumError: the page is broken.
        IndexError: there is no such page.
    """
    page = pdf[page_index]
    if not _has_printed_annotations(page):
        return page
    if to_change:
        page.close()
        pdf, page_index = to_change()
        page = pdf[page_index]
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
    layer, count = address_of(textpage.raw), max(0, raw.FPDFText_CountChars(textpage))
    codes = _codes(textpage, layer, count)
    boxes = np.zeros((count, 4))
    fill(char_box, layer, range(count), boxes, columns=(0, 2, 1, 3))  # PDFium's order is left, right, bottom, top
    np.nan_to_num(boxes, copy=False, posinf=0.0, neginf=0.0)
    of_chars = numbers_of(char_object, layer, range(count), np.uintp)
    addresses, firsts, owners = np.unique(of_chars, return_index=True, return_inverse=True)
    if len(addresses) and not addresses[0]:  # a null pointer: what PDFium made up
        addresses, firsts, owners = addresses[1:], firsts[1:], owners - 1
    # PDFium (in pypdfium2 5.15) calls a hyphen that ends a line U+0002, since it would join the parts of the word.
    odd = np.flatnonzero((codes == _HYPHENS[0]) | (codes == _HYPHENS[1])).tolist()
    hyphens = [i for i in odd if raw.FPDFText_IsHyphen(textpage, i) == 1]
    codes[hyphens] = ord("-")
    origins, ems, directions = _places_of(layer, firsts.tolist())
    items = addresses.tolist()
    is_invisible = np.array([object_render_mode(i) == raw.FPDF_TEXTRENDERMODE_INVISIBLE for i in items], bool)
    is_replaced = np.array([object_mark_count(i) > 0 and _has_actual_text(i) for i in items], bool)
    if is_replaced.any():  # tagged PDFs have a soft hyphen for one that ends a line, which says the same
        is_replaced[~np.isin(np.arange(len(items)), np.delete(owners, hyphens))] = False
    chars, boxes, owners = _compose_accents(codes.view("U1"), boxes, owners)
    return Glyphs(chars, boxes, owners, addresses, origins, ems, directions, is_replaced, is_invisible)


def _codes(textpage: pdfium.PdfTextPage, layer: int, count: int) -> np.ndarray:
    """The code points, uint32 (N,), of characters; of a space for those that PDFium has no character for."""
    units = np.zeros(2 * count + 1, np.uint16)  # two for a code point beyond U+FFFF, and one that ends them
    pointer = units.ctypes.data_as(ctypes.POINTER(ctypes.c_ushort))
    length = raw.FPDFText_GetText(textpage, 0, count, pointer) - 1
    codes = units[:count].astype(np.uint32)
    # The text has no control characters, which shifts what follows, and another code for hyphens.
    is_shifted = length != count or ((codes >= 0xD800) & (codes < 0xE000)).any()
    asked = range(count) if is_shifted else np.flatnonzero(codes == _HYPHENS[1]).tolist()
    codes[asked] = numbers_of(char_code, layer, asked, np.uint32)
    codes[(codes == 0) | (codes >= 0x110000)] = ord(" ")
    return codes


def _places_of(layer: int, firsts: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The origins (T, 2), font sizes (T,) and directions (T, 2) of text objects, by their first characters."""
    origins, matrices = np.zeros((len(firsts), 2)), np.full((len(firsts), 6), np.nan, np.float32)
    fill(char_origin, layer, firsts, origins, columns=(0, 1))
    fill(char_matrix, layer, firsts, matrices, columns=(0,))
    a, b, c, d = matrices[:, :4].astype(np.float64).T  # (cos, sin, -sin, cos) times a scale; NaN if there is none
    length, height = np.hypot(a, b), np.hypot(c, d)
    ems = numbers_of(char_font_size, layer, firsts, np.float64) * np.where(np.isnan(height), 1.0, height)
    directions = np.tile((1.0, 0.0), (len(firsts), 1))
    directions[length > 0] = (np.stack([a, b]) / length).T[length > 0]
    return origins, ems, directions


def _compose_accents(
    chars: np.ndarray, boxes: np.ndarray, owners: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The characters, boxes and owners of glyphs, with accents and the letters that they stand at made one."""
    used: list[int] = []
    for i in np.flatnonzero(_IS_ACCENT[chars.view(np.uint32).clip(max=len(_IS_ACCENT) - 1)]).tolist():
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
    if not used:
        return chars, boxes, owners
    return np.delete(chars, used), np.delete(boxes, used, axis=0), np.delete(owners, used)


def _has_actual_text(address: int) -> bool:
    """Whether the text layer has other text for an object than what is printed (PDF 1.7, 14.9.4)."""
    text_object, size = ctypes.cast(address, raw.FPDF_PAGEOBJECT), ctypes.c_ulong()
    return any(
        raw.FPDFPageObjMark_GetParamStringValue(
            raw.FPDFPageObj_GetMark(text_object, i), b"ActualText", None, 0, ctypes.byref(size)
        )
        for i in range(raw.FPDFPageObj_CountMarks(text_object))
    )


def split_words(glyphs: Glyphs) -> tuple[np.ndarray, np.ndarray]:
    """The words: the indices of their glyphs, int (M,), one word after the other; and where each begins, int (W,).

    They end at white space, where the baseline or direction changes, and at wide gaps without a space in the layer.
    """
    no_text = [ord(char) for char in glyphs.alphabet if char.isspace() or char in _NO_CHARACTERS]
    is_text = glyphs.owners >= 0
    for code in no_text:
        is_text &= glyphs.chars.view(np.uint32) != code
    kept = np.flatnonzero(is_text)
    if not len(kept):
        return kept, kept
    owners, sides = glyphs.owners[kept], glyphs.sides[kept]
    em, baseline = np.maximum(glyphs.ems, 1.0)[owners], glyphs.baselines[owners]
    gap = sides[1:, 0] - sides[:-1, 2]
    spaces = (~is_text & (glyphs.owners >= 0)).cumsum()[kept]  # those that are in the document
    starts = (np.diff(spaces) > 0) | ((np.diff(kept) > 1) & (np.abs(gap) > _MADE_UP_GAP_EM * em[1:]))
    starts |= np.abs(np.diff(baseline)) > _MAX_SHIFT_EM * em[1:]
    starts |= (gap > _MAX_GAP_EM * em[1:]) | (gap < -_MAX_BACK_EM * em[1:])
    cos, sin = glyphs.directions[owners].T
    starts |= cos[1:] * cos[:-1] + sin[1:] * sin[:-1] < 0.99  # 8 degrees
    return kept, np.append(0, np.flatnonzero(starts) + 1)


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


def place_words(glyphs: Glyphs, members: np.ndarray, starts: np.ndarray) -> PlacedWords:
    """The places of words, from ``split_words``."""
    if not len(starts):
        none, places = np.zeros(0, bool), np.zeros((0, 4))
        return PlacedWords([], none.astype(int), places, places, none, none)
    owners = glyphs.owners[members]
    sides, em, baseline = glyphs.sides[members], glyphs.ems[owners], glyphs.baselines[owners]
    extent = run_boxes(sides, starts)
    middle_baseline, middle_em = (_middles(values, owners, starts) for values in (baseline, em))
    plausible = _plausible_ems(glyphs.chars[members], sides[:, 3] - baseline, em, starts)
    boxes = extent.copy()
    boxes[:, 1] = np.where(plausible, middle_baseline - DESCENT_EM * middle_em, extent[:, 1])
    boxes[:, 3] = np.where(plausible, middle_baseline + ASCENT_EM * middle_em, extent[:, 3])
    text, ends = "".join(glyphs.chars[members].tolist()), starts.tolist()
    texts = [text[start:stop] for start, stop in zip(ends, [*ends[1:], len(text)], strict=True)]
    is_replaced = np.logical_or.reduceat(glyphs.is_replaced[owners], starts)
    return PlacedWords(texts, owners[starts], run_boxes(glyphs.boxes[members], starts), boxes, plausible, is_replaced)


def object_boxes(glyphs: Glyphs, members: np.ndarray, boxes: np.ndarray) -> dict[int, np.ndarray]:
    """The boxes around what is in words of each text object, by its address, in the order of the layer.

    Args:
        glyphs: of the page.
        members: the glyphs in words.
        boxes: (N, 4) of all glyphs.
    """
    if not len(members):
        return {}
    members = members[np.argsort(glyphs.owners[members], kind="stable")]
    owners = glyphs.owners[members]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    hulls, addresses = run_boxes(boxes[members], starts), glyphs.addresses[owners[starts]].tolist()
    return {addresses[i]: hulls[i] for i in np.argsort(members[starts]).tolist()}


def _middles(values: np.ndarray, owners: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The median of each word's values, which are the same for all glyphs of a text object."""
    middles = values[starts]
    stops = np.append(starts[1:], len(values))
    mixed = np.minimum.reduceat(owners, starts) < np.maximum.reduceat(owners, starts)
    for i in np.flatnonzero(mixed).tolist():
        middles[i] = median(values[starts[i] : stops[i]].tolist())
    return middles


def _plausible_ems(chars: np.ndarray, heights: np.ndarray, ems: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Bool (W,): whether the height of each word's first letter with a known one agrees with the font size."""
    codes = chars.view(np.uint32).clip(max=127)  # the last of which is neither
    tall, flat = _TALL[codes], _FLAT[codes]
    least, most = np.where(tall, 0.52, 0.32) * ems, np.where(tall, 0.92, 0.68) * ems
    agrees = np.append((least < heights) & (heights < most), True)
    telling = np.where(tall | flat, np.arange(len(chars)), len(chars))
    return agrees[np.minimum.reduceat(telling, starts)]
