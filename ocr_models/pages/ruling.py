"""Erases the upright rules of tables and frames that stand beside pieces of lines.

A rule at the edge of a cell is as close to its text as letters are to each other, so that the box of a word often
holds it, and it is read as "|", "[" or "l". It is told from a letter by its length alone.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr_models.geometry import quad_boxes, runs_of
from ocr_models.pages.groups import median
from ocr_models.pages.word_crops import DARK_GROUND

# Lengths are in heights of the piece; a letter with an accent or a descender is one high.
_BEYOND = 1.0  # above or below the piece a rule goes on for so much, in all; brackets and "|" end before
_SEEN = 1.5  # rows above and below a piece that are examined
_THICKEST = 0.15  # the stems of a drop cap over three lines are twice as thick, those of bold capitals are shorter
_FAR, _BLURRED = 1.5, 0.25  # a rule that goes on for 1.5 may be so thick: those of forms are 0.18 to 0.23, scanned
_THIN_PX = 3  # or a rule is as thick: a hairline is, when it has been scanned
_BESIDE = 1.0  # rules are searched so far to the left and right: beyond the gaps over which the end of a piece moves
_NARROW, _EDGE = 0.8, 0.15  # a box around a rule is narrower; this of its top and bottom may hold level rules
_PALE = 0.4  # of the darkness of a rule, that noise and what is left of its blur may have: means of columns
_CONTRAST = 0.2  # share of the range from paper to the darkest ink by which a rule differs from paper: thin, it is gray
_EVEN = 0.6  # of its own usual darkness a rule has at least in every row; between two letters there is more white
_SMOOTHED = 0.15  # rows whose mean is taken, so that noise neither makes a rule nor parts it
_MIN_RANGE = 24  # gray levels


def without_rules(image: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """The page, uint8 (H, W), without the upright rules in or beside pieces, quads (P, 4, 2); a copy if it has any."""
    erased = image
    for box in quad_boxes(quads).tolist():
        for x0, y0, x1, y1, paper in _rules_beside(image, *box):
            if erased is image:
                erased = image.copy()
            erased[y0:y1, x0:x1] = paper
    return erased


def were_rules(image: np.ndarray, erased: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Bool (N,): the words, level boxes (N, 4), that the detector saw in a rule: they have no ink any more.

    Args:
        image: uint8 (H, W), the page.
        erased: the page without its rules.
        boxes: xmin, ymin, xmax, ymax in pixels.
    """
    found = np.zeros(len(boxes), bool)
    sizes = boxes[:, 2:] - boxes[:, :2]
    for i in np.flatnonzero(sizes[:, 0] < _NARROW * sizes[:, 1]).tolist():
        x0, y0, x1, y1 = (
            np.round(boxes[i] + [0, _EDGE * sizes[i, 1], 0, -_EDGE * sizes[i, 1]]).astype(int).clip(0).tolist()
        )
        if y1 > y0 and x1 > x0 and (image[y0:y1, x0:x1] != erased[y0:y1, x0:x1]).any():
            before, after = (np.ptp(page[y0:y1, x0:x1].mean(axis=0)) for page in (image, erased))
            found[i] = after < _PALE * before
    return found


def _rules_beside(
    image: np.ndarray, x0: float, y0: float, x1: float, y1: float
) -> list[tuple[int, int, int, int, int]]:
    """The boxes of the rules that run through the height of a piece, and the gray of the ground there."""
    height = y1 - y0
    rows, columns = image.shape
    ends = y0 - _SEEN * height, y0, y1, y1 + _SEEN * height
    above, top, bottom, below = (min(max(round(y), 0), rows) for y in ends)
    left, right = (min(max(round(x), 0), columns) for x in (x0 - _BESIDE * height, x1 + _BESIDE * height))
    if bottom - top < 3 or right - left < 3:
        return []
    seen = image[above:below, left:right]
    is_dark = median(image[[top, bottom - 1], left:right]) < DARK_GROUND
    if is_dark:  # the gaps between light letters would be rules
        seen = 255 - seen
    inside = slice(top - above, bottom - above)
    darkest = int(seen[inside].min())
    smoothed = (1, round(_SMOOTHED * height) | 1)  # odd: of two pixels, white is black (``findings``)
    near = slice(max(0, inside.start - smoothed[1]), inside.stop + smoothed[1])
    palest = cv2.blur(seen[near], smoothed)[inside.start - near.start : inside.stop - near.start].max(axis=0)
    paper = int(median(palest))  # nearly all columns have white above or below their letters
    if paper < DARK_GROUND or paper - darkest < _MIN_RANGE:
        return []
    found = []
    for start, stop in runs_of(palest < paper - _CONTRAST * (paper - darkest)).tolist():
        if stop - start > max(_THIN_PX, _BLURRED * height):
            continue
        beyond = (_BEYOND if stop - start <= max(_THIN_PX, _THICKEST * height) else _FAR) * height
        middle = start + int(palest[start:stop].argmin())
        column = cv2.blur(seen[:, middle : middle + 1], smoothed).ravel()
        least = paper - _EVEN * (paper - median(column[inside]))
        is_ink = column < least
        up, down = _reach(is_ink, inside)
        if is_ink[inside].all() and up + down >= beyond:
            # Where a rule runs into a head of another gray, or crosses a level rule, there is no paper beside it.
            sides = seen[:, [max(0, start - 2), min(stop + 1, seen.shape[1] - 1)]]
            up, down = _reach(is_ink & (cv2.blur(sides, smoothed).max(axis=1) >= least), inside)
            # The pixels on both sides are gray from a rule that lies between two columns of pixels.
            gray = 255 - paper if is_dark else paper
            found.append((max(0, left + start - 1), top - up, left + stop + 1, bottom + down, gray))
    return found


def _reach(is_rule: np.ndarray, inside: slice) -> tuple[int, int]:
    """For how many rows above and below those ``inside`` a rule goes on."""
    up = int(np.append(is_rule[: inside.start][::-1], False).argmin())
    down = int(np.append(is_rule[inside.stop :], False).argmin())
    return up, down
