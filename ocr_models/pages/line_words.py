"""Splits what was read in a piece of a line into its words, with the place of each on the page.

The recognizer says where it read a space to about four columns of its crop; the ends of the words beside it are those
of the nearest white gap.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

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
# The recognizer misses narrow spaces after the number of a field, as in "6. IMPORT", and within a label such as "R 30".
# At 1,105 places of development pages, gaps after such numbers were 0.14 and more, or, where the page has no space
# ("10.x"), 0.10 at most; those within labels of two words 0.16 and more, but for one of 0.12. In a label of one word
# ("T1") they may be as wide in loose print, but then the others within it are, too, and the spaces are wider.
_NUMBERED = re.compile(r"\d{1,3}\.(?=[^\W\d_][^\s.]*\.?(?!\S))")  # not a date such as "19.Jan.09"
_LABEL = re.compile(r"(?<!\S)[A-Z]{1,2}(?=\d{1,3}(?!\S))")
_AFTER_NUMBER, _IN_LABEL, _WIDER, _OF_SPACE = 0.13, 0.16, 1.4, 0.6
_BEFORE, _AFTER = 0.15, 0.3  # from the places of two characters, within which the middle of a gap between them is

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
    if spans == [(0, len(text))] and not _NUMBERED.match(text) and not _LABEL.match(text):
        return [(WHOLE, transcript)]
    spaces = [i for i, char in enumerate(text) if char == " "]
    gaps = _white_gaps(crop)
    middles = [(start + stop) / 2 for start, stop in gaps]
    found = {i: _gap_at(gaps, middles, transcript.places, i, crop.shape) for i in spaces}
    lost = _lost_spaces(transcript, spans, gaps, list(found.values()), crop.shape)
    words = []
    for start, stop in _part_at(spans, lost):
        before, after = found.get(start - 1, lost.get(start)), found.get(stop, lost.get(stop))
        left = _between(transcript.places, start) if before is None else before[1]
        right = _between(transcript.places, stop) if after is None else after[0]
        words.append(((left, right), part(transcript, start, stop)))
    return words


def _lost_spaces(
    transcript: Transcript,
    spans: Sequence[tuple[int, int]],
    gaps: Sequence[Sequence[int]],
    spaces: Sequence[tuple[float, float]],
    shape: tuple[int, ...],
) -> dict[int, tuple[float, float]]:
    """By the characters that begin a word, though no space was read: the gap before, as shares of the crop's width."""
    rows, columns = shape
    height, text, places = rows / (1 + 2 * MARGIN_Y), transcript.text, transcript.places

    def gap_before(i: int) -> tuple[float, float]:
        low, high = places[i - 1] * columns - _BEFORE * height, places[i] * columns + _AFTER * height
        near = [(start, stop) for start, stop in gaps if low < (start + stop) / 2 < high]
        start, stop = max(near, key=lambda gap: gap[1] - gap[0], default=(0, 0))
        return start / columns, stop / columns

    def width(gap: tuple[float, float]) -> float:
        return (gap[1] - gap[0]) * columns / height

    lost = {}
    if number := _NUMBERED.match(text):
        gap = gap_before(number.end())
        if width(gap) >= _AFTER_NUMBER:
            lost[number.end()] = gap
    for label in _LABEL.finditer(text):
        i, stop = label.end(), next(stop for start, stop in spans if start <= label.start() < stop)
        others = [width(gap_before(j)) for j in range(label.start() + 1, stop) if j != i]
        least = max([_IN_LABEL, *(_WIDER * other for other in others), *(_OF_SPACE * width(gap) for gap in spaces)])
        if width(gap := gap_before(i)) >= least:
            lost[i] = gap
    return lost


def _part_at(spans: Sequence[tuple[int, int]], at: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The spans of words, parted before some characters."""
    for start, stop in spans:
        borders = [start, *sorted(i for i in at if start < i < stop), stop]
        yield from pairwise(borders)


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
