"""Parquet tables with a row for each picture, such as those of Hugging Face's data sets.

The column ``image`` has the bytes of the picture, a struct of its ``bytes`` and ``path``, or its path, relative to the
file, as a string. The module ``label_records`` describes the other columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ocr_models.data.sources.label_records import LABEL_KEYS, LabelRecord, check_task, label_record, locate_record
from ocr_models.data.sources.labels import read_or_reject
from ocr_models.data.sources.source import (
    Files,
    LabelledPicture,
    Listing,
    PictureNames,
    RejectedPicture,
    SourceItem,
    list_source,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task

_ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class _RowGroup:
    """A row group: its file's name, its index, and the index of its first row in the file."""

    table: str
    index: int
    first_row: int


@dataclass(frozen=True)
class ParquetSource:
    """All ``.parquet`` files below ``root``, or the one at ``root``."""

    root: str
    task: Task = Task.DETECTION
    format = "parquet"

    def items(self, files: Files) -> Iterator[SourceItem]:
        listing = list_source(files, self.root)
        tables = [name for name in listing.chosen if name.lower().endswith(".parquet")]
        if not tables:
            raise UsageError(
                f"{self.root}: no .parquet there; --format parquet expects tables with a row for each picture"
            )
        for table in tables:
            try:
                with files.open(listing.paths[table]) as file:
                    yield from self._items(table, pq.ParquetFile(file), listing)
            except pa.ArrowInvalid as error:
                yield SourceItem(table, listing.paths[table], DocumentError(Stage.OPEN, f"not a Parquet file: {error}"))

    def _items(self, table: str, rows: pq.ParquetFile, listing: Listing) -> Iterator[SourceItem]:
        schema = rows.schema_arrow
        if "image" not in schema.names:
            raise UsageError(f"{listing.paths[table]}: columns {schema.names}; expected one named image")
        check_task(listing.paths[table], [dict.fromkeys(schema.names, ())], self.task)
        if pa.types.is_string(schema.field("image").type) or pa.types.is_large_string(schema.field("image").type):
            yield from _pictures_elsewhere(table, rows, listing)
            return
        start = 0
        for group in range(rows.num_row_groups):
            yield SourceItem(f"{table}#group{group}", listing.paths[table], _RowGroup(table, group, start))
            start += rows.metadata.row_group(group).num_rows

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        if isinstance(item.labels, _RowGroup):
            assert path is not None  # all row groups have one
            return self._read_group(item, path)
        return read_or_reject(item, path, lambda data: label_record(item.name, data, item.labels, self.task))

    def _read_group(self, item: SourceItem, path: str) -> Iterator[LabelledPicture | RejectedPicture]:
        group: _RowGroup = item.labels
        try:
            for i, row in enumerate(_rows(pq.ParquetFile(path), [group.index]), start=group.first_row):
                name, data = f"{group.table}#{i}", None
                try:
                    data = _embedded(row["image"])
                    yield label_record(name, data, LabelRecord(name, row), self.task)
                except DocumentError as error:
                    yield RejectedPicture(name, error.stage, str(error), data)
        except (pa.ArrowException, OSError) as error:
            yield RejectedPicture(item.name, Stage.OPEN, f"the row group can't be read ({error})")


def _pictures_elsewhere(table: str, rows: pq.ParquetFile, listing: Listing) -> Iterator[SourceItem]:
    pictures = PictureNames(listing.paths)
    for i, row in enumerate(_rows(rows)):
        yield locate_record(f"{table}#{i}", row, str(row.pop("image")), table, listing, pictures)


def _rows(table: pq.ParquetFile, row_groups: list[int] | None = None) -> Iterator[dict[str, Any]]:
    columns = [name for name in table.schema_arrow.names if name in (*LABEL_KEYS, "image")]
    for batch in table.iter_batches(_ROWS_AT_ONCE, row_groups, columns):
        yield from batch.to_pylist()


def _embedded(image: Any) -> bytes:
    data = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(data, bytes):
        raise DocumentError(Stage.OPEN, "the row has no picture; expected its bytes in the column image")
    return data
