#!/usr/bin/env bash
# The package tfrecord cuts zero bytes off the end of values when a feature has more than one.
#
# Versions:  tfrecord 1.14.6 (a reader of TFRecords for PyTorch, without TensorFlow), numpy 2.4.6 on Python 3.11.
# Behavior:  a bytes_list with one value is returned as bytes; with several, as an array of NumPy's type S, which drops
#            zero bytes at the end of each value: raw pixels or encoded arrays come back shorter. A feature that is there
#            but has no list, as TensorFlow reads as empty, is an IndexError, and the whole record is lost. Checksums
#            aren't compared: a changed byte is read without an error.
# Expected:  the bytes that were written, an empty list, and an error about the checksum.
# Pagebeam:  writes one value for each feature of bytes in its records, and compares checksums (ocr_models/io/tfrecord.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tfrecord==1.14.6 numpy==2.4.6

cat >"$folder/show.py" <<'PYTHON'
import struct
import sys
from importlib.metadata import version
from pathlib import Path

from tfrecord import TFRecordWriter, tfrecord_loader
from tfrecord.example_pb2 import BytesList, Example, Feature, Features

path = Path(sys.argv[1]) / "file.tfrecord"


def read(feature: Feature, changed: tuple[bytes, bytes] = (b"", b"")) -> object:
    payload = Example(features=Features(feature={"raw": feature})).SerializeToString()
    length = struct.pack("<Q", len(payload))
    checked = [part + TFRecordWriter.masked_crc(part) for part in (length, payload)]
    path.write_bytes(b"".join(checked).replace(*changed))
    try:
        [record] = tfrecord_loader(str(path), None)
    except IndexError:
        return "IndexError"
    value = record["raw"]
    return value if isinstance(value, bytes) else value.tolist()


def values(*given: bytes) -> Feature:
    return Feature(bytes_list=BytesList(value=given))


print(f"tfrecord {version('tfrecord')}")
print("one value:", read(values(b"a\0\0")))
print("two values:", read(values(b"a\0\0", b"\0\0b")))
print("empty list:", read(values()))
print("no list:", read(Feature()))
print("changed byte:", read(values(b"page"), changed=(b"page", b"pane")))
PYTHON
cat >"$folder/expected" <<'TEXT'
tfrecord 1.14.6
one value: b'a\x00\x00'
two values: [b'a', b'\x00\x00b']
empty list: []
no list: IndexError
changed byte: b'pane'
TEXT

"$folder/venv/bin/python" "$folder/show.py" "$folder" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
