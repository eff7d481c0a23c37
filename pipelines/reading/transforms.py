"""PTransforms from page ranges to rows, and from rows to Parquet shards and the manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.shared import Shared
from apache_beam.utils.windowed_value import WindowedValue

from ocr_models.limits import DecodeLimits, use_cores
from pipelines.decoding.pool import shared_pool
from pipelines.decoding.stream_fn import SharedModel, StreamFn
from pipelines.inputs.discovery import check_seen
from pipelines.inputs.page_ranges import DocumentPlace, PageRange
from pipelines.inputs.worklist import unseen_output
from pipelines.output.chunks import read_chunks, write_chunk
from pipelines.output.commit import commit_briefly, commit_run
from pipelines.output.documents_table import stamp_columns
from pipelines.output.run_manifest import RunDescription, Totals, description_path
from pipelines.output.schemas import Row
from pipelines.output.shards import Shard, ShardWriter, write_documents
from pipelines.reading.page_stream import PageStream, Reader
from pipelines.runtime import progress
from pipelines.runtime.runner import keep_all_elements
from pipelines.runtime.stopping import StopFile
from pipelines.runtime.storage import absolute_uri, exists, join

ROWS_PER_SHARD = 500  # two to four minutes of a core's work, and some 5 MB
_DOCUMENTS_PER_FILE = 10_000


@dataclass
class ReadPages(beam.PTransform):
    """Page ranges → one row for every page; a page that fails has a row with the error.

    Attributes:
        load_reader: loads the models; called once per process, whose workers share them.
        dpi: resolution for rendering PDFs.
        batch_size: number of pages read at once.
        limits: what decoding a page may cost.
        reader_id: the column ``reader_id`` of the rows.
        stop: asks to begin no more pages; None if nothing does.
        folders: local folders of the inputs; a worker that doesn't see them fails the pipeline.
        shared: keeps the models in a process for the next pipeline with the same transform.
    """

    load_reader: Callable[[], Reader]
    dpi: float = 200
    batch_size: int = 8
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    reader_id: str | None = None
    stop: StopFile | None = None
    folders: tuple[str, ...] = ()
    shared: Shared = field(default_factory=Shared)

    def expand(self, page_ranges: beam.PCollection[PageRange]) -> beam.PCollection[Row]:
        keep_all_elements()
        return page_ranges | "Read" >> beam.ParDo(_ReadPagesFn(self)).with_output_types(Row)


class _ReadPagesFn(StreamFn):
    def __init__(self, options: ReadPages) -> None:
        self._shared_reader = SharedModel(options.load_reader, options.shared)
        self._dpi, self._batch_size, self._limits = options.dpi, options.batch_size, options.limits
        self._reader_id, self._stop, self._folders = options.reader_id, options.stop, options.folders

    def setup(self) -> None:
        check_seen(self._folders)
        use_cores(self._limits.cores)  # for what computes the models
        self._reader = self._shared_reader.acquire()

    def process(self, work: PageRange) -> Iterator[Row]:
        if not (self._stop and self._stop.is_asked()):
            yield from super().process(work)

    def make_stream(self) -> PageStream:
        pool = shared_pool(self._limits)
        return PageStream(self._reader, pool, self._dpi, self._batch_size, progress.observe_ms, self._reader_id)


@beam.typehints.with_input_types(Row)
@beam.typehints.with_output_types(dict[str, Any])
@dataclass
class WritePages(beam.PTransform):
    """Rows → Parquet shards and, when all of them have been written, the run's manifest: then they are current.

    The result is a PCollection whose one element is the manifest, when it has been written. Shards are written as they
    fill. They become visible together, at the end, when rows of the same pages that earlier runs wrote are replaced
    (``pipelines.output.commit``).

    Attributes:
        output: the output folder, on any Beam file system; it can hold several runs.
        run: describes the run for its manifest and gives its rows their ``run_id``; a new run by default.
        expected: the page ranges that the rows were read from. If there isn't a row for each of their pages, the run
            fails and writes no manifest. None: any number of rows is right.
        rows_per_shard: number of rows per file. A worker that is killed loses fewer than that.
        stop: may have asked the run to stop before all pages were read; None if nothing can.
        is_locked: whether the launcher holds the output's lock for the run. A host program, or that of a part, doesn't:
            then it is taken for the commit, which waits for other runs.
        is_last: whether these are the last rows of the run. Else they wait for the pipeline with the last ones, which
            commits all, and the result is an empty dict.
    """

    output: str
    run: RunDescription = field(default_factory=RunDescription)
    expected: beam.PCollection[PageRange] | None = None
    rows_per_shard: int = ROWS_PER_SHARD
    stop: StopFile | None = None
    is_locked: bool = False
    is_last: bool = True

    def expand(self, rows: beam.PCollection[Row]) -> beam.PCollection[dict[str, Any]]:
        keep_all_elements()
        output = absolute_uri(self.output)
        staged = [rows | "WriteShards" >> beam.ParDo(_WriteShardsFn(output, self.run, self.rows_per_shard))]
        if self.expected is not None:
            staged.append(self.expected | "WriteDocuments" >> beam.ParDo(_WriteDocumentsFn(output, self.run.run_id)))
        totals = rows | _CountRows() if self.expected is None else self.expected | _CountPages()
        return (
            staged
            | beam.Flatten()
            | "AllShards" >> beam.combiners.ToList()
            | "Commit" >> beam.Map(_end, output, self.run, self.stop, self.is_locked, self.is_last, AsSingleton(totals))
        )


class _CountPages(beam.PTransform):
    """Page ranges → one ``Totals``: what the rows must add up to."""

    def expand(self, page_ranges: beam.PCollection[PageRange]) -> beam.PCollection[Totals]:
        return (
            page_ranges
            | "OnePerDocument" >> beam.Filter(lambda page_range: page_range.number == 0)
            | "Count" >> beam.Map(lambda page_range: Totals.of(page_range.document))
            | "Sum" >> beam.CombineGlobally(Totals.sum)
        )


class _CountRows(beam.PTransform):
    """Rows → one ``Totals`` of them."""

    def expand(self, rows: beam.PCollection[Row]) -> beam.PCollection[Totals]:
        return rows | "Count" >> beam.Map(Totals.of_row) | "Sum" >> beam.CombineGlobally(Totals.sum)


class _WriteShardsFn(beam.DoFn):
    """Rows → the shards that are written when there are enough of them, and at the end of a bundle."""

    def __init__(self, output: str, run: RunDescription, rows_per_shard: int) -> None:
        self._output, self._run_id, self._table = output, run.run_id, run.table
        self._rows_per_shard, self._is_planned = rows_per_shard, run.found is not None

    def setup(self) -> None:
        description = join(self._output, description_path(self._run_id))
        if self._is_planned and not exists(description):
            raise unseen_output(description)  # else its rows would be written where nobody finds them

    def start_bundle(self) -> None:
        self._writer = ShardWriter(self._output, self._run_id, self._table, self._rows_per_shard)

    def process(self, row: Row) -> Iterator[Shard]:
        yield from self._writer.add({**row, "run_id": self._run_id})

    def finish_bundle(self) -> Iterator[WindowedValue]:
        yield from map(GlobalWindows.windowed_value, self._writer.finish())


class _WriteDocumentsFn(beam.DoFn):
    """Page ranges → nothing: notes among the run's unfinished files which documents were opened."""

    def __init__(self, output: str, run_id: str) -> None:
        self._output, self._run_id = output, run_id

    def start_bundle(self) -> None:
        self._opened: list[dict[str, Any]] = []

    def process(self, page_range: PageRange) -> None:
        document = page_range.document
        if page_range.number == 0 and not document.skipped:
            places = document.places or (DocumentPlace(document.uri, None, None),)
            self._opened += [
                {"uri": uri, "sha256": document.sha256, "input_id": input_id, **stamp_columns(stamp)}
                for uri, stamp, input_id in places
            ]
            if len(self._opened) >= _DOCUMENTS_PER_FILE:
                self.finish_bundle()

    def finish_bundle(self) -> None:
        if self._opened:
            write_documents(self._output, self._run_id, self._opened)
        self._opened = []


def _end(
    shards: list[Shard],
    output: str,
    run: RunDescription,
    stop: StopFile | None,
    is_locked: bool,
    is_last: bool,
    totals: Totals,
) -> dict[str, Any]:
    if not is_last:
        write_chunk(output, run.run_id, shards, totals)
        return {}
    stopped = stop.reason() if stop else None
    for of_chunk, totals_of_chunk in read_chunks(output, run.run_id):
        shards, totals = [*shards, *of_chunk], Totals.sum([totals, totals_of_chunk])
    return (commit_run if is_locked else commit_briefly)(output, run, shards, totals, stopped)
