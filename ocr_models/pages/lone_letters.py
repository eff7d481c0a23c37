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
# Boxes of one size of text differ by 0.06 or less along lines. In a line 1.2 times as large, small letters are as high
# as capitals are elsewhere. The box of a letter that stands apart, as in a table, may be loose.
_SAME_SIZE = 1.15
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
    fitting = [i for i, t in enumerate(told) if _COMPARED.fullmatch(t.text) and own_confidence(t) >= SURE]
    boxes = quad_boxes(quads)
    box_heights = boxes[:, 3] - boxes[:, 1]
    middles = quads.mean(axis=1)
    heights: dict[int, float] = {}
    for i in alone:
        compared = np.array(fitting, int)
        if _is_in_line(boxes, i):
            compared = compared[_SAME_SIZE * box_heights[compared] >= box_heights[i]]
        off = np.abs(middles[compared] - middles[i]).sum(axis=1)
        near = compared[np.argsort(off, kind="stable")[:_NEAREST]].tolist()
        for j in (i, *near):
            if j not in heights:
                heights[j] = _ink_height(image, *boxes[j].tolist())
        usual = [heights[j] for j in near if heights[j]]
        if len(usual) >= _LEAST and heights[i] >= _HIGH * float(np.median(usual)):
            told[i] = replace(told[i], text=_TALL[told[i].text])
    return told


def _is_in_line(boxes: np.ndarray, i: int) -> bool:
    """Whether a word stands closer to another than a box is high, as in a line of text."""
    x0, y0, x1, y1 = boxes[i].tolist()
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    is_beside = (y0 < middles) & (middles < y1) & (np.maximum(boxes[:, 0] - x1, x0 - boxes[:, 2]) < y1 - y0)
    return bool(is_beside.sum() > 1)


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
