"""Local files that survive a power cut: their bytes are on the disk before they get their names, then the names are.

A rename alone doesn't do that. Most file systems may write the new name before the bytes that it stands for, so that
after a power cut a file is there, and empty; and a file that was renamed later may be there without the earlier one.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP)  # folders on some network file systems


def sync_file(file: BinaryIO) -> None:
    """Waits until what was written to an open file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def make_folder(folder: str) -> None:
    """Creates a folder, and those that it lies in, unless they are there."""
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder) or "."
    make_folder(parent)
    os.makedirs(folder, exist_ok=True)  # another worker may do so, too
    _sync_folder(parent)


def rename(temporary: str | Path, path: str | Path) -> None:
    """Gives a file or folder that is on the disk another name, in the place of a file of that name."""
    os.replace(temporary, path)
    _sync_folder(os.path.dirname(path) or ".")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that takes the place of another when the ``with`` block ends without an error.

    If the block fails, nothing is left of it.
    """
    temporary = path.with_name(f"unfinished-{path.name}")
    try:
        with temporary.open("wb") as file:
            yield file
            sync_file(file)
        rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Waits until the files directly in a folder, which were closed, and their names are on the disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _sync_folder(str(folder))


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)
