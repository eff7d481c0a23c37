"""The counts behind precision, recall and F-score."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MatchCounts:
    """Counts of predicted and true things, and of those that match.

    Attributes:
        matched: pairs of a predicted and a true thing.
        predicted: predicted things.
        true: true things.
    """

    matched: int = 0
    predicted: int = 0
    true: int = 0

    def __add__(self, other: MatchCounts) -> MatchCounts:
        return MatchCounts(self.matched + other.matched, self.predicted + other.predicted, self.true + other.true)

    @property
    def precision(self) -> float:
        return self.matched / max(1, self.predicted)

    @property
    def recall(self) -> float:
        return self.matched / max(1, self.true)

    @property
    def f_score(self) -> float:
        return 2 * self.matched / max(1, self.predicted + self.true)
