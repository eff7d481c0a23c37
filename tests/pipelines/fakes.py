"""Stand-ins for the models, at the seam where pages are read and captioned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ocr_models.records import BlockKind, OcrPage, TextBlock, TextLine, Word
from pipelines.reading.caption_reader import CaptionReader
from pipelines.reading.ocr_rows import OcrReader

GUILTY_WIDTH_PX = 66


class FakePageReader:
    """Reads a page as two words that tell its size and a checksum of its pixels; a white page as none.

    A page of ``GUILTY_WIDTH_PX`` fails, and its whole batch with it.
    """

    detector_id = "fake-detector@0"
    recognizer_id = "fake-recognizer@0"
    engine = "fake-engine"

    def read_pages(self, images: list[np.ndarray]) -> list[OcrPage]:
        if any(image.shape[1] == GUILTY_WIDTH_PX for image in images):
            raise FloatingPointError("the model choked")
        return [_read(image) for image in images]


def _read(image: np.ndarray) -> OcrPage:
    height, width = image.shape
    if image.min() == 255:
        return OcrPage("", (), (), 0, 0.0)
    quad = np.float32([[1, 2], [width, 2], [width, height], [1, height]])
    texts = f"{width}x{height}", f"sum{int(image.sum())}"
    words = tuple(Word(text, 0.75, quad, 0) for text in texts)
    line = TextLine(" ".join(texts), quad, 0.75)
    return OcrPage(line.text + "\n", words, (line,), 0, 0.75, blocks=(TextBlock(BlockKind.TEXT, quad),))


def load_fake_reader(*options: Any) -> OcrReader:
    """Takes the options that ``ocr_rows.load_reader`` takes, of which the last one counts."""
    return OcrReader(FakePageReader(), *options[-1:])


@dataclass(frozen=True)
class FakeCaption:
    text: str
    probability: float


class FakeCaptioner:
    """Captions a picture with its size and mean color; second best, with a word. Fails as ``FakePageReader`` does."""

    captioner_id = "fake-captioner@0"

    def caption(self, images: list[np.ndarray]) -> list[list[FakeCaption]]:
        if any(image.shape[1] == GUILTY_WIDTH_PX for image in images):
            raise FloatingPointError("the model choked")
        return [[FakeCaption(describe(image), 0.5), FakeCaption("a picture", 0.25)] for image in images]


def describe(image: np.ndarray) -> str:
    """The size and mean color of a picture, uint8 (H, W, 3) RGB."""
    height, width, _ = image.shape
    red, green, blue = image.mean(axis=(0, 1)).round().astype(int)
    return f"{width}x{height} rgb {red} {green} {blue}"


def load_fake_captioner(*_: str) -> CaptionReader:
    return CaptionReader(FakeCaptioner())
