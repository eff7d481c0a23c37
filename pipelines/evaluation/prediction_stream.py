"""Predictions for labelled pictures, in batches, while the next pictures are decoded. It doesn't use Beam."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ocr_models.data.sources.source import Source, SourceItem
from ocr_models.errors import DocumentError, Stage
from ocr_models.io.predictions import PredictedPage
from ocr_models.io.tfrecord import READ_ERRORS, unpacked
from pipelines.decoding.child import Answer
from pipelines.decoding.pool import DecodePool
from pipelines.decoding.stream import BatchStream, Done, Submission
from pipelines.evaluation.predictors import Predictor
from pipelines.evaluation.truth import FailedPicture, ReadItem, ReadRecord, TruthPicture
from pipelines.inputs.documents import record_places
from pipelines.inputs.local_copies import local_copy
from pipelines.inputs.page_ranges import PageRange
from pipelines.runtime.storage import open_file

AHEAD = 16  # items that are queued or decoded while the models work


@dataclass(frozen=True)
class Predicted:
    """A labelled picture and its prediction, None if there is none."""

    picture: TruthPicture
    prediction: PredictedPage | None


Work = SourceItem | PageRange
"""A piece of work: an item of a source, or a range of a shard's records."""

_Scored = Predicted | FailedPicture


class PredictionStream(BatchStream[Work, str, TruthPicture, _Scored]):
    """Turns items of a source, or ranges of records, into predictions.

    Args:
        source: reads the items; None if there are only records.
        predictor: the predictor that is evaluated.
        pool: the decoders.
        expect_more: called with the number of pictures that an item has beyond one.
    """

    def __init__(
        self,
        source: Source | None,
        predictor: Predictor,
        pool: DecodePool,
        expect_more: Callable[[int], None] = lambda count: None,
    ) -> None:
        super().__init__(pool, predictor.batch_size, AHEAD)
        self._source, self._predictor, self._expect_more = source, predictor, expect_more

    def submissions(self, work: Work) -> Iterator[Submission[str] | Done[_Scored]]:
        return self._submit_records(work) if isinstance(work, PageRange) else self._submit_item(work)

    def _submit_item(self, item: SourceItem) -> Iterator[Submission[str] | Done[_Scored]]:
        assert self._source is not None
        try:
            file = local_copy(item.path, None) if item.path else None
        except DocumentError as error:
            yield Done(FailedPicture(item.name, error.stage, str(error)))
            return
        request = ReadItem(self._source, item, file.name if file else None, self._predictor.color_mode)
        yield Submission(item.name, request, file)

    def _submit_records(self, records: PageRange) -> Iterator[Submission[str] | Done[_Scored]]:
        document, shard = records.document, posixpath.basename(records.document.uri)
        if document.error:
            if not _is_empty(document.uri):
                yield Done(FailedPicture(shard, Stage.OPEN, document.error))
            return
        names = [f"{shard}#{index}" for index in range(records.start, records.stop)]
        try:
            file, places = record_places(records)
        except DocumentError as error:
            for name in names:
                yield Done(FailedPicture(name, error.stage, str(error)))
            return
        for name, place in zip(names, places, strict=True):
            yield Submission(name, ReadRecord(place, name, self._predictor.color_mode), file)

    def items(self, submission: Submission[str], answer: Answer) -> Iterable[TruthPicture | Done[_Scored]]:
        pictures = answer.value.pictures
        self._expect_more(len(pictures) - 1)
        return [Done(picture) if isinstance(picture, FailedPicture) else picture for picture in pictures]

    def undecoded(self, submission: Submission[str], error: DocumentError) -> FailedPicture:
        return FailedPicture(submission.key, error.stage, str(error))

    def process(self, pictures: list[TruthPicture]) -> Iterator[Predicted]:
        return map(Predicted, pictures, self._predictor.predict(pictures))

    def unprocessed(self, picture: TruthPicture, error: Exception) -> FailedPicture:
        return FailedPicture(picture.name, getattr(error, "stage", Stage.READ), f"{type(error).__name__}: {error}")

    def status_of(self, scored: _Scored) -> str:
        return "failed" if isinstance(scored, FailedPicture) else "ok"


def _is_empty(uri: str) -> bool:
    """Whether a file, gzipped or not, is whole and has no content: a shard without records."""
    try:
        with open_file(uri) as file:
            return not unpacked(file).read(1)
    except READ_ERRORS:
        return False
