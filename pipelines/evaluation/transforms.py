"""PTransforms from labelled pictures to their scores, and to the files of an evaluation."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from ocr_models.data.sources.source import Source, SourceItem
from ocr_models.errors import DocumentError, Stage
from ocr_models.io.images import decode_image
from ocr_models.io.predictions import PredictedPage
from ocr_models.records import Example, Task
from pipelines.decoding.pool import shared_pool
from pipelines.decoding.stream_fn import SharedModel, StreamFn
from pipelines.evaluation.evidence import Evidence, Shown, show_evidence, thumbnail
from pipelines.evaluation.prediction_stream import Predicted, PredictionStream, Work
from pipelines.evaluation.predictors import Predictor, RecognitionPredictor
from pipelines.evaluation.report import write_evaluation
from pipelines.evaluation.scores import Rules, Scores, score_picture
from pipelines.evaluation.summary import EvaluationDescription
from pipelines.evaluation.truth import FailedPicture
from pipelines.inputs.discovery import FoundFile
from pipelines.inputs.transforms import OpenDocuments, count_pages
from pipelines.runtime import progress
from pipelines.runtime.runner import keep_all_elements

WORST = {Task.DETECTION: 12, Task.OCR: 12, Task.RECOGNITION: 48, Task.CAPTION: 24}  # pictures in the report
ATTENTION_SHOWN = 12  # of the worst words, those whose attention is drawn


@dataclass(frozen=True)
class Evaluated:
    """A scored picture, without its pixels.

    Attributes:
        scores: its counts.
        row: its scores, as in ``pages.jsonl``.
        evidence: pictures of its errors; None if it has none.
    """

    scores: Scores
    row: dict[str, Any]
    evidence: Evidence | None = None


@dataclass
class ListWork(beam.PTransform):
    """Root → all items of a source, or all ranges of records of a data set's shards, spread over workers.

    Attributes:
        items: items of the source.
        shards: URIs of the shards.
    """

    items: list[SourceItem]
    shards: list[str]

    def expand(self, root: beam.Pipeline) -> beam.PCollection[Work]:
        if self.shards:
            shards = [FoundFile(uri) for uri in self.shards]
            ranges = root | "Shards" >> beam.Create(shards, reshuffle=False) | OpenDocuments()
            return ranges | "CountPages" >> beam.Map(count_pages) | "SpreadRanges" >> beam.Reshuffle()
        return (
            root
            | "Items" >> beam.Create(self.items, reshuffle=False)
            | "CountItems" >> beam.Map(progress.count_expected)
            | "SpreadItems" >> beam.Reshuffle()
        )


@dataclass
class Predict(beam.PTransform):
    """Items and ranges → a ``Predicted`` or ``FailedPicture`` for every picture.

    Attributes:
        source: reads the items; None if there are only ranges.
        predictor: the predictor that is evaluated.
    """

    source: Source | None
    predictor: SharedModel[Predictor]

    def expand(self, work: beam.PCollection[Work]) -> beam.PCollection[Predicted | FailedPicture]:
        keep_all_elements()
        return work | "Predict" >> beam.ParDo(_PredictFn(self.source, self.predictor))


class _PredictFn(StreamFn):
    def __init__(self, source: Source | None, predictor: SharedModel[Predictor]) -> None:
        self._source, self._shared_predictor = source, predictor

    def setup(self) -> None:
        self._predictor = self._shared_predictor.acquire()

    def make_stream(self) -> PredictionStream:
        expect_more = functools.partial(progress.count_pages, progress.EXPECTED)
        return PredictionStream(self._source, self._predictor, shared_pool(), expect_more)


@dataclass
class Score(beam.PTransform):
    """Pictures with their predictions → one ``Evaluated`` each. Records that share a picture count once.

    Attributes:
        rules: how they are scored.
    """

    rules: Rules

    def expand(self, pictures: beam.PCollection[Predicted | FailedPicture]) -> beam.PCollection[Evaluated]:
        if self.rules.task != Task.CAPTION:
            return pictures | "Score" >> beam.Map(evaluate_picture, self.rules)
        return (
            pictures
            | "KeyByName" >> beam.Map(_without_pixels)
            | "GroupByPicture" >> beam.GroupByKey()
            | "ScoreCaptions" >> beam.Map(_evaluate_captions, self.rules)
        )


def evaluate_picture(picture: Predicted | FailedPicture, rules: Rules) -> Evaluated:
    """Scores one picture; if its labels can't be scored, it alone fails."""
    if isinstance(picture, FailedPicture):
        return _failed(picture)
    truth = picture.picture
    try:
        scored = score_picture(truth.example, truth.references, picture.prediction, rules)
        shown = show_evidence(truth, picture.prediction, rules) if scored.badness else ()
    except Exception as error:
        reason = str(error) if isinstance(error, DocumentError) else f"{type(error).__name__}: {error}"
        return _failed(FailedPicture(truth.name, getattr(error, "stage", Stage.SCORE), reason))
    row = {"name": truth.name, "status": "ok", **scored.row, "digest": truth.digest}
    evidence = Evidence(scored.badness, truth.name, shown) if shown else None
    return _with_rejected(Evaluated(scored.scores, row, evidence), truth.rejected_labels)


def _with_rejected(evaluated: Evaluated, rejected_labels: tuple[str, ...]) -> Evaluated:
    """Notes which of a picture's labels were left out."""
    if not rejected_labels:
        return evaluated
    scores = dataclasses.replace(evaluated.scores, rejected_labels=len(rejected_labels))
    return dataclasses.replace(evaluated, scores=scores, row=evaluated.row | {"rejected_labels": [*rejected_labels]})


def _failed(picture: FailedPicture) -> Evaluated:
    row = {"name": picture.name, "status": "failed", "stage": picture.stage, "reason": picture.reason}
    return Evaluated(Scores(failed=1), row)


@dataclass(frozen=True)
class _CaptionedPicture:
    """A picture, or one of its records, to be grouped with others; small, because it is shuffled."""

    references: tuple[tuple[str, ...], ...]
    prediction: PredictedPage | None
    digest: str
    thumbnail: bytes
    rejected_labels: tuple[str, ...]


def _without_pixels(picture: Predicted | FailedPicture) -> tuple[str, _CaptionedPicture | FailedPicture]:
    if isinstance(picture, FailedPicture):
        return picture.name, picture
    truth = picture.picture
    return truth.name, _CaptionedPicture(
        truth.references, picture.prediction, truth.digest, thumbnail(truth.pixels), truth.rejected_labels
    )


def _evaluate_captions(group: tuple[str, Iterable[_CaptionedPicture | FailedPicture]], rules: Rules) -> Evaluated:
    """Scores a picture against the captions of all its records."""
    name, parts = group
    captioned: list[_CaptionedPicture] = []
    for part in parts:
        if isinstance(part, FailedPicture):
            return _failed(part)
        captioned.append(part)
    captioned.sort(key=lambda part: part.digest)
    references = tuple(reference for part in captioned for reference in part.references)
    if not references:
        return _failed(FailedPicture(name, Stage.LABEL, "the picture has no caption to compare with"))
    scored = score_picture(Example(name, b"", "", 0, 0), references, captioned[0].prediction, rules)
    digest = hashlib.sha256("".join(part.digest for part in captioned).encode()).hexdigest()
    captions = [f"said: {scored.row['caption']}", *(f"true: {reference}" for reference in scored.row["references"])]
    shown = Shown(captioned[0].thumbnail, "\n".join([name, *captions]))
    evidence = Evidence(scored.badness, name, (shown,)) if scored.badness else None
    row = {"name": name, "status": "ok", **scored.row, "digest": digest}
    rejected_labels = tuple(label for part in captioned for label in part.rejected_labels)
    return _with_rejected(Evaluated(scored.scores, row, evidence), rejected_labels)


@dataclass
class WriteEvaluation(beam.PTransform):
    """Scored pictures → the files of the evaluation, and its summary as the one element of a PCollection.

    Attributes:
        output: folder of the files, on any Beam file system.
        description: what is known about the evaluation before it starts.
        rules: how pictures were scored.
        attention: a recognizer whose attention is drawn for the worst words; None to draw none.
    """

    output: str
    description: EvaluationDescription
    rules: Rules
    attention: SharedModel[Predictor] | None = None

    def expand(self, evaluated: beam.PCollection[Evaluated]) -> beam.PCollection[dict[str, Any]]:
        scores = (
            evaluated
            | "Scores" >> beam.Map(lambda picture: picture.scores)
            | "SumScores" >> beam.CombineGlobally(Scores.sum)
        )
        worst = (
            evaluated
            | "Evidence" >> beam.FlatMap(lambda picture: [picture.evidence] if picture.evidence else [])
            | "Worst" >> beam.combiners.Top.Of(WORST[self.rules.task], key=lambda evidence: evidence.rank)
        )
        if self.attention:
            worst |= "ShowAttention" >> beam.ParDo(_ShowAttentionFn(self.attention))
        rows = evaluated | "Rows" >> beam.Map(lambda picture: picture.row) | "AllRows" >> beam.combiners.ToList()
        return rows | "Write" >> beam.Map(
            write_evaluation, self.output, self.description, self.rules, AsSingleton(scores), AsSingleton(worst)
        )


class _ShowAttentionFn(beam.DoFn):
    """Adds to the worst words drawings of a recognizer's attention for each character."""

    def __init__(self, predictor: SharedModel[Predictor]) -> None:
        self._shared_predictor = predictor

    def setup(self) -> None:
        self._predictor = self._shared_predictor.acquire()

    def process(self, worst: list[Evidence]) -> Iterator[list[Evidence]]:
        assert isinstance(self._predictor, RecognitionPredictor)
        shown = [_with_attention(evidence, self._predictor) for evidence in worst[:ATTENTION_SHOWN]]
        yield shown + worst[ATTENTION_SHOWN:]


def _with_attention(evidence: Evidence, predictor: RecognitionPredictor) -> Evidence:
    [crop] = evidence.pictures
    pixels = decode_image(crop.data).pixels
    return dataclasses.replace(evidence, attention=predictor.draw_attention(pixels))
