"""Finds the shards and descriptions of data sets, for ``inspect``, ``evaluate`` and ``prepare``."""

from __future__ import annotations

import os
import re
from typing import Any

from ocr_models.data.dataset import UNFINISHED, read_dataset_json
from ocr_models.data.dataset_files import DATASET_JSON, SHARD_NAME, STARTED
from ocr_models.errors import UsageError
from pipelines.inputs.discovery import find_documents
from pipelines.runtime.storage import StorageError, exists, is_remote, join, list_folder, read_bytes

# Names of other tools' shards: with a number such as "-00003-of-00012", or with the extension of a TFRecord file.
_FOREIGN_SHARD = re.compile(r"[^/]*(-\d{5}-of-\d{5}[^/]*|\.tfrecords?(\.gz)?)$")


def find_shards(place: str) -> list[str]:
    """The shards that a file, a glob or a folder names, sorted.

    In a folder, they are the shards that ``pagebeam prepare`` wrote there or, if there are none, all files at any depth
    that are named like shards. Of a glob's matches, they are those named like shards or, if there are none, all.

    Raises:
        UsageError: there are none, or they belong to a data set that isn't finished.
    """
    try:
        found = [join(place, name) for name in list_folder(place) if SHARD_NAME.fullmatch(name)]
    except StorageError as error:
        raise UsageError(f"can't look for shards: {error}") from error
    if not found:
        matches = [uri for uri in find_documents(place) if is_remote(uri) or not os.path.isdir(uri)]
        is_file_or_glob = not os.path.isdir(place) and not is_remote(place)
        found = list(filter(_FOREIGN_SHARD.search, matches)) or (matches if is_file_or_glob else [])
    if not found:
        raise UsageError(f"no shards at {place}: give TFRecord files, a glob, or the folder of a data set")
    for folder in sorted({path.rpartition("/")[0] for path in found}):
        if exists(join(folder, STARTED)):
            raise UsageError(f"{folder}: {UNFINISHED}")
    return sorted(found)


def read_description(folder: str) -> dict[str, Any] | None:
    """The content of the ``dataset.json`` in a folder; None if there is none.

    Raises:
        UsageError: pagebeam didn't write it.
    """
    path = join(folder, DATASET_JSON)
    return read_dataset_json(read_bytes(path), path) if exists(path) else None
