"""Scores of whole pages, end to end: words as a bag, words at their places, and characters in reading order.

Texts are compared after Unicode NFKC, with plain quotes and dashes instead of typographic ones, since a page doesn't
show which of them its truth has. A word counts if it has a letter or digit; words are compared whole, with punctuation.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ocr_models.io.predictions import PredictedPage
from ocr_models.metrics.detection import match_detections
from ocr_models.metrics.matches import MatchCounts
from ocr_models.metrics.recognition import EditCounts
from ocr_models.records import Example

_PLAIN = str.maketrans(dict.fromkeys("‘’", "'") | dict.fromkeys("“”", '"') | dict.fromkeys("–—−‐", "-"))
_NOWHERE = np.full((4, 2), np.nan)  # a quad that overlaps nothing


def plain_text(text: str, casefold: bool = False) -> str:
    """Normalizes a text for comparison; each run of white space becomes one space."""
    plain = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    return " ".join((plain.casefold() if casefold else plain).split())


def counted_words(text: str, casefold: bool = False) -> list[str]:
    """The words of a text that count, normalized for comparison."""
    return [word for word in plain_text(text, casefold).split() if any(char.isalnum() for char in word)]


@dataclass(frozen=True)
class PageCounts:
    """Counts for whole pages.

    Attributes:
        pages: the number of pages.
        bag: words, regardless of their places on the page.
        boxes: words at their places: matched by ICDAR's rules for detections (``metrics.detection``) and equal in text.
        characters: edits of the texts of pages, which are the words in reading order, separated by one space.
    """

    pages: int = 0
    bag: MatchCounts = field(default_factory=MatchCounts)
    boxes: MatchCounts = field(default_factory=MatchCounts)
    characters: EditCounts = field(default_factory=EditCounts)

    @classmethod
    def of(cls, truth: Example, prediction: PredictedPage, casefold: bool = False) -> PageCounts:
        """Counts one page.

        Ignored regions of the truth, regions whose text isn't known, and the words read on them don't count.

        Args:
            truth: a page with its words or lines in reading order.
            prediction: the page as it was read. Words without a quad have no place and count as false in ``boxes``.
            casefold: whether case is ignored.
        """
        ignore = truth.ignore | np.array([not text for text in truth.texts], bool)
        on_ignored = match_detections(truth.quads, ignore, _quads(prediction)).ignored
        read = " ".join(word.text for word, left_out in zip(prediction.words, on_ignored, strict=True) if not left_out)
        true = " ".join(text for text, left_out in zip(truth.texts, ignore, strict=True) if not left_out)
        return cls(
            1,
            _bag(counted_words(true, casefold), counted_words(read, casefold)),
            _boxes(truth, prediction, casefold),
            EditCounts.of(plain_text(true, casefold), plain_text(read, casefold)),
        )

    def __add__(self, other: PageCounts) -> PageCounts:
        return PageCounts(
            self.pages + other.pages,
            self.bag + other.bag,
            self.boxes + other.boxes,
            self.characters + other.characters,
        )

    @property
    def cer(self) -> float:
        """Character error rate in reading order."""
        return self.characters.cer


def _quads(prediction: PredictedPage) -> np.ndarray:
    quads = [_NOWHERE if word.quad is None else word.quad for word in prediction.words]
    return np.array(quads, np.float64).reshape(-1, 4, 2)


def _bag(true: list[str], read: list[str]) -> MatchCounts:
    return MatchCounts((Counter(true) & Counter(read)).total(), len(read), len(true))


def _boxes(truth: Example, prediction: PredictedPage, casefold: bool) -> MatchCounts:
    """Counts words at their places. Those without a letter or digit are ignored in the truth and the prediction."""
    true = [" ".join(counted_words(text, casefold)) for text in truth.texts]
    read = [" ".join(counted_words(word.text, casefold)) for word in prediction.words]
    counted = np.array([bool(text) for text in read], bool)
    read = [text for text in read if text]
    ignore = truth.ignore | np.array([not text for text in true], bool)
    matches = match_detections(truth.quads, ignore, _quads(prediction)[counted])
    equal = sum(true[word] == read[found] for word, found in matches.pairs)
    return MatchCounts(equal, int((~matches.ignored).sum()), int((~ignore).sum()))
