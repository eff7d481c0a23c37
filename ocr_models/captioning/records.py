"""Captioned pictures as TFRecord files of SequenceExamples, read and written without TensorFlow.

One record for each caption, as is usual: in the context ``image/id``, ``image/format`` and ``image/data``, in the
feature lists ``image/caption`` (tokens) and ``image/caption_ids`` (with ``<S>`` and ``</S>``), one value a step. The
framing and the messages' field numbers are described in ``ocr_models.tfrecord_pages``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ocr_models.errors import DocumentError
from ocr_models.tfrecord_pages import _context_features, _fields, _varint, iter_records

_BYTES_LIST, _INT64_LIST = 1, 3  # field numbers in Feature


@dataclass(frozen=True)
class CaptionRecord:
    """One caption of a picture; ``data`` is the encoded picture, ``caption`` may be empty in foreign records."""

    image_id: str
    data: bytes
    caption: tuple[str, ...]
    caption_ids: tuple[int, ...]


def parse_caption_record(payload: bytes) -> CaptionRecord:
    """The caption in a serialized SequenceExample.

    Raises:
        DocumentError: with stage "decode", where the record has no ``image/data`` or no ``image/caption_ids``.
    """
    try:
        context, lists = _context_features(payload), _feature_lists(payload)
        words = tuple(word.decode() for step in lists.get("image/caption", ()) for word in _values(step, _BYTES_LIST))
        ids = tuple(i for step in lists.get("image/caption_ids", ()) for i in _packed_integers(step))
        image_id = context.get(b"image/id", b"").decode()
    except (IndexError, ValueError) as error:
        raise DocumentError("decode", f"the record is no SequenceExample ({error})") from error
    if not context.get(b"image/data") or not ids:
        raise DocumentError("decode", "the record has no 'image/data' or no 'image/caption_ids'; expected both")
    return CaptionRecord(image_id, context[b"image/data"], words, ids)


def serialize_caption_record(record: CaptionRecord) -> bytes:
    """The SequenceExample of a caption."""
    image_format = b"png" if record.data.startswith(b"\x89PNG") else b"jpeg"
    context = {"image/id": record.image_id.encode(), "image/format": image_format, "image/data": record.data}
    lists = {
        "image/caption": [_feature(_BYTES_LIST, word.encode()) for word in record.caption],
        "image/caption_ids": [_feature(_INT64_LIST, _encode_varint(i)) for i in record.caption_ids],
    }
    features = b"".join(_map_entry(name, _feature(_BYTES_LIST, value)) for name, value in context.items())
    feature_lists = b"".join(_map_entry(name, b"".join(_field(1, x) for x in steps)) for name, steps in lists.items())
    return _field(1, features) + _field(2, feature_lists)


def write_tfrecord(path: Path, payloads: Iterable[bytes]) -> None:
    """Writes records with both of their checksums."""
    with path.open("wb") as file:
        for payload in payloads:
            length = struct.pack("<Q", len(payload))
            file.write(length + _checksum(length) + payload + _checksum(payload))


def read_tfrecord(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yields the records from the file's position on, each with the offset at which it begins."""
    offset = file.tell()
    for payload in iter_records(file):
        yield offset, payload
        offset = file.tell()


def _feature_lists(sequence_example: bytes) -> dict[str, list[bytes]]:
    """Maps the names of feature lists to their features, one a step.

    The path down: SequenceExample.feature_lists = 2, FeatureLists.feature_list = 1 (a map: key = 1, value = 2),
    FeatureList.feature = 1.
    """
    return {
        next(_fields(entry, 1), b"").decode(): [step for steps in _fields(entry, 2) for step in _fields(steps, 1)]
        for lists in _fields(sequence_example, 2)
        for entry in _fields(lists, 1)
    }


def _values(feature: bytes, kind: int) -> Iterator[bytes]:
    return (value for values in _fields(feature, kind) for value in _fields(values, 1))


def _packed_integers(feature: bytes) -> Iterator[int]:
    """The values of an Int64List, which are varints behind one another."""
    for packed in _values(feature, _INT64_LIST):
        position = 0
        while position < len(packed):
            value, position = _varint(packed, position)
            yield value


def _map_entry(key: str, value: bytes) -> bytes:
    return _field(1, _field(1, key.encode()) + _field(2, value))


def _feature(kind: int, value: bytes) -> bytes:
    return _field(kind, _field(1, value))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field (wire type 2)."""
    return _encode_varint(number << 3 | 2) + _encode_varint(len(content)) + content


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _crc_table() -> list[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC_TABLE: Sequence[int] = _crc_table()


def _checksum(data: bytes) -> bytes:
    """TFRecord's masked CRC-32C, by a table of bytes: pictures are long."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
