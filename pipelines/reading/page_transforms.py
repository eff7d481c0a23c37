"""From page ranges to rows: the stage that does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.shared import Shared
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.decoding.pool import shared_pool
from pipelines.inputs.documents import PageRange
from pipelines.reading.page_stream import PageStream, Reader
from pipelines.reading.schemas import Row
from pipelines.runtime import progress


@dataclass
class ReadPages(beam.PTransform):
    """Page ranges → one row for every page, whatever happens to it.

    Attributes:
        load_reader: loads the models; called once a process, as all its workers share them.
        run_id: goes into the rows.
        dpi: for rendering PDFs.
        batch_size: pages that are read at once.
    """

    load_reader: Callable[[], Reader]
    run_id: str
    dpi: float = 200
    batch_size: int = 8

    def expand(self, page_ranges: beam.PCollection[PageRange]) -> beam.PCollection[Row]:
        return page_ranges | "Read" >> beam.ParDo(
            _ReadPagesFn(self.load_reader, self.run_id, self.dpi, self.batch_size)
        ).with_output_types(Row)


class _ReadPagesFn(beam.DoFn):
    def __init__(self, load_reader: Callable[[], Reader], run_id: str, dpi: float, batch_size: int):
        self._load_reader = load_reader
        self._run_id = run_id
        self._dpi = dpi
        self._batch_size = batch_size
        self._shared_reader = Shared()

    def setup(self) -> None:
        self._reader = self._shared_reader.acquire(self._load_reader)

    def start_bundle(self) -> None:
        self._stream = PageStream(
            self._reader, shared_pool(), self._dpi, self._run_id, self._batch_size, progress.observe_ms
        )

    def process(self, page_range: PageRange) -> Iterator[Row]:
        yield from _counted(self._stream.add(page_range))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for row in _counted(self._stream.finish()):
            yield GlobalWindows.windowed_value(row)


def _counted(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        progress.count_pages(row["status"])
        yield row
