"""The one machine behind ``run``, ``caption``, ``prepare`` and ``evaluate``: work in, results out. No Beam in here.

Work is cut into requests, which child processes answer ahead of time. Models get what was decoded in batches; a batch
that fails is tried again item by item, so that only the guilty item fails.
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
"""Of pixels: a batch of very large pages is cut short to bound memory, and so is what is decoded meanwhile."""


class Sized(Protocol):
    """What fills a batch; ``nbytes`` is the memory that it takes."""

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
        key: what the stream knows the request by.
        request: for the decoder.
        file: a local copy that must not be deleted before the answer is there.
    """

    key: Key
    request: Request
    file: Any = None


@dataclass(frozen=True)
class Done(Generic[Result]):
    """A result that needs no decoding, or no processing, any more."""

    result: Result


class DecodeStream(ABC, Generic[Work, Key, Result]):
    """A stream; subclasses say what work, answers and failures become.

    Args:
        pool: the decoders.
        ahead: requests that are decoded, or wait for it, while earlier answers are worked on.
    """

    def __init__(self, pool: DecodePool, ahead: int) -> None:
        self._decoder = DecodeAhead(pool, MAX_BATCH_BYTES)
        self._ahead = ahead
        self._pending: deque[tuple[Submission[Key], Future[Answer]]] = deque()

    @abstractmethod
    def submissions(self, work: Work) -> Iterator[Submission[Key] | Done[Result]]:
        """The requests for a piece of work, and results for what can't be requested."""

    @abstractmethod
    def decoded(self, submission: Submission[Key], answer: Answer) -> Iterable[Result]:
        """The results of an answer."""

    @abstractmethod
    def undecoded(self, submission: Submission[Key], error: DocumentError) -> Result:
        """The result for a request that failed."""

    @abstractmethod
    def status_of(self, result: Result) -> str:
        """What progress counts a result as: "ok", "blank" or "failed"."""

    def add(self, work: Work) -> Iterator[Result]:
        """Takes work in; yields the results that were finished in the meantime, of this work or of earlier work."""
        for submitted in self.submissions(work):
            if isinstance(submitted, Done):
                yield submitted.result
                continue
            self._pending.append((submitted, self._decoder.submit(submitted.request)))
            if len(self._pending) >= self._ahead:
                yield from self._take()

    def finish(self) -> Iterator[Result]:
        """Yields the results of all work that is still on its way."""
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
    """A stream whose answers are processed in batches, as models want them.

    Args:
        pool: the decoders.
        batch_size: items that are processed at once, fewer where they take more than ``MAX_BATCH_BYTES``.
        ahead: requests that are decoded, or wait for it, while a batch is filled and processed.
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
        """The results of a batch, one for each item. An exception of any kind is one for the whole batch."""

    @abstractmethod
    def unprocessed(self, item: Item, error: Exception) -> Result:
        """The result for an item that fails by itself."""

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
