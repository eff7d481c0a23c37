"""Finds the documents that a file name, folder or glob stands for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from ocr_models.errors import DocumentError, UsageError
from ocr_models.io.documents import HEAD_BYTES, sniff_kind
from pipelines.runtime.storage import StorageError, is_remote, match_files, open_file

_EXTENSIONS = r"png|jpe?g|jpe|jfif|jp2|j2k|jpx|gif|webp|bmp|tiff?|pdf|tfrecords?(\.gz)?"
_DOCUMENT_NAME = re.compile(rf".*\.({_EXTENSIONS})", re.IGNORECASE | re.DOTALL)


def check_inputs(inputs: Iterable[str]) -> None:
    """Raises UsageError for the first input without documents."""
    for pattern in inputs:
        if next(find_documents(pattern), None) is None:
            raise UsageError(
                f"no documents at {pattern}: give a file, a folder or a glob of PNG, JPEG, JPEG 2000, GIF, WebP, BMP, "
                "TIFF, PDF or TFRecord files"
            )


def find_documents(pattern: str) -> Iterator[str]:
    """Yields the URIs of the documents that a file name, folder or glob stands for.

    A file that is named, or matched by a glob, is always included. From a folder, files at any depth are included if
    their extension or content is that of a document, except hidden files.
    """
    if is_remote(pattern):
        folder = pattern.rstrip("/")
        in_folder = [] if is_glob(pattern) else _match(folder + "/**")
        yield from _documents_in_folder(folder, in_folder) if in_folder else _match(pattern)
        return
    path = os.path.abspath(pattern)
    if os.path.isdir(path):
        files = (os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names)
        yield from map(_as_text, _documents_in_folder(path, filter(os.path.isfile, files)))
    else:
        yield from map(_as_text, [path] if os.path.exists(path) else _match(path))


def is_glob(pattern: str) -> bool:
    """Whether a pattern has characters with a meaning in globs."""
    return any(character in pattern for character in "*?[")


def _as_text(path: str) -> str:
    """A path that can go into a row. Bytes in it that aren't UTF-8 are escaped; such a file can't be opened."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _match(pattern: str) -> list[str]:
    try:
        return [file.path for file in match_files(pattern)]
    except StorageError as error:
        raise UsageError(f"can't look for documents: {error}") from error


def _documents_in_folder(folder: str, files: Iterable[str]) -> Iterator[str]:
    for file in files:
        is_hidden = "/." in file[len(folder) :]
        if not is_hidden and (_DOCUMENT_NAME.fullmatch(file) or _has_documents_content(file)):
            yield file


def _has_documents_content(uri: str) -> bool:
    try:
        with open_file(uri) as file:
            sniff_kind(file.read(HEAD_BYTES))
        return True
    except (DocumentError, OSError):
        return False
