"""A plugin that makes OCRmyPDF read with Pagebeam's models: ``ocrmypdf --plugin pagebeam.ocrmypdf in.pdf out.pdf``.

Written for OCRmyPDF 17.13. Its interface: https://ocrmypdf.readthedocs.io/en/latest/plugins.html
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from ocrmypdf import hookimpl
from ocrmypdf.models.ocr_element import Baseline, BoundingBox, OcrClass, OcrElement
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence

from ocr_models import __version__
from ocr_models.io.images import decode_image
from ocr_models.pages.read_document import shipped_reader
from ocr_models.records import OcrPage
from pipelines.export.exported_page import ExportedLine, ExportedPage, ExportedWord, Quad, page_of_reading
from pipelines.export.hocr import write_hocr
from pipelines.export.searchable_pdf import write_text_pdf

# Those of Tesseract's codes whose letters are all in ``ocr_models.charset.LATIN``.
# fmt: off
_LANGUAGES = frozenset((
    "afr", "cat", "ces", "cym", "dan", "deu", "eng", "est", "eus", "fin", "fra", "gle", "glg", "hrv", "hun", "isl",
    "ita", "lat", "lav", "lit", "nld", "nor", "oci", "pol", "por", "ron", "slk", "slv", "spa", "sqi", "swe", "tur",
))
# fmt: on
_SURE = 20.0  # of a turn, if all words are read surely: OCRmyPDF takes 14 for enough, and 15 for very sure
_LEAST_WORDS = 4  # that tell how a page is turned

_reading = threading.Lock()  # OCRmyPDF may use threads; the engine has threads of its own


class PagebeamEngine(OcrEngine):
    """Reads page images with the shipped models."""

    @staticmethod
    def version() -> str:
        return __version__

    @staticmethod
    def creator_tag(options: Any) -> str:
        return f"Pagebeam {__version__}"

    def __str__(self) -> str:
        return f"Pagebeam {__version__}"

    @staticmethod
    def languages(options: Any) -> set[str]:
        """Languages in Latin letters, by Tesseract's names. All are read at once, whichever is asked for."""
        return set(_LANGUAGES)

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:
        page, _, _ = _read(input_file)
        words = [word for word in page.words if word.in_text]
        if len(words) < _LEAST_WORDS:
            return OrientationConfidence(0, 0.0)
        return OrientationConfidence(page.rotation_deg, _SURE * page.mean_confidence)

    @staticmethod
    def get_deskew(input_file: Path, options: Any) -> float:
        """By how many degrees lines fall to the right, which is how far the image must be turned counterclockwise."""
        lines = _read_page(input_file).lines
        # Words of short lines are boxed level on a page that is nearly so: a line counts as often as it has gaps.
        angles = [line.angle_deg for line in lines for _ in line.words[1:] if abs(line.angle_deg) < 45]
        return float(np.median(angles)) if angles else 0.0

    @staticmethod
    def supports_generate_ocr() -> bool:
        return True

    @staticmethod
    def generate_ocr(input_file: Path, options: Any, page_number: int = 0) -> tuple[OcrElement, str]:
        page = _read_page(input_file)
        return _page_element(page, page_number), page.text

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:
        page = _read_page(input_file)
        with output_hocr.open("wb") as file:
            write_hocr(file, [page])
        output_text.write_text(page.text, encoding="utf-8")

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:
        page = _read_page(input_file)
        assert page.size_px
        with output_pdf.open("wb") as file:
            write_text_pdf(file, page, page.size_px)
        output_text.write_text(page.text, encoding="utf-8")


@hookimpl
def get_ocr_engine(options: Any) -> OcrEngine | None:
    """The engine, unless another is asked for by ``--ocr-engine``."""
    return PagebeamEngine() if getattr(options, "ocr_engine", "auto") in ("auto", None) else None


def _read(input_file: Path) -> tuple[OcrPage, tuple[int, int], float | None]:
    """What is read on a page image, its size in pixels, and its resolution."""
    image = decode_image(input_file.read_bytes())
    height, width = image.pixels.shape
    with _reading:
        [page] = shipped_reader().read_pages([image.pixels])
    return page, (width, height), image.dpi


def _read_page(input_file: Path) -> ExportedPage:
    return page_of_reading(*_read(input_file), str(input_file))


def _page_element(page: ExportedPage, page_number: int) -> OcrElement:
    assert page.size_px
    paragraphs = [
        OcrElement(OcrClass.PARAGRAPH, bbox=_box(block.quad), children=[_line_element(line) for line in block.lines])
        for block in page.blocks
    ]
    box = BoundingBox(0, 0, *page.size_px)
    return OcrElement(OcrClass.PAGE, bbox=box, dpi=page.dpi, page_number=page_number, children=paragraphs)


def _line_element(line: ExportedLine) -> OcrElement:
    """A line with its angle. If that is nearly level, it is a baseline: others, OCRmyPDF draws by their boxes alone."""
    box = _box(line.quad)
    words = [_word_element(word) for word in line.words]
    quarter_turns = round(line.angle_deg / 90)
    if quarter_turns:
        return OcrElement(OcrClass.LINE, bbox=box, textangle=float(-90 * quarter_turns), children=words)
    x, y, end_x, end_y = line.baseline
    slope = (end_y - y) / (end_x - x) if end_x > x else 0.0
    baseline = Baseline(slope, y + slope * (box.left - x) - box.bottom)
    return OcrElement(OcrClass.LINE, bbox=box, textangle=0.0, baseline=baseline, children=words)


def _word_element(word: ExportedWord) -> OcrElement:
    return OcrElement(OcrClass.WORD, bbox=_box(word.quad), text=word.text, confidence=word.confidence)


def _box(quad: Quad) -> BoundingBox:
    return BoundingBox(min(quad[::2]), min(quad[1::2]), max(quad[::2]), max(quad[1::2]))
