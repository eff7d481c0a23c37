"""The names of the files in a data set that ``pagebeam prepare`` writes."""

from __future__ import annotations

import re
from collections.abc import Iterable

SPLITS = ("train", "validation", "test")
DATASET_JSON, CHARSET, VOCABULARY = "dataset.json", "charset.txt", "vocabulary.txt"
CONTACT_SHEET = "contact_sheet.png"
QUARANTINE = "quarantine"
QUARANTINE_LIST = f"{QUARANTINE}/quarantine.jsonl"
STAGING = "_staging"
STARTED = f"{STAGING}/started"  # exists until the data set is finished
SHARD_NAME = re.compile(rf"({'|'.join(SPLITS)})-(\d{{5}})-of-(\d{{5}})\.tfrecord(\.gz)?")


def shard_name(split: str, shard: int, shard_count: int, compressed: bool = False) -> str:
    """The file name of a shard."""
    return f"{split}-{shard:05d}-of-{shard_count:05d}.tfrecord{'.gz' if compressed else ''}"


def missing_shards(names: Iterable[str]) -> list[str]:
    """The shards that don't occur in ``names`` although the "of" in other names implies them, sorted."""
    names = set(names)
    promised: set[str] = set()
    for match in filter(None, map(SHARD_NAME.fullmatch, names)):
        split, _, count, compressed = match.groups()
        promised.update(shard_name(split, shard, int(count), bool(compressed)) for shard in range(int(count)))
    return sorted(promised - names)
