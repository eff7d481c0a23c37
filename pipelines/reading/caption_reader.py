"""``pagebeam caption``: captions every picture with a sentence."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from ocr_models.bundle import find_bundle
from ocr_models.io.images import ColorMode
from ocr_models.io.text_layer import TextLayer
from ocr_models.records import TextLayerUse
from pipelines.output.schemas import CAPTIONS, Row
from pipelines.reading.run_options import CaptionOptions
from pipelines.reading.transforms import ReadPages
from pipelines.runtime.bundles import absolute_bundle, local_bundle
from pipelines.runtime.quick_start import quick_start
from pipelines.runtime.stopping import StopFile

if TYPE_CHECKING:
    from ocr_models.captioning.captioner import Caption, Captioner


def read_captions(options: CaptionOptions, reader_id: str | None, stop: StopFile | None = None) -> ReadPages:
    """The transform that captions pictures.

    Args:
        options: the options of the run.
        reader_id: the column of that name.
        stop: asks to begin no more pictures; None if nothing does.
    """
    load_reader = functools.partial(_load_reader, absolute_bundle(options.captioner), options.beam_width)
    return ReadPages(load_reader, options.dpi, limits=options.limits, reader_id=reader_id, stop=stop)


class CaptionReader:
    """Turns the captions that a ``Captioner`` gives pictures into rows."""

    table = CAPTIONS
    color_mode = ColorMode.RGB
    text_layer = TextLayerUse.NEVER

    def __init__(self, captioner: Captioner) -> None:
        self._captioner = captioner
        self.model_ids = {"captioner_id": captioner.captioner_id}

    def read_layer(self, layer: TextLayer) -> Row:
        raise AssertionError("captions are of pictures")

    def read_pages(self, images: list[np.ndarray]) -> list[Row]:
        """Columns for RGB pictures, uint8 (H, W, 3)."""
        return [_columns(captions) for captions in self._captioner.caption(images)]


def _load_reader(captioner: str, beam_width: int) -> CaptionReader:
    with quick_start():
        from ocr_models.captioning.captioner import Captioner  # loads TensorFlow, which the launcher doesn't need

        return CaptionReader(Captioner.load(find_bundle(local_bundle(captioner), "caption"), beam_width))


def _columns(captions: list[Caption]) -> Row:
    return {
        "status": "ok",
        "caption": captions[0].text,
        "captions": [{"text": caption.text, "probability": caption.probability} for caption in captions],
    }
