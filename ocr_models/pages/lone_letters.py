"""Tells figures and capitals from small letters of the same form, where they stand alone, by their height.

A recognizer sees each word at one height, and a "0" or a "V" that fills its crop looks as "o" and "v" do. The words
around it tell how high figures and capitals are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from ocr_models.geometry import quad_boxes
from ocr_models.pages.groups import median
from ocr_models.pages.readings import SURE, own_confidence
from ocr_models.records import Transcript

_TALL = {"o": "0"} | {letter: letter.upper() for letter in "csuvwxz"}
_COMPARED = re.compile(r"(?=.*[A-Z0-9])[A-Z0-9acemnorsuvwxz.%]{2,}")  # nothing below the line, as "," and "g" have
_NEAREST, _LEAST = 7, 3  # words that are compared, at most and at least
# In fonts, small letters are 0.63 to 0.76 times as high as capitals; figures are as high as these, or a bit lower.
_HIGH = 0.87
_LEAST_INK = 40  # gray levels between paper and the darkest ink of a word: less is texture


def tell_by_height(image: np.ndarray, quads: np.ndarray, transcripts: Sequence[Transcript]) -> list[Transcript]:
    """Replaces "o" by "0", and small letters such as "v" by capitals, in words of one letter that are as high as these.

    Args:
        image: uint8 (H, W), gray, level.
        quads: float32 (N, 4, 2), of the words, pixels of ``image``.
        transcripts: of the words.

    Returns:
        The transcripts of the words; what isn't told by enough words around it stays.
    """
    told = list(transcripts)
    alone = [i for i, t in enumerate(told) if t.text in _TALL]
    if not alone:
        return told
    compared = [i for i, t in enumerate(told) if _COMPARED.fullmatch(t.text) and own_confidence(t) >= SURE]
    boxes = quad_boxes(quads)
    middles = quads.mean(axis=1)
    heights: dict[int, float] = {}
    for i in alone:
        off = np.abs(middles[compared] - middles[i]).sum(axis=1)
        near = [compared[j] for j in np.argsort(off, kind="stable")[:_NEAREST].tolist()]
        for j in (i, *near):
            if j not in heights:
                heights[j] = _ink_height(image, *boxes[j].tolist())
        usual = [heights[j] for j in near if heights[j]]
        if len(usual) >= _LEAST and heights[i] >= _HIGH * float(np.median(usual)):
            told[i] = replace(told[i], text=_TALL[told[i].text])
    return told


def _ink_height(image: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> float:
    """The height of the highest run of rows with ink in a box, in pixels; 0 if there is none."""
    patch = image[max(0, round(y0)) : round(y1) + 1, max(0, round(x0)) : round(x1) + 1]
    if not patch.size:
        return 0.0
    contrast = cv2.absdiff(patch, np.full_like(patch, median(patch[[0, -1]])))
    darkest = int(contrast.max())
    if darkest < _LEAST_INK:
        return 0.0
    _, _, stats, _ = cv2.connectedComponentsWithStats((contrast > darkest // 2).view(np.uint8))
    return float(stats[1:, cv2.CC_STAT_HEIGHT].max(initial=0))
