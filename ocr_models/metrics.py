"""Scores as mergeable counts: pages and words are counted anywhere, added up, and divided at the very end."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

BLEU_ORDER = 4  # n-grams up to this length are counted


@dataclass(frozen=True)
class EditCounts:
    """Errors of words that were read, against their truth: of their characters, or of the ids of any labels."""

    edits: int = 0
    truth_labels: int = 0
    words: int = 0
    exact_words: int = 0

    @classmethod
    def of(cls, truth: Sequence, prediction: Sequence) -> EditCounts:
        """Counts of one word: two strings, or two sequences of ids without padding."""
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
        """Edits for each true label. It passes 1 if far too much was read."""
        return self.edits / max(1, self.truth_labels)

    @property
    def cer(self) -> float:
        """The label error rate where labels are characters."""
        return self.label_error_rate

    @property
    def exact_share(self) -> float:
        """Word accuracy: the share of words read without a fault."""
        return self.exact_words / max(1, self.words)


def edit_distance(truth: Sequence, prediction: Sequence) -> int:
    """Levenshtein distance: insertions, deletions and substitutions of one character or label each."""
    row = list(range(len(prediction) + 1))
    for i, label in enumerate(truth, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(prediction, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (label != other))
    return int(row[-1])


@dataclass(frozen=True)
class BleuCounts:
    """What corpus BLEU-4 of sentences with several references is made of (Papineni et al. 2002).

    Attributes:
        matches: for n = 1 to 4, n-grams of the predictions that their references have, each as often at most.
        totals: for n = 1 to 4, n-grams of the predictions.
        predicted_words: words of the predictions.
        true_words: words of the references, of each sentence the one that is nearest in length to the prediction.
    """

    matches: tuple[int, ...] = (0,) * BLEU_ORDER
    totals: tuple[int, ...] = (0,) * BLEU_ORDER
    predicted_words: int = 0
    true_words: int = 0

    @classmethod
    def of(cls, references: Sequence[Sequence[str]], prediction: Sequence[str]) -> BleuCounts:
        """Counts of one sentence, all in tokens; there must be at least one reference."""
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

    @property
    def bleu(self) -> float:
        """The geometric mean of the four precisions, times the brevity penalty; 0 to 1."""
        if not all(self.matches):
            return 0.0
        precisions = [matches / total for matches, total in zip(self.matches, self.totals, strict=True)]
        brevity_penalty = math.exp(min(0.0, 1 - self.true_words / self.predicted_words))
        return brevity_penalty * math.prod(precisions) ** (1 / BLEU_ORDER)


def _ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


@dataclass(frozen=True)
class DetectionCounts:
    """Words found, one to one at IoU 0.5. Detections on ignored regions don't count."""

    matched: int = 0
    predicted: int = 0
    true: int = 0

    @classmethod
    def of(cls, quads: np.ndarray, ignore: np.ndarray, predicted: np.ndarray, iou: float = 0.5) -> DetectionCounts:
        """Counts of one page.

        Args:
            quads: (N, 4, 2) pixels, the truth, convex.
            ignore: bool (N,).
            predicted: (M, 4, 2) pixels, convex.
            iou: a pair matches from this overlap on.
        """
        overlap = _intersections(quads, predicted)  # (N, M)
        area, predicted_area = _areas(quads), _areas(predicted)
        on_ignored = (overlap[ignore] > 0.5 * predicted_area).any(axis=0)
        ious = overlap / np.maximum(area[:, None] + predicted_area - overlap, 1e-9)
        ious[ignore] = 0
        matched = 0
        free_rows, free_columns = np.ones(len(quads), bool), np.ones(len(predicted), bool)
        for index in np.argsort(-ious, axis=None):
            row, column = np.unravel_index(index, ious.shape)
            if ious[row, column] < iou:
                break
            if free_rows[row] and free_columns[column]:
                free_rows[row] = free_columns[column] = False
                matched += 1
        return cls(matched, int((~(on_ignored & free_columns)).sum()), int((~ignore).sum()))

    def __add__(self, other: DetectionCounts) -> DetectionCounts:
        return DetectionCounts(self.matched + other.matched, self.predicted + other.predicted, self.true + other.true)

    @property
    def precision(self) -> float:
        return self.matched / max(1, self.predicted)

    @property
    def recall(self) -> float:
        return self.matched / max(1, self.true)

    @property
    def f_score(self) -> float:
        return 2 * self.matched / max(1, self.predicted + self.true)


def _areas(quads: np.ndarray) -> np.ndarray:
    return np.array([cv2.contourArea(q.astype(np.float32)) for q in quads], np.float64)


def _intersections(quads: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Areas (N, M) that convex quads share; only pairs whose bounding boxes meet are computed."""
    shared = np.zeros((len(quads), len(others)))
    if not shared.size:
        return shared
    low, high = quads.min(axis=1), quads.max(axis=1)
    other_low, other_high = others.min(axis=1), others.max(axis=1)
    meet = ((low[:, None] < other_high) & (other_low < high[:, None])).all(axis=2)
    for i, j in zip(*np.nonzero(meet), strict=True):
        shared[i, j] = cv2.intersectConvexConvex(quads[i].astype(np.float32), others[j].astype(np.float32))[0]
    return shared
