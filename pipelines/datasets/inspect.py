"""Reads data sets back: checks whether their shards are intact, and counts what is in them."""

from __future__ import annotations

import hashlib
import heapq
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ocr_models.data.dataset_files import DATASET_JSON, missing_shards
from ocr_models.errors import DocumentError
from ocr_models.io.sequence_example import parse_example
from ocr_models.io.tfrecord import READ_ERRORS, iter_records, unpacked
from ocr_models.records import Example
from pipelines.datasets.prepared_picture import DataSetCounts, count_examples
from pipelines.inputs.data_sets import find_shards, read_description
from pipelines.runtime.storage import absolute_uri, exists, hash_file, join, open_file


@dataclass
class Inspection:
    """What was found in shards.

    Attributes:
        shards: number of shards.
        bytes: size of all shards together.
        counts: counts of the examples that could be read; ``pictures`` counts examples too.
        samples: some examples, chosen by a hash of their content.
        faults: what is damaged or missing, each with its file and, if known, the record's number from 0.
    """

    shards: int = 0
    bytes: int = 0
    counts: DataSetCounts = field(default_factory=DataSetCounts)
    samples: list[Example] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def inspect_shards(patterns: Iterable[str], count: int) -> Inspection:
    """Reads and checks shards.

    Args:
        patterns: files, globs and folders of data sets, on any Beam file system.
        count: number of samples to keep.

    Raises:
        UsageError: a pattern matches no file.
    """
    paths = list(dict.fromkeys(path for pattern in patterns for path in find_shards(absolute_uri(pattern))))
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
    """What ``dataset.json`` says about a shard."""

    examples: int
    bytes: int
    sha256: str


def _expected_shards(folders: Iterable[str]) -> dict[str, _Expected]:
    """The shards that are listed in the ``dataset.json`` of these folders, by path."""
    expected = {}
    for folder in folders:
        description = read_description(folder)
        for split in description["splits"].values() if description else ():
            for shard in split["shards"]:
                expected[join(folder, shard["path"])] = _Expected(shard["examples"], shard["bytes"], shard["sha256"])
    return expected


def _read_shard(path: str, expected: _Expected | None, inspection: Inspection) -> Iterator[bytes]:
    """Yields the payload of each intact record, and adds counts and faults to ``inspection``."""
    index, first_fault = 0, len(inspection.faults)
    digest = hash_file(path)
    inspection.shards += 1
    inspection.bytes += digest.size_bytes
    try:
        with open_file(path) as file:
            for payload in iter_records(unpacked(file), verify=True):
                try:
                    inspection.counts.add(count_examples([parse_example(payload)]))
                    yield payload
                except DocumentError as error:
                    inspection.faults.append(f"{path}, record {index}: {error}")
                index += 1  # number of records read, and index of the next one
    except READ_ERRORS as error:
        inspection.faults.append(f"{path}, record {index}: {error}")
    if expected and len(inspection.faults) == first_fault:
        found = _Expected(index, digest.size_bytes, digest.sha256)
        for what in ("examples", "bytes", "sha256"):
            if getattr(found, what) != getattr(expected, what):
                inspection.faults.append(
                    f"{path}: {what} {getattr(found, what)}, but {DATASET_JSON} says {getattr(expected, what)}"
                )


def _missing(paths: Iterable[str], expected: dict[str, _Expected]) -> Iterator[str]:
    """The faults of missing shards, which ``dataset.json`` or the names of the others promise."""
    names: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        names.setdefault(folder, []).append(name)
    promised = {join(folder, name) for folder, in_folder in names.items() for name in missing_shards(in_folder)}
    for path in sorted(promised.union(expected).difference(paths)):
        if not exists(path):
            yield f"{path}: missing"
