"""The content of ``evaluation.json``."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ocr_models.errors import PagebeamError
from ocr_models.io.predictions import prediction_name
from ocr_models.metrics.bleu import BLEU_ORDER
from ocr_models.metrics.calibration import CalibrationCounts, apply_temperature, fit_temperature
from ocr_models.metrics.matches import MatchCounts
from ocr_models.metrics.recognition import EditCounts, WordCounts
from ocr_models.records import Task
from pipelines.evaluation.scores import Rules, Scores
from pipelines.runtime.versions import versions

_CONFUSIONS = 50
_NAMED = 3

Summary = dict[str, Any]


@dataclass(frozen=True)
class EvaluationDescription:
    """What is known about an evaluation before it starts.

    Attributes:
        source: where the labelled data are.
        format: their format.
        command: the command line, as a list.
        options: everything that influences the scores.
        splits: the splits of a data set that are scored; none if they aren't known.
        models: name as the user gave it, id and digest of each model, by role.
        predictions: path and format of a tool's output; None if models are evaluated.
        predicted_names: names of the pages in that output.
        start_time: seconds since the epoch.
    """

    source: str
    format: str
    command: list[str]
    options: dict[str, Any]
    splits: tuple[str, ...] = ()
    models: dict[str, dict[str, str]] = field(default_factory=dict)
    predictions: dict[str, str] | None = None
    predicted_names: tuple[str, ...] = ()
    start_time: float = field(default_factory=time.time)


def summarize(
    rows: Sequence[dict[str, Any]], description: EvaluationDescription, rules: Rules, scores: Scores
) -> Summary:
    """The content of ``evaluation.json``.

    Args:
        rows: rows of all pictures, sorted by name.
        description: description of the evaluation.
        rules: how pictures were scored.
        scores: scores of all pictures together.

    Raises:
        PagebeamError: a tool's output can't be matched, or no temperature can be fitted.
    """
    digests = "".join(row["digest"] for row in rows if "digest" in row)
    summary: Summary = {
        "task": rules.task.value,
        "source": description.source,
        "format": description.format,
        "splits": list(description.splits),
        "data_digest": hashlib.sha256(digests.encode()).hexdigest(),
        "pictures": {name: getattr(scores, name) for name in ("scored", "failed", "missing", "unplaced", "of_lines")},
        "rejected_labels": scores.rejected_labels,
        "scores": _summarize_scores(scores, rules.task),
        "calibration": _summarize_calibration(scores.calibration),
        "models": description.models,
        "predictions": description.predictions and description.predictions | _match_names(rows, description),
        "options": description.options,
        "command": shlex.join(description.command),
        "versions": versions(),
        "elapsed_s": round(time.time() - description.start_time, 3),
    }
    if rules.keeps_confidences:
        summary["temperature"] = _fit(scores)
    return summary


def _summarize_scores(scores: Scores, task: Task) -> dict[str, Any]:
    """The scores by kind, without kinds for which nothing was counted."""
    found: dict[str, Any] = {}
    if scores.detection.true or scores.detection.predicted:
        found["detection"] = _matches(scores.detection) | {
            f"by_{kind}": {name: _matches(counts) for name, counts in groups.items()}
            for kind, groups in scores.detection.by.items()
        }
    if task == Task.OCR and scores.page.characters.truth_labels:
        found["bag_of_words"] = _matches(scores.page.bag)
        if scores.boxed_pages:
            found["words_by_box"] = _matches(scores.page.boxes) | {"pages": scores.boxed_pages}
        found["page_text"] = {"cer": scores.page.cer, **_edits(scores.page.characters)}
    if task == Task.RECOGNITION:
        found["recognition"] = _summarize_words(scores.words)
    if task == Task.CAPTION:
        bleu = {f"bleu_{order}": scores.captions.bleu(order) for order in range(1, BLEU_ORDER + 1)}
        found["captions"] = bleu | asdict(scores.captions)
    return found


def _matches(counts: MatchCounts) -> dict[str, float]:
    ratios = {"precision": counts.precision, "recall": counts.recall, "f_score": counts.f_score}
    return {**ratios, "matched": counts.matched, "predicted": counts.predicted, "true": counts.true}


def _edits(counts: EditCounts) -> dict[str, int]:
    return {"edits": counts.edits, "characters": counts.truth_labels}


def _summarize_words(words: WordCounts) -> dict[str, Any]:
    return {
        "accuracy": words.accuracy,
        "alphanumeric_accuracy": words.alphanumeric_accuracy,
        "cer": words.cer,
        "wer": words.wer,
        "label_error_rate": words.label_error_rate,
        "words": words.words,
        "alphanumeric_words": words.alphanumeric.words,
        **_edits(words.characters),
        "confusions": [list(confusion) for confusion in words.top_confusions(_CONFUSIONS)],
    }


def _summarize_calibration(calibration: CalibrationCounts) -> dict[str, Any] | None:
    if not sum(calibration.counts):
        return None
    return {
        "expected_calibration_error": calibration.expected_calibration_error,
        "words": sum(calibration.counts),
        "curve": [asdict(point) for point in calibration.curve],
    }


def _fit(scores: Scores) -> dict[str, Any]:
    """Fits a temperature to words that were read with a temperature of 1; returns it and their calibration with it."""
    confidences, correct = scores.confidence_pairs
    if not confidences:
        raise PagebeamError("no temperature can be fitted: no word with a known truth was read; give other data")
    fitted = fit_temperature(confidences, correct)
    scaled = [apply_temperature(confidence, fitted) for confidence in confidences]
    after = sum(map(CalibrationCounts.of, scaled, correct), CalibrationCounts())
    return {"fitted": fitted, "calibration": _summarize_calibration(after)}


def _match_names(rows: Sequence[dict[str, Any]], description: EvaluationDescription) -> dict[str, list[str]]:
    """The names of pictures without a prediction, and of pages in a tool's output that match no picture."""
    names: dict[str, str] = {}
    for row in rows:
        twin = names.setdefault(prediction_name(row["name"]), row["name"])
        if twin != row["name"]:
            raise PagebeamError(
                f"{twin} and {row['name']} would both match the prediction named {prediction_name(row['name'])}: "
                "evaluate their folders one by one"
            )
    predicted = set(description.predicted_names)
    if names and predicted.isdisjoint(names):
        raise PagebeamError(
            f"no prediction matches a picture: there are predictions for {some_names(sorted(predicted))}, but pictures "
            f"are named {some_names(sorted(names))}; name the predictions as the pictures, without folders and "
            "extensions"
        )
    return {
        "missing": [row["name"] for row in rows if row["status"] == "ok" and not row["predicted"]],
        "unused": sorted(predicted - set(names)),
    }


def some_names(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
