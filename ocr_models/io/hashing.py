"""SHA-256 of files, read once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FileDigest:
    """What one reading of a file tells.

    Attributes:
        sha256: of all bytes, in hex.
        size_bytes: how many there are.
        head: the first of them, as many as were asked for.
    """

    sha256: str
    size_bytes: int
    head: bytes


def hash_file(file: BinaryIO, head_bytes: int = 0) -> FileDigest:
    """Reads a file from its position to its end, by 1 MiB, and keeps its first ``head_bytes`` bytes."""
    head = file.read(head_bytes)
    digest, size_bytes = hashlib.sha256(head), len(head)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
    return FileDigest(digest.hexdigest(), size_bytes, head)
