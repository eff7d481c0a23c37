"""Lines with words of scripts that run from the right to the left, such as Hebrew and Arabic.

The models don't know these scripts, but text layers do. Words stand in their places on the page; this gives the order
in which they are read: a simplified form of the Unicode bidirectional algorithm (UAX #9), with two levels and without
controls.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby

_FIRST = "\u0590"  # of Hebrew, the first block with letters that run to the left


def reading_order(line: Sequence[int], texts: Sequence[str]) -> list[int]:
    """The words of a line as they are read.

    Args:
        line: indices of words from the left to the right.
        texts: of all words.
    """
    runs_left = [not texts[i].isascii() and _runs_left(texts[i]) for i in line]
    if not any(runs_left):
        return list(line)
    is_line_left = 2 * sum(runs_left) > len(line)
    runs = list(_runs(line, runs_left))
    return [i for run in (runs[::-1] if is_line_left else runs) for i in run]


def _runs(line: Sequence[int], runs_left: Sequence[bool]) -> Iterator[list[int]]:
    """The words of each direction that follow each other, as they are read."""
    for to_left, run in groupby(zip(line, runs_left, strict=True), key=lambda word: word[1]):
        words = [i for i, _ in run]
        yield words[::-1] if to_left else words


def _runs_left(text: str) -> bool:
    return max(text, default="") >= _FIRST and any(unicodedata.bidirectional(char) in ("R", "AL") for char in text)
