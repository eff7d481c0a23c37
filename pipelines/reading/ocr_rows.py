"""From pages, read by a ``PageReader``, to the columns of their rows. It doesn't use Beam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ocr_models.io.images import ColorMode
from ocr_models.io.text_layer import TextLayer
from ocr_models.records import OcrPage, TextBlock, TextLayerUse, TextLine, TextSource, Word
from pipelines.output.schemas import PAGES, UNKNOWN_SCRIPT, Row
from pipelines.runtime.bundles import local_bundle
from pipelines.runtime.quick_start import quick_start

if TYPE_CHECKING:
    from ocr_models.pages.page_reader import PageReader


class OcrReader:
    """Turns the words that a ``PageReader`` reads into rows."""

    table = PAGES
    color_mode = ColorMode.GRAY

    def __init__(self, page_reader: PageReader, text_layer: str = TextLayerUse.AUTO) -> None:
        self._page_reader = page_reader
        self.text_layer = TextLayerUse(text_layer)
        self.model_ids = {
            "detector_id": page_reader.detector_id,
            "recognizer_id": page_reader.recognizer_id,
            "engine": page_reader.engine,
        }

    def read_pages(self, images: list[np.ndarray]) -> list[Row]:
        """Columns for gray pages, uint8 (H, W)."""
        return [_columns(page) for page in self._page_reader.read_pages(images)]

    def read_layer(self, layer: TextLayer) -> Row:
        """The same columns for a page from its text layer."""
        from ocr_models.pages.layer_page import lay_out_layer  # loads OpenCV, which the launcher doesn't need

        return _columns(lay_out_layer(layer))


def load_reader(
    detector: str,
    recognizer: str,
    beam_width: int,
    min_confidence: float,
    engine: str,
    uses_lexicon: bool,
    text_layer: str,
) -> OcrReader:
    """Loads the models; the arguments but the last are those of ``PageReader.load``."""
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
        return OcrReader(page_reader, text_layer)


def _columns(page: OcrPage) -> Row:
    is_rated = page.text_source != TextSource.HIDDEN_TEXT  # how sure another OCR was of it isn't known
    status = UNKNOWN_SCRIPT if page.unknown_script_share > 0.5 else "ok" if page.text else "blank"
    return {
        "rotation_deg": page.rotation_deg,
        "status": status,
        "text": page.text,
        "mean_confidence": page.mean_confidence if is_rated and status != "blank" else None,
        "words": [
            {
                "text": word.text,
                "confidence": confidence,
                "quad": quad,
                "line": word.line,
                "in_text": word.in_text,
            }
            for word, quad, confidence in zip(
                page.words, _flat_quads(page.words), _confidences(page.words, is_rated), strict=True
            )
        ],
        "is_complete": page.is_complete,
        "words_left_out": sum(not word.in_text for word in page.words),
        "unknown_script_share": page.unknown_script_share,
        "text_source": str(page.text_source),
        "lines": [
            {"text": line.text, "quad": quad, "confidence": confidence, "block": line.block}
            for line, quad, confidence in zip(
                page.lines, _flat_quads(page.lines), _confidences(page.lines, is_rated), strict=True
            )
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
    quads = np.concatenate([np.zeros((0, 2), np.float32), *(item.quad for item in items)]).reshape(-1, 8)
    return np.round(quads * 8) / 8


def _confidences(items: Sequence[Word | TextLine], are_rated: bool) -> list[float] | list[None]:
    """The confidences, rounded for the same reason; None if they aren't known."""
    if not are_rated:
        return [None] * len(items)
    return (np.round(np.array([item.confidence for item in items], np.float64) * 1024) / 1024).tolist()
