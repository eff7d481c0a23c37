"""Inputs: from the patterns a user gives to documents that are known to open, on any of Beam's file systems."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gzip
import hashlib
import itertools
import math
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.io.documents import HEAD_BYTES, DocumentKind, sniff_kind
from ocr_models.io.tfrecord import iter_records, record_bytes
from pipelines.decoding.child import CountPages
from pipelines.decoding.pool import DecodePool

_EXTENSIONS = r"png|jpe?g|jpe|jfif|webp|bmp|tiff?|pdf|tfrecords?(\.gz)?"
_DOCUMENT_NAME = re.compile(rf".*\.({_EXTENSIONS})", re.IGNORECASE | re.DOTALL)

MAX_PAGES_PER_RANGE = 16
RANGES_PER_DOCUMENT = 32
_READ_ERRORS = (OSError, EOFError, zlib.error)
RANGES_PER_GZIP_FILE = 8  # each range of these must be reached by unpacking all that is before it


@dataclass(frozen=True)
class Document:
    """A document that was opened, or could not be.

    Attributes:
        uri: where it is: an absolute local path, or a URI of one of Beam's file systems.
        sha256: of its bytes, in hex; None where they couldn't be read.
        kind: None where it couldn't be opened.
        page_count: 0 where it couldn't be opened.
        error: why it couldn't be opened, or None.
    """

    uri: str
    sha256: str | None = None
    kind: DocumentKind | None = None
    page_count: int = 0
    error: str | None = None

    @property
    def expected_rows(self) -> int:
        """A row for every page, and one for a document that couldn't be opened."""
        return 1 if self.error else self.page_count


@dataclass(frozen=True)
class PageRange:
    """Some successive pages of a document; an empty range stands for one that couldn't be opened.

    Attributes:
        document: the document.
        start: index of the first page.
        stop: index after the last page.
        offset: where ``start`` begins in the file, in bytes; for plain TFRecord files, else 0.
    """

    document: Document
    start: int
    stop: int
    offset: int = 0


def check_inputs(inputs: Iterable[str]) -> None:
    """Raises UsageError for the first input at which there are no documents."""
    for pattern in inputs:
        if next(find_documents(pattern), None) is None:
            raise UsageError(
                f"no documents at {pattern}: give a file, a folder or a glob of PNG, JPEG, WebP, BMP, TIFF, PDF or "
                "TFRecord files"
            )


def absolute_uri(path: str) -> str:
    """A URI as it is; a local path made absolute, so that it means the same on every worker."""
    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


def find_documents(pattern: str) -> Iterator[str]:
    """Yields the URIs of the documents that a file name, folder or glob stands for.

    A file that is named or matched by a glob is always taken. Of a folder, at any depth, the files are taken whose
    extension or content is a document's, but no hidden ones.
    """
    if FileSystems.get_scheme(pattern):
        folder = pattern.rstrip("/")
        in_folder = [] if _is_glob(pattern) else _match(folder + "/**")
        yield from _documents_in_folder(folder, in_folder) if in_folder else _match(pattern)
        return
    path = os.path.abspath(pattern)
    if os.path.isdir(path):
        files = (os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names)
        yield from map(_as_text, _documents_in_folder(path, filter(os.path.isfile, files)))
    else:
        yield from map(_as_text, [path] if os.path.exists(path) else _match(path))


def open_document(uri: str, pool: DecodePool) -> Iterator[PageRange]:
    """Hashes a document, counts its pages and splits them into ranges; a document that fails is one empty range."""
    sha256 = None
    try:
        sha256, head = _hash_file(uri)
        kind = sniff_kind(head)
        if kind in (DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD):
            offsets = _record_offsets(uri, kind)
            yield from _split_pages(Document(uri, sha256, kind, len(offsets)), offsets)
        else:
            page_count = 1
            if kind != DocumentKind.IMAGE:  # whose header is read when it is decoded
                file = local_copy(uri, sha256)
                page_count = pool.submit(CountPages(file.name, kind)).result().value
            yield from _split_pages(Document(uri, sha256, kind, page_count), [0] * page_count)
    except DocumentError as error:
        yield PageRange(Document(uri, sha256, error=str(error)), 0, 0)


def open_uri(uri: str) -> BinaryIO:
    """Opens a file on any file system for its bytes as they are, whatever its extension suggests.

    Raises:
        DocumentError: with stage "open", where that fails.
    """
    try:
        return FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED)
    except Exception as error:  # every file system has its own
        raise DocumentError(Stage.OPEN, f"the file can't be opened ({error})") from error


class _LocalFile:
    """A file that is local already, in the shape of a temporary file."""

    def __init__(self, name: str):
        self.name = name


@functools.lru_cache(maxsize=4)
def local_copy(uri: str, sha256: str | None) -> _LocalFile | tempfile._TemporaryFileWrapper:
    """A local file with the document's bytes: itself, or a download that goes when nothing refers to it any more.

    Args:
        uri: the document.
        sha256: tells it from what was at the same place earlier.

    Returns:
        An object with the file's path as ``name``. Hold on to it as long as the path is in use.

    Raises:
        DocumentError: with stage "open", where the download fails.
    """
    if not FileSystems.get_scheme(uri):
        return _LocalFile(uri)
    copy = tempfile.NamedTemporaryFile(prefix="pagebeam-")  # noqa: SIM115  closed with its last reference
    with open_uri(uri) as file:
        try:
            shutil.copyfileobj(file, copy)
        except Exception as error:  # every file system has its own
            raise DocumentError(Stage.OPEN, f"the file can't be downloaded ({error})") from error
    copy.flush()
    return copy


atexit.register(local_copy.cache_clear)  # deletes downloads, also where the process ends at once


def read_records(page_range: PageRange) -> Iterator[bytes]:
    """Yields the serialized SequenceExamples of a range of a TFRecord file's pages.

    Raises:
        DocumentError: with stage "open", where the file breaks off.
    """
    document = page_range.document
    with open_tfrecord(document.uri, document.kind) as file:
        try:
            if document.kind == DocumentKind.TFRECORD:
                file.seek(page_range.offset)
                yield from itertools.islice(iter_records(file), page_range.stop - page_range.start)
            else:
                yield from itertools.islice(iter_records(file), page_range.start, page_range.stop)
        except _READ_ERRORS as error:
            raise DocumentError(Stage.OPEN, f"the file breaks off ({error})") from error


@contextlib.contextmanager
def open_tfrecord(uri: str, kind: DocumentKind | None) -> Iterator[BinaryIO]:
    """Opens a TFRecord file, unpacking it where it is gzipped."""
    with open_uri(uri) as file:
        if kind == DocumentKind.GZIP_TFRECORD:
            with gzip.open(file) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            yield file


def _as_text(path: str) -> str:
    """A path that can go into a row. One with bytes that are no UTF-8 gets them escaped: it fails when opened."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")


def _match(pattern: str) -> list[str]:
    try:
        return [file.path for file in FileSystems.match([pattern])[0].metadata_list]
    except ValueError as error:  # Beam lacks what this scheme needs, and says what to install
        raise UsageError(f"can't look for documents at {pattern}: {error}") from error
    except BeamIOError as error:
        raise UsageError(f"can't look for documents at {pattern}: {error}") from error


def _documents_in_folder(folder: str, files: Iterable[str]) -> Iterator[str]:
    for file in files:
        hidden = "/." in file[len(folder) :]
        if not hidden and (_DOCUMENT_NAME.fullmatch(file) or _has_documents_content(file)):
            yield file


def _has_documents_content(uri: str) -> bool:
    try:
        with open_uri(uri) as file:
            sniff_kind(file.read(HEAD_BYTES))
        return True
    except (DocumentError, OSError):
        return False


def _hash_file(uri: str) -> tuple[str, bytes]:
    """Reads a file through: the SHA-256 of its bytes in hex, and its first ``HEAD_BYTES``."""
    with open_uri(uri) as file:
        try:
            head = file.read(HEAD_BYTES)
            digest = hashlib.sha256(head)
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        except Exception as error:  # every file system has its own
            raise DocumentError(Stage.OPEN, f"the file can't be read ({error})") from error
    return digest.hexdigest(), head


def _record_offsets(uri: str, kind: DocumentKind) -> list[int]:
    """Where each record of a TFRecord file begins, in bytes, unpacked.

    Where the file breaks off, the broken record counts too: as the last page, which will fail.
    """
    offsets = [0]
    with open_tfrecord(uri, kind) as file:
        try:
            for payload in iter_records(file):
                offsets.append(offsets[-1] + record_bytes(payload))
        except (DocumentError, *_READ_ERRORS) as error:
            if len(offsets) == 1:
                raise DocumentError(Stage.OPEN, f"the file holds no whole TFRecord ({error})") from error
            return offsets
    if len(offsets) == 1:
        raise DocumentError(Stage.OPEN, "the TFRecord file has no records")
    return offsets[:-1]


def _split_pages(document: Document, offsets: list[int]) -> Iterator[PageRange]:
    """Cuts a document into ranges that are small enough to spread it evenly over workers."""
    if document.kind == DocumentKind.GZIP_TFRECORD:
        length = math.ceil(document.page_count / RANGES_PER_GZIP_FILE)
    else:
        length = min(max(document.page_count // RANGES_PER_DOCUMENT, 1), MAX_PAGES_PER_RANGE)
    for start in range(0, document.page_count, length):
        yield PageRange(document, start, min(start + length, document.page_count), offsets[start])
