"""``pagebeam evaluate``: scores models, or any tool's output, against labelled data."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import apache_beam as beam

from ocr_models.bundle import DEFAULT_BUNDLES, Bundle, find_bundle, is_shipped, set_temperature
from ocr_models.data.sources.source import SourceOptions
from ocr_models.errors import PagebeamError, UsageError
from ocr_models.inference.engines import AUTO
from ocr_models.io.images import ColorMode
from ocr_models.io.predictions import read_predictions
from ocr_models.records import Task
from pipelines.decoding.stream_fn import SharedModel
from pipelines.evaluation.labelled_data import LabelledData, open_data
from pipelines.evaluation.predictors import (
    CaptionPredictor,
    DetectionPredictor,
    OcrPredictor,
    Predictor,
    RecognitionPredictor,
    RecordedPredictions,
)
from pipelines.evaluation.report import SUMMARY
from pipelines.evaluation.scores import Rules
from pipelines.evaluation.summary import EvaluationDescription, Summary
from pipelines.evaluation.transforms import ListWork, Predict, Score, WriteEvaluation
from pipelines.runtime.beam_options import BeamOptions
from pipelines.runtime.runner import make_pipeline, run_pipelines
from pipelines.runtime.storage import absolute_uri, check_writable, delete, exists, join, read_bytes

_MODEL_TASKS = {"detector": "detection", "recognizer": "recognition", "captioner": "caption"}
_MODELS_OF = {
    Task.DETECTION: ("detector",),
    Task.RECOGNITION: ("recognizer",),
    Task.OCR: ("detector", "recognizer"),
    Task.CAPTION: ("captioner",),
}


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(BeamOptions):
    """The options of ``pagebeam evaluate``.

    Attributes:
        source: folder, file or glob of the labelled data, on any Beam file system.
        format: format of a source, or "shards".
        output: folder of the evaluation, on any Beam file system.
        task: the task that is scored; None for the one that the data are labelled for.
        source_options: options of the source; ``task`` replaces the task in them.
        detector: name or folder of the model that finds words; None for the default one.
        recognizer: name or folder of the model that reads them; None for the default one.
        captioner: folder of the model that captions pictures.
        beam_width: width of the recognizer's or captioner's beam search; None for the default of ``pagebeam run`` or
            ``pagebeam caption``.
        engine: what computes detector and recognizer.
        predictions: file or folder of a tool's output, to score instead of models.
        predictions_format: "text", "hocr", "alto", "page" or "pagebeam".
        casefold: whether upper and lower case are the same.
        fit_temperature: whether to fit a temperature to these data and store it in the recognizer's bundle.
        command: the command line, for the report.
    """

    source: str
    format: str
    output: str
    task: Task | None = None
    source_options: SourceOptions = field(default_factory=SourceOptions)
    detector: str | None = None
    recognizer: str | None = None
    captioner: str | None = None
    beam_width: int | None = None
    engine: str = AUTO
    predictions: str | None = None
    predictions_format: str | None = None
    casefold: bool = False
    fit_temperature: bool = False
    command: list[str] = field(default_factory=list)


def evaluate(options: EvaluateOptions) -> Summary:
    """Scores everything, showing progress on stderr.

    Returns:
        The content of ``evaluation.json``.

    Raises:
        UsageError: before any work: wrong data, models, predictions or options, an output that can't be written.
        PagebeamError: the run failed; then ``evaluation.json`` is not written.
    """
    output = absolute_uri(options.output)
    pipeline = make_pipeline(options)
    data = open_data(options.source, options.format, options.source_options, options.task, output)
    models = _find_models(options, data.task)
    rules = Rules(
        data.task,
        options.casefold,
        has_places=options.predictions_format != "text",
        keeps_confidences=options.fit_temperature,
    )
    load_predictor, names = _choose_predictor(options, data.task)
    description = EvaluationDescription(
        source=options.source,
        format=options.format,
        command=options.command,
        options=_scoring_options(options, data.task),
        splits=data.splits,
        models={
            role: {"name": _model_name(options, role), "id": bundle.id, "digest": bundle.digest}
            for role, bundle in models.items()
        },
        predictions=_describe_predictions(options),
        predicted_names=names,
    )
    check_writable(output)
    if exists(join(output, SUMMARY)):  # from an evaluation that this one replaces
        delete([join(output, SUMMARY)])
    has_attention = data.task == Task.RECOGNITION and "recognizer" in models and _has_attention(models["recognizer"])
    define_pipeline(pipeline, output, data, rules, load_predictor, description, has_attention)
    run_pipelines([pipeline], "picture")
    summary = _read_summary(output)
    if options.fit_temperature:
        set_temperature(models["recognizer"], summary["temperature"]["fitted"])
    return summary


def define_pipeline(
    root: beam.Pipeline,
    output: str,
    data: LabelledData,
    rules: Rules,
    load_predictor: Callable[[], Predictor],
    description: EvaluationDescription,
    has_attention: bool = False,
) -> beam.PCollection[Summary]:
    """Adds the whole graph to a pipeline.

    Args:
        root: the pipeline.
        output: folder of the evaluation.
        data: the labelled data.
        rules: how predictions are scored.
        load_predictor: loads the predictor that is evaluated, on the workers.
        description: what the evaluation's files say about it.
        has_attention: whether the predictor is a recognizer with attention, which the report shows.

    Returns:
        A PCollection whose one element is the content of ``evaluation.json``, when it has been written.
    """
    predictor = SharedModel(load_predictor)
    return (
        root
        | ListWork(list(data.items), list(data.shards))
        | Predict(data.source, predictor)
        | Score(rules)
        | WriteEvaluation(output, description, rules, predictor if has_attention else None)
    )


def _find_models(options: EvaluateOptions, task: Task) -> dict[str, Bundle]:
    """The checked bundles to evaluate, by role. Raises UsageError if one is missing or an option doesn't fit."""
    given = [role for role in _MODEL_TASKS if getattr(options, role)]
    if (options.predictions is None) != (options.predictions_format is None):
        raise UsageError("--predictions and --predictions-format go together; give both or neither")
    wanted = () if options.predictions else _MODELS_OF[task]
    unfit = [f"--{role}" for role in given if role not in wanted]
    if unfit:
        what = "the predictions of a tool" if options.predictions else f"task {task}"
        raise UsageError(f"{', '.join(unfit)} can't be used with {what}; leave it out")
    models = {}
    for role in wanted:
        models[role] = find_bundle(_model_name(options, role), _MODEL_TASKS[role])
    if options.fit_temperature:
        _check_can_fit(options, models)
    return models


def _model_name(options: EvaluateOptions, role: str) -> str:
    """The name or folder of a bundle, as the user gave it, or the default. Raises UsageError if there is none."""
    name = getattr(options, role) or DEFAULT_BUNDLES.get(_MODEL_TASKS[role])
    if name is None:
        raise UsageError("--captioner is missing: none is shipped; give the folder of a trained one")
    return name


def _check_can_fit(options: EvaluateOptions, models: dict[str, Bundle]) -> None:
    if "recognizer" not in models:
        raise UsageError(
            "--fit-temperature needs a recognizer's confidences; give --task recognition or ocr, and no --predictions"
        )
    path = models["recognizer"].path
    if is_shipped(path):
        raise UsageError(
            f"--fit-temperature would change {path.name}, which ships with the package; give the folder of a copy as "
            "--recognizer"
        )


def _has_attention(bundle: Bundle) -> bool:
    return bundle.config["arch"] == "attention"


def _choose_predictor(options: EvaluateOptions, task: Task) -> tuple[Callable[[], Predictor], tuple[str, ...]]:
    """A function that loads the predictor, and the names of the pages in a tool's output."""
    if options.predictions and options.predictions_format:
        path = options.predictions
        names = tuple(read_predictions(path, options.predictions_format))
        color_mode = ColorMode.RGB if task == Task.CAPTION else ColorMode.GRAY
        return functools.partial(_load_predictions, path, options.predictions_format, color_mode), names
    return functools.partial(_load_models, options, task), ()


def _load_predictions(path: str, predictions_format: str, color_mode: ColorMode) -> Predictor:
    return RecordedPredictions(read_predictions(path, predictions_format), color_mode)


def _load_models(options: EvaluateOptions, task: Task) -> Predictor:
    """Imports what computes the models only here, as the launcher doesn't need it."""
    beam_width = _beam_width(options, task)
    temperature = 1.0 if options.fit_temperature else None
    recognizer = options.recognizer or DEFAULT_BUNDLES["recognition"]
    if task == Task.CAPTION:
        from ocr_models.captioning.captioner import Captioner

        assert options.captioner is not None
        return CaptionPredictor(Captioner.load(find_bundle(options.captioner, "caption"), beam_width))
    if task == Task.RECOGNITION:
        from ocr_models.recognition.text_recognizer import TextRecognizer

        bundle = find_bundle(recognizer, "recognition")
        return RecognitionPredictor(TextRecognizer.load(bundle, beam_width, temperature, options.engine))
    from ocr_models.pages.page_reader import PageReader

    detector = options.detector or DEFAULT_BUNDLES["detection"]
    reader = PageReader.load(detector, recognizer, beam_width, temperature, engine=options.engine)
    return OcrPredictor(reader) if task == Task.OCR else DetectionPredictor(reader)


def _beam_width(options: EvaluateOptions, task: Task) -> int:
    """The beam width that was given, or else the default of ``pagebeam run`` or ``pagebeam caption``."""
    return options.beam_width or (3 if task == Task.CAPTION else 1)


def _describe_predictions(options: EvaluateOptions) -> dict[str, str] | None:
    if options.predictions and options.predictions_format:
        return {"path": options.predictions, "format": options.predictions_format}
    return None


def _scoring_options(options: EvaluateOptions, task: Task) -> dict[str, Any]:
    """Everything that influences the scores, as JSON values."""
    told: dict[str, Any] = {"casefold": options.casefold, "fit_temperature": options.fit_temperature}
    if not options.predictions:
        told["beam_width"] = _beam_width(options, task)
    return told | {"source_options": asdict(options.source_options)}


def _read_summary(output: str) -> Summary:
    path = join(output, SUMMARY)
    if not exists(path):
        raise PagebeamError(f"the run ended without {path}: it is not complete; run it again")
    return json.loads(read_bytes(path))
