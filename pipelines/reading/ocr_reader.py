"""``pagebeam run``: reads the words of pages."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import apache_beam as beam
import numpy as np

from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.inference.engines import AUTO
from ocr_models.io.images import ColorMode
from ocr_models.limits import DecodeLimits
from ocr_models.records import MIN_CONFIDENCE, OcrPage, TextLine, Word
from pipelines.inputs.page_ranges import PageRange
from pipelines.output.schemas import PAGES, UNKNOWN_SCRIPT, Row
from pipelines.reading.run_options import OcrOptions
from pipelines.reading.transforms import ReadPages
from pipelines.runtime.bundles import local_bundle
from pipelines.runtime.quick_start import quick_start
from pipelines.runtime.stopping import StopFile

if TYPE_CHECKING:
    from ocr_models.pages.page_reader import PageReader


@dataclass
class OcrPages(beam.PTransform):
    """Page ranges → one row for every page with its words, lines and text; a page that fails has a row with the error.

    Rows are dicts with the columns of ``pipelines.output.schemas.PAGES``, except ``run_id``, which ``WritePages``
    adds. The models are loaded once per process, by its first worker; what this sets in the process is
    said at ``PageReader.load``. Pages are decoded in child processes.

    Attributes:
        detector: name or folder of the model that finds words.
        recognizer: name or folder of the model that reads them.
        beam_width: width of the recognizer's beam search; 1 takes the most likely character of each step.
        dpi: resolution for rendering PDFs.
        min_confidence: words that the network is less sure of, 0 to 1, are left out of the text; rows keep them.
        limits: what decoding a page may cost.
        engine: what computes the models; see ``ocr_models.inference.engines.choose_engine``.
        uses_lexicon: whether the recognizer's lexicon decides between letters that it is unsure of.
    """

    detector: str = DEFAULT_BUNDLES["detection"]
    recognizer: str = DEFAULT_BUNDLES["recognition"]
    beam_width: int = 1
    dpi: float = 200
    min_confidence: float = MIN_CONFIDENCE
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    engine: str = AUTO
    uses_lexicon: bool = True

    def expand(self, page_ranges: beam.PCollection[PageRange]) -> beam.PCollection[Row]:
        options = OcrOptions(
            inputs=[],
            output="",
            detector=self.detector,
            recognizer=self.recognizer,
            beam_width=self.beam_width,
            dpi=self.dpi,
            min_confidence=self.min_confidence,
            engine=self.engine,
            uses_lexicon=self.uses_lexicon,
        )
        return page_ranges | self.read_pages(options.reader_id(options.find_models()))

    def read_pages(self, reader_id: str | None, stop: StopFile | None = None) -> ReadPages:
        """The transform that reads pages with these models.

        Args:
            reader_id: the column of that name.
            stop: asks to begin no more pages; None if nothing does.
        """
        return ReadPages(
            functools.partial(
                _load_reader,
                self.detector,
                self.recognizer,
                self.beam_width,
                self.min_confidence,
                self.engine,
                self.uses_lexicon,
            ),
            self.dpi,
            limits=self.limits,
            reader_id=reader_id,
            stop=stop,
        )


class OcrReader:
    """Turns the words that a ``PageReader`` reads into rows."""

    table = PAGES
    color_mode = ColorMode.GRAY

    def __init__(self, page_reader: PageReader) -> None:
        self._page_reader = page_reader
        self.model_ids = {
            "detector_id": page_reader.detector_id,
            "recognizer_id": page_reader.recognizer_id,
            "engine": page_reader.engine,
        }

    def read_pages(self, images: list[np.ndarray]) -> list[Row]:
        """Columns for gray pages, uint8 (H, W)."""
        return [_columns(page) for page in self._page_reader.read_pages(images)]


def _load_reader(
    detector: str, recognizer: str, beam_width: int, min_confidence: float, engine: str, uses_lexicon: bool
) -> OcrReader:
    with quick_start():
        from ocr_models.pages.page_reader import PageReader

        page_reader = PageReader.load(
            local_bundle(detector),
            local_bundle(recognizer),
            beam_width,
            None,
            min_confidence,
            engine=engine,
            uses_lexicon=uses_lexicon,
        )
        return OcrReader(page_reader)


def _columns(page: OcrPage) -> Row:
    status = UNKNOWN_SCRIPT if page.unknown_script_share > 0.5 else "ok" if page.text else "blank"
    return {
        "rotation_deg": page.rotation_deg,
        "status": status,
        "text": page.text,
        "mean_confidence": None if status == "blank" else page.mean_confidence,
        "words": [
            {
                "text": word.text,
                "confidence": _confidence(word.confidence),
                "quad": quad,
                "line": word.line,
                "in_text": word.in_text,
            }
            for word, quad in zip(page.words, _flat_quads(page.words), strict=True)
        ],
        "is_complete": page.is_complete,
        "words_left_out": sum(not word.in_text for word in page.words),
        "unknown_script_share": page.unknown_script_share,
        "lines": [
            {"text": line.text, "quad": quad, "confidence": _confidence(line.confidence)}
            for line, quad in zip(page.lines, _flat_quads(page.lines), strict=True)
        ],
    }


def _flat_quads(items: Sequence[Word | TextLine]) -> np.ndarray:
    """The quads as (N, 8), rounded to 1/8 pixel: finer digits are noise, and would make rows twice as large."""
    quads = np.array([item.quad for item in items], np.float32).reshape(-1, 8)
    return np.round(quads * 8) / 8


def _confidence(confidence: float) -> float:
    return round(confidence * 1024) / 1024  # for the same reason
