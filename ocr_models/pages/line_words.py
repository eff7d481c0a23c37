"""Splits what was read in a piece of a line into its words, with the place of each on the page.

The recognizer says where it read a space to about four columns of its crop; the ends of the words beside it are those
of the nearest white gap.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from ocr_models.geometry import runs_of
from ocr_models.pages.box_refinement import white_columns
from ocr_models.pages.groups import median
from ocr_models.pages.leaders import LEADER_OR_WORD
from ocr_models.pages.page_text import WHOLE, quad_parts
from ocr_models.recognition.crops import MARGIN_Y
from ocr_models.records import Transcript

# Lengths are in heights of the piece.
_REACH = 0.5  # from where a space was read to the middle of its gap; letters on both sides bound it, too
_GAP_COUNTS = 0.5  # a gap is preferred to a nearer one by its width, up to this
_BAND = (0.06, 0.84)  # rows that are examined, as in ``box_refinement``

Part = Callable[[Transcript, int, int], Transcript]
"""From a transcript and a range of its characters to the transcript of these alone."""


def split_words(
    crops: Sequence[np.ndarray], quads: np.ndarray, transcripts: Sequence[Transcript], part: Part
) -> tuple[np.ndarray, list[Transcript]]:
    """Splits pieces of lines at the spaces that were read, and between words and leaders.

    Args:
        crops: uint8 (h, w), gray, in which the P pieces were read: their quads with the recognizer's margins.
        quads: float32 (P, 4, 2), of the pieces, pixels of the page.
        transcripts: of the crops, with the places of their characters.
        part: makes the transcript of a word.

    Returns:
        The quads, float32 (N, 4, 2), and the transcripts of the words: those of each piece from left to right.
    """
    split = [_split_piece(crop, read, part) for crop, read in zip(crops, transcripts, strict=True)]
    pieces = np.repeat(np.arange(len(split)), [len(words) for words in split])
    words = [word for of_piece in split for word in of_piece]
    return quad_parts(quads[pieces], [shares for shares, _ in words]), [read for _, read in words]


def _split_piece(crop: np.ndarray, transcript: Transcript, part: Part) -> list[tuple[tuple[float, float], Transcript]]:
    """The words of a piece, and where each starts and stops, as shares of the crop's width."""
    text = transcript.text
    spans = [match.span() for match in LEADER_OR_WORD.finditer(text)]
    if spans == [(0, len(text))]:
        return [(WHOLE, transcript)]
    spaces = [i for i, char in enumerate(text) if char == " "]
    gaps = _white_gaps(crop)
    middles = [(start + stop) / 2 for start, stop in gaps]
    found = {i: _gap_at(gaps, middles, transcript.places, i, crop.shape) for i in spaces}
    words = []
    for start, stop in spans:
        left = found[start - 1][1] if start - 1 in found else _between(transcript.places, start)
        right = found[stop][0] if stop in found else _between(transcript.places, stop)
        words.append(((left, right), part(transcript, start, stop)))
    return words


def _white_gaps(crop: np.ndarray) -> list[list[int]]:
    """The runs of columns without ink in a crop (h, w): where each starts and stops, in columns."""
    smooth = cv2.blur(crop, (3, 3))  # a speck of noise isn't ink
    height = len(crop) / (1 + 2 * MARGIN_Y)
    top, bottom = (round((MARGIN_Y + share) * height) for share in _BAND)
    return runs_of(white_columns(smooth[top : max(bottom, top + 1)], median(smooth[[0, -1]]))).tolist()


def _gap_at(
    gaps: Sequence[Sequence[int]],
    middles: Sequence[float],
    places: Sequence[float],
    i: int,
    shape: tuple[int, ...],
) -> tuple[float, float]:
    """Where the gap of the i-th character, a space, starts and stops, as shares of the crop's width."""
    rows, columns = shape
    height = rows / (1 + 2 * MARGIN_Y)
    place = places[i] * columns
    before = places[i - 1] * columns if i else 0.0
    after = places[i + 1] * columns if i + 1 < len(places) else float(columns)
    least, best = math.inf, (places[i], places[i])
    # Plain numbers: a few gaps are beside a space, and arrays of so few cost several times more.
    for j in range(bisect_right(middles, before), bisect_left(middles, after + 0.5 * height)):
        start, stop = gaps[j]
        off, width = abs(middles[j] - place), stop - start
        cost = off - min(width, _GAP_COUNTS * height)
        if off <= _REACH * height + width / 2 and cost < least:
            least, best = cost, (start / columns, stop / columns)
    return best


def _between(places: Sequence[float], i: int) -> float:
    """Where the i-th character begins, which follows no space, as a share of the crop's width."""
    return float(i > 0) if i in (0, len(places)) else (places[i - 1] + places[i]) / 2
