"""Decode streams as DoFns, and models that the workers of a process share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.shared import Shared
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.decoding.stream import DecodeStream
from pipelines.runtime import progress

Model = TypeVar("Model")


@dataclass
class SharedModel(Generic[Model]):
    """A model that all workers of a process share.

    Attributes:
        load: loads the model; called once per process.
    """

    load: Callable[[], Model]
    shared: Shared = field(default_factory=Shared)

    def acquire(self) -> Model:
        """Returns the model, which the first call in a process loads."""
        return self.shared.acquire(self.load)


class StreamFn(beam.DoFn):
    """Runs a decode stream over each bundle, and counts its results as they come."""

    @abstractmethod
    def make_stream(self) -> DecodeStream[Any, Any, Any]:
        """Returns an empty stream for one bundle."""

    def start_bundle(self) -> None:
        self._stream = self.make_stream()

    def process(self, work: Any) -> Iterator[Any]:
        yield from self._counted(self._stream.add(work))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for result in self._counted(self._stream.finish()):
            yield GlobalWindows.windowed_value(result)

    def _counted(self, results: Iterable[Any]) -> Iterator[Any]:
        for result in results:
            progress.count_pages(self._stream.status_of(result))
            yield result
