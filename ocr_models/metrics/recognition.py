"""Scores of recognized words: errors of characters and of whole words, and confusions of characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

_NOT_ALPHANUMERIC = re.compile("[^0-9a-z]")


@dataclass(frozen=True)
class EditCounts:
    """Counts of edits between the truth and what was read, both strings or sequences of label ids."""

    edits: int = 0
    truth_labels: int = 0
    words: int = 0
    exact_words: int = 0

    @classmethod
    def of(cls, truth: Sequence, prediction: Sequence) -> EditCounts:
        """Counts one word, given as two strings or two sequences of ids without padding."""
        edits = edit_distance(truth, prediction)
        return cls(edits, len(truth), 1, int(edits == 0))

    def __add__(self, other: EditCounts) -> EditCounts:
        return EditCounts(
            self.edits + other.edits,
            self.truth_labels + other.truth_labels,
            self.words + other.words,
            self.exact_words + other.exact_words,
        )

    @property
    def label_error_rate(self) -> float:
        """Edits per true label (Graves et al. 2006). It may exceed 1 if far too much was read."""
        return self.edits / max(1, self.truth_labels)

    @property
    def cer(self) -> float:
        """The character error rate, which is the label error rate of strings."""
        return self.label_error_rate

    @property
    def exact_share(self) -> float:
        """Word accuracy: the share of words read without an error."""
        return self.exact_words / max(1, self.words)


def edit_distance(truth: Sequence, prediction: Sequence) -> int:
    """The Levenshtein distance: the least number of insertions, deletions and substitutions of characters or labels."""
    return Levenshtein.distance(truth, prediction)


@dataclass(frozen=True)
class WordCounts:
    """Counts for the texts of crops.

    Attributes:
        characters: edits of characters; its words are whole texts, compared with case and punctuation.
        alphanumeric: the same as papers report it: in lower case, with [0-9a-z] only. Texts without any are left out.
        tokens: edits of words, separated by white space.
        confusions: how often a true character was read as another; "" stands for a missing or inserted character.
    """

    characters: EditCounts = EditCounts()
    alphanumeric: EditCounts = EditCounts()
    tokens: EditCounts = EditCounts()
    confusions: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def of(cls, truth: str, prediction: str) -> WordCounts:
        """Counts one crop."""
        plain = _alphanumeric(truth)
        return cls(
            EditCounts.of(truth, prediction),
            EditCounts.of(plain, _alphanumeric(prediction)) if plain else EditCounts(),
            EditCounts.of(truth.split(), prediction.split()),
            Counter(_confusions(truth, prediction)),
        )

    def __add__(self, other: WordCounts) -> WordCounts:
        return WordCounts(
            self.characters + other.characters,
            self.alphanumeric + other.alphanumeric,
            self.tokens + other.tokens,
            self.confusions + other.confusions,
        )

    @property
    def words(self) -> int:
        """The number of crops."""
        return self.characters.words

    @property
    def accuracy(self) -> float:
        """The share of texts read without an error."""
        return self.characters.exact_share

    @property
    def alphanumeric_accuracy(self) -> float:
        """The share of texts read right, ignoring case and everything but Latin letters and digits."""
        return self.alphanumeric.exact_share

    @property
    def cer(self) -> float:
        """Character error rate: edits per true character."""
        return self.characters.cer

    @property
    def label_error_rate(self) -> float:
        """The label error rate, with characters as labels."""
        return self.characters.label_error_rate

    @property
    def wer(self) -> float:
        """Word error rate: edits of whole words per true word."""
        return self.tokens.label_error_rate

    def top_confusions(self, count: int) -> list[tuple[str, str, int]]:
        """The most frequent (true character, read character, count); ties are in the order of the characters."""
        ranked = sorted(self.confusions.items(), key=lambda item: (-item[1], item[0]))
        return [(true, read, times) for (true, read), times in ranked[:count]]


def _alphanumeric(text: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", text.lower())


def _confusions(truth: str, prediction: str) -> list[tuple[str, str]]:
    """Pairs of true and read characters in a shortest sequence of edits."""
    return [
        (
            "" if edit.tag == "insert" else truth[edit.src_pos],
            "" if edit.tag == "delete" else prediction[edit.dest_pos],
        )
        for edit in Levenshtein.editops(truth, prediction)
    ]
