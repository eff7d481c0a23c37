"""What is evaluated: models, or a tool's output for the same pictures. All give the same kind of prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ocr_models.data.sources.pictures import encode_picture
from ocr_models.io.images import ColorMode
from ocr_models.io.predictions import PredictedPage, PredictedWord, prediction_name
from ocr_models.reports.visualization import draw_alignments
from pipelines.evaluation.truth import TruthPicture

if TYPE_CHECKING:
    from ocr_models.captioning.captioner import Captioner
    from ocr_models.pages.page_reader import PageReader
    from ocr_models.recognition.text_recognizer import TextRecognizer


class Predictor(Protocol):
    """What is evaluated.

    Attributes:
        color_mode: color mode of the pictures that it takes.
        batch_size: number of pictures that it takes at once.
    """

    color_mode: ColorMode
    batch_size: int

    def predict(self, pictures: Sequence[TruthPicture]) -> list[PredictedPage | None]:
        """The prediction for each picture; None for a picture without one.

        Raises:
            Exception: of any kind: the whole batch failed.
        """


class OcrPredictor:
    """Words of pages, found by a detector and read by a recognizer."""

    color_mode = ColorMode.GRAY
    batch_size = 8

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader

    def predict(self, pictures: Sequence[TruthPicture]) -> list[PredictedPage | None]:
        pages = self._reader.read_pages([picture.pixels for picture in pictures])
        return [
            PredictedPage(
                picture.name,
                page.text,
                tuple(PredictedWord(word.text, word.quad, word.confidence) for word in page.words if word.in_text),
            )
            for picture, page in zip(pictures, pages, strict=True)
        ]


class DetectionPredictor:
    """Words of pages, found by a detector but not read."""

    color_mode = ColorMode.GRAY
    batch_size = 8

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader

    def predict(self, pictures: Sequence[TruthPicture]) -> list[PredictedPage | None]:
        found = [self._reader.find_words(picture.pixels) for picture in pictures]
        return [
            PredictedPage(picture.name, "", tuple(PredictedWord("", quad, None) for quad in quads))
            for picture, quads in zip(pictures, found, strict=True)
        ]


class RecognitionPredictor:
    """Word crops read by a recognizer."""

    color_mode = ColorMode.GRAY
    batch_size = 256

    def __init__(self, recognizer: TextRecognizer) -> None:
        self._recognizer = recognizer

    def predict(self, pictures: Sequence[TruthPicture]) -> list[PredictedPage | None]:
        read = self._recognizer.read([picture.pixels for picture in pictures])
        return [
            PredictedPage(picture.name, word.text, (PredictedWord(word.text, None, word.confidence),))
            for picture, word in zip(pictures, read, strict=True)
        ]

    def draw_attention(self, crop: np.ndarray) -> bytes:
        """Draws a recognizer's attention for each character of a gray crop, uint8 (H, W), as PNG."""
        word, alignments = self._recognizer.align(crop)
        return encode_picture(draw_alignments(crop, [*word.text, "end"][: len(alignments)], alignments))


class CaptionPredictor:
    """Pictures captioned by a captioner."""

    color_mode = ColorMode.RGB
    batch_size = 8

    def __init__(self, captioner: Captioner) -> None:
        self._captioner = captioner

    def predict(self, pictures: Sequence[TruthPicture]) -> list[PredictedPage | None]:
        captions = self._captioner.caption([picture.pixels for picture in pictures])
        return [
            PredictedPage(picture.name, of_picture[0].text, ())
            for picture, of_picture in zip(pictures, captions, strict=True)
        ]


class RecordedPredictions:
    """Predictions of any tool, matched by the pictures' names without folder and extension."""

    batch_size = 8

    def __init__(self, pages: dict[str, PredictedPage], color_mode: ColorMode) -> None:
        self._pages = pages
        self.color_mode = color_mode

    def predict(self, pictures: Sequence[TruthPicture]) -> list[PredictedPage | None]:
        found = [self._pages.get(prediction_name(picture.name)) for picture in pictures]
        return [
            page and page.on_picture(picture.pixels.shape[1], picture.pixels.shape[0])
            for picture, page in zip(pictures, found, strict=True)
        ]
