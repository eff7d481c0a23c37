"""What was found of what there is: the counts behind precision, recall and F-score."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MatchCounts:
    """Things found, things there are, and how many of them are the same.

    Attributes:
        matched: found and there.
        predicted: found.
        true: there.
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
