"""A file system of Beam's, ``counted://``, that counts how files are listed and read. They are in a local folder."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import ClassVar

from apache_beam.io.filesystem import CompressionTypes, FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

SCHEME = "counted://"


class CountedFileSystem(LocalFileSystem):
    """``counted://a/b`` is the file ``a/b`` below the folder ``root``."""

    root: ClassVar[Path] = Path("/nonexistent")
    listed: ClassVar[Counter[str]] = Counter()
    opened: ClassVar[Counter[str]] = Counter()
    read: ClassVar[Counter[str]] = Counter()

    @classmethod
    def scheme(cls) -> str:
        return SCHEME.removesuffix("://")

    @classmethod
    def reset(cls, root: Path) -> None:
        """Has the files in a folder, none of which was listed or read."""
        cls.root = root
        cls.listed.clear()
        cls.opened.clear()
        cls.read.clear()

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        return tuple(path.rsplit("/", 1))

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        prefix = dir_or_prefix.removeprefix(SCHEME)
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root).as_posix()
            if path.is_file() and name.startswith(prefix):
                self.listed[SCHEME + name] += 1
                yield FileMetadata(SCHEME + name, path.stat().st_size, path.stat().st_mtime)

    def exists(self, path):
        return self._local(path).is_file()

    def open(self, path, mime_type="application/octet-stream", compression_type=CompressionTypes.AUTO):
        self.opened[path] += 1
        return _CountedFile(path, self._local(path))

    def create(self, path, mime_type="application/octet-stream", compression_type=CompressionTypes.AUTO):
        self._local(path).parent.mkdir(parents=True, exist_ok=True)
        return self._local(path).open("wb")

    def rename(self, source_file_names, destination_file_names):
        for source, path in zip(source_file_names, destination_file_names, strict=True):
            self._local(path).parent.mkdir(parents=True, exist_ok=True)
            self._local(source).rename(self._local(path))

    def delete(self, paths):
        for path in paths:
            self._local(path).unlink()

    def _local(self, path: str) -> Path:
        return self.root / path.removeprefix(SCHEME)


class _CountedFile(io.BytesIO):
    """A file that notes how many bytes are read of it."""

    def __init__(self, uri: str, path: Path) -> None:
        super().__init__(path.read_bytes())
        self._uri = uri

    def read(self, size=-1, /):
        data = super().read(size)
        CountedFileSystem.read[self._uri] += len(data)
        return data
