"""Writes the files of a data set: shards of staged records in a fixed order, and the bytes of bad pictures."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

from ocr_models.data.dataset_files import QUARANTINE
from ocr_models.io.sequence_example import parse_example, serialize_example
from ocr_models.io.tfrecord import write_records
from ocr_models.vocabulary import Vocabulary
from pipelines.datasets.staging import RecordPlace, StagedRecords
from pipelines.runtime.storage import atomic_writer, join, write_bytes

MAX_QUARANTINED_BYTES = 10_000_000  # of one picture; larger ones are listed without their bytes
_GZIP_LEVEL = 6


@dataclass(frozen=True, order=True)
class Problem:
    """A picture or label that was left out or repaired.

    Attributes:
        name: name of the picture.
        kind: "picture" for a picture that was left out, "label" for a label that was, "repair" for a label that was
            repaired, "duplicate" for a picture with the same bytes as another.
        stage: stage at which a picture failed, "label" for labels; for a duplicate "content", or "label" if its labels
            differ.
        reason: what was wrong and, for a repair, what was done.
        file: file of the picture's bytes, below the quarantine folder; "" if they aren't kept.
    """

    name: str
    kind: str
    stage: str
    reason: str
    file: str = ""


@dataclass(frozen=True)
class ShardFile:
    """A written shard.

    Attributes:
        path: path below the output folder.
        examples: number of its records.
        bytes: size of the file.
        sha256: SHA-256 of the file, in hex.
    """

    path: str
    examples: int
    bytes: int
    sha256: str


def write_shard(
    output: str, path: str, places: Iterable[RecordPlace], vocabulary: Vocabulary | None = None
) -> ShardFile:
    """Writes records, in the order of their pictures' digests and names, to one TFRecord file.

    Args:
        output: the data set's folder.
        path: the file's path below it; the file is gzipped if the path ends in ".gz".
        places: where the staged records are, in any order.
        vocabulary: vocabulary of captions, whose ids are added to the records; None for other examples.
    """
    in_order = sorted(places)
    with StagedRecords(output) as staged, atomic_writer(join(output, path)) as target:
        file = _HashedFile(target)
        payloads = (staged.read(name, offset) for *_, name, offset in in_order)
        if vocabulary:
            payloads = (_with_ids(payload, vocabulary) for payload in payloads)
        with _compressed(file) if path.endswith(".gz") else contextlib.nullcontext(file) as records:
            write_records(cast(BinaryIO, records), payloads)
    return ShardFile(path, len(in_order), file.size, file.digest.hexdigest())


def _with_ids(payload: bytes, vocabulary: Vocabulary) -> bytes:
    example = parse_example(payload)
    return serialize_example(replace(example, caption_ids=tuple(vocabulary.encode(example.caption))))


class _HashedFile(io.RawIOBase):
    """Passes writes on to a file, and counts and hashes their bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)


def _compressed(file: _HashedFile) -> gzip.GzipFile:
    """A gzip file without a name and time, so that equal records give equal files."""
    return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=_GZIP_LEVEL)


def quarantine(output: str, name: str, data: bytes | None) -> str:
    """Keeps the bytes of a bad picture; returns their file below the quarantine folder, "" if none or too many."""
    if not data or len(data) > MAX_QUARANTINED_BYTES:
        return ""
    extension = posixpath.splitext(name)[1]
    file = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:16]
    file += extension if extension[1:].isalnum() and extension.isascii() else ""
    write_bytes(join(output, f"{QUARANTINE}/{file}"), data)
    return file
