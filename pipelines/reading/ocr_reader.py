"""``pagebeam run``: reads the words of pages."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import apache_beam as beam

from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.inference.engines import AUTO
from ocr_models.limits import DecodeLimits
from ocr_models.records import MIN_CONFIDENCE, TextLayerUse
from pipelines.inputs.page_ranges import PageRange
from pipelines.output.schemas import Row
from pipelines.reading.ocr_rows import load_reader
from pipelines.reading.run_options import OcrOptions
from pipelines.reading.transforms import ReadPages
from pipelines.runtime.stopping import StopFile


@beam.typehints.with_input_types(PageRange)
@beam.typehints.with_output_types(Row)
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
        uses_lexicon: whether the recognizer's lexicon, if it has one, decides where it is unsure of letters and spaces.
        text_layer: whether the words of a PDF page are taken from its text, where that says all that is printed.
    """

    detector: str = DEFAULT_BUNDLES["detection"]
    recognizer: str = DEFAULT_BUNDLES["recognition"]
    beam_width: int = 1
    dpi: float = 200
    min_confidence: float = MIN_CONFIDENCE
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    engine: str = AUTO
    uses_lexicon: bool = True
    text_layer: str = TextLayerUse.AUTO

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
            text_layer=self.text_layer,
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
                load_reader,
                self.detector,
                self.recognizer,
                self.beam_width,
                self.min_confidence,
                self.engine,
                self.uses_lexicon,
                self.text_layer,
            ),
            self.dpi,
            limits=self.limits,
            reader_id=reader_id,
            stop=stop,
        )
