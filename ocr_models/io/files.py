"""Paths of local files; opens files, and nothing that only looks like one."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import BinaryIO
from urllib.parse import unquote

_FILE_URI = re.compile("file:(//(localhost)?)?(?=/(?!/))", re.IGNORECASE)  # the forms of RFC 8089
_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def local_path(path: str) -> str:
    """The path that a ``file:`` URI stands for, such as ``/a b`` for ``file:///a%20b``; others as they are."""
    return unquote(_FILE_URI.sub("", path, count=1)) if _FILE_URI.match(path) else path


def special_kind(path: str | os.PathLike[str]) -> str | None:
    """What a path stands for if not for a file, such as "a FIFO"; None for a file. Raises OSError if there is nothing.

    Links are followed.
    """
    return kind_of_special(os.stat(path))


def kind_of_special(status: os.stat_result) -> str | None:
    """Like ``special_kind``, for the status of a path."""
    return _SPECIAL.get(stat.S_IFMT(status.st_mode))


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file for reading.

    Raises:
        OSError: it can't be opened, or is no file: a FIFO waits for a writer for ever, and a device may never end.
    """
    if kind := special_kind(path):
        raise OSError(errno.EINVAL, f"{kind}, not a file", os.fspath(path))
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # whatever it is by now
