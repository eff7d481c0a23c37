"""Local copies of remote files, for decoders that need a path."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from typing import Protocol

from ocr_models.errors import Stage
from pipelines.runtime.storage import StorageError, is_remote, open_file


class LocalFile(Protocol):
    """A file on this machine; keep a reference to it as long as its path, ``name``, is in use."""

    @property
    def name(self) -> str: ...


class _Itself:
    """A file that is already local."""

    def __init__(self, name: str) -> None:
        self.name = name


@functools.lru_cache(maxsize=4)
def local_copy(uri: str, sha256: str | None) -> LocalFile:
    """A file itself if it is local, else a download, which is deleted when nothing refers to it any more.

    Args:
        uri: the file.
        sha256: tells it from an earlier file of the same URI.

    Raises:
        StorageError: the download fails.
    """
    if not is_remote(uri):
        return _Itself(uri)
    copy = tempfile.NamedTemporaryFile(prefix="pagebeam-")  # noqa: SIM115  closed with its last reference
    with open_file(uri) as file:
        try:
            shutil.copyfileobj(file, copy)
        except Exception as error:  # each file system has its own kinds of errors
            raise StorageError(Stage.OPEN, f"the file can't be downloaded ({error})") from error
    copy.flush()
    return copy


atexit.register(local_copy.cache_clear)  # deletes downloads even if Python's own clean-up is skipped
