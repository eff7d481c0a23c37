"""Staging files: records are written to them when pictures are read, and read from them when shards are written.

Only the places of records travel between workers, so that no picture goes through a shuffle.
"""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ocr_models.data.dataset_files import STAGING
from ocr_models.data.sources.source import SourceItem
from ocr_models.io.tfrecord import iter_records, record_bytes, write_records
from pipelines.datasets.prepared_picture import PreparedPicture
from pipelines.runtime.storage import create_file, join, open_file, read_bytes, write_bytes, writing

_OPEN_FILES = 64
_ITEMS_PER_FILE = 1000


@dataclass(frozen=True)
class StagedPicture:
    """A picture whose records are in a staging file.

    Attributes:
        name: name of the picture, the same in every run.
        digest: SHA-256 of the picture's bytes, in hex.
        perceptual_hash: 64 bits.
        labels_digest: SHA-256 of its labels, in hex.
        file: path below the staging folder.
        offsets: where each of its records begins in the file, in bytes.
        packed_counts: ``DataSetCounts`` of this picture, pickled.
    """

    name: str
    digest: str
    perceptual_hash: int
    labels_digest: str
    file: str
    offsets: tuple[int, ...]
    packed_counts: bytes


RecordPlace = tuple[str, str, int, str, int]
"""A staged record's sort key and place: digest and name of its picture, index in the picture; file, offset."""


class StagingFile:
    """A new file below the staging folder; created when the first picture is added."""

    def __init__(self, output: str) -> None:
        self._name = f"{uuid.uuid4().hex}.tfrecord"
        self._path = join(output, f"{STAGING}/{self._name}")
        self._file: BinaryIO | None = None
        self._offset = 0

    def add(self, picture: PreparedPicture) -> StagedPicture:
        """Writes the records of a picture."""
        with writing(self._path):
            if self._file is None:
                self._file = create_file(self._path)
            write_records(self._file, picture.payloads)
        offsets = []
        for payload in picture.payloads:
            offsets.append(self._offset)
            self._offset += record_bytes(payload)
        return StagedPicture(
            picture.name,
            picture.digest,
            picture.perceptual_hash,
            picture.labels_digest,
            self._name,
            tuple(offsets),
            picture.packed_counts,
        )

    def close(self) -> None:
        if self._file is not None:
            with writing(self._path):
                self._file.close()


class StagedRecords:
    """Reads staged records in any order. Use it in a ``with`` block."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> StagedRecords:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def read(self, name: str, offset: int) -> bytes:
        """The payload of a record."""
        file = self._files.pop(name, None) or open_file(join(self._output, f"{STAGING}/{name}"))
        self._files[name] = file  # now last in order: the one used most recently
        if len(self._files) > _OPEN_FILES:
            self._files.pop(next(iter(self._files))).close()
        file.seek(offset)
        return next(iter_records(file, verify=True))


def iter_staged(output: str, places: Iterable[tuple[str, int]]) -> Iterator[bytes]:
    """Yields the payloads of records, which are given by file and offset."""
    with StagedRecords(output) as staged:
        for name, offset in places:
            yield staged.read(name, offset)


def stage_items(output: str, items: Sequence[SourceItem]) -> list[str]:
    """Writes the items of a source below the staging folder, because millions of them don't fit in a pipeline's graph.

    Returns:
        The files' names, for ``read_items``.
    """
    names = []
    for start in range(0, len(items), _ITEMS_PER_FILE):
        names.append(f"{STAGING}/items-{start:09d}.pickle")
        write_bytes(join(output, names[-1]), pickle.dumps(items[start : start + _ITEMS_PER_FILE]))
    return names


def read_items(name: str, output: str) -> list[SourceItem]:
    """The items in a file that ``stage_items`` wrote."""
    return pickle.loads(read_bytes(join(output, name)))
