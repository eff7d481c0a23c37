"""Page images inside TFRecord files of SequenceExamples, read without TensorFlow.

A record is framed as: length (uint64), its checksum (uint32), the payload, the payload's checksum (uint32), all
little-endian (https://www.tensorflow.org/tutorials/load_data/tfrecord). The payload is the protocol buffer message
``SequenceExample``, of which only the context features are looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from ocr_models.errors import DocumentError

MAX_RECORD_BYTES = 1 << 28
_HEADER = struct.Struct("<QI")
_FOOTER_BYTES = 4


def is_tfrecord(head: bytes) -> bool:
    """Tells whether a file's first bytes are a record's header: a length with the checksum that belongs to it."""
    if len(head) < _HEADER.size:
        return False
    _, checksum = _HEADER.unpack_from(head)
    return checksum == masked_crc32c(head[:8])


def iter_records(file: BinaryIO) -> Iterator[bytes]:
    """Yields the payloads from the file's position on.

    Raises:
        DocumentError: with stage "open", where the file is cut short or isn't framed as records.
    """
    while header := file.read(_HEADER.size):
        length = _payload_length(header)
        payload = file.read(length)
        if len(payload) < length or len(file.read(_FOOTER_BYTES)) < _FOOTER_BYTES:
            raise DocumentError("open", "the last TFRecord is cut short")
        yield payload


def record_bytes(payload: bytes) -> int:
    """The bytes that a record takes in its file."""
    return _HEADER.size + len(payload) + _FOOTER_BYTES


def page_image_bytes(sequence_example: bytes) -> bytes:
    """The encoded image in a serialized SequenceExample: its context feature ``image/data``.

    Raises:
        DocumentError: with stage "decode", where the record has no such feature.
    """
    try:
        image = _context_features(sequence_example).get(b"image/data")
    except (IndexError, ValueError) as error:
        raise DocumentError("decode", f"the record is no SequenceExample ({error})") from error
    if not image:
        raise DocumentError("decode", "the record has no context feature 'image/data'; expected a SequenceExample")
    return image


def _payload_length(header: bytes) -> int:
    if len(header) < _HEADER.size:
        raise DocumentError("open", "the last TFRecord is cut short")
    length, checksum = _HEADER.unpack(header)
    if checksum != masked_crc32c(header[:8]):
        raise DocumentError("open", "a TFRecord's length doesn't fit its checksum: the file is damaged")
    if length > MAX_RECORD_BYTES:
        raise DocumentError("open", f"a TFRecord of {length:,} bytes is over the limit of {MAX_RECORD_BYTES:,}")
    return length


def _context_features(sequence_example: bytes) -> dict[bytes, bytes]:
    """Maps the names of the context's bytes features to their first values.

    The path down: SequenceExample.context = 1, Features.feature = 1 (a map: key = 1, value = 2),
    Feature.bytes_list = 1, BytesList.value = 1.
    """
    features = {}
    for context in _fields(sequence_example, 1):
        for entry in _fields(context, 1):
            name = next(_fields(entry, 1), b"")
            values = [
                value for feature in _fields(entry, 2) for items in _fields(feature, 1) for value in _fields(items, 1)
            ]
            if values:
                features[name] = values[0]
    return features


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yields the length-delimited fields with this number in a protocol buffer message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            _, position = _varint(message, position)
        elif wire_type in (1, 5):
            position += 8 if wire_type == 1 else 4
        elif wire_type == 2:
            length, position = _varint(message, position)
            if position + length > len(message):
                raise ValueError("a field reaches past the end")
            if number == wanted:
                yield message[position : position + length]
            position += length
        else:
            raise ValueError(f"wire type {wire_type}")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def masked_crc32c(data: bytes) -> int:
    """TFRecord's checksum. Bit by bit, as only the eight bytes of a length are ever checked."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
