"""Finds the words of a page with a detector that sees only dark text on light ground, in one range of sizes.

So some pages are seen more than once: enlarged or in tiles for small text, reduced for headlines, inverted for light
text.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from ocr_models.detection.scales import (
    LARGEST_TEXT_PX,
    SHEET_SCALE,
    first_scale,
    scale_for_text,
    sheet_sample,
    tile_sides,
)
from ocr_models.detection.text_detector import TextDetector
from ocr_models.geometry import quad_boxes, quad_sizes
from ocr_models.pages.word_crops import DARK_GROUND, is_light_on_dark

_FROM_AFAR = 4  # a look for headlines sees a page so many times smaller: letters of up to 2 inches at 200 dpi
# Headlines are taller than the largest text that is seen well from near. Words of up to twice that height are still
# read there, and what is seen from afar at that size is mostly parts of words.
_LEAST_HEADLINE_PX = 1.5 * LARGEST_TEXT_PX
_LOOSER = (
    0.1  # a headline's box is made so much higher at top and bottom: seen from afar, it is rough, and cuts letters
)
_TALL_SHARE = 0.35  # of the height of a headline's box, that connected ink of its letters has at least
_COVERED = 0.5  # a headline may hold boxes of its strokes; boxes that fill more of it are words
_LEAST_ASPECT = 0.8  # of headlines, width to height: they have two letters or more
_DARK_SHARE, _DARK_CELL_PX = 0.01, 16  # a page may have light text if this share of its cells is so dark
_OVERLAP_PX = 64  # pixels that the detector sees of the neighbors of a tile, on each side: half of a long word


class FoundWords(NamedTuple):
    """What was found on a page.

    Attributes:
        quads: float32 (N, 4, 2), the words in pixels of the page.
        headlines: float32 (M, 4, 2), places that may hold one word of large letters. Reading them decides whether
            they replace the ``quads`` inside them.
    """

    quads: np.ndarray
    headlines: np.ndarray


class WordFinder:
    """Finds words of any size and polarity.

    Args:
        detector: finds dark words on light ground, of about 9 to 40 pixels.
    """

    def __init__(self, detector: TextDetector) -> None:
        self._detector = detector

    def find(self, image: np.ndarray) -> FoundWords:
        """Finds the words of a gray page, uint8 (H, W)."""
        from_afar = _shrunk(image, _FROM_AFAR)
        dark = self._find_dark_words(image, from_afar)
        if not _has_dark_ground(from_afar):
            return dark
        light = self._find_dark_words(255 - image, 255 - from_afar)
        return FoundWords(
            *(
                np.concatenate([ours[~is_light_on_dark(image, ours)], theirs[is_light_on_dark(image, theirs)]])
                for ours, theirs in zip(dark, light, strict=True)
            )
        )

    def _find_dark_words(self, image: np.ndarray, from_afar: np.ndarray) -> FoundWords:
        """The words of a page, seen again at another scale if most of its text is very small or very large."""
        scale = first_scale(*image.shape)
        sample = sheet_sample(*image.shape)
        quads = self._look(image, scale) if sample is None else self._detect(image[sample], SHEET_SCALE)
        text_px = float(np.median(quad_sizes(quads)[:, 1])) if len(quads) else 0.0
        better = scale_for_text(scale, text_px)
        if sample is not None or abs(math.log(better / scale)) > 0.1:
            scale, quads = better, self._look(image, better)
        least_px = _LEAST_HEADLINE_PX / scale
        if not _has_tall_ink(from_afar, quads / _FROM_AFAR, _TALL_SHARE * least_px / _FROM_AFAR):
            return FoundWords(quads, np.zeros((0, 4, 2), np.float32))
        return FoundWords(quads, _possible_headlines(_FROM_AFAR * self._look(from_afar, scale), quads, least_px))

    def _look(self, image: np.ndarray, scale: float) -> np.ndarray:
        """The words that the detector sees at a scale, tile by tile on a page that is too large for one look."""
        rows, columns = tile_sides(scale, *image.shape)
        if (rows, columns) == image.shape:
            return self._detect(image, scale)
        found = [np.zeros((0, 4, 2), np.float32)]
        overlap = math.ceil(_OVERLAP_PX / scale)
        for top in range(0, image.shape[0], rows):
            for left in range(0, image.shape[1], columns):
                y, x = max(0, top - overlap), max(0, left - overlap)
                tile = image[y : top + rows + overlap, x : left + columns + overlap]
                quads = self._detect(tile, scale) + np.array([x, y], np.float32)
                # A word belongs to the tile that its center is in, where it is seen whole.
                centers = quads.mean(axis=1)
                inside = (centers >= [left, top]) & (centers < [left + columns, top + rows])
                found.append(quads[inside.all(axis=1)])
        return np.concatenate(found)

    def _detect(self, image: np.ndarray, scale: float) -> np.ndarray:
        boxes = self._detector.detect_at(image, scale)
        return np.array([box.quad for box in boxes], np.float32).reshape(-1, 4, 2)


def _shrunk(image: np.ndarray, factor: int) -> np.ndarray:
    """The means of ``factor`` by ``factor`` pixels; a remainder at the right and bottom, which is slow, is left out."""
    rows, columns = (max(1, side // factor) for side in image.shape)
    return cv2.resize(image[: rows * factor, : columns * factor], (columns, rows), interpolation=cv2.INTER_AREA)


def _has_dark_ground(from_afar: np.ndarray) -> bool:
    cells = _shrunk(from_afar, _DARK_CELL_PX // _FROM_AFAR)
    return float((cells < DARK_GROUND).mean()) > _DARK_SHARE


def _has_tall_ink(image: np.ndarray, quads: np.ndarray, least_px: float) -> bool:
    """Whether a page, uint8 (H, W), has connected dark pixels of at least this height outside of its words."""
    _, ink = cv2.threshold(image, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    for x0, y0, x1, y1 in np.round(quad_boxes(quads)).astype(int).clip(0).tolist():
        ink[y0 : y1 + 1, x0 : x1 + 1] = 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink)
    return bool((stats[1:, cv2.CC_STAT_HEIGHT] >= least_px).any())


def _possible_headlines(large: np.ndarray, quads: np.ndarray, least_px: float) -> np.ndarray:
    """The words seen from afar that are taller than ``least_px`` and not filled with words seen from near."""
    sizes = quad_sizes(large)
    tall = large[(sizes[:, 1] > least_px) & (sizes[:, 0] > _LEAST_ASPECT * sizes[:, 1])]
    areas = quad_sizes(quads).prod(axis=1)
    covered = [areas[inside_of(headline, quads)].sum() / quad_sizes(headline[None]).prod() for headline in tall]
    found = tall[np.array(covered) < _COVERED] if len(tall) else tall
    return found - _LOOSER * (found[:, [3, 2, 1, 0]] - found)


def inside_of(headline: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Which quads (N, 4, 2) have their center in a headline's (4, 2): bool (N,)."""
    ((x0, y0, x1, y1),) = quad_boxes(headline[None])
    centers = quads.mean(axis=1)
    return ((centers > [x0, y0]) & (centers < [x1, y1])).all(axis=1)
