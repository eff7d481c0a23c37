"""BLEU of captions against the captions that people wrote for the same picture."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

BLEU_ORDER = 4  # n-grams up to this length are counted


@dataclass(frozen=True)
class BleuCounts:
    """The counts behind corpus BLEU with several references per sentence (Papineni et al. 2002).

    Attributes:
        matches: for n = 1 to 4, the n-grams of the predictions that occur in a reference, at most as often as there.
        totals: for n = 1 to 4, the n-grams of the predictions.
        predicted_words: the words of the predictions.
        true_words: the words of the references, for each sentence of the one nearest in length to the prediction.
    """

    matches: tuple[int, ...] = (0,) * BLEU_ORDER
    totals: tuple[int, ...] = (0,) * BLEU_ORDER
    predicted_words: int = 0
    true_words: int = 0

    @classmethod
    def of(cls, references: Sequence[Sequence[str]], prediction: Sequence[str]) -> BleuCounts:
        """Counts one tokenized sentence, which must have at least one reference."""
        matches, totals = [], []
        for n in range(1, BLEU_ORDER + 1):
            predicted, most = _ngrams(prediction, n), Counter[tuple[str, ...]]()
            for reference in references:
                most |= _ngrams(reference, n)
            matches.append((predicted & most).total())
            totals.append(predicted.total())
        length = len(prediction)
        nearest = min((len(reference) for reference in references), key=lambda other: (abs(other - length), other))
        return cls(tuple(matches), tuple(totals), length, nearest)

    def __add__(self, other: BleuCounts) -> BleuCounts:
        return BleuCounts(
            tuple(map(operator.add, self.matches, other.matches)),
            tuple(map(operator.add, self.totals, other.totals)),
            self.predicted_words + other.predicted_words,
            self.true_words + other.true_words,
        )

    def bleu(self, order: int = BLEU_ORDER) -> float:
        """BLEU-1 to BLEU-4, 0 to 1: the geometric mean of the first ``order`` precisions times the brevity penalty."""
        matches, totals = self.matches[:order], self.totals[:order]
        if not all(matches):
            return 0.0
        precisions = map(operator.truediv, matches, totals)
        brevity_penalty = math.exp(min(0.0, 1 - self.true_words / self.predicted_words))
        return brevity_penalty * math.prod(precisions) ** (1 / order)


def _ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
