"""What a run changes in an output folder: its new shards, and files of earlier runs that lose or change rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.inputs.page_ranges import content_key, page_id
from pipelines.output.checked_files import open_rows
from pipelines.output.documents_table import contents
from pipelines.output.output_folder import SUPERSEDED, current_files, unfinished_folder
from pipelines.output.places import Place
from pipelines.output.schemas import Table
from pipelines.output.shards import OPENED, ROWS_PER_GROUP, Shard, write_shard

KEYS = (
    "page_id",
    "source_uri",
    "also_at",
    "input_id",
    "source_sha256",
    "source_kind",
    "page_count",
    "status",
    "reader_id",
    "run_id",
)
"""The columns that say which page of which document a row is of, and what became of it."""


class RowChanges:
    """Decides for each row whether it stays, and writes the files that change among the run's unfinished ones.

    A page that was read again replaces its earlier row, unless it failed now and didn't before. Rows of documents whose
    bytes are nowhere any more go.

    Args:
        output: the output folder.
        table: the schema of the rows.
        run_id: the run.
        shards: its shards. A page that is in two of them, as after a retry, counts once.

    Attributes:
        moves: see ``output_folder.Commit``.
        deletes: see ``output_folder.Commit``.
    """

    def __init__(self, output: str, table: Table, run_id: str, shards: Sequence[Shard]) -> None:
        self._output, self._table, self._run_id = output, table, run_id
        self._new = f"{unfinished_folder(run_id)}/new"
        self._shards = [(shard, _pack(read_columns(output, shard.path, KEYS, table))) for shard in shards]
        self._facts: list[pa.Table] = []
        self.moves: list[tuple[str, str]] = []
        self.deletes: list[str] = []
        self._drop_repeated_pages()

    @property
    def shards(self) -> list[Shard]:
        """The run's shards, each page once."""
        return [shard for shard, _ in self._shards]

    @property
    def contents(self) -> pa.ChunkedArray:
        """The contents that the run has rows of; one of several shards several times."""
        return pa.chunked_array([_contents(rows).unique() for _, rows in self._keys()], pa.string())

    @property
    def unopened(self) -> pa.ChunkedArray:
        """The contents that the run couldn't open."""
        unopened = (rows.filter(pc.is_null(rows["page_count"])) for _, rows in self._keys())
        return pa.chunked_array([_contents(rows).unique() for rows in unopened], pa.string())

    def _keys(self) -> Iterator[tuple[Shard, pa.Table]]:
        for shard, packed in self._shards:
            yield shard, _unpack(packed)

    def with_places(self, opened: pa.Table) -> pa.Table:
        """The documents that a run opened, each place once, with those of its rows that aren't noted there."""
        return with_places(opened, (rows for _, rows in self._keys()))

    def apply(
        self, places: Mapping[str, Place | None], copies: Mapping[str, Place | None], unreadable: Iterable[str]
    ) -> None:
        """Compares the run's rows with the current ones, and writes the files that change.

        Args:
            places: where the documents are whose earlier rows may change, by content; None if they are nowhere.
            copies: where documents are that the run opened at several places: of chunks, its rows name only those that
                were in the same one.
            unreadable: documents whose rows of this run, which say that they can't be read, must not replace others.
        """
        touched = pa.array(sorted(places), pa.string())
        again = self._pages_read_again(touched)
        unwanted = {page_id(uri, None, 0) for uri in unreadable}  # pages of the run whose earlier rows stay
        if places:
            for path in current_files(self._output, self._table.folder):
                self._change_file(path, touched, places, again, unwanted)
        self._add_shards({**copies, **places}, unwanted)

    def facts(self) -> pa.Table:
        """What is now known of the documents whose rows changed, see ``document_facts``."""
        return _sum_facts(self._facts, self._table)

    def _pages_read_again(self, touched: pa.Array) -> dict[str, tuple[bool, str]]:
        """Of the run's pages that may have been read before: whether each failed, and its run, by page id."""
        again: dict[str, tuple[bool, str]] = {}
        for _, rows in self._keys() if len(touched) else ():
            hits = rows.filter(pc.is_in(_contents(rows), touched)).select(["page_id", "status", "run_id"])
            again.update({row["page_id"]: (row["status"] == "failed", row["run_id"]) for row in hits.to_pylist()})
        return again

    def _change_file(
        self,
        path: str,
        touched: pa.Array,
        places: Mapping[str, Place | None],
        again: Mapping[str, tuple[bool, str]],
        unwanted: set[str],
    ) -> None:
        """Writes a file of earlier runs anew if some of its rows go or get other places."""
        identities = read_columns(self._output, path, ("source_sha256", "source_uri"), self._table)
        if not pc.any(pc.is_in(_contents(identities), touched)).as_py():
            return
        keys = read_columns(self._output, path, KEYS, self._table)
        stays, is_changed = np.ones(len(keys), bool), False
        for i in np.flatnonzero(pc.is_in(_contents(keys), touched).to_numpy()):
            row = keys.slice(i, 1).to_pylist()[0]
            place, read = places[content_key(row["source_sha256"], row["source_uri"])], again.get(row["page_id"])
            if place and read and _is_better(row, *read):
                unwanted.add(row["page_id"])
                read = None
            stays[i] = place is not None and read is None
            is_changed |= place is not None and place != (row["source_uri"], row["also_at"] or [], row["input_id"])
        if is_changed or not stays.all():
            self._replace_file(path, stays, places)
        left = keys.filter(pa.array(stays))
        self._note(left.filter(pc.is_in(_contents(left), touched)))

    def _replace_file(self, path: str, stays: np.ndarray, places: Mapping[str, Place | None]) -> None:
        rows = read_columns(self._output, path, self._table.schema.names, self._table)
        number = len(self.moves)
        if stays.any():
            new = f"{self._new}/changed-{number:05d}.parquet"
            self._write(new, _with_places(rows.filter(pa.array(stays)), places))
            self.moves.append((new, path))
        else:
            self.deletes.append(path)
        if not stays.all():
            new = f"{self._new}/superseded-{number:05d}.parquet"
            self._write(new, rows.filter(pa.array(~stays)))
            self.moves.append((new, f"{SUPERSEDED}/{self._table.folder}/{self._run_id}-{number:05d}.parquet"))

    def _drop_repeated_pages(self) -> None:
        halves = [np.empty(0, np.uint64), *(_halves(keys) for _, keys in self._keys())]
        if len(np.unique(np.concatenate(halves))) == sum(map(len, halves)):
            return
        seen: set[int] = set()
        for number, (shard, keys) in enumerate(self._keys()):
            is_new = np.ones(len(keys), bool)
            for i, half in enumerate(_halves(keys).tolist()):
                is_new[i] = half not in seen
                seen.add(half)
            if not is_new.all():
                shard, keys = self._filter_shard(shard, keys, is_new, {}, f"distinct-{number:05d}")
                self._shards[number] = shard, _pack(keys)

    def _add_shards(self, places: Mapping[str, Place | None], unwanted: set[str]) -> None:
        changed = pa.array(sorted(content for content, place in places.items() if place), pa.string())
        for number, (shard, keys) in enumerate(self._in_order()):
            stays = pc.invert(pc.is_in(keys["page_id"], pa.array(sorted(unwanted), pa.string()))).to_numpy()
            rows = keys.filter(pc.is_in(_contents(keys), changed))
            moved = {
                content: places[content]
                for row, content in zip(rows.to_pylist(), _contents(rows).to_pylist(), strict=True)
                if places[content] != (row["source_uri"], row["also_at"] or [], row["input_id"])
            }
            if moved or not stays.all():
                shard, keys = self._filter_shard(shard, keys, stays, moved, f"shard-{number:05d}")
            self._note(keys)
            if shard.rows:
                self.moves.append((shard.path, f"{self._table.folder}/{self._run_id}-{number:05d}.parquet"))

    def _in_order(self) -> Iterator[tuple[Shard, pa.Table]]:
        """The shards in the order of their first documents."""
        order = sorted((_first_uri(of), number) for number, of in enumerate(self._keys()))
        for _, number in order:
            shard, packed = self._shards[number]
            yield shard, _unpack(packed)

    def _filter_shard(
        self, shard: Shard, keys: pa.Table, stays: np.ndarray, places: Mapping[str, Place | None], name: str
    ) -> tuple[Shard, pa.Table]:
        """Writes a shard of the run anew, with some of its rows, at other places."""
        mask = pa.array(stays)
        rows = read_columns(self._output, shard.path, self._table.schema.names, self._table).filter(mask)
        return self._write(f"{self._new}/{name}.parquet", _with_places(rows, places)), keys.filter(mask)

    def _write(self, path: str, rows: pa.Table) -> Shard:
        groups = (rows.slice(start, ROWS_PER_GROUP) for start in range(0, len(rows), ROWS_PER_GROUP))
        return write_shard(self._output, path, self._table, groups)

    def _note(self, keys: pa.Table) -> None:
        self._facts.append(_facts(keys))


def with_places(opened: pa.Table, keys: Iterable[pa.Table]) -> pa.Table:
    """Documents that were opened, each place once, with those of rows that aren't noted there.

    Args:
        opened: the documents, with the columns of ``shards.OPENED``.
        keys: the columns ``KEYS`` of rows.
    """
    noted = set(opened["uri"].to_pylist())
    more: dict[str, tuple[str | None, str | None]] = {}
    for rows in keys:
        uris = [None, *rows["source_uri"].to_pylist()]
        firsts = [i for i, (before, uri) in enumerate(itertools.pairwise(uris)) if uri != before]
        of_documents = rows.select(["source_uri", "also_at", "source_sha256", "input_id"]).take(firsts)
        for row in of_documents.to_pylist():
            for uri in (row["source_uri"], *(row["also_at"] or ())):
                if uri not in noted:
                    more[uri] = row["source_sha256"], row["input_id"] if uri == row["source_uri"] else None
    added = [{"uri": uri, "sha256": sha256, "input_id": input_id} for uri, (sha256, input_id) in more.items()]
    return pa.concat_tables([_last_of_each(opened), pa.Table.from_pylist(added, OPENED)]).combine_chunks()


def document_facts(keys: Iterable[pa.Table], table: Table) -> pa.Table:
    """What follows from all rows of documents: ``content`` and the columns ``places.ATTRIBUTES``.

    Args:
        keys: the columns ``KEYS`` of rows.
        table: the table of the rows.
    """
    return _sum_facts(map(_facts, keys), table)


def _sum_facts(parts: Iterable[pa.Table], table: Table) -> pa.Table:
    of_files = pa.concat_tables([_facts(table.schema.empty_table().select(KEYS)), *parts])
    totals = of_files.group_by("content").aggregate(list(_FACTS)).rename_columns(["content", *_FACTS.values()])
    mixed = pc.not_equal(totals["first_reader_id"], totals["reader_id"])
    return pa.table(
        {
            "content": totals["content"],
            "kind": totals["source_kind"],
            "page_count": totals["page_count"],
            "pages_read": pc.cast(totals["rows"], pa.int32()),
            "pages_failed": pc.cast(totals["failed"], pa.int32()),
            "reader_id": pc.if_else(pc.fill_null(mixed, False), "mixed", totals["reader_id"]),
            "run_id": totals["run_id"],
        }
    )


def _is_better(row: dict[str, Any], has_failed: bool, run_id: str) -> bool:
    """Whether a page's row of an earlier run is worth more than that of this one, or isn't earlier at all."""
    return (has_failed and row["status"] != "failed") or _time(row["run_id"]) > _time(run_id)


def _time(run_id: str) -> str:
    """The time that a run's id begins with; what follows it tells runs apart, but not in order."""
    return run_id.partition("-")[0]


_FACTS = {
    ("rows", "sum"): "rows",
    ("failed", "sum"): "failed",
    ("source_kind", "max"): "source_kind",
    ("page_count", "max"): "page_count",
    ("run_id", "max"): "run_id",
    ("reader_id", "max"): "reader_id",
    ("first_reader_id", "min"): "first_reader_id",
}
"""How the facts of the rows of a document become one: the column, the function, and the name of the result."""


def _facts(keys: pa.Table) -> pa.Table:
    """A row for each content in some rows: ``content`` and what ``_FACTS`` says of all of its rows among them."""
    rows = pa.table(
        {
            "content": _contents(keys),
            "rows": pa.nulls(len(keys), pa.int64()).fill_null(1),
            "failed": pc.cast(pc.equal(keys["status"], "failed"), pa.int64()),
            **{name: keys[name] for name in ("source_kind", "page_count", "run_id", "reader_id")},
            "first_reader_id": keys["reader_id"],
        }
    )
    return rows.group_by("content").aggregate(list(_FACTS)).rename_columns(["content", *_FACTS.values()])


def _pack(keys: pa.Table) -> pa.Buffer:
    """The keys of a shard in a tenth of the memory: a run of ten million rows has them all at a time."""
    packed = pa.BufferOutputStream()
    with pa.ipc.new_stream(packed, keys.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(keys)
    return packed.getvalue()


def _unpack(packed: pa.Buffer) -> pa.Table:
    return pa.ipc.open_stream(packed).read_all()


def _halves(keys: pa.Table) -> np.ndarray:
    """The first 64 bits of the ids of pages, which tell millions of them apart, in half the memory."""
    return np.fromiter((int(page[:16], 16) for page in keys["page_id"].to_pylist()), np.uint64, len(keys))


def _contents(rows: pa.Table) -> pa.ChunkedArray:
    return contents(rows, "source_sha256", "source_uri")


def _with_places(rows: pa.Table, places: Mapping[str, Place | None]) -> pa.Table:
    """The rows with the places of their documents."""
    columns: dict[str, list[Any]] = {"source_uri": [], "also_at": [], "input_id": []}
    keys = rows.select(list(columns)).to_pylist()
    for row, content in zip(keys, _contents(rows).to_pylist(), strict=True):
        for name, value in zip(columns, places.get(content) or row.values(), strict=True):
            columns[name].append(value)
    for name, values in columns.items():
        field = rows.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, pa.array(values, field.type))
    return rows


def read_columns(output: str, path: str, columns: Sequence[str], table: Table) -> pa.Table:
    """Columns of a file; those that an older version didn't write are null."""
    with open_rows(output, path) as rows:
        there = rows.read([name for name in columns if name in rows.schema_arrow.names])
    return align(there, pa.schema([table.schema.field(name) for name in columns]))


def align(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with exactly the columns of a schema, null where they have none."""
    arrays = [rows[f.name].cast(f.type) if f.name in rows.column_names else pa.nulls(len(rows), f.type) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _first_uri(shard: tuple[Shard, pa.Table]) -> tuple[str, str]:
    return (shard[1]["source_uri"][0].as_py() if len(shard[1]) else "", shard[0].path)


def _last_of_each(opened: pa.Table) -> pa.Table:
    """Each place once: a retry may have noted it twice."""
    uris = opened["uri"].to_pylist()
    last = {uri: i for i, uri in enumerate(uris)}
    return opened if len(last) == len(uris) else opened.take(sorted(last.values()))
