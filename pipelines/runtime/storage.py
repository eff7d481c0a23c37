"""Files on any of Beam's file systems. No other module calls ``FileSystems``.

Files are read and written as plain bytes: nothing is compressed or decompressed, whatever a file's extension. Beam is
loaded when it is first needed; to find local files and folders it isn't, so that wrong paths are noticed at once.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import importlib.util
import os
import re
import threading
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ocr_models import durable_files
from ocr_models.errors import DocumentError, PagebeamError, Stage, UsageError
from ocr_models.io import hashing
from ocr_models.io.files import local_path, open_regular

if TYPE_CHECKING:
    from apache_beam.io.filesystems import FileSystems

_SCHEME = re.compile("([a-zA-Z][a-zA-Z0-9+.-]*)://")
# What Beam's file systems need beyond Beam: a module, and the extra of our package that installs it.
_NEEDED = {
    "gs": ("google.cloud.storage", "gcp"),
    "s3": ("boto3", "aws"),
    "azfs": ("azure.storage.blob", "azure"),
    "hdfs": ("hdfs", "hadoop"),
}
_TRIES = 10
_UNCOMPRESSED = "uncompressed"  # ``CompressionTypes.UNCOMPRESSED`` of Beam


class StorageError(DocumentError, OSError):
    """A file can't be opened, read, listed or deleted.

    It is a DocumentError, so that a missing or unreadable document becomes a failed row like any other bad one, and an
    OSError, which is what sources of labelled pictures expect.
    """


class OutputError(PagebeamError):
    """A file can't be written. It ends the run: the message is all that its user needs to see."""


@dataclass(frozen=True)
class StoredFile:
    """A listed file: its path, its size in bytes and its modification time in seconds since the epoch."""

    path: str
    size_bytes: int
    changed_s: float


def is_remote(path: str) -> bool:
    """Whether a path begins with the scheme of a file system, such as ``gs://``."""
    return _SCHEME.match(path) is not None


def absolute_uri(path: str) -> str:
    """Makes a local path absolute, so that it means the same to all workers on this machine; leaves a URI as it is.

    ``file:`` URIs become local paths.
    """
    path = local_path(path)
    return path if is_remote(path) else os.path.abspath(path)


def check_file_system(path: str) -> None:
    """Raises UsageError if there is no file system for a path, or if a package that it needs isn't installed."""
    found = _SCHEME.match(path)
    if not found:
        return
    if found[1].lower() == "file":  # others are paths already
        raise UsageError(f"{path}: a file of another machine; give file:///PATH, or its path on this machine")
    module, extra = _NEEDED.get(found[1], (None, None))
    if module and not _is_installed(module):
        raise UsageError(f"{path}: {found[0]} needs packages that aren't installed: pip install 'pagebeam[{extra}]'")
    if not module and not _is_registered(path):
        known = ", ".join(f"{scheme}://" for scheme in ("file", *_NEEDED))
        raise UsageError(f"{path}: there is no file system for {found[0]}; give a local path, or {known}")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package that the module is in
        return False


def _is_registered(path: str) -> bool:
    """Whether Beam has a file system for a path: host programs may add their own."""
    from apache_beam.io.filesystems import FileSystems

    try:
        return FileSystems.get_filesystem(path) is not None
    except ValueError:
        return False


def _beam(path: str) -> type[FileSystems]:
    """Beam's file systems. Raises UsageError if there is none for a path."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.options.value_provider import RuntimeValueProvider

    check_file_system(path)
    if not (FileSystems._pipeline_options or RuntimeValueProvider.runtime_options):
        FileSystems.set_options(PipelineOptions([]))  # before there is a pipeline; S3 and HDFS fail without any
    return FileSystems


def join(folder: str, path: str) -> str:
    """A path below a folder, local or remote."""
    return f"{folder.rstrip('/')}/{path}"


def exists(path: str) -> bool:
    """Whether there is a file at a path."""
    return _beam(path).exists(path) if is_remote(path) else os.path.exists(path)


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading. Raises StorageError if that fails, or if it is no file but, say, a FIFO."""
    try:
        if not is_remote(path):
            return open_regular(path)
        return _beam(path).open(path, compression_type=_UNCOMPRESSED)
    except Exception as error:  # each file system has its own kinds of errors
        raise StorageError(Stage.OPEN, f"the file can't be opened ({error})") from error


def create_file(path: str) -> BinaryIO:
    """Opens a new file for writing; other processes see it under its name immediately."""
    if not is_remote(path):
        for _ in range(_TRIES):
            with contextlib.suppress(FileNotFoundError):  # a writer that ends has removed the folder, as it was empty
                durable_files.make_folder(os.path.dirname(path))
                return open(path, "wb")
        return open(path, "wb")
    return _beam(path).create(path, compression_type=_UNCOMPRESSED)


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Within the ``with`` block a file is written; what goes wrong is raised as OutputError."""
    try:
        yield
    except PagebeamError as error:
        if not isinstance(error, StorageError):
            raise
        raise OutputError(str(error)) from error
    except OSError as error:
        raise OutputError(
            f"{path} can't be written ({error}); make room or give another --output, then run the same command again"
        ) from error


@contextlib.contextmanager
def atomic_writer(path: str) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears under its name when the ``with`` block ends without an error.

    Until then its name begins with "_", and readers skip it. If the block fails, nothing is left of it. A local file is
    on the disk, not only in the system's memory, before it gets its name, and the name is before the block ends.

    Raises:
        OutputError: it can't be written.
    """
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/_{name}.{uuid.uuid4().hex}.tmp"
    with _unfinished_lock:
        _unfinished.add(temporary)
    try:
        with writing(path):
            with create_file(temporary) as file:
                yield file
                if not is_remote(path):
                    durable_files.sync_file(file)
            move(temporary, path)
    finally:
        with _unfinished_lock:
            _discard(temporary)


def move(source: str, path: str) -> None:
    """Gives a file another path on its file system, in the place of a file of that name. Raises OutputError."""
    with writing(path):
        if not is_remote(path):
            durable_files.make_folder(os.path.dirname(path))
            durable_files.rename(source, path)
            return
        if exists(path):  # from an earlier attempt; not all file systems rename onto an existing file
            delete([path])
        _beam(path).rename([source], [path])


_unfinished: set[str] = set()
_unfinished_lock = threading.Lock()


def _discard(temporary: str) -> None:
    """Deletes a temporary file unless it got its name."""
    _unfinished.discard(temporary)
    with contextlib.suppress(Exception):  # it is gone, or the file system is
        if exists(temporary):
            delete([temporary])


def _discard_unfinished() -> None:
    """Deletes the files that workers are writing when the process ends early. From then on, they can't begin others."""
    _unfinished_lock.acquire()
    for temporary in list(_unfinished):
        _discard(temporary)


atexit.register(_discard_unfinished)


def read_bytes(path: str) -> bytes:
    """All bytes of a file. Raises StorageError if it can't be opened."""
    with open_file(path) as file:
        return file.read()


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file, which appears when it is complete."""
    with atomic_writer(path) as file:
        file.write(data)


def hash_file(path: str) -> hashing.FileDigest:
    """Reads a whole file for its SHA-256 and its size.

    Raises:
        StorageError: it can't be opened or read completely.
    """
    with open_file(path) as file:
        try:
            return hashing.hash_file(file)
        except Exception as error:  # each file system has its own kinds of errors
            raise StorageError(Stage.OPEN, f"the file can't be read ({error})") from error


def match_files(pattern: str) -> list[StoredFile]:
    """The files that match a glob, in which ``**`` stands for folders at any depth.

    Raises:
        StorageError: they can't be listed; the message says what the file system lacks.
    """
    try:
        found = _beam(pattern).match([pattern])[0].metadata_list
    except UsageError:
        raise
    except Exception as error:  # each file system has its own kinds of errors
        raise StorageError(Stage.OPEN, f"{pattern} can't be listed ({error})") from error
    return [StoredFile(file.path, file.size_in_bytes, file.last_updated_in_seconds) for file in found]


def glob_regex(pattern: str) -> re.Pattern[str]:
    """What paths a glob matches, by the rules of ``match_files``."""
    from apache_beam.io.filesystem import FileSystem

    return re.compile(FileSystem.translate_pattern(pattern))


def list_folder(folder: str) -> dict[str, int]:
    """Sizes in bytes of the files in a folder, by name, and in its direct subfolders, by folder/name."""
    if not is_remote(folder):
        return _list_local(folder, depth=1)
    base = folder.rstrip("/") + "/"
    pattern = glob.escape(base)  # the folder may be called a[1]
    found = [*match_files(pattern + "*"), *match_files(pattern + "*/*")]
    return {file.path.removeprefix(base): file.size_bytes for file in found}


def list_all(folder: str, is_deep: bool = True) -> list[StoredFile]:
    """The files in a folder, at any depth or directly in it, in no order; their paths begin with the folder's."""
    if is_remote(folder):
        return match_files(glob.escape(folder.rstrip("/") + "/") + ("**" if is_deep else "*"))
    found = []
    for parent, folders, names in os.walk(folder):
        for path in (os.path.join(parent, name) for name in names):
            with contextlib.suppress(FileNotFoundError):  # removed at this moment
                status = os.stat(path)
                found.append(StoredFile(path, status.st_size, status.st_mtime))
        folders[:] = folders if is_deep else []
    return found


def list_below(folder: str) -> Iterator[StoredFile]:
    """Yields the files below a folder at any depth, those of an object store while it is being listed.

    Raises:
        StorageError: they can't be listed.
    """
    base = folder.rstrip("/") + "/"
    file_system = _beam(base).get_filesystem(base)
    if file_system.has_dirs():
        yield from list_all(folder)
        return
    try:
        for file in file_system._list(base):  # ``match`` would have all in memory
            yield StoredFile(file.path, file.size_in_bytes, file.last_updated_in_seconds)
    except Exception as error:  # each file system has its own kinds of errors
        raise StorageError(Stage.OPEN, f"{base} can't be listed ({error})") from error


def list_beginning(folder: str, prefix: str) -> list[str]:
    """The names of the files directly in a folder that begin with a prefix; object stores look at no others."""
    if not is_remote(folder):
        return [name for name in _list_local(folder, depth=0) if name.startswith(prefix)]
    return [file.path.rpartition("/")[2] for file in match_files(glob.escape(join(folder, prefix)) + "*")]


def _list_local(folder: str, depth: int) -> dict[str, int]:
    found: dict[str, int] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    with contextlib.suppress(FileNotFoundError):  # removed at this moment
                        found[entry.name] = entry.stat().st_size
                elif depth and entry.is_dir():
                    below = _list_local(entry.path, depth - 1)
                    found.update({f"{entry.name}/{name}": size for name, size in below.items()})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise StorageError(Stage.OPEN, f"{folder} can't be listed ({error})") from error
    return found


def delete(paths: Iterable[str]) -> None:
    """Deletes exactly these files. Beam would treat local paths as patterns, and for a[12]/b delete a1/b as well.

    Raises:
        StorageError: one of them can't be deleted.
    """
    for path in paths:
        try:
            if is_remote(path):
                _beam(path).delete([path])
            else:
                os.remove(path)
        except Exception as error:  # each file system has its own kinds of errors
            raise StorageError(Stage.OPEN, f"{path} can't be deleted ({error})") from error


def remove_empty_folder(folder: str, is_deep: bool = True) -> None:
    """Removes a folder if it is local, there and has no files; remote file systems have no empty folders.

    Args:
        folder: the folder.
        is_deep: empty folders in it are removed, too; else they keep it.
    """
    if not is_remote(folder):
        for below, _, _ in os.walk(folder, topdown=False) if is_deep else [(folder, [], [])]:
            with contextlib.suppress(OSError):
                os.rmdir(below)


def check_writable(folder: str) -> None:
    """Raises UsageError unless files can be written to an output folder, and its name into a manifest."""
    check_file_system(folder)
    if folder.encode("utf-8", "replace").decode() != folder:
        raise UsageError(f"{folder}: the name isn't UTF-8, as manifests are; give an --output of another name")
    probe = join(folder, f"_probe-{uuid.uuid4().hex}.tmp")
    try:
        try:
            with create_file(probe) as file:
                file.write(b"pagebeam")
        finally:
            if exists(probe):
                delete([probe])
    except Exception as error:  # each file system has its own kinds of errors
        raise UsageError(f"can't write to the output folder {folder}: {error}") from error
