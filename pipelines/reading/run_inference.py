"""Handlers for Beam's ``RunInference``: one finds the words of pages, the other reads crops of words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from ocr_models.bundle import DEFAULT_BUNDLES, find_bundle
from ocr_models.detection.text_detector import TextDetector
from ocr_models.errors import UsageError
from ocr_models.geometry import transform_quads
from ocr_models.inference.engines import AUTO, choose_engine
from ocr_models.pages.found_page import find_page
from ocr_models.pages.word_finder import WordFinder
from ocr_models.recognition.text_recognizer import TextRecognizer
from pipelines.runtime.bundles import local_bundle

_PAGES_PER_BATCH = 8  # some 30 MB of pages at 200 dpi
_CROPS_PER_BATCH = 256


class WordDetectorHandler(ModelHandler[np.ndarray, PredictionResult, WordFinder]):
    """Pages, uint8 (H, W), gray → ``PredictionResult``s whose ``inference`` holds the quads of the words of the page.

    Quads are float32 (N, 4, 2), in pixels of the page, as those of ``PageReader.find_words``: a page that lies on its
    side isn't turned. ``pagebeam.cut_words`` cuts them out for a ``WordRecognizerHandler``.

    Args:
        detector: name or folder of the model.
        engine: what computes it; see ``ocr_models.inference.engines.choose_engine``.
    """

    def __init__(self, detector: str = DEFAULT_BUNDLES["detection"], engine: str = AUTO) -> None:
        super().__init__(min_batch_size=1, max_batch_size=_PAGES_PER_BATCH)
        self._detector, self._engine = detector, engine

    def load_model(self) -> WordFinder:
        """Loads the model.

        Raises:
            UsageError: the bundle is missing, damaged or for another task, or can't be computed on the engine.
        """
        bundle = find_bundle(local_bundle(self._detector), "detection")
        return WordFinder(TextDetector.load(bundle, choose_engine(bundle, self._engine)))

    def run_inference(
        self, batch: Sequence[np.ndarray], model: WordFinder, inference_args: Mapping[str, Any] | None = None
    ) -> Iterable[PredictionResult]:
        """Finds the words of pages.

        Raises:
            UsageError: a page is no gray picture.
        """
        for page in batch:
            _check_gray(page, "page")
            found = find_page(model, page, 0)
            yield PredictionResult(page, transform_quads(found.to_given, found.quads), self._detector)

    def get_num_bytes(self, batch: Sequence[np.ndarray]) -> int:
        return sum(page.nbytes for page in batch)


class WordRecognizerHandler(ModelHandler[np.ndarray, PredictionResult, TextRecognizer]):
    """Crops, uint8 (h, w), gray, of words or short lines → ``PredictionResult``s with a ``Transcript`` each.

    The text of a crop runs from left to right, dark on light.

    Args:
        recognizer: name or folder of the model.
        beam_width: width of the recognizer's beam search; 1 takes the most likely character of each step.
        engine: what computes it; see ``ocr_models.inference.engines.choose_engine``.
        uses_lexicon: whether the recognizer's lexicon, if it has one, decides where it is unsure of letters and spaces.
    """

    def __init__(
        self,
        recognizer: str = DEFAULT_BUNDLES["recognition"],
        beam_width: int = 1,
        engine: str = AUTO,
        uses_lexicon: bool = True,
    ) -> None:
        super().__init__(min_batch_size=1, max_batch_size=_CROPS_PER_BATCH)
        self._recognizer, self._beam_width, self._engine = recognizer, beam_width, engine
        self._uses_lexicon = uses_lexicon

    def load_model(self) -> TextRecognizer:
        """Loads the model.

        Raises:
            UsageError: the bundle is missing, damaged or for another task, or can't be computed on the engine.
        """
        bundle = find_bundle(local_bundle(self._recognizer), "recognition")
        engine = choose_engine(bundle, self._engine)
        return TextRecognizer.load(bundle, self._beam_width, None, engine, self._uses_lexicon)

    def run_inference(
        self, batch: Sequence[np.ndarray], model: TextRecognizer, inference_args: Mapping[str, Any] | None = None
    ) -> Iterable[PredictionResult]:
        """Reads crops.

        Raises:
            UsageError: a crop is no gray picture.
        """
        for crop in batch:
            _check_gray(crop, "crop")
        transcripts = model.read(batch)
        return [PredictionResult(*pair, self._recognizer) for pair in zip(batch, transcripts, strict=True)]

    def get_num_bytes(self, batch: Sequence[np.ndarray]) -> int:
        return sum(crop.nbytes for crop in batch)


def _check_gray(image: np.ndarray, kind: str) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 2 or not image.size:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"a {kind} must be a gray uint8 array (H, W), not {found}; convert it before RunInference")
