"""The SHA-256, size and first bytes of a file in one reading, and whether a file is still the one that was hashed."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import time
from dataclasses import dataclass
from typing import BinaryIO

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.files import open_regular
from ocr_models.limits import MEGABYTE, over_limit

_CHUNK_BYTES = 1 << 20
CLOCK_TICK_NS = 2_000_000_000  # the coarsest times of file systems, those of FAT; Linux itself counts in 4 ms
CHANGED = "the file has changed since it was opened; run again when nothing writes to it any more"

FileState = tuple[int, ...]
"""What changes when a local file is written or replaced: its device, inode, size and times."""


@dataclass(frozen=True)
class FileDigest:
    """The result of ``hash_file``.

    Attributes:
        sha256: of all bytes, in hex.
        size_bytes: the number of bytes.
        head: the first bytes, as many as were requested.
    """

    sha256: str
    size_bytes: int
    head: bytes


def hash_file(file: BinaryIO, head_bytes: int = 0, max_bytes: int | None = None) -> FileDigest:
    """Hashes a file from its position to its end, 1 MiB at a time, and keeps its first ``head_bytes`` bytes.

    Raises:
        DocumentError: with stage "open", if it has more than ``max_bytes``; no more of it is read.
    """
    head = file.read(head_bytes)
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in itertools.chain([head], iter(lambda: file.read(_CHUNK_BYTES), b"")):
        digest.update(chunk)
        size_bytes += len(chunk)
        if max_bytes is not None and size_bytes > max_bytes:
            what = f"the file has more bytes than the limit of {max_bytes // MEGABYTE:,} MB"
            raise over_limit(Stage.OPEN, what, "--max-document-mb")
    return FileDigest(digest.hexdigest(), size_bytes, head)


def file_state(path: str) -> FileState:
    """The state of a local file. Raises DocumentError if there is none.

    It has the time of the last change of the inode, which, unlike that of the content, no program can set.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise DocumentError(Stage.OPEN, f"the file can't be opened ({error})") from error
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def check_unchanged(path: str, sha256: str | None) -> FileState:
    """Raises DocumentError unless a local file still has the bytes that were hashed; returns its state.

    Whoever reads a file that was hashed before calls this before and after: then what was read has this hash. The file
    is hashed only once until its state changes, unless it changed so recently that its next change may have the same
    time.

    Args:
        path: the file.
        sha256: of the bytes expected, in hex; None if any are right.
    """
    state = file_state(path)
    if sha256 is not None:
        is_recent = time.time_ns() - state[-1] < CLOCK_TICK_NS
        (_check_sha256.__wrapped__ if is_recent else _check_sha256)(path, sha256, state)
    return state


@functools.lru_cache(1024)
def _check_sha256(path: str, sha256: str, state: FileState) -> None:
    with open_regular(path) as file:
        if hash_file(file).sha256 != sha256:
            raise DocumentError(Stage.OPEN, CHANGED)
