"""Requests that read the bytes of a stranger's file: its hash, and the records of a TFRecord file.

Like ``child.py``, this runs in the decoding child processes and imports neither Beam nor TensorFlow.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from ocr_models.errors import DocumentError, Stage
from ocr_models.io import images
from ocr_models.io.documents import HEAD_BYTES
from ocr_models.io.files import open_regular
from ocr_models.io.hashing import FileDigest, FileState, file_state, hash_file
from ocr_models.io.images import ColorMode, PageImage
from ocr_models.io.sequence_example import page_image_bytes
from ocr_models.io.tfrecord import READ_ERRORS, iter_records, record_bytes, unpacked
from ocr_models.limits import MEGABYTE, over_limit

MAX_RECORDS = 1_000_000
"""Records of a file: a gzip of 100 kB can hold millions of empty ones, each of which would become a row."""
OPEN_RANGES = 64
"""Ranges of records kept open in a child: a gzipped file that was closed would be unpacked again up to the record."""


@dataclass(frozen=True)
class HashedFile:
    """The digest of a local file, and its state just before it was hashed."""

    digest: FileDigest
    state: FileState


@dataclass(frozen=True)
class HashFile:
    """Asks for the hash and the first bytes of a local file."""

    path: str
    max_bytes: int
    stage = Stage.OPEN

    def answer(self) -> HashedFile:
        state = file_state(self.path)
        try:
            with open_regular(self.path) as file:
                return HashedFile(hash_file(file, HEAD_BYTES, self.max_bytes), state)
        except OSError as error:
            raise DocumentError(Stage.OPEN, f"the file can't be opened ({error})") from error


@dataclass(frozen=True)
class Record:
    """A record of a TFRecord file.

    Attributes:
        offset: where it begins in the file, in unpacked bytes.
        digest: of its payload, see ``record_digest``; None for a record that is damaged or cut short.
    """

    offset: int
    digest: bytes | None


@dataclass(frozen=True)
class ListRecords:
    """Asks for the records of a local TFRecord file, gzipped or not, and where the last of them ends.

    If the file is truncated or damaged, the broken record counts too, as the last one, which will fail.
    """

    path: str
    max_bytes: int
    max_records: int = MAX_RECORDS
    stage = Stage.OPEN

    def answer(self) -> tuple[list[Record], int]:
        records: list[Record] = []
        offset, excess = 0, None
        with open_regular(self.path) as file:
            try:
                for payload in iter_records(unpacked(file)):
                    records.append(Record(offset, record_digest(payload)))
                    offset += record_bytes(payload)
                    excess = self._excess(offset, len(records))
                    if excess:
                        break
            except READ_ERRORS as error:
                if not records:
                    what = f"the file holds no complete TFRecord ({error})"
                    raise DocumentError(Stage.OPEN, what) from error
                records.append(Record(offset, None))
        if excess:
            raise excess
        if not records:
            raise DocumentError(Stage.OPEN, "the TFRecord file has no records")
        return records, offset

    def _excess(self, unpacked_bytes: int, count: int) -> DocumentError | None:
        """The error for a file that exceeds a limit: none of its records is read."""
        if unpacked_bytes > self.max_bytes:
            what = f"the records have more bytes, unpacked, than the limit of {self.max_bytes // MEGABYTE:,} MB"
            return over_limit(Stage.OPEN, what, "--max-document-mb", "write several files")
        if count > self.max_records:
            what = f"the file has more records than the limit of {self.max_records:,}; write several files"
            return DocumentError(Stage.OPEN, what)
        return None


@dataclass(frozen=True)
class RecordPlace:
    """Where the bytes of a record are. They never pass through the main process.

    Attributes:
        path: a local file, gzipped or not.
        first_offset: of the first record that is read from the file for a range, in unpacked bytes. It tells apart the
            ranges that are read at the same time, each of which keeps the file open at its own position.
        record: the record.
    """

    path: str
    first_offset: int
    record: Record

    def read(self) -> bytes:
        """The payload, which is the one that was found when the file was opened. Raises DocumentError if it isn't."""
        file = _open_records(self.path, self.first_offset, file_state(self.path))
        try:
            file.seek(self.record.offset)
            payload = next(iter_records(file), None)
        except DocumentError:
            raise
        except READ_ERRORS as error:
            raise DocumentError(Stage.OPEN, f"the file is truncated or damaged ({error})") from error
        if payload is None:
            raise DocumentError(Stage.OPEN, "the file has fewer records than when it was opened")
        if record_digest(payload) != self.record.digest:
            raise DocumentError(Stage.OPEN, "the record has changed since the file was opened; run again")
        return payload


@dataclass(frozen=True)
class DecodeRecord:
    """Asks for the pixels of the image in a SequenceExample."""

    place: RecordPlace
    color_mode: ColorMode = ColorMode.GRAY
    stage = Stage.DECODE

    def answer(self) -> PageImage:
        return images.decode_image(page_image_bytes(self.place.read()), self.color_mode)


def record_digest(payload: bytes) -> bytes:
    """The first half of a payload's SHA-256: enough to tell whether a record has changed."""
    return hashlib.sha256(payload).digest()[:16]


@functools.lru_cache(OPEN_RANGES)
def _open_records(path: str, first_offset: int, state: FileState) -> BinaryIO:
    try:
        return unpacked(open_regular(path))
    except OSError as error:
        raise DocumentError(Stage.OPEN, f"the file can't be opened ({error})") from error
