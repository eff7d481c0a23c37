"""The folder of a data set: checks whether the data set is already there, and clears what an earlier run left."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from ocr_models.data.dataset_files import (
    CHARSET,
    CONTACT_SHEET,
    DATASET_JSON,
    QUARANTINE,
    QUARANTINE_LIST,
    SHARD_NAME,
    STAGING,
    STARTED,
    VOCABULARY,
)
from ocr_models.errors import UsageError
from pipelines.datasets.dataset_json import DataSetDescription
from pipelines.runtime.storage import StorageError, delete, join, list_folder, remove_empty_folder, write_bytes

_TEMPORARY = re.compile(r"(.*/)?_[^/]+\.[0-9a-f]{32}\.tmp")


def is_unchanged(dataset: DataSetDescription, found: dict[str, Any]) -> bool:
    """Whether exactly this data set is already there, with all of its shards."""
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
    """Marks a folder as one with an unfinished data set, and deletes what an earlier run left in it.

    Args:
        output: the folder; files in it that don't belong to a data set are left alone.
        overwrite: whether a finished data set, or files that no run of ``pagebeam prepare`` left, may be deleted.

    Raises:
        UsageError: there are such files and they may not be deleted, or the folder can't be written to.
    """
    names = [name for name in list_folder(output) if _is_ours(name)]
    if DATASET_JSON in names and not overwrite:
        raise UsageError(
            f"{output} holds a data set from another source or with other options, or one whose files have changed; "
            "give another --output, or --overwrite to replace it"
        )
    if names and not overwrite and STARTED not in names:
        raise UsageError(
            f"{output} holds {names[0]}, which no run of pagebeam prepare left there; give another --output, or "
            "--overwrite to replace it"
        )
    try:
        write_bytes(join(output, STARTED), b"")
    except Exception as error:  # each file system has its own kinds of errors
        raise UsageError(f"can't write to the output folder {output}: {error}") from error
    names.sort(
        key=lambda name: name != DATASET_JSON
    )  # first, because the remaining files are no longer a complete data set
    for name in names:
        if name != STARTED:
            delete([join(output, name)])


def clear_staging(output: str) -> None:
    """Deletes the staging folder."""
    delete(join(output, name) for name in list_folder(output) if name.startswith(f"{STAGING}/"))
    remove_empty_folder(join(output, STAGING))


def discard_dataset(output: str, keep_quarantine: bool) -> None:
    """Deletes what an unfinished run has written, which the next one would not use.

    Args:
        output: the folder.
        keep_quarantine: whether to keep what was found wrong with pictures, as far as all of it has been written.
    """
    with contextlib.suppress(StorageError):  # the run's own error matters more
        names = list_folder(output)
        if DATASET_JSON not in names:
            kept = (STARTED, f"{QUARANTINE}/") if keep_quarantine and QUARANTINE_LIST in names else ()
            delete(join(output, name) for name in names if _is_ours(name) and not name.startswith(kept))
            for folder in (STAGING, QUARANTINE):
                remove_empty_folder(join(output, folder))


def _is_ours(name: str) -> bool:
    return (
        name in (DATASET_JSON, CHARSET, VOCABULARY, CONTACT_SHEET)
        or name.startswith((f"{STAGING}/", f"{QUARANTINE}/"))
        or SHARD_NAME.fullmatch(name) is not None
        or _TEMPORARY.fullmatch(name) is not None
    )
