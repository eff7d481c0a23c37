"""PTransforms from page ranges to rows, and from rows to Parquet shards and the manifest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from ocr_models.limits import DecodeLimits
from pipelines.decoding.pool import shared_pool
from pipelines.decoding.stream_fn import SharedModel, StreamFn
from pipelines.inputs.page_ranges import PageRange
from pipelines.reading.page_stream import PageStream, Reader
from pipelines.reading.run_manifest import RunDescription, Totals, write_manifest
from pipelines.reading.schemas import Row, Table
from pipelines.reading.shards import Shard, SortedRow, add_empty_shards, shard_of, shard_path, write_shard
from pipelines.runtime import progress
from pipelines.runtime.runner import keep_all_elements
from pipelines.runtime.storage import absolute_uri


@dataclass
class ReadPages(beam.PTransform):
    """Page ranges → one row for every page; a page that fails has a row with the error.

    Attributes:
        load_reader: loads the models; called once per process, whose workers share them.
        dpi: resolution for rendering PDFs.
        batch_size: number of pages read at once.
        limits: what decoding a page may cost.
    """

    load_reader: Callable[[], Reader]
    dpi: float = 200
    batch_size: int = 8
    limits: DecodeLimits = field(default_factory=DecodeLimits)

    def expand(self, page_ranges: beam.PCollection[PageRange]) -> beam.PCollection[Row]:
        keep_all_elements()
        read = _ReadPagesFn(SharedModel(self.load_reader), self.dpi, self.batch_size, self.limits)
        return page_ranges | "SpreadPages" >> beam.Reshuffle() | "Read" >> beam.ParDo(read).with_output_types(Row)


class _ReadPagesFn(StreamFn):
    def __init__(self, reader: SharedModel[Reader], dpi: float, batch_size: int, limits: DecodeLimits) -> None:
        self._shared_reader, self._dpi, self._batch_size, self._limits = reader, dpi, batch_size, limits

    def setup(self) -> None:
        self._reader = self._shared_reader.acquire()

    def make_stream(self) -> PageStream:
        pool = shared_pool(self._limits)
        return PageStream(self._reader, pool, self._dpi, self._batch_size, progress.observe_ms)


@dataclass
class WritePages(beam.PTransform):
    """Rows → Parquet shards below ``output`` and, when all of them have been written, the run's manifest.

    The result is a PCollection whose one element is the manifest, when it has been written.

    Attributes:
        output: the output folder, on any Beam file system; it can hold several runs.
        run: describes the run for its manifest and gives its rows their ``run_id``; a new run by default.
        expected: the page ranges that the rows were read from. If there isn't a row for each of their pages, the run
            fails and writes no manifest. None: any number of rows is right.
        rows_per_shard: approximate number of rows per file.
    """

    output: str
    run: RunDescription = field(default_factory=RunDescription)
    expected: beam.PCollection[PageRange] | None = None
    rows_per_shard: int = 1000

    def expand(self, rows: beam.PCollection[Row]) -> beam.PCollection[dict[str, Any]]:
        output, table, run_id = absolute_uri(self.output), self.run.table, self.run.run_id
        totals = rows | _CountRows() if self.expected is None else self.expected | _CountPages()
        shard_count = AsSingleton(
            totals | "CountShards" >> beam.Map(lambda totals: max(math.ceil(totals.rows / self.rows_per_shard), 1))
        )
        return (
            rows
            | "PackRows" >> beam.Map(_key_by_shard, table, run_id, shard_count)
            | "GroupByShard" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(_write_group, output, table, run_id, shard_count)
            | "AllShards" >> beam.combiners.ToList()
            | "WriteEmptyShards" >> beam.Map(add_empty_shards, output, table, run_id, shard_count)
            | "WriteManifest" >> beam.Map(write_manifest, output, self.run, AsSingleton(totals))
        )


class _CountPages(beam.PTransform):
    """Page ranges → one ``Totals``: what the rows must add up to."""

    def expand(self, page_ranges: beam.PCollection[PageRange]) -> beam.PCollection[Totals]:
        return (
            page_ranges
            | "OnePerDocument" >> beam.Filter(lambda page_range: page_range.start == 0)
            | "Count" >> beam.Map(lambda page_range: Totals.of(page_range.document))
            | "Sum" >> beam.CombineGlobally(Totals.sum)
        )


class _CountRows(beam.PTransform):
    """Rows → one ``Totals`` of them."""

    def expand(self, rows: beam.PCollection[Row]) -> beam.PCollection[Totals]:
        return rows | "Count" >> beam.Map(Totals.of_row) | "Sum" >> beam.CombineGlobally(Totals.sum)


def _key_by_shard(row: Row, table: Table, run_id: str, shard_count: int) -> tuple[int, SortedRow]:
    uri, page_index = row["source_uri"], row["page_index"]
    packed = table.pack_row({**row, "run_id": run_id})
    return shard_of(uri, page_index, shard_count), (uri, page_index, packed)


def _write_group(
    group: tuple[int, Iterable[SortedRow]], output: str, table: Table, run_id: str, shard_count: int
) -> Shard:
    shard, rows = group
    return write_shard(output, shard_path(table, run_id, shard, shard_count), table, rows)
