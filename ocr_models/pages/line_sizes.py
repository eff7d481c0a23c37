"""The sizes of lines in comparison with the text of their page."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from ocr_models.pages.groups import weighted_medians
from ocr_models.pages.tables import Line


class LineSizes:
    """The sizes of lines in comparison with the text of their page.

    The height of a box says more about the letters that a word has than about its font, so that widths count as much.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        weights = [sum(map(len, line.texts)) for line in lines]
        sides = np.array([[line.height for line in lines], [line.letter_width for line in lines]])
        self.height, width = weighted_medians(sides, np.array([weights, weights])).ravel().tolist()
        self._width = width or 1.0

    def of(self, line: Line) -> tuple[float, float]:
        """Height and width of a line's letters, each in those of the page's text."""
        return line.height / self.height, line.letter_width / self._width

    def mean(self, line: Line) -> float:
        height, width = self.of(line)
        return float((height * width) ** 0.5)


class _LetterWidths(dict[str, float]):
    """Widths of letters in widths of "n", of usual fonts."""

    def __missing__(self, letter: str) -> float:
        self[letter] = width = 1.3 if letter.isupper() else 1.0
        return width


_letter_width = _LetterWidths(dict.fromkeys("iljtfrI.,:;'|!()[]’‘", 0.6) | dict.fromkeys("mwMW@%—", 1.5)).__getitem__


@functools.lru_cache(20_000)
def text_width(text: str) -> float:
    """About the width of a text in widths of "n"."""
    return sum(map(_letter_width, text))
