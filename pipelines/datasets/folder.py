"""The folder of a data set: whether it is there already, and what an earlier run left."""

from __future__ import annotations

import os
import re
from typing import Any

from ocr_models.data.dataset_files import (
    CHARSET,
    CONTACT_SHEET,
    DATASET_JSON,
    QUARANTINE,
    SHARD_NAME,
    STAGING,
    STARTED,
    VOCABULARY,
)

from ocr_models.errors import UsageError
from pipelines.datasets.dataset_json import DataSetDescription
from pipelines.runtime.storage import delete, is_remote, join, list_folder, write_bytes

_TEMPORARY = re.compile(r"(.*/)?_[^/]+\.[0-9a-f]{32}\.tmp")


def is_unchanged(dataset: DataSetDescription, found: dict[str, Any]) -> bool:
    """Whether this very data set is there already, with all of its shards."""
    sizes = list_folder(dataset.output)
    return (
        found["sources"]["fingerprint"]["sha256"] == dataset.fingerprint.sha256
        and (found["format"], found["task"], found["options"]) == (dataset.format, dataset.task, dataset.options)
        and all(
            sizes.get(shard["path"]) == shard["bytes"]
            for split in found["splits"].values()
            for shard in split["shards"]
        )
    )


def begin_dataset(output: str, overwrite: bool) -> None:
    """Marks a folder as one with a data set that isn't finished, and deletes what an earlier run left in it.

    Args:
        output: the folder; files in it that aren't a data set's are left alone.
        overwrite: whether a finished data set, or one that somebody else made, may be deleted.

    Raises:
        UsageError: it may not be, or nothing can be written there.
    """
    names = [name for name in list_folder(output) if _is_ours(name)]
    if DATASET_JSON in names and not overwrite:
        raise UsageError(
            f"{output} holds a data set of another source, of other options, or with other files than were written; "
            "give another --output, or --overwrite to replace it"
        )
    if names and not overwrite and STARTED not in names:
        raise UsageError(
            f"{output} holds {names[0]}, which no run of pagebeam prepare left there; give another --output, or "
            "--overwrite to replace it"
        )
    try:
        write_bytes(join(output, STARTED), b"")
    except Exception as error:  # every file system has its own
        raise UsageError(f"can't write to the output folder {output}: {error}") from error
    names.sort(key=lambda name: name != DATASET_JSON)  # first of all, as what is left isn't whole any more
    for name in names:
        if name != STARTED:
            delete([join(output, name)])


def clear_staging(output: str) -> None:
    """Deletes the staging folder."""
    delete(join(output, name) for name in list_folder(output) if name.startswith(f"{STAGING}/"))
    if not is_remote(output) and os.path.isdir(join(output, STAGING)):
        os.rmdir(join(output, STAGING))


def _is_ours(name: str) -> bool:
    return (
        name in (DATASET_JSON, CHARSET, VOCABULARY, CONTACT_SHEET)
        or name.startswith((f"{STAGING}/", f"{QUARANTINE}/"))
        or SHARD_NAME.fullmatch(name) is not None
        or _TEMPORARY.fullmatch(name) is not None
    )
