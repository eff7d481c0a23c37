"""Data sets read back: whether their shards are whole, and what is in them."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
import os
import posixpath
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from ocr_models.errors import DocumentError, UsageError
from ocr_models.io.documents import DocumentKind
from ocr_models.io.sequence_example import parse_example
from ocr_models.io.tfrecord import iter_records
from ocr_models.records import Example
from pipelines.datasets.dataset_json import DATASET_JSON
from pipelines.datasets.folder import check_finished
from pipelines.datasets.prepared_picture import DataSetCounts, count_examples
from pipelines.datasets.splits import SHARD_NAME, missing_shards
from pipelines.inputs.documents import absolute_uri, open_tfrecord, open_uri
from pipelines.reading.shards import join
from pipelines.runtime.storage import list_folder, read_bytes

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass
class Inspection:
    """What was found in shards.

    Attributes:
        shards: how many there are.
        bytes: of all of them.
        counts: of the examples that could be read; ``pictures`` counts examples, too.
        samples: some examples, chosen by a hash of their content.
        faults: what is damaged or missing, each with its file and, where it is known, the record's number from 0.
    """

    shards: int = 0
    bytes: int = 0
    counts: DataSetCounts = field(default_factory=DataSetCounts)
    samples: list[Example] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def inspect_shards(patterns: Iterable[str], count: int) -> Inspection:
    """Reads shards through.

    Args:
        patterns: files, globs and folders of data sets, on any Beam file system.
        count: of samples that are kept.

    Raises:
        UsageError: a pattern matches no file.
    """
    paths = list(dict.fromkeys(path for pattern in patterns for path in _find_shards(absolute_uri(pattern))))
    inspection = Inspection()
    samples: list[tuple[str, bytes]] = []
    expected = _expected_shards({posixpath.dirname(path) for path in paths})
    for path in paths:
        for payload in _read_shard(path, expected.get(path), inspection):
            samples = heapq.nsmallest(count, [*samples, (hashlib.sha256(payload).hexdigest(), payload)])
    inspection.samples = [parse_example(payload) for _, payload in samples]
    inspection.faults += _missing(paths, expected)
    return inspection


@dataclass(frozen=True)
class _Expected:
    """What ``dataset.json`` says of a shard."""

    examples: int
    bytes: int
    sha256: str


def _find_shards(pattern: str) -> list[str]:
    """The files that a pattern stands for; of a folder, its shards."""
    try:
        names = [name for name in list_folder(pattern) if SHARD_NAME.fullmatch(name)]
        found = [join(pattern, name) for name in names]
        matched = (file.path for file in FileSystems.match([pattern])[0].metadata_list)
        found = found or [path for path in matched if not os.path.isdir(path)]
    except (BeamIOError, ValueError) as error:  # Beam says what the file system lacks
        raise UsageError(f"can't look for shards at {pattern}: {error}") from error
    if not found:
        raise UsageError(f"no shards at {pattern}: give TFRecord files, a glob, or the folder of a data set")
    check_finished(found)
    return sorted(found)


def _expected_shards(folders: Iterable[str]) -> dict[str, _Expected]:
    """The shards that the ``dataset.json`` of these folders list, by path."""
    expected = {}
    for folder in folders:
        path = join(folder, DATASET_JSON)
        if not FileSystems.exists(path):
            continue
        try:
            splits = json.loads(read_bytes(path))["splits"].values()
            for shard in itertools.chain.from_iterable(split["shards"] for split in splits):
                expected[join(folder, shard["path"])] = _Expected(shard["examples"], shard["bytes"], shard["sha256"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{path}: this is no dataset.json of pagebeam ({error!r})") from error
    return expected


def _read_shard(path: str, expected: _Expected | None, inspection: Inspection) -> Iterator[bytes]:
    """Yields the payload of each whole record, and notes all else in ``inspection``."""
    index, first_fault = 0, len(inspection.faults)
    size, sha256 = _hash_file(path)
    inspection.shards += 1
    inspection.bytes += size
    try:
        with open_tfrecord(path, _kind(path)) as file:
            for payload in iter_records(file, verify=True):
                try:
                    inspection.counts.add(count_examples([parse_example(payload)]))
                    yield payload
                except DocumentError as error:
                    inspection.faults.append(f"{path}, record {index}: {error}")
                index += 1  # so many records are read; the next one's number
    except (DocumentError, OSError, EOFError, zlib.error) as error:
        inspection.faults.append(f"{path}, record {index}: {error}")
    if expected and len(inspection.faults) == first_fault:
        found = _Expected(index, size, sha256)
        for what in ("examples", "bytes", "sha256"):
            if getattr(found, what) != getattr(expected, what):
                inspection.faults.append(
                    f"{path}: {what} {getattr(found, what)}, but {DATASET_JSON} says {getattr(expected, what)}"
                )


def _kind(path: str) -> DocumentKind:
    with open_uri(path) as file:
        return DocumentKind.GZIP_TFRECORD if file.read(2) == _GZIP_MAGIC else DocumentKind.TFRECORD


def _hash_file(path: str) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with open_uri(path) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _missing(paths: Iterable[str], expected: dict[str, _Expected]) -> Iterator[str]:
    """The shards that don't exist, though ``dataset.json`` or the names of the others promise them."""
    names: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        names.setdefault(folder, []).append(name)
    promised = {join(folder, name) for folder, in_folder in names.items() for name in missing_shards(in_folder)}
    for path in sorted(promised.union(expected).difference(paths)):
        if not FileSystems.exists(path):
            yield f"{path}: missing"
