"""A page from its text layer, as a page that was read: words in lines and reading order, and text."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ocr_models.geometry import box_quads, invert_affine, quad_angles, transform_quads
from ocr_models.io.text_layer import TextLayer
from ocr_models.pages.found_page import FoundPage, ReadPage
from ocr_models.pages.page_text import assemble, part_words
from ocr_models.pages.ruled_tables import SCALE, GridCell, find_small_grids
from ocr_models.records import OcrPage, TextSource, Transcript

_LEVEL_RAD = np.deg2rad(0.2)  # a rule as long as a page is then lower at its end by a tenth of a line
_SAME_DIRECTION_RAD = np.deg2rad(3.0)  # of words in lines together; the box of a line of 20 words gains its height


def lay_out_layer(layer: TextLayer) -> OcrPage:
    """The page whose words a text layer has, with confidence 1.

    Words in the direction of most of the text come first, then those in each other direction, as on pages that are
    read; ``rotation_deg`` is that of most of the text.
    """
    parts = [part_words(*part) for part in _parts(layer)]
    page = assemble(parts or [(_found(layer, layer.quads, 0.0), [])], min_confidence=0.0)
    return replace(page, text_source=TextSource.TEXT_LAYER)


def _parts(layer: TextLayer) -> Iterator[ReadPage]:
    """The words in each direction, on the page turned so that they are level; those with the most characters first."""
    angles, lengths = quad_angles(layer.quads), np.array([len(text) for text in layer.texts])
    left = np.ones(len(angles), bool)
    while left.any():
        steps = np.round(angles / _SAME_DIRECTION_RAD).astype(int)
        sums = np.bincount(steps[left] - steps.min(), lengths[left])
        angle = (int(sums.argmax()) + steps.min()) * _SAME_DIRECTION_RAD
        near = left & (np.cos(angles - angle) > np.cos(_SAME_DIRECTION_RAD))
        chosen = np.flatnonzero(near)
        yield (
            _found(layer, layer.quads[chosen], float(np.median(angles[chosen]))),
            [_transcript(layer.texts[i]) for i in chosen],
        )
        left &= ~near


def _found(layer: TextLayer, quads: np.ndarray, angle: float) -> FoundPage:
    """Words that run in one direction, radians clockwise from the right, on the page turned so that they are level."""
    cos, sin = np.cos(angle), np.sin(angle)
    level = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    page = transform_quads(level, box_quads(np.array([[0.0, 0.0, layer.width_px, layer.height_px]])))[0]
    level[:, 2] = -page.min(axis=0)
    width, height = np.ceil(np.ptp(page, axis=0)).astype(int).tolist()
    turns = round(angle / (np.pi / 2))
    skew = angle - turns * np.pi / 2
    blank = np.broadcast_to(np.uint8(255), (height, width))  # takes no memory; no word is cut out of it
    none = np.zeros((0, 4, 2), np.float32)
    grids = _grids(layer, turns) if abs(skew) < _LEVEL_RAD else []
    return FoundPage(blank, transform_quads(level, quads), none, invert_affine(level), 90 * turns % 360, skew, grids)


def _grids(layer: TextLayer, turns: int) -> list[list[GridCell]]:
    """The tables with rules that stand on a page after quarter turns, counterclockwise, in its pixels."""
    if layer.drawing is None:
        return []
    drawing = np.ascontiguousarray(np.rot90(layer.drawing, turns))
    scale = layer.width_px / (SCALE * layer.drawing.shape[1])
    return [
        [GridCell(*cell[:4], *(scale * side for side in cell[4:])) for cell in grid]
        for grid in find_small_grids(drawing, np.zeros((0, 4)))
    ]


def _transcript(text: str) -> Transcript:
    return Transcript(text, 1.0, (1.0,) * len(text), places=_places(len(text)))


@functools.lru_cache(100)
def _places(length: int) -> tuple[float, ...]:
    """Where the characters of a word stand: the layer's boxes of single ones are not kept."""
    return tuple((i + 0.5) / length for i in range(length))
