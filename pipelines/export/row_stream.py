"""The current rows of an output folder in the order of their documents and pages, a few of them in memory at a time.

The rows of each file are in that order, and files are merged as they are read. A file is opened when the merge reaches
its first document, so that of a compacted folder only a few are open.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ocr_models.errors import DocumentError
from pipelines.output.output_folder import current_files
from pipelines.output.row_changes import align
from pipelines.output.schemas import PAGES, Row
from pipelines.runtime.storage import join, open_file

_BATCH = 16  # rows of a file that are unpacked at a time, about half a megabyte of dense pages
_ORDER = [("source_uri", "ascending"), ("page_index", "ascending")]

_Key = tuple[str, int]
Report = Callable[[str, str], None]
"""Notes what can't be read, by its name, and why."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows.

    Attributes:
        path: the file.
        first: source_uri and page_index of the first row in order.
        is_sorted: whether its rows are in order, as they are unless documents of it were renamed.
        uris: the documents that it has rows of, each once.
    """

    path: str
    first: _Key
    is_sorted: bool
    uris: tuple[str, ...]


def row_files(output: str, report: Report) -> list[RowFile]:
    """The files of the current pages, of which only the columns that order them are read."""
    files = []
    for path in current_files(output, PAGES.folder):
        full = join(output, path)
        try:
            with open_file(full) as file:
                keys = pq.ParquetFile(file).read(["source_uri", "page_index"])
        except (DocumentError, OSError, pa.ArrowException) as error:
            report(full, f"it can't be read ({error})")
            continue
        if len(keys):
            uris, indices = keys["source_uri"].to_pylist(), keys["page_index"].to_pylist()
            order = list(zip(uris, indices, strict=True))
            is_sorted = all(a <= b for a, b in itertools.pairwise(order))
            files.append(RowFile(full, min(order), is_sorted, tuple(dict.fromkeys(uris))))
    return sorted(files, key=lambda file: (file.first, file.path))


def stream_rows(files: Sequence[RowFile], where: pc.Expression | None, report: Report) -> Iterator[Row]:
    """Yields the rows of files in the order of ``source_uri`` and ``page_index``.

    Args:
        files: from ``row_files``.
        where: only rows for which it is true; None for all.
        report: is called for a file that can't be read to its end.
    """
    heap: list[tuple[_Key, int, pa.RecordBatch, Iterator[tuple[_Key, pa.RecordBatch]]]] = []
    number = 0
    while heap or number < len(files):
        if number < len(files) and (not heap or files[number].first <= heap[0][0]):
            rows = _rows(files[number], where, report)
            if first := next(rows, None):
                heapq.heappush(heap, (first[0], number, first[1], rows))
            number += 1
            continue
        _, file_number, row, rows = heap[0]
        yield row.to_pylist()[0]
        if following := next(rows, None):
            heapq.heapreplace(heap, (following[0], file_number, following[1], rows))
        else:
            heapq.heappop(heap)


def _rows(file: RowFile, where: pc.Expression | None, report: Report) -> Iterator[tuple[_Key, pa.RecordBatch]]:
    """The rows of a file in order, each as a batch of one, with its key."""
    with ExitStack() as stack:
        try:
            parquet = pq.ParquetFile(stack.enter_context(open_file(file.path)))
            for batch in parquet.iter_batches(_BATCH) if file.is_sorted else _sorted_batches(parquet):
                rows = align(pa.Table.from_batches([batch]), PAGES.schema)
                for part in (rows if where is None else rows.filter(where)).to_batches():
                    for i in range(len(part)):
                        row = part.slice(i, 1)
                        yield (row["source_uri"][0].as_py(), row["page_index"][0].as_py()), row
        except (DocumentError, OSError, pa.ArrowException) as error:
            report(file.path, f"it can't be read to its end ({error})")


def _sorted_batches(parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """All rows of a file in order; they are in memory at the same time, 2,000 at most in a compacted folder."""
    yield from parquet.read().sort_by(_ORDER).to_batches(_BATCH)
