"""Predictions for labelled pictures, in batches, with the next pictures decoded meanwhile: no Beam in here."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ocr_models.data.sources.source import Source, SourceItem
from ocr_models.errors import DocumentError, Stage
from ocr_models.io.predictions import PredictedPage
from pipelines.decoding.child import Answer, Request
from pipelines.decoding.pool import DecodeAhead, DecodePool
from pipelines.evaluation.predictors import Predictor
from pipelines.evaluation.truth import FailedPicture, ReadItem, ReadRecord, TruthPicture
from pipelines.inputs.documents import PageRange, local_copy, read_records
from pipelines.reading.page_stream import MAX_BATCH_BYTES

AHEAD = 16  # items that are decoded, or wait to be, while the models work


@dataclass(frozen=True)
class Predicted:
    """A labelled picture, and what was said about it: None where nothing was."""

    picture: TruthPicture
    prediction: PredictedPage | None


@dataclass(frozen=True)
class _Pending:
    """An item on its way through the decoder."""

    name: str
    answer: Future[Answer]
    file: Any = None  # keeps a downloaded file from being deleted


class PredictionStream:
    """Gives the predictions for items of a source, or for ranges of records, as they come.

    Args:
        source: reads the items; None where there are only records.
        predictor: is evaluated.
        pool: the decoders.
        expect_more: is told how many pictures an item has beyond one.
    """

    def __init__(
        self,
        source: Source | None,
        predictor: Predictor,
        pool: DecodePool,
        expect_more: Callable[[int], None] = lambda count: None,
    ):
        self._source, self._predictor, self._expect_more = source, predictor, expect_more
        self._decoder = DecodeAhead(pool, MAX_BATCH_BYTES)
        self._pending: deque[_Pending] = deque()
        self._batch: list[TruthPicture] = []

    def add(self, work: SourceItem | PageRange) -> Iterator[Predicted | FailedPicture]:
        """Takes an item in; yields what was finished in the meantime, of this or earlier ones."""
        pending = self._submit_records(work) if isinstance(work, PageRange) else self._submit_item(work)
        for submitted in pending:
            if isinstance(submitted, FailedPicture):
                yield submitted
                continue
            self._pending.append(submitted)
            if len(self._pending) >= AHEAD:
                yield from self._take()

    def finish(self) -> Iterator[Predicted | FailedPicture]:
        """Yields what is still on its way."""
        while self._pending:
            yield from self._take()
        yield from self._predict_batch()

    def _submit_item(self, item: SourceItem) -> Iterator[_Pending | FailedPicture]:
        assert self._source is not None
        try:
            file = local_copy(item.path, None) if item.path else None
        except DocumentError as error:
            yield FailedPicture(item.name, error.stage, str(error))
            return
        request = ReadItem(self._source, item, file.name if file else None, self._predictor.color_mode)
        yield _Pending(item.name, self._submit(request), file)

    def _submit_records(self, records: PageRange) -> Iterator[_Pending | FailedPicture]:
        document, shard = records.document, posixpath.basename(records.document.uri)
        if document.error:
            yield FailedPicture(shard, Stage.OPEN, document.error)
        index = records.start
        try:
            for payload in read_records(records) if document.kind else ():
                place = f"{shard}#{index}"
                yield _Pending(place, self._submit(ReadRecord(payload, place, self._predictor.color_mode)))
                index += 1
        except DocumentError as error:  # the shard breaks off: so do the records that are left
            for lost in range(index, records.stop):
                yield FailedPicture(f"{shard}#{lost}", error.stage, str(error))

    def _submit(self, request: Request) -> Future[Answer]:
        return self._decoder.submit(request)

    def _take(self) -> Iterator[Predicted | FailedPicture]:
        """Takes the next item from the decoder, and has its pictures predicted as batches get full."""
        pending = self._pending.popleft()
        try:
            pictures = self._decoder.take(pending.answer).value.pictures
        except DocumentError as error:
            yield FailedPicture(pending.name, error.stage, str(error))
            return
        self._expect_more(len(pictures) - 1)
        for picture in pictures:
            if isinstance(picture, FailedPicture):
                yield picture
                continue
            self._batch.append(picture)
            is_full = len(self._batch) >= self._predictor.batch_size
            if is_full or sum(waiting.nbytes for waiting in self._batch) >= MAX_BATCH_BYTES:
                yield from self._predict_batch()

    def _predict_batch(self) -> Iterator[Predicted | FailedPicture]:
        batch, self._batch = self._batch, []
        if batch:
            yield from self._predict(batch)

    def _predict(self, pictures: list[TruthPicture]) -> Iterator[Predicted | FailedPicture]:
        try:
            predictions = self._predictor.predict(pictures)
        except Exception as error:
            if len(pictures) == 1:
                reason = f"{type(error).__name__}: {error}"
                yield FailedPicture(pictures[0].name, getattr(error, "stage", Stage.READ), reason)
            else:  # one by one, so that only the guilty picture fails
                for picture in pictures:
                    yield from self._predict([picture])
            return
        yield from map(Predicted, pictures, predictions)
