"""Local copies of remote files, for decoders that need a path. A process keeps the last ones that it downloaded."""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
from collections import OrderedDict, defaultdict
from typing import Protocol

from ocr_models.errors import Stage
from ocr_models.limits import MEGABYTE, DecodeLimits, over_limit
from pipelines.runtime.storage import StorageError, is_remote, open_file

_CHUNK_BYTES = 1 << 20
KEPT_BYTES, KEPT_FILES = 1 << 30, 200  # disks of workers have tens of GB; processes may often open 1,024 files


class LocalFile(Protocol):
    """A file on this machine; keep a reference to it as long as its path, ``name``, is in use."""

    @property
    def name(self) -> str: ...


class _Itself:
    """A file that is already local."""

    def __init__(self, name: str) -> None:
        self.name = name


_Key = tuple[str, str | None, int, int | None]
_kept: OrderedDict[_Key, LocalFile] = OrderedDict()
_kept_bytes: dict[_Key, int] = {}
_kept_lock = threading.Lock()
_downloading: defaultdict[_Key, threading.Lock] = defaultdict(threading.Lock)


def local_copy(uri: str, sha256: str | None, start: int = 0, stop: int | None = None) -> LocalFile:
    """A file itself if it is local, else a download, which is deleted when nothing refers to it any more.

    A download is kept for later calls, until newer ones have ``KEPT_BYTES`` or are ``KEPT_FILES``.

    Args:
        uri: the file.
        sha256: tells it from an earlier file of the same URI.
        start: first byte of a remote file that is needed.
        stop: the byte after the last one that is needed; None for the end of the file.

    Raises:
        StorageError: the download fails, or is larger than a document may be.
    """
    if not is_remote(uri):
        return _Itself(uri)
    key = (uri, sha256, start, stop)
    with _kept_lock:
        lock = _downloading[key]
    with lock:  # threads that read other ranges of the same file wait for it
        with _kept_lock:
            if file := _kept.get(key):
                _kept.move_to_end(key)
                return file
        file = download(uri, start, stop)
        keep_copy(file, uri, sha256, start, stop)
        return file


def keep_copy(file: LocalFile, uri: str, sha256: str | None, start: int = 0, stop: int | None = None) -> None:
    """Has ``local_copy`` return a download for the same arguments."""
    if not is_remote(uri):
        return
    with _kept_lock:
        _kept[uri, sha256, start, stop] = file
        _kept_bytes[uri, sha256, start, stop] = os.path.getsize(file.name)
        while len(_kept) > KEPT_FILES or (len(_kept) > 1 and sum(_kept_bytes.values()) > KEPT_BYTES):
            oldest, _ = _kept.popitem(last=False)
            del _kept_bytes[oldest]
            _downloading.pop(oldest, None)


def forget_copies() -> None:
    """Deletes all downloads that aren't in use."""
    with _kept_lock:
        _kept.clear()
        _kept_bytes.clear()
        _downloading.clear()


def download(
    uri: str, start: int = 0, stop: int | None = None, max_bytes: int = DecodeLimits.document_bytes
) -> LocalFile:
    """Like ``local_copy``, but always a new download of a remote file."""
    if not is_remote(uri):
        return _Itself(uri)
    copy = tempfile.NamedTemporaryFile(prefix="pagebeam-")  # noqa: SIM115  closed with its last reference
    with open_file(uri) as file:
        try:
            if start:
                file.seek(start)
            left = max_bytes if stop is None else stop - start
            while chunk := file.read(min(left, _CHUNK_BYTES)):
                copy.write(chunk)
                left -= len(chunk)
            too_large = stop is None and file.read(1)
        except Exception as error:  # each file system has its own kinds of errors
            raise StorageError(Stage.OPEN, f"the file can't be downloaded ({error})") from error
    if too_large:
        what = f"the file has more bytes than the limit of {max_bytes // MEGABYTE:,} MB"
        raise over_limit(Stage.OPEN, what, "--max-document-mb")
    copy.flush()
    return copy


atexit.register(forget_copies)  # deletes downloads even if Python's own clean-up is skipped
