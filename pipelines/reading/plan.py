"""What a run has to read: it looks at all files at the inputs, and compares them with the documents that are known.

Nothing is opened. A document is known by its place and stamp; whether another place has known bytes is found out by the
workers, which hash it. Millions of known documents take some 20 bytes each.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ocr_models.errors import UsageError
from pipelines.inputs.discovery import FoundFile, find_files, folders_of, is_glob, no_documents
from pipelines.inputs.input_list import InputList
from pipelines.inputs.page_ranges import content_key
from pipelines.inputs.worklist import write_known, write_worklist
from pipelines.output.checked_files import open_rows
from pipelines.output.documents_table import DocumentsCopy, KnownFiles, contents
from pipelines.output.output_folder import current_files, unfinished_folder
from pipelines.output.parts import Part
from pipelines.output.places import PRESENCE
from pipelines.output.run_manifest import Found
from pipelines.output.schemas import Table
from pipelines.output.shards import write_presence
from pipelines.reading.run_options import Rereading
from pipelines.runtime.storage import absolute_uri, glob_regex, is_remote, join

_FILES_AT_ONCE = 8192

Selection = dict[str, tuple[int, ...] | None]
"""Pages of known documents to read, by content: their indices, or None for all."""


@dataclass(frozen=True)
class Plan:
    """What a run has to do.

    Attributes:
        found: counts for the manifest.
        worklist: paths of the parts of the worklist.
        known: the path of what is known of documents on it, if anything is.
        presence: known documents that weren't found any more, or were found again.
        folders: the local folders of the inputs, or one of a list of them, which all workers must see.
        has_remote: whether some of the documents are on a remote file system.
    """

    found: Found
    worklist: list[str] = field(default_factory=list)
    known: tuple[str, ...] = ()
    presence: pa.Table = field(default_factory=PRESENCE.empty_table)
    folders: tuple[str, ...] = ()
    has_remote: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to open, and nothing to note."""
        return not self.found.to_open and not len(self.presence)


class Planner:
    """Compares all files at the inputs with the documents that are known when it is created.

    Args:
        inputs: files, folders and globs, on any Beam file system.
        output: the output folder; its own files are no inputs.
        table: the schema of the rows.
        reader_id: what reads now.
        rereading: which known pages are read again.
        input_list: lists more inputs; None for no list.
        part: the part whose documents count; None for all.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        output: str,
        table: Table,
        reader_id: str | None,
        rereading: Rereading,
        input_list: InputList | None = None,
        part: Part | None = None,
    ) -> None:
        self._input_list = input_list
        self._inputs, self._output, self._table = inputs, output, table
        self._reader_id, self._rereading, self._part = reader_id, rereading, part
        self._documents_before = DocumentsCopy(output, table)
        self._known = KnownFiles(self._documents_before.read(KnownFiles.COLUMNS))
        self._pages, self._is_selected, self._older = self._select()
        self._skipped: Counter[str] = Counter()
        self._unlisted: list[str] = []  # folders that can't be listed: nothing is known of what is in them
        self._documents = self._to_open = self._known_pages = 0
        self._sizes: set[int] = set()
        self._has_remote = False
        self._folders = set(folders_of(inputs))

    def plan(self, run_id: str) -> Plan:
        """Looks at all files at the inputs, and writes the worklist among the unfinished files of a run.

        Raises:
            UsageError: there are no documents at an input.
            OutputError: the worklist can't be written.
        """
        folder = join(self._output, unfinished_folder(run_id))
        worklist = write_worklist(folder, self.files_to_open())
        presence = self._presence()
        if len(presence):
            write_presence(self._output, run_id, presence)
        known = self._known_contents() if worklist else {}
        paths = (join(folder, "known.parquet"),) if known else ()
        for path in paths:
            write_known(path, known)
        return Plan(self.found(), worklist, paths, presence, tuple(sorted(self._folders)), self._has_remote)

    def found(self) -> Found:
        """What was found, once all of ``files_to_open`` were taken."""
        return Found(self._documents, self._to_open, self._known_pages, dict(self._skipped), self._older)

    def _select(self) -> tuple[np.ndarray, np.ndarray, int]:
        """For each known document its number of pages, and whether some are to be read; how many others read."""
        self._selection = self._select_pages()
        selected = pa.array(sorted(self._selection), pa.string())
        pages, is_selected, older = [np.empty(0, np.int64)], [np.empty(0, bool)], 0
        for batch in self._documents_before.read(("uri", "sha256", "pages_read", "reader_id")):
            pages.append(batch["pages_read"].to_numpy())
            is_selected.append(pc.is_in(contents(batch), selected).to_numpy())
            if self._reader_id:
                older += pc.sum(pc.fill_null(pc.not_equal(batch["reader_id"], self._reader_id), True)).as_py() or 0
        return np.concatenate(pages), np.concatenate(is_selected), older

    def _select_pages(self) -> Selection:
        """Which pages of known documents are to be read: missing ones, and those that were asked for."""
        incomplete = self._incomplete_documents()
        options = self._rereading
        if not (incomplete or options.retry_failed or options.below is not None or options.reread):
            return {}
        columns = ["source_uri", "source_sha256", "page_index", "page_count", "status", "reader_id"]
        columns += ["mean_confidence"] if "mean_confidence" in self._table.schema.names else []
        pages: defaultdict[str, list[int]] = defaultdict(list)
        unopened: set[str] = set()
        for rows in _row_batches(self._output, self._table, columns):
            for row in rows.filter(self._is_wanted(rows)).to_pylist():
                content = content_key(row["source_sha256"], row["source_uri"])
                pages[content].append(row["page_index"])
                if row["page_count"] is None:
                    unopened.add(content)
            if incomplete:
                for content, page in zip(_contents(rows).to_pylist(), rows["page_index"].to_pylist(), strict=True):
                    if content in incomplete:
                        incomplete[content].discard(page)
        for content, missing in incomplete.items():
            pages[content] += missing
        return {content: None if content in unopened else tuple(sorted(set(of))) for content, of in pages.items()}

    def _is_wanted(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which rows are of pages that are read again because that was asked for."""
        options, wanted = self._rereading, pa.chunked_array([pa.array(np.zeros(len(rows), bool))])
        if options.retry_failed:
            wanted = pc.or_(wanted, pc.equal(rows["status"], "failed"))
        if options.below is not None and "mean_confidence" in rows.column_names:
            wanted = pc.or_(wanted, pc.fill_null(pc.less(rows["mean_confidence"], options.below), False))
        if options.reread:
            wanted = pc.or_(wanted, pc.fill_null(pc.not_equal(rows["reader_id"], self._reader_id), True))
        return wanted

    def _incomplete_documents(self) -> dict[str, set[int]]:
        """Documents of which an interrupted run read some pages, with all of their pages."""
        found: dict[str, set[int]] = {}
        for batch in self._documents_before.read(("uri", "sha256", "page_count", "pages_read")):
            rows = batch.filter(pc.fill_null(pc.less(batch["pages_read"], batch["page_count"]), False))
            for content, pages in zip(contents(rows).to_pylist(), rows["page_count"].to_pylist(), strict=True):
                found[content] = set(range(pages))
        return found

    def files_to_open(self) -> Iterator[FoundFile]:
        """Yields the new and changed files, and those of which pages are to be read."""
        files = self._found_files()
        while batch := list(itertools.islice(files, _FILES_AT_ONCE)):
            indices, unchanged = self._known.find(batch)
            known = unchanged & ~self._is_selected[indices] if len(self._is_selected) else unchanged
            if self._rereading.hash_all:
                known[:] = False
            self._known_pages += int(self._pages[indices[known]].sum()) if len(self._pages) else 0
            self._documents += len(batch)
            for i in np.flatnonzero(~known):
                self._to_open += 1
                file = batch[i]
                if file.stamp:
                    self._sizes.add(file.stamp.size_bytes)
                    self._note_place(file.uri)
                yield file

    def _found_files(self) -> Iterator[FoundFile]:
        """Yields the documents at all inputs, each once."""
        seen: set[int] | None = set() if len(self._inputs) > 1 or self._input_list else None
        own = self._output.rstrip("/") + "/"
        sources = [(pattern, find_files(pattern)) for pattern in self._inputs]
        if self._input_list:  # first: a document that is also found in a folder keeps its id
            sources.insert(0, (self._input_list.path, self._input_list.files()))
        for pattern, files in sources:
            skipped: Counter[str] = Counter()
            is_empty, has_own = True, False
            for file in files:
                if file.uri.startswith(own):
                    has_own = True
                    continue
                is_empty &= file.skipped is not None
                if file.error and file.stamp is None:
                    self._unlisted.append(file.uri)
                if not self._is_mine(file.uri):
                    continue
                if file.skipped:
                    skipped[file.skipped] += 1
                    continue
                if seen is not None and hash(file.uri) in seen:
                    continue
                if seen is not None:
                    seen.add(hash(file.uri))
                yield file
            self._skipped += skipped
            if is_empty and has_own:
                raise UsageError(f"no documents at {pattern} but those in the output folder; give another --output")
            if is_empty:
                raise no_documents(pattern, skipped)

    def _note_place(self, uri: str) -> None:
        self._has_remote |= is_remote(uri)
        if not self._folders and not is_remote(uri):  # of a list, one stands for all
            self._folders.add(os.path.dirname(uri))

    def _is_mine(self, uri: str) -> bool:
        return self._part is None or self._part.has(uri)

    def _presence(self) -> pa.Table:
        """Known documents below the inputs that weren't found any more, or were found again."""
        changed = np.flatnonzero(self._known.seen == self._known.vanished)
        if not len(changed):
            return PRESENCE.empty_table()
        rows, start = [], 0
        scope = _Scope(self._inputs, self._unlisted)
        for batch in self._documents_before.read(("uri",)):
            here = changed[(changed >= start) & (changed < start + len(batch))]
            for i, uri in zip(here, batch["uri"].take(here - start).to_pylist(), strict=True):
                is_there = bool(self._known.seen[i])
                if self._is_mine(uri) and (is_there or scope.covers(uri)):
                    rows.append({"uri": uri, "is_there": is_there})
            start += len(batch)
        return pa.Table.from_pylist(rows, PRESENCE)

    def _known_contents(self) -> Selection:
        """What is known of documents that may be on the worklist: those of the size of one that is."""
        sizes = pa.array(sorted(self._sizes), pa.int64())
        known: Selection = {}
        for batch in self._documents_before.read(("sha256", "size_bytes")):
            may_be = pc.or_(pc.is_in(batch["size_bytes"], sizes), pc.is_null(batch["size_bytes"]))
            rows = batch.filter(pc.and_(pc.is_valid(batch["sha256"]), may_be))
            known.update((sha256, self._selection.get(sha256, ())) for sha256 in rows["sha256"].to_pylist())
        return known


class _Scope:
    """Tells which known documents a run would have found if they were still there."""

    def __init__(self, inputs: Iterable[str], unlisted: Iterable[str]) -> None:
        places = [absolute_uri(pattern) for pattern in inputs]
        self._globs = [glob_regex(place) for place in places if is_glob(place)]
        self._places = tuple(place.rstrip("/") + "/" for place in places if not is_glob(place) or is_remote(place))
        self._unlisted = tuple(place.rstrip("/") + "/" for place in unlisted)

    def covers(self, uri: str) -> bool:
        """Whether a document is at one of the inputs, and not in a folder that couldn't be listed."""
        is_here = f"{uri}/".startswith(self._places) or any(glob.fullmatch(uri) for glob in self._globs)
        return is_here and not f"{uri}/".startswith(self._unlisted)


def _row_batches(output: str, table: Table, columns: Sequence[str]) -> Iterator[pa.Table]:
    for path in current_files(output, table.folder):
        with open_rows(output, path) as rows:
            yield rows.read(list(columns))


def _contents(rows: pa.Table) -> pa.ChunkedArray:
    return contents(rows, "source_sha256", "source_uri")
