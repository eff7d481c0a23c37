"""The files of a labelled source on any of Beam's file systems, and a fingerprint of those that were used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from ocr_models.data.sources.source import LocalFiles, Source, SourceItem
from ocr_models.errors import UsageError
from pipelines.decoding.child import CountPdfPages
from pipelines.decoding.pool import shared_pool
from pipelines.inputs.local_copies import local_copy
from pipelines.runtime.storage import StorageError, is_remote, match_files, open_file


class SourceFiles:
    """``ocr_models.data.sources.source.Files`` on Beam's file systems.

    Args:
        excluded: the output folder, which may lie in the source's folder; its files don't belong to the source.
    """

    def __init__(self, excluded: str) -> None:
        self._excluded = excluded.rstrip("/") + "/"
        self._opened: set[str] = set()

    def list(self, folder: str) -> list[str]:
        """All files below a folder, at any depth, sorted, without hidden ones; for a file, the file itself."""
        if f"{folder.rstrip('/')}/".startswith(self._excluded):
            raise UsageError(f"{folder}: in the output folder, whose files can't be a source; give another --output")
        found = _list_remote(folder) if is_remote(folder) else LocalFiles().list(folder)
        return [path for path in found if not path.startswith(self._excluded)]

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises OSError if it can't be read."""
        with self.open(path) as file:
            return file.read()

    def open(self, path: str) -> BinaryIO:
        """Opens a file, seekable, for reading. Raises OSError if it can't be read."""
        self._opened.add(path)
        return open_file(path) if is_remote(path) else LocalFiles().open(path)

    def count_pdf_pages(self, path: str) -> int:
        """The number of pages of a PDF, gzipped or not, which may crash its decoder. Raises DocumentError."""
        self._opened.add(path)
        return shared_pool().submit(CountPdfPages(local_copy(path, None).name)).result().value

    def used(self, items: Iterable[SourceItem], places: Iterable[str]) -> set[str]:
        """The files that were read for the items and those that the items need; if none, all files at the places."""
        used = self._opened | {item.path for item in items if item.path}
        return used or {path for place in places for path in self.list(place)}


def list_items(source: Source, files: SourceFiles, place: str) -> list[SourceItem]:
    """All items of a source.

    Args:
        source: lists the items.
        files: the source's files.
        place: the source as the user gave it.

    Raises:
        UsageError: there are none, or a file that lists many of them can't be read.
    """
    try:
        items = list(source.items(files))
    except OSError as error:
        raise UsageError(f"{place}: a file there can't be read ({error}); repair or remove it") from error
    if not items:
        raise UsageError(f"{place}: no labelled pictures of format {source.format} were found there")
    return items


@dataclass(frozen=True)
class Fingerprint:
    """Tells whether the files of a source have changed.

    Attributes:
        sha256: SHA-256 of the files' names, sizes and modification times, in hex.
        files: number of files.
        bytes: size of all files together.
    """

    sha256: str
    files: int
    bytes: int


def fingerprint_files(paths: Iterable[str], root: str) -> Fingerprint:
    """The fingerprint of files; it stays the same if the whole source moves to another folder."""
    digest, files, total = hashlib.sha256(), 0, 0
    for path in sorted(paths):
        size, time = _size_and_time(path)
        name = path.removeprefix(root.rstrip("/") + "/")
        digest.update(f"{name}\0{size}\0{time}\n".encode(errors="surrogateescape"))
        files, total = files + 1, total + max(size, 0)
    return Fingerprint(digest.hexdigest(), files, total)


def _size_and_time(path: str) -> tuple[int, float]:
    """A file's size and modification time; (-1, 0) if there is no such file: its item will be quarantined."""
    try:
        if not is_remote(path):
            status = os.stat(path)
            return status.st_size, status.st_mtime_ns
        [found] = match_files(path)
        return found.size_bytes, found.changed_s
    except (OSError, ValueError):
        return -1, 0


def _list_remote(folder: str) -> list[str]:
    pattern = folder.rstrip("/")
    try:
        below = match_files(f"{pattern}/**") or match_files(pattern)
    except StorageError as error:
        raise UsageError(f"{folder}: {error}") from error
    return sorted(file.path for file in below if "/." not in file.path[len(pattern) :])
