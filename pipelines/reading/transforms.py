"""From rows to Parquet shards and, last, the manifest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from pipelines.inputs.documents import PageRange
from pipelines.reading.run_manifest import RunDescription, Totals, write_manifest
from pipelines.reading.schemas import Row, Table
from pipelines.reading.shards import Shard, SortedRow, add_empty_shards, shard_of, shard_path, write_shard


class SumDocuments(beam.PTransform):
    """Page ranges → one ``Totals``: what the rows must add up to."""

    def expand(self, page_ranges: beam.PCollection[PageRange]) -> beam.PCollection[Totals]:
        return (
            page_ranges
            | "OnePerDocument" >> beam.Filter(lambda page_range: page_range.start == 0)
            | "Count" >> beam.Map(lambda page_range: Totals.of(page_range.document))
            | "Sum" >> beam.CombineGlobally(Totals.sum)
        )


@dataclass
class WriteShards(beam.PTransform):
    """Rows → ``Shard`` for each of the Parquet files written below ``output``.

    Attributes:
        output: the data set's folder, on any Beam file system.
        table: what the rows are like.
        run_id: the value of the hive partition ``run``.
        totals: the one ``Totals`` of the run, which decides the number of shards.
        rows_per_shard: about how many.
    """

    output: str
    table: Table
    run_id: str
    totals: beam.PCollection[Totals]
    rows_per_shard: int = 1000

    def expand(self, rows: beam.PCollection[Row]) -> beam.PCollection[Shard]:
        shard_count = AsSingleton(
            self.totals | "CountShards" >> beam.Map(lambda totals: max(math.ceil(totals.rows / self.rows_per_shard), 1))
        )
        return (
            rows
            | "PackRows" >> beam.Map(_key_by_shard, self.table, shard_count)
            | "GroupByShard" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(_write_group, self.output, self.table, self.run_id, shard_count)
            | "AllShards" >> beam.combiners.ToList()
            | "WriteEmptyShards" >> beam.FlatMap(add_empty_shards, self.output, self.table, self.run_id, shard_count)
        )


def _key_by_shard(row: Row, table: Table, shard_count: int) -> tuple[int, SortedRow]:
    uri, page_index = row["source_uri"], row["page_index"]
    return shard_of(uri, page_index, shard_count), (uri, page_index, table.pack_row(row))


def _write_group(
    group: tuple[int, Iterable[SortedRow]], output: str, table: Table, run_id: str, shard_count: int
) -> Shard:
    shard, rows = group
    return write_shard(output, shard_path(table, run_id, shard, shard_count), table, rows)


@dataclass
class WriteManifest(beam.PTransform):
    """Shards → the manifest, written when all of them are there and add up to ``totals``.

    Attributes:
        output: the data set's folder.
        run: what goes into the manifest about the run itself.
        totals: the one ``Totals`` of the run.
    """

    output: str
    run: RunDescription
    totals: beam.PCollection[Totals]

    def expand(self, shards: beam.PCollection[Shard]) -> beam.PCollection[dict[str, Any]]:
        return (
            shards
            | "AllShards" >> beam.combiners.ToList()
            | "Write" >> beam.Map(write_manifest, self.output, self.run, AsSingleton(self.totals))
        )
