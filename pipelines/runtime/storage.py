"""Whole files on any of Beam's file systems, as bytes that nothing packs or unpacks on the way."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from typing import BinaryIO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from ocr_models.errors import PagebeamError
from pipelines.reading.shards import atomic_writer, delete_exactly


def read_bytes(path: str) -> bytes:
    """All of a file on any file system, as it is."""
    with open_file(path) as file:
        return file.read()


def write_bytes(path: str, data: bytes) -> None:
    """Writes a whole file on any file system; it appears when it is complete."""
    with atomic_writer(path) as file:
        file.write(data)


def list_folder(folder: str) -> dict[str, int]:
    """Sizes in bytes of the files in a folder, by name, and of those one folder below, by folder/name."""
    base = folder.rstrip("/") + "/"
    pattern = glob.escape(base)  # for a folder called a[1]
    found = FileSystems.match([pattern + "*", pattern + "*/*"])
    return {file.path.removeprefix(base): file.size_in_bytes for match in found for file in match.metadata_list}


def delete_files(paths: Iterable[str]) -> None:
    """Deletes files; raises PagebeamError naming what can't be deleted."""
    try:
        delete_exactly(list(paths))
    except Exception as error:  # every file system has its own
        raise PagebeamError(f"can't delete what an earlier run left: {error}") from error


def create_file(path: str) -> BinaryIO:
    """Opens a new file, which is there under its name from the start."""
    return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading."""
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
