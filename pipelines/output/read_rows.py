"""Reads the rows of an output folder back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ocr_models.errors import UsageError
from pipelines.output.checked_files import open_rows
from pipelines.output.output_folder import SUPERSEDED, current_file, current_files, documents_path
from pipelines.output.row_changes import align
from pipelines.output.schemas import PAGES, Table, find_table
from pipelines.output.shards import ROWS_PER_GROUP
from pipelines.output.snapshot import read_together
from pipelines.runtime.storage import absolute_uri


def read_rows(
    output: str, columns: Sequence[str] | None = None, folder: str = PAGES.folder, run: str | None = None
) -> pa.Table:
    """All pages of an output folder, each once, as an Arrow table.

    The rows of a file are sorted by ``source_uri`` and ``page_index``; the table is not.

    Args:
        output: the output folder of ``pagebeam run`` or ``pagebeam caption``, on any Beam file system.
        columns: the columns to read; None for all.
        folder: "pages" for what ``pagebeam run`` writes, "captions" for what ``pagebeam caption`` writes.
        run: the id of a run, whose rows are read, also those that later runs replaced, unless they were removed by
            ``pagebeam compact``; None for the current rows.

    Raises:
        UsageError: there is no finished run, or no such table or column.
    """
    table = find_table(folder)
    output = absolute_uri(output)
    wanted = table.schema.names if columns is None else list(columns)
    if strange := [name for name in wanted if name not in table.schema.names]:
        raise UsageError(f"{output}: no column {', '.join(strange)}; the columns are {', '.join(table.schema.names)}")
    if current_file(output, documents_path(table)) is None and not current_files(output, folder):
        raise UsageError(f"{output}: no finished run with {folder}; give the --output folder of a run")
    schema = pa.schema([table.schema.field(name) for name in wanted])
    folders = [folder, f"{SUPERSEDED}/{folder}"] if run else [folder]

    def read() -> pa.Table:
        files = [path for name in folders for path in current_files(output, name)]
        return pa.concat_tables([schema.empty_table(), *_read(output, files, schema, run)])

    return read_together(output, read)


def _read(output: str, files: list[str], schema: pa.Schema, run: str | None) -> Iterator[pa.Table]:
    for path in files:
        with open_rows(output, path) as rows:
            names = [name for name in schema.names if name in rows.schema_arrow.names]
            if run is None:
                yield align(rows.read(names), schema)
            else:
                yield align(_of_run(rows, names, run), schema)


def _of_run(rows: pq.ParquetFile, names: list[str], run: str) -> pa.Table:
    mask = pc.equal(rows.read(["run_id"])["run_id"], run)
    return rows.read(names).filter(mask) if pc.any(mask).as_py() else rows.schema_arrow.empty_table().select(names)


def read_files(output: str, table: Table, columns: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
    """Yields the path and the rows of each file of the current rows; columns that a file lacks are null.

    Wrap all that depends on the rows into one ``snapshot.read_together``.
    """
    schema = pa.schema([table.schema.field(name) for name in columns])
    for path in current_files(output, table.folder):
        [rows] = _read(output, [path], schema, None)
        yield path, rows


def read_batches(output: str, table: Table, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Like ``read_files``, but yields few rows at a time, so that columns of words fit into memory."""
    schema = pa.schema([table.schema.field(name) for name in columns])
    for path in current_files(output, table.folder):
        with open_rows(output, path) as rows:
            names = [name for name in columns if name in rows.schema_arrow.names]
            for batch in rows.iter_batches(ROWS_PER_GROUP, columns=names):
                yield align(pa.Table.from_batches([batch]), schema)
