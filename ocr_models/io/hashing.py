"""The SHA-256, size and first bytes of a file in one reading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from ocr_models.errors import Stage
from ocr_models.limits import MEGABYTE, over_limit

_CHUNK_BYTES = 1 << 20


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
    digest, size_bytes = hashlib.sha256(head), len(head)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
        if max_bytes is not None and size_bytes > max_bytes:
            what = f"the file has more bytes than the limit of {max_bytes // MEGABYTE:,} MB"
            raise over_limit(Stage.OPEN, what, "--max-document-mb")
    return FileDigest(digest.hexdigest(), size_bytes, head)
