"""Reads the rows of an output folder back."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ocr_models.errors import UsageError
from pipelines.reading.schemas import CAPTIONS, PAGES
from pipelines.runtime.storage import absolute_uri, join, match_files, open_file, read_bytes

_TABLES = {table.folder: table for table in (PAGES, CAPTIONS)}


def read_rows(output: str, columns: Sequence[str] | None = None, folder: str = PAGES.folder) -> pa.Table:
    """All pages of an output folder, each once, as an Arrow table.

    A folder may hold several runs. If several finished runs read the same document, its rows come from the newest one;
    runs without a manifest, which were cut off, are ignored. The rows of a shard are sorted by ``source_uri`` and
    ``page_index``; the table is not.

    Args:
        output: the output folder of ``pagebeam run`` or ``pagebeam caption``, on any Beam file system.
        columns: the columns to read; None for all.
        folder: "pages" for what ``pagebeam run`` writes, "captions" for what ``pagebeam caption`` writes.

    Raises:
        UsageError: there is no finished run, or no such table or column.
    """
    if folder not in _TABLES:
        raise UsageError(f"no table is called {folder}; the tables are {' and '.join(_TABLES)}")
    output, schema = absolute_uri(output), _TABLES[folder].schema
    wanted = schema.names if columns is None else list(columns)
    if strange := [name for name in wanted if name not in schema.names]:
        raise UsageError(f"{output}: no column {', '.join(strange)}; the columns are {', '.join(schema.names)}")
    runs = sorted(_finished_runs(output, folder), key=lambda run: run["started"], reverse=True)
    if not runs:
        raise UsageError(f"{output}: no finished run with {folder}; give the --output folder of a run")
    read: set[str] = set()
    tables = [pa.Table.from_batches([], pa.schema([schema.field(name) for name in wanted]))]
    for run in runs:
        rows = pa.concat_tables(_shards(output, run, [*dict.fromkeys([*wanted, "source_uri"])]))
        is_new = pc.invert(pc.is_in(rows["source_uri"], pa.array(sorted(read), pa.string())))
        read.update(pc.unique(rows["source_uri"]).to_pylist())
        tables.append(rows.filter(is_new).select([name for name in wanted if name in rows.column_names]))
    return pa.concat_tables(tables, promote_options="permissive")  # what older versions didn't write is null


def _finished_runs(output: str, folder: str) -> Iterator[dict[str, Any]]:
    for file in match_files(join(glob.escape(output), "runs/*.json")):
        manifest = json.loads(read_bytes(file.path))
        if any(shard["path"].startswith(f"{folder}/") for shard in manifest["shards"]):
            yield manifest


def _shards(output: str, run: dict[str, Any], columns: Sequence[str]) -> Iterable[pa.Table]:
    for shard in run["shards"]:
        with open_file(join(output, shard["path"])) as file:
            shard_file = pq.ParquetFile(file)
            yield shard_file.read([name for name in columns if name in shard_file.schema_arrow.names])
