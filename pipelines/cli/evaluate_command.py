"""``pagebeam evaluate``: scores models, or any tool's output, against labelled data."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ocr_models.arguments import ArgumentParser, positive
from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.data.sources.formats import FORMATS
from ocr_models.errors import ExitStatus
from ocr_models.records import Task
from ocr_models.terminal import LogFormat, hand_on, log_format, say
from pipelines.cli.shared_arguments import (
    add_engine_argument,
    add_log_arguments,
    add_rendering_arguments,
    add_runner_arguments,
    begin_on_labels,
    make_parser,
    pop_log_options,
    pop_source_options,
)

if TYPE_CHECKING:
    from pipelines.evaluation.evaluate import EvaluateOptions

_BRIEF = ("source", "splits", "models", "scores", "calibration", "pictures")
_PREDICTION_FORMATS = ("text", "hocr", "alto", "page", "pagebeam")
# The scores that are printed: their keys in evaluation.json, and their labels.
_PRINTED = {
    "bag_of_words": {"f_score": "word F1", "precision": "precision", "recall": "recall"},
    "words_by_box": {"f_score": "word F1 by box", "precision": "precision", "recall": "recall"},
    "page_text": {"cer": "page CER"},
    "detection": {"f_score": "detection F1", "precision": "precision", "recall": "recall"},
    "recognition": {"accuracy": "word accuracy", "alphanumeric_accuracy": "[0-9a-z] only", "cer": "CER", "wer": "WER"},
    "captions": {f"bleu_{order}": f"BLEU-{order}" for order in (1, 2, 3, 4)},
}


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    parser = _parser()
    arguments, beam_args = parser.parse_known_args(argv)
    is_quiet = pop_log_options(vars(arguments))
    begin_on_labels(parser, arguments, beam_args)
    from pipelines.evaluation.evaluate import evaluate  # loads Beam, which help and usage errors don't need

    summary = evaluate(_options(arguments, [*argv], beam_args))
    if not is_quiet and log_format() == LogFormat.JSON:
        hand_on(json.dumps({name: summary[name] for name in _BRIEF}, ensure_ascii=False))
    elif not is_quiet:
        _report(summary, arguments.output.rstrip("/"))
    return ExitStatus.SOME_FAILED if summary["pictures"]["failed"] else ExitStatus.OK


def _parser() -> ArgumentParser:
    parser = make_parser(
        "evaluate",
        "Scores models, or any tool's output, against labelled data; writes DIR/report.html, DIR/evaluation.json and "
        "DIR/pages.jsonl.",
        "0 all pictures were scored; 3 some could not be",
        "--runner=DataflowRunner",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="folder, file of labels, or glob; local or on gs://, s3://, hdfs://"
    )
    parser.add_argument(
        "--format", required=True, choices=["shards", *sorted(FORMATS)], help="how pictures are labelled"
    )
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder of the evaluation; replaces an earlier one"
    )
    parser.add_argument("--task", type=Task, choices=list(Task), help="default: the one that the data are labelled for")
    parser.add_argument("--casefold", action="store_true", help="treat upper and lower case as the same")
    add_runner_arguments(parser)
    _add_evaluated(parser)
    add_rendering_arguments(parser.add_argument_group("sources"))
    add_log_arguments(parser)
    return parser


def _add_evaluated(parser: argparse.ArgumentParser) -> None:
    models = parser.add_argument_group("models")
    for name, task in (("--detector", "detection"), ("--recognizer", "recognition")):
        models.add_argument(name, metavar="NAME|BUNDLE", help=f"default: {DEFAULT_BUNDLES[task]}, which is shipped")
    add_engine_argument(models)
    models.add_argument("--captioner", metavar="BUNDLE", help="folder of a trained model; none is shipped")
    models.add_argument(
        "--beam-width", type=positive, metavar="N", help="width of the beam search; default: 1 (greedy), for captions 3"
    )
    models.add_argument(
        "--fit-temperature",
        action="store_true",
        help="fit a temperature to these data and store it in the recognizer's bundle",
    )
    predictions = parser.add_argument_group("predictions of any tool, instead of models")
    predictions.add_argument("--predictions", metavar="PATH", help="file or folder; pages are matched by file name")
    predictions.add_argument("--predictions-format", choices=_PREDICTION_FORMATS, help="format of the predictions")


def _options(arguments: argparse.Namespace, argv: list[str], beam_args: list[str]) -> EvaluateOptions:
    from pipelines.evaluation.evaluate import EvaluateOptions

    values = dict(vars(arguments))
    told = pop_source_options(values)
    command = ["pagebeam", "evaluate", *argv]
    return EvaluateOptions(**values, source_options=told, command=command, beam_args=beam_args)


def _report(summary: dict[str, Any], output: str) -> None:
    from pipelines.evaluation.summary import some_names

    splits = " and ".join(summary["splits"])
    say(f"{'data':<14} {summary['source']}{f', split {splits}' if splits else ''}")
    for role, model in summary["models"].items():
        say(f"{role:<14} {model['name']}")
    for kind, scores in summary["scores"].items():
        values = [f"{label} {scores[name]:.4f}" for name, label in _PRINTED[kind].items()]
        say(f"{kind.replace('_', ' '):<14} {', '.join(values)}")
    if summary["calibration"]:
        say(
            f"{'confidences':<14} expected calibration error {summary['calibration']['expected_calibration_error']:.4f}"
        )
    if "temperature" in summary:
        fitted = summary["temperature"]
        error = fitted["calibration"]["expected_calibration_error"]
        say(f"{'temperature':<14} {fitted['fitted']:.4f}, with which the error is {error:.4f}; stored in the bundle")
    pictures, predictions = summary["pictures"], summary["predictions"]
    counts = [f"{pictures['scored']} scored", f"{pictures['failed']} failed"]
    if predictions:
        unused = len(predictions["unused"])
        counts += [f"{pictures['missing']} without a prediction", f"{unused} predictions without a picture"]
    if pictures["unplaced"]:
        counts.append(f"{pictures['unplaced']} by text alone")
    say(f"{'pictures':<14} {', '.join(counts)}")
    if predictions:
        matched = f"for {pictures['scored'] - pictures['missing']} of {pictures['scored']} pictures"
        unmatched = {"none for": predictions["missing"], "no picture for": predictions["unused"]}
        named = [f"{what} {some_names(names)}" for what, names in unmatched.items() if names]
        say(f"{'predictions':<14} {'; '.join([matched, *named])}")
    say(f"{'report':<14} {output}/report.html")
    say(f"{'numbers':<14} {output}/evaluation.json, by picture {output}/pages.jsonl")
