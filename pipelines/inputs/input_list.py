"""Inputs as a list: paths and URIs in a text file, in a column of a CSV, TSV or Parquet file, or in METS."""

from __future__ import annotations

import atexit
import contextlib
import csv
import functools
import glob
import io
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ocr_models.errors import PagebeamError, UsageError
from ocr_models.io.files import local_path, special_kind
from pipelines.inputs.discovery import FoundFile, named_file, remote_file
from pipelines.inputs.map_ahead import in_lists, map_ahead
from pipelines.inputs.mets import MetsPages, read_mets
from pipelines.runtime.storage import StorageError, absolute_uri, check_file_system, is_remote, match_files, open_file

STDIN = "-"
_URI_COLUMNS = ("uri", "source_uri")  # the first is that of Pagebeam's documents, the other that of its rows
_PARQUET_MAGIC = b"PAR1"
_HEAD_BYTES = 64

Entry = tuple[str, str | None]
"""A path or URI, and its id."""


@dataclass(frozen=True)
class InputList:
    """A file that lists documents.

    Attributes:
        path: the file, on any Beam file system, or a FIFO; "-" for stdin. Parquet and METS are known by their content,
            CSV and TSV by their names or because a column is given; all else has a path or URI on each line.
        uri_column: the column of paths and URIs; None for "uri" or "source_uri".
        id_column: the column of the user's ids; None for no ids. Of METS, the ids are those of its files.
        file_group: the file group of METS; None for the one that ``read_mets`` chooses.
    """

    path: str
    uri_column: str | None = None
    id_column: str | None = None
    file_group: str | None = None

    def check(self) -> None:
        """Raises UsageError if the list can't be read, lacks a column, or is empty."""
        check_file_system(self.path)
        if not any(True for _ in itertools.islice(self.entries(), 1)):
            raise UsageError(f"--from-file {self.path}: it lists no documents; give a path or URI on each line")

    def describe(self) -> str | None:
        """Says which files of METS are on the list; None for another list. Raises UsageError as ``entries`` does."""
        with self._opened() as file:
            return f"{self.path}: {self._mets(file)}" if _is_xml(file) else None

    def files(self) -> Iterator[FoundFile]:
        """Yields the documents in the order of the list. One that isn't there has an error; it becomes a failed row."""
        for found in map_ahead(_look_at, in_lists(self.entries())):
            yield from found

    def entries(self) -> Iterator[Entry]:
        """Yields the places on the list as they are written, with their ids.

        Raises:
            UsageError: the list can't be read, lacks a column, or isn't UTF-8 where it must be.
        """
        with self._opened() as file:
            yield from map(self._checked, self._entries(file))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with open_file(_seekable(self.path)) as file:
                yield file
        except (StorageError, OSError, pa.ArrowException, csv.Error, UnicodeError) as error:
            raise UsageError(f"--from-file {self.path}: it can't be read ({error})") from error

    def _checked(self, entry: Entry) -> Entry:
        """The entry. Raises UsageError if no file can have its name, or its id isn't UTF-8, as rows are."""
        place, input_id = entry
        if "\0" in local_path(place):  # as in UTF-16, or the output of find -print0
            raise UsageError(f"--from-file {self.path}: no path has NUL bytes: {place[:80]}; give one a line, as UTF-8")
        if input_id is not None and input_id.encode("utf-8", "replace").decode() != input_id:
            raise UsageError(f"--from-file {self.path}: the id {input_id} isn't UTF-8; save the list as UTF-8")
        return entry

    def _entries(self, file: BinaryIO) -> Iterator[Entry]:
        if _is_xml(file):
            return iter(self._mets(file).files)
        if self.file_group:
            raise UsageError(f"--from-file {self.path}: it isn't METS, of which --file-group chooses files")
        is_parquet = file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
        file.seek(0)
        extension = os.path.splitext(self.path)[1].lower()
        if is_parquet:
            found = self._of_parquet(pq.ParquetFile(file))
        elif extension in (".csv", ".tsv") or self.uri_column or self.id_column:
            found = self._of_table(csv.reader(_text(file, newline=""), delimiter="\t" if extension == ".tsv" else ","))
        else:
            found = ((line.rstrip("\r\n"), None) for line in _text(file, newline="\n"))
        return ((place, input_id or None) for place, input_id in found if place)

    def _mets(self, file: BinaryIO) -> MetsPages:
        if self.uri_column or self.id_column:
            raise UsageError(f"--from-file {self.path}: METS has no columns; leave out --uri-column and --id-column")
        try:
            return read_mets(file, self.path, self.file_group)
        except ValueError as error:
            raise UsageError(f"--from-file {self.path}: {error}") from error

    def _of_parquet(self, file: pq.ParquetFile) -> Iterator[Entry]:
        columns = [place, input_id] = self._columns(file.schema_arrow.names)
        for batch in file.iter_batches(columns=[name for name in columns if name]):
            places = batch[place].cast(pa.string()).to_pylist()
            ids = batch[input_id].cast(pa.string()).to_pylist() if input_id else [None] * len(places)
            yield from zip(places, ids, strict=True)

    def _of_table(self, rows: Iterator[list[str]]) -> Iterator[Entry]:
        names = next(rows, [])
        place, input_id = (None if name is None else names.index(name) for name in self._columns(names))
        for row in filter(None, rows):  # a line without anything is an empty list
            if len(row) != len(names):
                raise csv.Error(
                    f"a row has {len(row)} fields, and the first line has {len(names)}: {','.join(row)[:80]}"
                )
            yield row[place or 0], None if input_id is None else row[input_id]

    def _columns(self, names: Sequence[str]) -> tuple[str, str | None]:
        wanted = [self.uri_column] if self.uri_column else _URI_COLUMNS
        place = next((name for name in wanted if name in names), None)
        if place is None or (self.id_column and self.id_column not in names):
            missing, option = (
                (" or ".join(wanted), "--uri-column") if place is None else (self.id_column, "--id-column")
            )
            raise UsageError(
                f"--from-file {self.path}: no column {missing}; give {option} one of its columns: {', '.join(names)}"
            )
        return place, self.id_column


def _is_xml(file: BinaryIO) -> bool:
    """Whether a file begins with a tag, in any of Unicode's encodings."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    return head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")


def _text(file: BinaryIO, newline: str) -> io.TextIOWrapper:
    """The file's text; bytes that aren't UTF-8 are kept, as in the names of files."""
    return io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline=newline)


def _look_at(entries: list[Entry]) -> list[FoundFile]:
    places = [(absolute_uri(local_path(place)), input_id) for place, input_id in entries]
    return [
        replace(_look_at_remote(place) if is_remote(place) else named_file(place), input_id=input_id)
        for place, input_id in places
    ]


def _look_at_remote(uri: str) -> FoundFile:
    try:
        check_file_system(uri)
        [found] = match_files(glob.escape(uri))
        return remote_file(found)
    except ValueError:  # none
        return FoundFile(uri, error="the file can't be opened (there is none)")
    except PagebeamError as error:
        return FoundFile(uri, error=str(error))


def _seekable(path: str) -> str:
    """The path of a file, or of a copy of what comes from stdin or a FIFO, such as that of ``<(find …)``."""
    is_stream = path == STDIN or (not is_remote(path) and os.path.exists(path) and special_kind(path) == "a FIFO")
    return _copy_of(path) if is_stream else path


@functools.cache
def _copy_of(stream: str) -> str:
    """A temporary file with what comes from a stream, which can be read once only."""
    with tempfile.NamedTemporaryFile(prefix="pagebeam-", delete=False) as copy:
        atexit.register(os.unlink, copy.name)
        if stream == STDIN:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        else:
            with open(stream, "rb") as fifo:
                shutil.copyfileobj(fifo, copy)
    return copy.name
