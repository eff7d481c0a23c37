"""Splits what was read in a piece of a line into its words, with the place of each on the page.

The recognizer says where it read a space to about four columns of its crop; the ends of the words beside it are those
of the nearest white gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from ocr_models.geometry import runs_of
from ocr_models.pages.box_refinement import white_columns
from ocr_models.pages.leaders import LEADER_OR_WORD
from ocr_models.pages.page_text import quad_part
from ocr_models.recognition.crops import MARGIN_Y
from ocr_models.records import Transcript

# Lengths are in heights of the piece.
_REACH = 0.5  # from where a space was read to the middle of its gap; letters on both sides bound it, too
_GAP_COUNTS = 0.5  # a gap is preferred to a nearer one by its width, up to this
_BAND = (0.06, 0.84)  # rows that are examined, as in ``box_refinement``

Part = Callable[[Transcript, int, int], Transcript]
"""From a transcript and a range of its characters to the transcript of these alone."""


def split_words(
    crop: np.ndarray, quad: np.ndarray, transcript: Transcript, part: Part
) -> list[tuple[np.ndarray, Transcript]]:
    """Splits a piece of a line at the spaces that were read, and between words and leaders.

    Args:
        crop: uint8 (h, w), gray, in which the piece was read: its quad with the recognizer's margins.
        quad: float32 (4, 2), of the piece, pixels of the page.
        transcript: of the crop, with the places of its characters.
        part: makes the transcript of a word.

    Returns:
        The quad, float32 (4, 2), and the transcript of each word, from left to right.
    """
    text = transcript.text
    spans = [match.span() for match in LEADER_OR_WORD.finditer(text)]
    if spans == [(0, len(text))]:
        return [(quad, transcript)]
    spaces = [i for i, char in enumerate(text) if char == " "]
    gaps = _white_gaps(crop)
    found = {i: _gap_at(gaps, transcript.places, i, crop.shape) for i in spaces}
    words = []
    for start, stop in spans:
        left = found[start - 1][1] if start - 1 in found else _between(transcript.places, start)
        right = found[stop][0] if stop in found else _between(transcript.places, stop)
        words.append((quad_part(quad, left, right), part(transcript, start, stop)))
    return words


def _white_gaps(crop: np.ndarray) -> np.ndarray:
    """The runs of columns without ink in a crop (h, w): float64 (G, 2), where each starts and stops, in columns."""
    smooth = cv2.blur(crop, (3, 3))  # a speck of noise isn't ink
    rows = len(crop)
    height = rows / (1 + 2 * MARGIN_Y)
    top, bottom = (round((MARGIN_Y + share) * height) for share in _BAND)
    paper = float(np.median(smooth[[0, -1]]))
    white = white_columns(smooth[top : max(bottom, top + 1)], paper)
    return runs_of(white).astype(np.float64)


def _gap_at(gaps: np.ndarray, places: Sequence[float], i: int, shape: tuple[int, ...]) -> tuple[float, float]:
    """Where the gap of the i-th character, a space, starts and stops, as shares of the crop's width."""
    rows, columns = shape
    height = rows / (1 + 2 * MARGIN_Y)
    place = places[i] * columns
    before = places[i - 1] * columns if i else 0.0
    after = places[i + 1] * columns if i + 1 < len(places) else float(columns)
    middles, widths = gaps.mean(axis=1), gaps[:, 1] - gaps[:, 0]
    off = np.abs(middles - place)
    allowed = (off <= _REACH * height + widths / 2) & (middles > before) & (middles < after + 0.5 * height)
    costs = np.where(allowed, off - np.minimum(widths, _GAP_COUNTS * height), np.inf)
    if not len(costs) or not np.isfinite(costs.min()):
        return places[i], places[i]
    start, stop = gaps[costs.argmin()]
    return float(start) / columns, float(stop) / columns


def _between(places: Sequence[float], i: int) -> float:
    """Where the i-th character begins, which follows no space, as a share of the crop's width."""
    return float(i > 0) if i in (0, len(places)) else (places[i - 1] + places[i]) / 2
