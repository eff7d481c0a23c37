"""Model bundles on any of Beam's file systems, and under paths that mean the same to all workers of a machine."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile

from ocr_models.errors import UsageError
from pipelines.runtime.storage import absolute_uri, check_file_system, is_remote, join, list_folder, open_file


def absolute_bundle(model: str) -> str:
    """The absolute path or URI of a bundle; a shipped model's name as it is. ``find_bundle`` tells them apart alike."""
    return absolute_uri(model) if os.sep in model or os.path.isdir(model) else model


@functools.cache
def local_bundle(model: str) -> str:
    """A bundle's name or folder as it is; one on a remote file system is copied once per process, until its end.

    Raises:
        UsageError: there is no file system for it, or no file at it.
    """
    if not is_remote(model):
        return model
    check_file_system(model)
    names = list_folder(model)
    if not names:
        raise UsageError(f"{model}: no such model bundle; give the folder that pagebeam train wrote")
    folder = tempfile.TemporaryDirectory(prefix="pagebeam-model-")
    _copies.append(folder)
    for name in names:
        path = os.path.join(folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open_file(join(model, name)) as source, open(path, "wb") as copy:
            shutil.copyfileobj(source, copy)
    return folder.name


_copies: list[tempfile.TemporaryDirectory[str]] = []
