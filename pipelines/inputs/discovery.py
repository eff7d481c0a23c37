"""Finds the documents that a file name, folder or glob stands for, and says of all other files there what they are."""

from __future__ import annotations

import functools
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ocr_models.errors import DocumentError, PagebeamError, UsageError
from ocr_models.io.documents import HEAD_BYTES, sniff_kind
from ocr_models.io.files import kind_of_special
from ocr_models.io.hashing import CLOCK_TICK_NS
from pipelines.inputs.map_ahead import in_lists, map_ahead
from pipelines.runtime.storage import (
    StorageError,
    StoredFile,
    absolute_uri,
    glob_regex,
    is_remote,
    list_below,
    match_files,
    open_file,
)

_EXTENSIONS = r"png|jpe?g|jpe|jfif|jp2|j2k|jpx|gif|webp|bmp|hei[cf]|avif|tiff?|pdf|tfrecords?(\.gz)?"
_DOCUMENT_NAME = re.compile(rf"\.({_EXTENSIONS})\Z", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[a-z0-9]{1,8}")  # longer ones, or with other characters, are parts of names


_LINK = "link to a folder"
SHOWN_REASONS = 10  # why files were skipped; extensions, of which there can be many, are among them


class FileStamp(NamedTuple):
    """What tells, without reading it, whether a file is the one that was read before.

    Attributes:
        size_bytes: its size.
        modified_ns: the time of its last change, in nanoseconds since the epoch; None if that is so recent that the
            next change may get the same time.
        changed_ns: the time of the last change of a local file's inode, which, unlike the other, no program can set;
            None for remote files.
    """

    size_bytes: int
    modified_ns: int | None
    changed_ns: int | None = None


@dataclass(frozen=True)
class FoundFile:
    """A file, or what stands in the place of one, at an input.

    Attributes:
        uri: absolute local path, or URI.
        error: why it can't be opened; it becomes a failed row. None if it can be tried.
        skipped: why it is no document, in a few words that many files share: it is counted by them. None for documents.
        stamp: its size and times; None for what can't be looked at.
        input_id: the user's id of it; None if there is none.
    """

    uri: str
    error: str | None = None
    skipped: str | None = None
    stamp: FileStamp | None = None
    input_id: str | None = None

    @staticmethod
    def most_wanted(found: Iterable[FoundFile]) -> FoundFile:
        """Of what several inputs say of one file: that it is a document, rather than that it isn't."""
        return min(found, key=lambda file: (file.skipped is not None, file.error is not None, file.skipped or ""))


def check_inputs(inputs: Iterable[str]) -> None:
    """Raises UsageError for the first input without documents."""
    for pattern in inputs:
        skipped: Counter[str] = Counter()
        if all(_count_skipped(file, skipped) for file in find_files(pattern)):
            raise no_documents(pattern, skipped)


def no_documents(pattern: str, skipped: dict[str, int]) -> UsageError:
    """The error for an input without documents, but perhaps with files that are skipped, counted by reason."""
    others = f", but {describe_skipped(skipped)}" if skipped else ""
    return UsageError(
        f"no documents at {pattern}{others}: give a file, a folder or a glob of PNG, JPEG, JPEG 2000, GIF, WebP, BMP, "
        "HEIC, AVIF, TIFF, PDF or TFRecord files"
    )


def find_all(pattern: str) -> Iterator[FoundFile]:
    """Like ``find_files``, but on a worker, which must see what the machine saw that started the run.

    Raises:
        PagebeamError: there is nothing here.
    """
    is_empty = True
    for file in find_files(pattern):
        is_empty = False
        yield file
    if is_empty:
        raise PagebeamError(_unseen(pattern))


def folders_of(inputs: Iterable[str]) -> tuple[str, ...]:
    """The local folders in which the documents of inputs are, as the launcher sees them."""
    paths = [path for path in map(absolute_uri, inputs) if not is_remote(path)]
    return tuple(path if os.path.isdir(path) else os.path.dirname(re.split(r"[*?\[]", path)[0]) for path in paths)


@functools.cache
def check_seen(folders: tuple[str, ...]) -> None:
    """On a worker, checks that it sees the folders in which the launcher found documents; once per process.

    Raises:
        PagebeamError: one is missing here or has nothing in it, as one where nothing is mounted.
    """
    for folder in folders:
        try:
            is_seen = any(True for _ in os.scandir(folder))
        except OSError as error:
            is_seen = isinstance(error, PermissionError)  # the rows of its documents say so
        if not is_seen:
            raise PagebeamError(_unseen(folder))


def _unseen(pattern: str) -> str:
    return (
        f"nothing is found at {pattern} on the worker {os.uname().nodename}: make the input visible to all workers "
        "under the same path"
    )


def find_documents(pattern: str) -> Iterator[str]:
    """Yields the URIs of the documents that a file name, folder or glob stands for, also of those that can't be opened.

    A file that is named, or matched by a glob, is always included. From a folder, files at any depth are included if
    their extension or content is that of a document, except hidden files.
    """
    return (file.uri for file in find_files(pattern) if not file.skipped)


def find_files(pattern: str) -> Iterator[FoundFile]:
    """Yields all files that a file name, folder or glob stands for, in an order that depends on names alone.

    Of a folder on an object store it is the order of the store, and a page of its list is in memory at a time.
    """
    path = absolute_uri(pattern)
    if is_remote(path):
        yield from _find_remote(path)
    elif os.path.isdir(path):
        yield from _find_in_folder(path)
    elif os.path.lexists(path):
        yield named_file(path)
    elif is_glob(path):
        yield from _find_matches(path)


def describe_skipped(skipped: dict[str, int]) -> str:
    """Counts of skipped files by reason, for a message: "3 files: hidden (2), FIFO (1)"."""
    counts = sorted(skipped.items(), key=lambda reason: (-reason[1], reason[0]))
    shown = [f"{reason} ({count:,})" for reason, count in counts[:SHOWN_REASONS]]
    if more := sum(count for _, count in counts[SHOWN_REASONS:]):
        shown.append(f"others ({more:,})")
    return f"{sum(skipped.values()):,} files: {', '.join(shown)}"


def is_glob(pattern: str) -> bool:
    """Whether a pattern has characters with a meaning in globs."""
    return any(character in pattern for character in "*?[")


def _count_skipped(file: FoundFile, skipped: Counter[str]) -> bool:
    """Counts why a file is skipped; returns whether it is."""
    skipped.update([file.skipped] if file.skipped else [])
    return file.skipped is not None


def _as_text(path: str) -> str:
    """A path that can go into a row. Bytes in it that aren't UTF-8 are escaped; such a file can't be opened."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _name_error(path: str) -> str | None:
    is_text = _as_text(path) == path
    return None if is_text else "its path isn't UTF-8, as text in rows must be; rename the file or its folder"


def _find_remote(pattern: str) -> Iterator[FoundFile]:
    folder, is_empty = pattern.rstrip("/"), True

    def look_at(file: StoredFile) -> FoundFile:
        return FoundFile(
            file.path, skipped=_why_skipped(file.path, file.path[len(folder) :]), stamp=_remote_stamp(file)
        )

    if not is_glob(pattern):
        try:
            for of_some in map_ahead(lambda files: list(map(look_at, files)), in_lists(list_below(folder))):
                is_empty = False
                yield from of_some
        except StorageError as error:
            raise UsageError(f"can't look for documents: {error}") from error
    if is_empty:
        yield from map(remote_file, _match(pattern))


def remote_file(file: StoredFile) -> FoundFile:
    """A file on a remote file system."""
    return FoundFile(file.path, stamp=_remote_stamp(file))


def _match(pattern: str) -> list[StoredFile]:
    try:
        return sorted(match_files(pattern), key=lambda file: file.path)
    except StorageError as error:
        raise UsageError(f"can't look for documents: {error}") from error


def _remote_stamp(file: StoredFile) -> FileStamp:
    return FileStamp(file.size_bytes, _if_settled(round(file.changed_s * 1e9)))


def _local_stamp(status: os.stat_result) -> FileStamp:
    settled = _if_settled(status.st_ctime_ns)
    return FileStamp(status.st_size, None if settled is None else status.st_mtime_ns, status.st_ctime_ns)


def _if_settled(changed_ns: int) -> int | None:
    """The time of a file's last change; None if it is so recent that the next change may get the same time."""
    return None if abs(time.time_ns() - changed_ns) < CLOCK_TICK_NS else changed_ns


def _find_in_folder(folder: str) -> Iterator[FoundFile]:
    for of_some in map_ahead(lambda look: look(), _looks_in_folder(folder)):
        yield from of_some


def _looks_in_folder(folder: str) -> Iterator[Callable[[], list[FoundFile]]]:
    """Yields functions that look at some of the files in a folder each."""
    for parent, links, _, names, error in _walk(folder):
        base, below = parent.rstrip("/"), parent[len(folder) :]
        hidden = "hidden" if "/." in below else None
        known = [FoundFile(_as_text(parent), error=None if hidden else error, skipped=hidden)] if error else []
        for name in links:
            is_hidden = hidden or name.startswith(".")
            known.append(FoundFile(_as_text(os.path.join(parent, name)), skipped="hidden" if is_hidden else _LINK))
        if known:
            yield functools.partial(list, known)
        for some in in_lists(names):
            yield functools.partial(_all_in_folder, base, below, some)


def _all_in_folder(base: str, below: str, names: list[str]) -> list[FoundFile]:
    return [_in_folder(f"{base}/{name}", f"{below}/{name}") for name in names]


def _in_folder(path: str, below: str) -> FoundFile:
    """A file in a folder; ``below`` is its path below the folder that was given."""
    if "/." in below:
        return FoundFile(_as_text(path), skipped="hidden")
    try:
        status = os.stat(path)
    except OSError as error:
        return named_file(path, error)
    kind = kind_of_special(status)
    skipped = kind.split()[-1] if kind else _why_skipped(path, below)
    return FoundFile(_as_text(path), None if skipped else _name_error(path), skipped, _local_stamp(status))


def named_file(path: str, error: OSError | None = None) -> FoundFile:
    """A local file that is named or matched by a glob, or that can't be looked at."""
    if error is None:
        try:
            status = os.stat(path)
        except OSError as caught:
            error = caught
    if error:
        what = "the target of the link" if os.path.islink(path) else "the file"
        return FoundFile(_as_text(path), f"{what} can't be opened ({error.strerror})")
    kind = kind_of_special(status)
    why = f"{kind}, not a file, which can't be read" if kind else _name_error(path)
    return FoundFile(_as_text(path), why, stamp=_local_stamp(status))


def _find_matches(pattern: str) -> Iterator[FoundFile]:
    """The files that match a local glob, in which ``**`` stands for folders at any depth."""
    parts, is_match = pattern.split("/"), glob_regex(pattern).fullmatch
    heads = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]

    def may_have(folder: str) -> bool:
        """Whether matches can be below a folder."""
        depth = folder.count("/")
        if "**" in heads[min(depth, len(heads) - 1)]:
            return True
        return depth < len(parts) - 1 and bool(glob_regex(heads[depth]).fullmatch(folder))

    above = "/".join(part for part in parts[: next(i for i, part in enumerate(parts) if is_glob(part))])
    for parent, links, folders, names, error in _walk(above or "/"):
        base = parent.rstrip("/")
        if error:
            yield FoundFile(_as_text(parent), error)
        for path in (f"{base}/{name}" for name in sorted(links + folders)):
            if "**" not in pattern and is_match(path):
                yield FoundFile(_as_text(path), skipped="folder that a glob matches")
            elif may_have(path) and path.rpartition("/")[2] in links:
                yield FoundFile(_as_text(path), skipped=_LINK)
        folders[:] = [name for name in folders if may_have(f"{base}/{name}")]
        yield from (named_file(f"{base}/{name}") for name in names if is_match(f"{base}/{name}"))


def _walk(folder: str) -> Iterator[tuple[str, list[str], list[str], list[str], str | None]]:
    """Like ``os.walk``, but sorted and to any depth. Links are not followed: those that form loops would never end.

    Yields:
        For each folder its path, the names of the links to folders, of folders and of all else in it, and why it can't
        be listed, or None. The caller may remove folders from their list; they are then passed over.
    """
    waiting = [folder]
    while waiting:
        parent, error = waiting.pop(), None
        links: list[str] = []
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(parent) as entries:
                for entry in entries:
                    (names if not _is_folder(entry) else links if entry.is_symlink() else folders).append(entry.name)
        except FileNotFoundError:  # removed meanwhile, or the folder before a glob doesn't exist
            continue
        except OSError as caught:
            error = f"the folder can't be listed ({caught.strerror})"
        folders.sort()
        yield parent, sorted(links), folders, sorted(names), error
        waiting += [os.path.join(parent, name) for name in reversed(folders)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _why_skipped(uri: str, below: str) -> str | None:
    """Why a file in a folder is no document; None if it looks like one by its name or content."""
    if "/." in below:
        return "hidden"
    if _DOCUMENT_NAME.search(below):
        return None
    try:
        with open_file(uri) as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return None  # it may be a document; that it can't be opened is said in its row
    try:
        sniff_kind(head)
        return None
    except DocumentError:
        if not head:
            return "empty"
        extension = os.path.splitext(below)[1].lower()
        return f"other format {extension if _EXTENSION.fullmatch(extension) else 'without extension'}"
