"""TFRecord files, read and written without TensorFlow.

A record is framed as: length (uint64), its checksum (uint32), the payload, the payload's checksum (uint32), all
little-endian; checksums are masked CRC-32C (https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

from __future__ import annotations

import contextlib
import gzip
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import google_crc32c

from ocr_models.errors import DocumentError, Stage

MAX_RECORD_BYTES = 1 << 28
_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_GZIP_MAGIC = b"\x1f\x8b\x08"


def is_tfrecord(head: bytes) -> bool:
    """Tells whether a file's first bytes are a record's header: a length with the checksum that belongs to it."""
    if len(head) < _HEADER.size:
        return False
    _, checksum = _HEADER.unpack_from(head)
    return checksum == masked_crc32c(head[: _LENGTH.size])


def iter_records(file: BinaryIO, verify: bool = False) -> Iterator[bytes]:
    """Yields the payloads from the file's position on.

    Args:
        file: unpacked, where it is gzipped.
        verify: also compare the payloads with their checksums; the lengths always are.

    Raises:
        DocumentError: with stage "open", where the file is cut short, damaged or isn't framed as records.
    """
    while header := file.read(_HEADER.size):
        length = _payload_length(header)
        payload, footer = file.read(length), file.read(_FOOTER.size)
        if len(payload) < length or len(footer) < _FOOTER.size:
            raise DocumentError(Stage.OPEN, "the last TFRecord is cut short")
        if verify and _FOOTER.unpack(footer)[0] != masked_crc32c(payload):
            raise DocumentError(Stage.OPEN, "a TFRecord doesn't fit its checksum: the file is damaged")
        yield payload


@contextlib.contextmanager
def open_tfrecord(path: Path) -> Iterator[BinaryIO]:
    """Opens a local TFRecord file, unpacking it if its content is gzipped."""
    with path.open("rb") as file:
        yield unpacked(file)


def unpacked(file: BinaryIO) -> BinaryIO:
    """A file, seekable and at its beginning, for its content, unpacked if that is gzipped."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_gzip(file) else file


def is_gzip(file: BinaryIO) -> bool:
    """Whether the content of a file, seekable and at its beginning, is gzipped."""
    head = file.read(len(_GZIP_MAGIC))
    file.seek(0)
    return head == _GZIP_MAGIC


def write_records(file: BinaryIO, payloads: Iterable[bytes]) -> None:
    """Appends records with both of their checksums."""
    for payload in payloads:
        length = _LENGTH.pack(len(payload))
        file.write(length + _FOOTER.pack(masked_crc32c(length)))
        file.write(payload)
        file.write(_FOOTER.pack(masked_crc32c(payload)))


def record_bytes(payload: bytes) -> int:
    """The bytes that a record takes in its file."""
    return _HEADER.size + len(payload) + _FOOTER.size


def masked_crc32c(data: bytes) -> int:
    """TFRecord's checksum."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _payload_length(header: bytes) -> int:
    if len(header) < _HEADER.size:
        raise DocumentError(Stage.OPEN, "the last TFRecord is cut short")
    length, checksum = _HEADER.unpack(header)
    if checksum != masked_crc32c(header[: _LENGTH.size]):
        raise DocumentError(Stage.OPEN, "a TFRecord's length doesn't fit its checksum: the file is damaged")
    if length > MAX_RECORD_BYTES:
        raise DocumentError(Stage.OPEN, f"a TFRecord of {length:,} bytes is over the limit of {MAX_RECORD_BYTES:,}")
    return length
