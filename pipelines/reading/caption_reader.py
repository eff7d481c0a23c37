"""``pagebeam caption``: captions every picture with a sentence."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ocr_models.bundle import find_bundle
from ocr_models.io.images import ColorMode
from pipelines.reading.run import RunOptions, read_all
from pipelines.reading.schemas import CAPTIONS, Row
from pipelines.reading.transforms import ReadPages
from pipelines.runtime.quick_start import quick_start

if TYPE_CHECKING:
    from ocr_models.captioning.captioner import Caption, Captioner


@dataclass(frozen=True, kw_only=True)
class CaptionOptions(RunOptions):
    """The options of ``pagebeam caption``.

    Attributes:
        captioner: folder of the model.
        beam_width: width of its beam search, and number of captions per picture.
    """

    captioner: str
    beam_width: int = 3


def run_captioner(options: CaptionOptions) -> dict[str, Any]:
    """Captions all pictures at the inputs.

    Returns:
        The run's manifest.

    Raises:
        UsageError: before any work: the model is broken, or see ``read_all``.
        PagebeamError: the run ended without all of its rows.
    """
    models = {"captioner": find_bundle(options.captioner, "caption")}
    load_reader = functools.partial(_load_reader, options.captioner, options.beam_width)
    return read_all(options, CAPTIONS, models, ReadPages(load_reader, options.dpi, limits=options.limits))


class CaptionReader:
    """Turns the captions that a ``Captioner`` gives pictures into rows."""

    table = CAPTIONS
    color_mode = ColorMode.RGB

    def __init__(self, captioner: Captioner) -> None:
        self._captioner = captioner
        self.model_ids = {"captioner_id": captioner.captioner_id}

    def read_pages(self, images: list[np.ndarray]) -> list[Row]:
        """Columns for RGB pictures, uint8 (H, W, 3)."""
        return [_columns(captions) for captions in self._captioner.caption(images)]


def _load_reader(captioner: str, beam_width: int) -> CaptionReader:
    with quick_start():
        from ocr_models.captioning.captioner import Captioner  # loads TensorFlow, which the launcher doesn't need

        return CaptionReader(Captioner.load(find_bundle(captioner, "caption"), beam_width))


def _columns(captions: list[Caption]) -> Row:
    return {
        "status": "ok",
        "caption": captions[0].text,
        "captions": [{"text": caption.text, "probability": caption.probability} for caption in captions],
    }
