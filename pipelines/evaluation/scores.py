"""Scores of predictions: counts of one picture, which can be summed over all pictures in any order."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ocr_models.errors import DocumentError, Stage
from ocr_models.geometry import known_places
from ocr_models.io.predictions import PredictedPage
from ocr_models.metrics.bleu import BleuCounts
from ocr_models.metrics.calibration import CalibrationCounts
from ocr_models.metrics.detection import DetectionCounts, match_detections
from ocr_models.metrics.matches import MatchCounts
from ocr_models.metrics.recognition import WordCounts
from ocr_models.metrics.text import PageCounts, plain_text
from ocr_models.records import Example, Task
from ocr_models.vocabulary import tokenize, without_punctuation

_CONFIDENCE_UNIT = 2**20  # units per 1.0 of confidence: integers, so that equal ones can be counted
_NO_QUADS = np.zeros((0, 4, 2), np.float32)


@dataclass(frozen=True)
class Rules:
    """How predictions are scored.

    Attributes:
        task: the task that is scored.
        casefold: whether upper and lower case are the same.
        has_places: whether predictions say where words are.
        keeps_confidences: whether every confidence is kept, to fit a temperature to them.
    """

    task: Task
    casefold: bool = False
    has_places: bool = True
    keeps_confidences: bool = False


@dataclass(frozen=True)
class Scores:
    """Counts of any number of pictures.

    Attributes:
        scored: number of pictures that were scored.
        failed: number of pictures that couldn't be scored.
        missing: number of scored pictures without a prediction, which count as empty.
        unplaced: number of scored pages whose truth or prediction doesn't say where every word is: only text counts.
        of_lines: number of scored pages that are labelled by lines: their words don't count in ``page.boxes``.
        rejected_labels: number of labels that can't be used and were left out.
        detection: counts of words found on pages.
        boxed_pages: number of pages whose words count in ``page.boxes``.
        page: counts of pages read.
        words: counts of word crops read.
        captions: counts of captions.
        calibration: confidences of crops, or of words that match a true word by place.
        confidences: the same confidences one by one, in units of 2**-20: how often each was right, or wrong.
    """

    scored: int = 0
    failed: int = 0
    missing: int = 0
    unplaced: int = 0
    of_lines: int = 0
    rejected_labels: int = 0
    detection: DetectionCounts = field(default_factory=DetectionCounts)
    boxed_pages: int = 0
    page: PageCounts = field(default_factory=PageCounts)
    words: WordCounts = field(default_factory=WordCounts)
    captions: BleuCounts = field(default_factory=BleuCounts)
    calibration: CalibrationCounts = field(default_factory=CalibrationCounts)
    confidences: Counter[tuple[int, bool]] = field(default_factory=Counter)

    def __add__(self, other: Scores) -> Scores:
        names = [of_one.name for of_one in dataclasses.fields(self)]
        return Scores(*(getattr(self, name) + getattr(other, name) for name in names))

    @staticmethod
    def sum(parts: Iterable[Scores]) -> Scores:
        """The scores of several parts."""
        return sum(parts, Scores())

    @property
    def confidence_pairs(self) -> tuple[list[float], list[bool]]:
        """All confidences that were kept, and whether each was right, in an order that is the same in every run."""
        units, correct = zip(*sorted(self.confidences.elements()), strict=True) if self.confidences else ((), ())
        return [unit / _CONFIDENCE_UNIT for unit in units], list(correct)


@dataclass(frozen=True)
class ScoredPicture:
    """A picture's scores.

    Attributes:
        scores: its counts.
        badness: 0 if nothing is wrong; pictures with higher values are shown first.
        row: its scores, as in ``pages.jsonl``.
    """

    scores: Scores
    badness: float
    row: dict[str, Any]


def score_picture(
    truth: Example, references: tuple[tuple[str, ...], ...], prediction: PredictedPage | None, rules: Rules
) -> ScoredPicture:
    """Scores one picture.

    Args:
        truth: its labels.
        references: its captions, as tokens.
        prediction: its prediction; None if there is none.
        rules: how it is scored.

    Raises:
        DocumentError: with stage "label", if the labels don't fit the task.
    """
    given = prediction or PredictedPage("", "", ())
    if rules.task == Task.RECOGNITION:
        scored = _score_crop(truth, given, rules)
    elif rules.task == Task.CAPTION:
        scored = _score_caption(references, given)
    else:
        scored = _score_page(truth, given, rules)
    scores = dataclasses.replace(scored.scores, scored=1, missing=int(prediction is None))
    return ScoredPicture(scores, scored.badness, scored.row | {"predicted": prediction is not None})


def is_placed(truth: Example) -> bool:
    """Whether the places of all words of a page are known; a quad of zeros stands for an unknown place."""
    return bool(known_places(truth.quads[~truth.ignore]).all())


def has_lines(truth: Example) -> bool:
    """Whether a page is labelled by lines: more than half of its characters are in texts of several words."""
    texts = [text.strip() for text, ignore in zip(truth.texts, truth.ignore, strict=True) if not ignore]
    return 2 * sum(len(text) for text in texts if " " in text) > sum(map(len, texts))


def predicted_quads(prediction: PredictedPage) -> np.ndarray:
    """The quads of all words, (M, 4, 2); a word without a place gets NaN, which overlaps nothing."""
    nowhere = np.full((4, 2), np.nan, np.float32)
    quads = [nowhere if word.quad is None else word.quad for word in prediction.words]
    return np.array(quads, np.float32) if quads else _NO_QUADS


def _score_page(truth: Example, prediction: PredictedPage, rules: Rules) -> ScoredPicture:
    placed, of_lines = is_placed(truth), has_lines(truth)
    if rules.has_places and any(word.quad is None for word in prediction.words):
        if rules.task == Task.DETECTION:
            raise DocumentError(Stage.SCORE, "the prediction has words without a place, as of lines without words")
        placed = False  # it would score as if nothing were found
    scores = Scores(unplaced=int(not placed), of_lines=int(of_lines))
    row: dict[str, Any] = {}
    if placed and rules.has_places:
        found = DetectionCounts.of(truth.quads, truth.ignore, predicted_quads(prediction))
        scores = dataclasses.replace(scores, detection=found)
        row |= _match_columns("detection", found)
    if rules.task == Task.DETECTION:
        return ScoredPicture(scores, _wrong_share(scores.detection), row)
    by_box = placed and rules.has_places and not of_lines
    page = PageCounts.of(truth, prediction, rules.casefold)
    page = page if by_box else dataclasses.replace(page, boxes=MatchCounts())
    row |= _match_columns("word", page.bag) | {"cer": page.cer}
    if by_box:
        row |= _match_columns("box", page.boxes)
        pairs = _confidences_by_box(truth, prediction, rules)
        scores = dataclasses.replace(scores, **_calibrate(pairs, rules), boxed_pages=1)
    return ScoredPicture(dataclasses.replace(scores, page=page), _wrong_share(page.bag), row)


def _confidences_by_box(truth: Example, prediction: PredictedPage, rules: Rules) -> list[tuple[float, bool]]:
    """The confidences of words that match a true word by place, and whether the texts are the same."""
    ignore = truth.ignore | np.array([not text for text in truth.texts], bool)
    pairs = match_detections(truth.quads, ignore, predicted_quads(prediction)).pairs
    words = [(truth.texts[true], prediction.words[found]) for true, found in pairs]
    return [
        (word.confidence, plain_text(text, rules.casefold) == plain_text(word.text, rules.casefold))
        for text, word in words
        if word.confidence is not None
    ]


def _score_crop(truth: Example, prediction: PredictedPage, rules: Rules) -> ScoredPicture:
    """Compares a crop's one text exactly as typed, because a recognizer must learn how characters are typed."""
    if len(truth.texts) != 1 or truth.ignore[0] or not truth.texts[0]:
        raise DocumentError(Stage.LABEL, f"a crop has one known text, but the labels are {truth.texts!r}")
    true, read = (text.casefold() if rules.casefold else text for text in (truth.texts[0], prediction.text.strip()))
    words = WordCounts.of(true, read)
    confidence = prediction.words[0].confidence if len(prediction.words) == 1 else None
    pairs = [] if confidence is None else [(confidence, true == read)]
    row = {"truth": truth.texts[0], "read": prediction.text.strip(), "confidence": confidence, "cer": words.cer}
    # Wrong characters that the recognizer was sure of are worse than those it doubted.
    badness = words.characters.edits * (1.0 if confidence is None else max(confidence, 1e-6))
    scores = Scores(words=words, **_calibrate(pairs, rules))
    return ScoredPicture(scores, badness, row | {"right": true == read})


def _score_caption(references: tuple[tuple[str, ...], ...], prediction: PredictedPage) -> ScoredPicture:
    """Punctuation marks don't count, as is usual for captions."""
    words = [without_punctuation(reference) for reference in references]
    counts = BleuCounts.of(words, without_punctuation(tokenize(prediction.text)))
    row: dict[str, Any] = {"caption": prediction.text, "references": [" ".join(reference) for reference in references]}
    row |= {f"bleu_{order}": counts.bleu(order) for order in (1, 4)}
    return ScoredPicture(Scores(captions=counts), 1 - counts.bleu(1), row)


def _calibrate(pairs: list[tuple[float, bool]], rules: Rules) -> dict[str, Any]:
    calibration = sum((CalibrationCounts.of(*pair) for pair in pairs), CalibrationCounts())
    kept = pairs if rules.keeps_confidences else []
    units = Counter((round(confidence * _CONFIDENCE_UNIT), correct) for confidence, correct in kept)
    return {"calibration": calibration, "confidences": units}


def _match_columns(name: str, counts: MatchCounts) -> dict[str, Any]:
    return {f"{name}_precision": counts.precision, f"{name}_recall": counts.recall, f"{name}_f": counts.f_score}


def _wrong_share(counts: MatchCounts) -> float:
    return 1 - counts.f_score if counts.predicted + counts.true else 0.0
