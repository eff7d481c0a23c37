"""Born-digital PDFs as training truth: the rendered page, and the words of its text layer with their boxes.

Boxes are as defined in ``word_boxes``, with the extent of the glyphs in place of that of the ink. Text layers are not
always right: letterspaced text appears as single letters, hidden text is listed, text for screen readers stands in
place of what is printed, some fonts state a wrong size. Words without ink are left out, words that can't be trusted are
marked ``ignore``, and a page whose words are torn into letters is refused. Form fields and comments are printed, but
are not in the text layer; ``open_pdf_page`` puts them there.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ocr_models.charset import normalize_text
from ocr_models.errors import DocumentError, Stage
from ocr_models.geometry import box_quads, run_boxes
from ocr_models.io.pdf_ink import render_gray, text_ink
from ocr_models.io.pdf_text import Glyphs, PlacedWords, object_boxes, place_words, read_glyphs, split_words
from ocr_models.io.tfrecord import unpacked
from ocr_models.records import PageTruth

_MAX_WORDS_TORN = 0.3  # the share of words that are single letters
_MIN_WORDS = 20
_LEVEL_COS = np.cos(0.02)  # radians
# Gray levels by which a word must change the page: what changes it less is not seen, or is too faint to be taught.
_MIN_SEEN, _MIN_INK_CONTRAST = 10, 40
# A word is seen whole if it lacks at most this share of its height, and of an em of its width. Of 67,744 words on 165
# pages of Debian's manuals, five lacked more: four that ran off the page, one of them by its comma, and a root sign.
_MAX_LOST_HEIGHT, _MAX_LOST_EM = 0.25, 0.15


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


def count_pdf_pages(path: Path) -> int:
    """The number of pages of a PDF, gzipped or not; raises DocumentError as ``open_pdf`` does."""
    with open_pdf(path) as pdf:
        return len(pdf)


def _image_boxes(page: pdfium.PdfPage, scale: float, height_px: int) -> Iterator[np.ndarray]:
    """The boxes of pictures, which may show text that isn't in the text layer."""
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = item.get_bounds()
        yield np.array([left * scale, height_px - top * scale, right * scale, height_px - bottom * scale])


class _Ink:
    """What is seen of the words of a page."""

    def __init__(
        self, page: pdfium.PdfPage, glyphs: Glyphs, words: Sequence[np.ndarray], image: np.ndarray, scale: float
    ) -> None:
        self._glyphs, self._scale = glyphs, scale
        self._boxes = _to_pixels(glyphs.boxes, scale, image.shape[0])
        self._layers, self._inks, _ = text_ink(page, scale, image, object_boxes(glyphs, words, self._boxes))

    def contrast(self, word: np.ndarray) -> int:
        """By how many gray levels a word changes the page; 0 if nothing of it is seen."""
        return int(self._of(word).max(initial=0))

    def is_whole(self, word: np.ndarray) -> bool:
        """Whether a word is seen in its whole height and width, with enough contrast."""
        seen = self._of(word) >= _MIN_INK_CONTRAST
        ((x0, y0, x1, y1),) = run_boxes(self._boxes[word], np.zeros(1, int))
        rows, columns = np.nonzero(seen)
        lost_height, lost_width = y1 - y0 - _extent(rows), x1 - x0 - _extent(columns)
        em = float(self._glyphs.ems[self._glyphs.owners[word]].max()) * self._scale
        return lost_height <= _MAX_LOST_HEIGHT * (y1 - y0) and lost_width <= _MAX_LOST_EM * em

    def _of(self, word: np.ndarray) -> np.ndarray:
        ((x0, y0, x1, y1),) = run_boxes(self._boxes[word], np.zeros(1, int))
        columns = slice(max(int(x0) - 1, 0), max(int(x1) + 2, 0))
        rows = slice(max(int(y0) - 1, 0), max(int(y1) + 2, 0))
        addresses = self._glyphs.addresses[np.unique(self._glyphs.owners[word])]
        layers = {self._layers.get(address, 0) for address in addresses.tolist()}
        return np.maximum.reduce([self._inks[layer][rows, columns] for layer in layers])


def _extent(places: np.ndarray) -> int:
    """From the first to the last of several pixels."""
    return int(np.ptp(places)) + 1 if len(places) else 0


def _to_pixels(boxes: np.ndarray, scale: float, height_px: int) -> np.ndarray:
    """Boxes (N, 4) in points, from the bottom left corner, as xmin, ymin, xmax, ymax in pixels."""
    left, bottom, right, top = scale * boxes.T
    return np.stack([left, height_px - top, right, height_px - bottom], axis=1)


def _trusted(glyphs: Glyphs, words: PlacedWords, boxes: np.ndarray) -> np.ndarray:
    """Bool (W,): which words, with these boxes in pixels, are printed as their texts say."""
    trusted = words.is_em_plausible & _is_level(glyphs, words) & ~words.is_replaced
    trusted &= boxes[:, 2] - boxes[:, 0] >= 1.0
    return trusted & [text.strip(".·_-") != "" and not _has_private_use(text) for text in words.texts]


def _is_level(glyphs: Glyphs, words: PlacedWords) -> np.ndarray:
    return glyphs.directions[words.owners, 0] > _LEVEL_COS


def _has_private_use(text: str) -> bool:
    return any(0xE000 <= ord(char) <= 0xF8FF for char in text)


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
    glyphs = read_glyphs(page.get_textpage())
    listed = split_words(glyphs)
    ink = _Ink(page, glyphs, listed, image, scale)
    words = [word for word in listed if ink.contrast(word) >= _MIN_SEEN]
    if len(words) < _MIN_WORDS:
        of_listed = f" that are seen, of {len(listed)}" if len(listed) > len(words) else ""
        raise DocumentError(Stage.LABEL, f"the text layer has {len(words)} words{of_listed}, fewer than {_MIN_WORDS}")
    letters = sum(len(word) == 1 and glyphs.chars[word[0]].isalpha() for word in words)
    if letters > _MAX_WORDS_TORN * len(words):
        raise DocumentError(
            Stage.LABEL, f"the text layer is torn: {letters} of its {len(words)} words are single letters"
        )
    placed = place_words(glyphs, words)
    of_words, of_ink = (_to_pixels(sides, scale, image.shape[0]) for sides in (placed.boxes, placed.ink))
    trusted = _trusted(glyphs, placed, of_words)
    # An ignored region must cover the ink even if the font size is wrong, or the text is slanted.
    of_words = np.where(trusted[:, None], of_words, of_ink)
    trusted &= [ink.is_whole(word) for word in words]
    boxes, ignore = list(of_words), (~trusted).tolist()
    texts = [normalize_text(text) if is_trusted else "" for text, is_trusted in zip(placed.texts, trusted, strict=True)]
    for box in _image_boxes(page, scale, image.shape[0]):
        boxes.append(box)
        texts.append("")
        ignore.append(True)
    return PageTruth(image, box_quads(np.stack(boxes)), tuple(texts), np.array(ignore))


def find_pdfs(folders: list[str]) -> list[Path]:
    """All PDFs (``.pdf``, ``.pdf.gz``) below the folders, sorted, without symbolic links."""
    found = [p for folder in folders for p in sorted(Path(folder).rglob("*")) if not p.is_symlink()]
    return [p for p in found if p.name.endswith((".pdf", ".pdf.gz"))]
