"""Reads and writes TFRecord files without TensorFlow.

A record consists of its length (uint64), the length's checksum (uint32), the payload and the payload's checksum
(uint32), all little-endian; checksums are masked CRC-32C (https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

from __future__ import annotations

import contextlib
import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import google_crc32c

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.files import open_regular

MAX_RECORD_BYTES = 1 << 28
_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
HEADER_BYTES = _HEADER.size
GZIP_MAGIC = b"\x1f\x8b\x08"
READ_ERRORS = (DocumentError, OSError, EOFError, zlib.error)
"""What reading records raises for a file that is cut short or damaged, gzipped or not."""


def is_tfrecord(head: bytes) -> bool:
    """Tells whether a file's first bytes are a record's header: a length and its checksum."""
    if len(head) < _HEADER.size:
        return False
    _, checksum = _HEADER.unpack_from(head)
    return checksum == masked_crc32c(head[: _LENGTH.size])


def iter_records(file: BinaryIO, verify: bool = False) -> Iterator[bytes]:
    """Yields the payloads of the records from the file's position on.

    Args:
        file: already unpacked if it was gzipped.
        verify: also compare payloads with their checksums; lengths are always compared.

    Raises:
        DocumentError: with stage "open", if the file is cut short, is damaged or has no records.
    """
    while header := file.read(_HEADER.size):
        length = _payload_length(header)
        payload, footer = file.read(length), file.read(_FOOTER.size)
        if len(payload) < length or len(footer) < _FOOTER.size:
            raise DocumentError(Stage.OPEN, "the file ends within this TFRecord: it is cut short")
        if verify and _FOOTER.unpack(footer)[0] != masked_crc32c(payload):
            raise DocumentError(Stage.OPEN, "this TFRecord doesn't fit its checksum: the file is damaged")
        yield payload


@contextlib.contextmanager
def open_tfrecord(path: Path) -> Iterator[BinaryIO]:
    """Opens a local TFRecord file and unpacks it if its content is gzipped."""
    with open_regular(path) as file:
        yield unpacked(file)


def unpacked(file: BinaryIO) -> BinaryIO:
    """The file itself or, if its content is gzipped, one that unpacks it. It must be seekable and at its beginning."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_gzip(file) else file


def is_gzip(file: BinaryIO) -> bool:
    """Tells whether a file's content is gzipped. It must be seekable and at its beginning."""
    head = file.read(len(GZIP_MAGIC))
    file.seek(0)
    return head == GZIP_MAGIC


def write_records(file: BinaryIO, payloads: Iterable[bytes]) -> None:
    """Writes records with both of their checksums."""
    for payload in payloads:
        length = _LENGTH.pack(len(payload))
        file.write(length + _FOOTER.pack(masked_crc32c(length)))
        file.write(payload)
        file.write(_FOOTER.pack(masked_crc32c(payload)))


def record_bytes(payload: bytes) -> int:
    """The size of a record in its file."""
    return _HEADER.size + len(payload) + _FOOTER.size


def masked_crc32c(data: bytes) -> int:
    """The masked CRC-32C that TFRecord files use as checksum."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _payload_length(header: bytes) -> int:
    if len(header) < _HEADER.size:
        raise DocumentError(Stage.OPEN, "the file ends within this TFRecord's header: it is cut short")
    length, checksum = _HEADER.unpack(header)
    if checksum != masked_crc32c(header[: _LENGTH.size]):
        raise DocumentError(Stage.OPEN, "this TFRecord's length doesn't fit its checksum: the file is damaged")
    if length > MAX_RECORD_BYTES:
        raise DocumentError(Stage.OPEN, f"a TFRecord of {length:,} bytes is over the limit of {MAX_RECORD_BYTES:,}")
    return length
