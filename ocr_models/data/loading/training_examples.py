"""Endless training examples from born-digital PDFs and from the synthetic generator.

Each worker process makes its own source from a ``DataConfig``; the examples depend only on the seed.
"""

from __future__ import annotations

import collections
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pypdfium2 as pdfium

from ocr_models.charset import LATIN, Charset
from ocr_models.data.augmentation import degrade_page, degrade_word
from ocr_models.data.loading.training_lines import pdf_lines, synthetic_lines
from ocr_models.data.pdf_pages import find_pdfs, open_pdf, read_pdf_page
from ocr_models.data.synthetic.fonts import FontLibrary, load_fonts
from ocr_models.data.synthetic.pages import render_page
from ocr_models.data.synthetic.text_source import TextSource
from ocr_models.data.synthetic.words import PAIR_MAX_LENGTH, PAIR_SHARE, render_words
from ocr_models.errors import DocumentError, UsageError
from ocr_models.io.pdf_text import open_pdf_page
from ocr_models.recognition.crops import MARGIN_X, MARGIN_Y
from ocr_models.records import PageTruth, WordTruth

_log = logging.getLogger(__name__)
_VALIDATION_EVERY = 40  # one in this many pages of a PDF is kept for validation
_MAX_DRAWS = 4000  # without a usable page, before training gives up
_MAX_SIDE_PX = 5000  # of a rendered page
_WORDS_A_PAGE = 150
_WORD_DPI = (100, 150, 200, 200, 200, 250, 300)
_MAX_ASPECT = 18  # a crop that is wider than this many heights isn't a usable word


@dataclass(frozen=True)
class DataConfig:
    """The sources of training examples.

    Attributes:
        pdfs: folders of born-digital PDFs.
        fonts: folders of fonts for the synthetic generator.
        lexicons: files with one word per line; without them, pseudo-words are made.
        synthetic_share: the share of synthetic examples, 0 to 1, if there are both PDFs and fonts.
        line_share: the share of examples for the recognizer, 0 to 1, that are pieces of lines; the others are words.
        hold_out: a file that lists pages never to use, "NAME.pdf PAGE" (from 1) or "NAME.pdf" for all pages of a PDF.
    """

    pdfs: tuple[str, ...] = ()
    fonts: tuple[str, ...] = ()
    lexicons: tuple[str, ...] = ()
    synthetic_share: float = 0.4
    hold_out: str | None = None
    line_share: float = 0.0

    def check(self) -> None:
        """Raises UsageError if there is nothing to train with."""
        if not self.pdfs and not self.fonts:
            raise UsageError(
                "no training data: give --pdfs DIR (born-digital PDFs), --fonts DIR (synthetic text) or both, or "
                "--data GLOB (shards)"
            )
        if self.pdfs and not find_pdfs(list(self.pdfs)):
            raise UsageError(f"no *.pdf or *.pdf.gz under --pdfs {' '.join(self.pdfs)}; give a folder with some")
        if self.hold_out and not Path(self.hold_out).is_file():
            raise UsageError(f'--hold-out {self.hold_out}: no such file; give lines "NAME.pdf PAGE" or "NAME.pdf"')


def _read_hold_out(path: str | None) -> tuple[set[str], set[tuple[str, int]]]:
    names: set[str] = set()
    pages: set[tuple[str, int]] = set()
    for line in Path(path).read_text().splitlines() if path else []:
        name, _, page = line.strip().rpartition(" ")
        if name and page.isdecimal():
            pages.add((name, int(page) - 1))
        elif line.strip():
            names.add(line.strip())
    return names, pages


class PdfPages:
    """Random pages of PDFs with their truth; a PDF's chance grows with the square root of its number of pages."""

    def __init__(self, config: DataConfig) -> None:
        self._held_names, self._held_pages = _read_hold_out(config.hold_out)
        paths = [p for p in find_pdfs(list(config.pdfs)) if p.name.removesuffix(".gz") not in self._held_names]
        self._documents: list[tuple[Path, pdfium.PdfDocument]] = []
        for path in paths:
            try:
                self._documents.append((path, open_pdf(path)))
            except DocumentError as error:
                _log.warning("%s left out of training: %s", path, error)
        if not self._documents:
            raise UsageError(f"all PDFs under --pdfs {' '.join(config.pdfs)} are held out or broken; give others")
        weights = np.array([len(document) ** 0.5 for _, document in self._documents])
        self._chances = weights / weights.sum()

    def draw(self, rng: np.random.Generator, dpi: float, validation: bool = False) -> PageTruth:
        """Draws a usable page, either for training or for validation, rendered at ``dpi``."""
        for _ in range(_MAX_DRAWS):
            path, document = self._documents[rng.choice(len(self._documents), p=self._chances)]
            page_index = int(rng.integers(len(document)))
            name = path.name.removesuffix(".gz")
            is_validation = page_index % _VALIDATION_EVERY == _VALIDATION_EVERY // 2
            if (name, page_index) in self._held_pages or is_validation != validation:
                continue
            truth = _read_page(document, page_index, dpi)
            if truth is not None and (~truth.ignore).sum() >= 10:
                return truth
        raise UsageError(
            f"no usable {'validation' if validation else 'training'} page in {_MAX_DRAWS} draws from "
            f"{len(self._documents)} PDFs; give born-digital ones, some with more than {_VALIDATION_EVERY // 2} pages"
        )


def _read_page(document: pdfium.PdfDocument, page_index: int, dpi: float) -> PageTruth | None:
    """The truth of a page; None if it is too large, broken, or refused by ``read_pdf_page``."""
    try:
        page = open_pdf_page(document, page_index)
        return read_pdf_page(page, dpi) if max(page.get_size()) * dpi / 72 <= _MAX_SIDE_PX else None
    except (pdfium.PdfiumError, DocumentError):
        return None


def _cut_word(image: np.ndarray, quad: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cuts out a word as the page reader does, but each side is off by a random share of the height."""
    (x0, y0), (x1, y1) = quad[0], quad[2]
    height = y1 - y0
    jitter = rng.normal(0, (0.06, 0.035, 0.06, 0.035)) * height
    left, right = x0 - MARGIN_X * height + jitter[0], x1 + MARGIN_X * height + jitter[2]
    top, bottom = y0 - MARGIN_Y * height + jitter[1], y1 + MARGIN_Y * height + jitter[3]
    rows, columns = image.shape
    return image[
        max(0, round(top)) : min(rows, max(round(bottom), round(top) + 4)),
        max(0, round(left)) : min(columns, max(round(right), round(left) + 2)),
    ]


def pdf_words(
    pages: PdfPages, charset: Charset, rng: np.random.Generator, validation: bool = False
) -> Iterator[WordTruth]:
    """Yields words cut from PDF pages. The commonest are thinned out, so that "the" doesn't fill the batches."""
    seen: collections.Counter[str] = collections.Counter()
    while True:
        truth = pages.draw(rng, float(rng.choice(_WORD_DPI)), validation)
        kept = 0
        for i in rng.permutation(len(truth.texts)):
            text, quad = truth.texts[i], truth.quads[i]
            if truth.ignore[i] or not text or text not in charset or kept >= _WORDS_A_PAGE:
                continue
            seen[text] += 1
            if rng.random() > 6 / seen[text] ** 0.75:
                continue
            if rng.random() < PAIR_SHARE and not validation and (pair := _with_next(truth, i, charset)):
                text, quad = pair
            crop = _cut_word(truth.image, quad, rng)
            if min(crop.shape) >= 4 and crop.shape[1] < _MAX_ASPECT * crop.shape[0]:
                kept += 1
                yield WordTruth(crop if validation and rng.random() < 0.5 else degrade_word(crop, rng), text)


def _with_next(truth: PageTruth, i: int, charset: Charset) -> tuple[str, np.ndarray] | None:
    """A word and the next on its line as one text and quad (4, 2), since detected boxes sometimes hold two words."""
    if i + 1 >= len(truth.texts) or truth.ignore[i + 1] or not truth.texts[i + 1]:
        return None
    first, second = truth.quads[i], truth.quads[i + 1]
    text, height = f"{truth.texts[i]} {truth.texts[i + 1]}", first[3, 1] - first[0, 1]
    is_near = 0 < second[0, 0] - first[1, 0] < 0.6 * height and abs(second[0, 1] - first[0, 1]) < 0.1 * height
    if not is_near or len(text) > PAIR_MAX_LENGTH or text not in charset:
        return None
    return text, np.array([first[0], second[1], second[2], first[3]])


def synthetic_words(config: DataConfig, charset: Charset, rng: np.random.Generator) -> Iterator[WordTruth]:
    """Yields words drawn with fonts, degraded."""
    text_source = TextSource(list(config.lexicons), charset.characters)
    fonts = load_fonts(list(config.fonts))
    while True:
        for word in render_words(text_source, fonts, rng, 64):
            if (
                word.text in charset
                and min(word.image.shape) >= 4
                and word.image.shape[1] < _MAX_ASPECT * word.image.shape[0]
            ):
                yield word


def word_examples(config: DataConfig, charset: Charset, seed: int, validation: bool = False) -> Iterator[WordTruth]:
    """Yields words and lines for training the recognizer, from PDFs and fonts.

    For validation, they are from PDFs only, if there are any.

    Raises:
        UsageError: there are to be lines, but the charset has no space.
    """
    if config.line_share and " " not in charset:
        raise UsageError(
            "--line-share: lines need a space, which the characters of the model to start from lack; leave it out"
        )
    rng = np.random.default_rng(seed)
    pages = PdfPages(config) if config.pdfs else None
    fonts, lexicons = list(config.fonts), list(config.lexicons)
    pdf: dict[bool, Iterator[WordTruth]] = {}  # by whether they are lines
    synthetic: dict[bool, Iterator[WordTruth]] = {}
    if pages is not None:
        pdf[False] = pdf_words(pages, charset, rng, validation)
        pdf[True] = pdf_lines(
            lambda: pages.draw(rng, float(rng.choice(_WORD_DPI)), validation), charset, rng, validation
        )
    if config.fonts:
        synthetic[False] = synthetic_words(config, charset, rng)
        if config.line_share:
            synthetic[True] = synthetic_lines(fonts, lexicons, charset, rng)
    while True:
        use_pdf = bool(pdf) and (not synthetic or validation or rng.random() >= config.synthetic_share)
        is_line = config.line_share > 0 and rng.random() < config.line_share
        yield from itertools.islice((pdf if use_pdf else synthetic)[is_line], 32)


def page_examples(
    config: DataConfig, dpi: tuple[float, float], seed: int, validation: bool = False
) -> Iterator[PageTruth]:
    """Yields clean pages, each at a dpi drawn log-uniformly between two bounds."""
    rng = np.random.default_rng(seed)
    pages = PdfPages(config) if config.pdfs else None
    text_source = TextSource(list(config.lexicons), LATIN)
    fonts = load_fonts(list(config.fonts)) if config.fonts else None
    while True:
        resolution = float(np.exp(rng.uniform(*np.log(dpi))))
        if pages is not None and (fonts is None or validation or rng.random() >= config.synthetic_share):
            yield pages.draw(rng, resolution, validation)
        else:
            assert fonts is not None  # DataConfig.check demands PDFs or fonts
            yield _synthetic_page(text_source, fonts, rng, resolution)


def _synthetic_page(text_source: TextSource, fonts: FontLibrary, rng: np.random.Generator, dpi: float) -> PageTruth:
    """Draws a page at 200 dpi and scales it down, since hinted glyphs at screen sizes don't look scanned."""
    truth = render_page(text_source, fonts, rng, dpi=200)
    factor = dpi / 200
    image = cv2.resize(truth.image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return PageTruth(image, truth.quads * np.float32(factor), truth.texts, truth.ignore)


def degraded(truth: PageTruth, rng: np.random.Generator) -> PageTruth:
    """Makes a page look printed, scanned, faxed or photographed."""
    image, quads = degrade_page(truth.image, truth.quads, rng)
    return PageTruth(image, quads, truth.texts, truth.ignore)
