"""From pages, read by a ``PageReader``, to the columns of their rows. It doesn't use Beam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ocr_models.io.images import ColorMode
from ocr_models.records import OcrPage, TextBlock, TextLine, Word
from pipelines.output.schemas import PAGES, UNKNOWN_SCRIPT, Row
from pipelines.runtime.quick_start import quick_start

if TYPE_CHECKING:
    from ocr_models.pages.page_reader import PageReader


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


def load_reader(
    detector: str, recognizer: str, beam_width: int, min_confidence: float, engine: str, uses_lexicon: bool
) -> OcrReader:
    """Loads the models; the arguments are those of ``PageReader.load``."""
    with quick_start():
        from ocr_models.pages.page_reader import PageReader

        page_reader = PageReader.load(
            detector, recognizer, beam_width, None, min_confidence, engine=engine, uses_lexicon=uses_lexicon
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
            {"text": line.text, "quad": quad, "confidence": _confidence(line.confidence), "block": line.block}
            for line, quad in zip(page.lines, _flat_quads(page.lines), strict=True)
        ],
        "blocks": [
            {
                "kind": block.kind,
                "quad": quad,
                "level": block.level,
                "column": block.column,
                "cells": None if block.cells is None else [vars(cell) for cell in block.cells],
            }
            for block, quad in zip(page.blocks, _flat_quads(page.blocks), strict=True)
        ],
    }


def _flat_quads(items: Sequence[Word | TextLine | TextBlock]) -> np.ndarray:
    """The quads as (N, 8), rounded to 1/8 pixel: finer digits are noise, and would make rows twice as large."""
    quads = np.array([item.quad for item in items], np.float32).reshape(-1, 8)
    return np.round(quads * 8) / 8


def _confidence(confidence: float) -> float:
    return round(confidence * 1024) / 1024  # for the same reason
