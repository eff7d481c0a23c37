"""The stream behind ``run``, ``caption``, ``prepare`` and ``evaluate``: work in, results out. It doesn't use Beam.

Work is split into requests, which child processes answer ahead of time. Models process the decoded items in batches; a
batch that fails is retried item by item, so that only the item at fault fails.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ocr_models.errors import DocumentError
from pipelines.decoding.ahead import DecodeAhead
from pipelines.decoding.child import Answer, Request
from pipelines.decoding.pool import DecodePool

MAX_BATCH_BYTES = 64_000_000
"""Limit for the pixels of a batch, and for those decoded meanwhile: it bounds memory if pages are very large."""


class Sized(Protocol):
    """An item of a batch; ``nbytes`` is the memory that it takes."""

    @property
    def nbytes(self) -> int: ...


Work = TypeVar("Work")
Key = TypeVar("Key")
Item = TypeVar("Item", bound=Sized)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Submission(Generic[Key]):
    """A request on its way to a decoder.

    Attributes:
        key: identifies the request to the stream.
        request: the request for the decoder.
        file: a local copy that must not be deleted before the answer has arrived.
    """

    key: Key
    request: Request
    file: Any = None


@dataclass(frozen=True)
class Done(Generic[Result]):
    """A result that needs no decoding, or no further processing."""

    result: Result


class DecodeStream(ABC, Generic[Work, Key, Result]):
    """Base class of streams; subclasses define what becomes of work, answers and failures.

    Args:
        pool: the decoders.
        ahead: number of requests that are queued or decoded while earlier answers are processed.
    """

    def __init__(self, pool: DecodePool, ahead: int) -> None:
        self._decoder = DecodeAhead(pool, MAX_BATCH_BYTES)
        self._ahead = ahead
        self._pending: deque[tuple[Submission[Key], Future[Answer]]] = deque()

    @abstractmethod
    def submissions(self, work: Work) -> Iterator[Submission[Key] | Done[Result]]:
        """The requests for a piece of work, and the results of what can't be requested."""

    @abstractmethod
    def decoded(self, submission: Submission[Key], answer: Answer) -> Iterable[Result]:
        """The results of an answer."""

    @abstractmethod
    def undecoded(self, submission: Submission[Key], error: DocumentError) -> Result:
        """The result of a request that failed."""

    @abstractmethod
    def status_of(self, result: Result) -> str:
        """The status under which progress counts a result: "ok", "blank", "unknown_script" or "failed"."""

    def add(self, work: Work) -> Iterator[Result]:
        """Accepts work; yields the results that are finished by now, of this work or of earlier work."""
        for submitted in self.submissions(work):
            if isinstance(submitted, Done):
                yield submitted.result
                continue
            self._pending.append((submitted, self._decoder.submit(submitted.request)))
            if len(self._pending) >= self._ahead:
                yield from self._take()

    def finish(self) -> Iterator[Result]:
        """Yields the results of all work that isn't finished yet."""
        while self._pending:
            yield from self._take()

    def _take(self) -> Iterator[Result]:
        submission, future = self._pending.popleft()
        try:
            answer = self._decoder.take(future)
        except DocumentError as error:
            yield self.undecoded(submission, error)
            return
        yield from self.decoded(submission, answer)


class BatchStream(DecodeStream[Work, Key, Result], Generic[Work, Key, Item, Result]):
    """A stream whose answers are processed in batches, for models.

    Args:
        pool: the decoders.
        batch_size: number of items that are processed at once; fewer if they reach ``MAX_BATCH_BYTES``.
        ahead: number of requests that are queued or decoded while a batch is filled and processed.
    """

    def __init__(self, pool: DecodePool, batch_size: int, ahead: int) -> None:
        super().__init__(pool, ahead)
        self._batch_size = batch_size
        self._batch: list[Item] = []

    @abstractmethod
    def items(self, submission: Submission[Key], answer: Answer) -> Iterable[Item | Done[Result]]:
        """The items of an answer, and results that need no processing."""

    @abstractmethod
    def process(self, items: list[Item]) -> Iterable[Result]:
        """The results of a batch, one per item. An exception of any kind means that the whole batch failed."""

    @abstractmethod
    def unprocessed(self, item: Item, error: Exception) -> Result:
        """The result of an item that fails in a batch of its own."""

    def decoded(self, submission: Submission[Key], answer: Answer) -> Iterator[Result]:
        for item in self.items(submission, answer):
            if isinstance(item, Done):
                yield item.result
                continue
            self._batch.append(item)
            if len(self._batch) >= self._batch_size or sum(i.nbytes for i in self._batch) >= MAX_BATCH_BYTES:
                yield from self._process_batch()

    def finish(self) -> Iterator[Result]:
        yield from super().finish()
        yield from self._process_batch()

    def _process_batch(self) -> Iterator[Result]:
        batch, self._batch = self._batch, []
        if batch:
            yield from self._process(batch)

    def _process(self, items: list[Item]) -> Iterator[Result]:
        try:
            results = self.process(items)
        except Exception as error:
            if len(items) == 1:
                yield self.unprocessed(items[0], error)
            else:
                for item in items:
                    yield from self._process([item])
            return
        yield from results
