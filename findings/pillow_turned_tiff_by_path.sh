#!/usr/bin/env bash
# Pillow decodes an uncompressed TIFF whose Orientation is 5 to 8 differently from a path and from a file object.
#
# Versions:  Pillow 11.3.0 and 12.3.0.
# Behavior:  from a file object, the image is turned as Orientation says. From a path, the samples are mapped into memory
#            with the width and height that the image has after turning, and are turned then: the rows are cut at the
#            wrong places, and the image has the sides that it had before turning. No error is raised.
# Expected:  the same pixels for the same file.
# Pagebeam:  gives Pillow file objects, never paths (ocr_models/io/documents.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"

cat >"$folder/show.py" <<'PYTHON'
import io
import struct
import sys
from pathlib import Path

import PIL
from PIL import Image

samples = bytes(range(0, 60, 10))  # two rows of three pixels
tags = [
    (256, 3),  # ImageWidth
    (257, 2),  # ImageLength
    (258, 8),  # BitsPerSample
    (259, 1),  # Compression: none
    (262, 1),  # PhotometricInterpretation: 0 is black
    (273, 8),  # StripOffsets
    (274, 6),  # Orientation: the first row is the right edge
    (277, 1),  # SamplesPerPixel
    (278, 2),  # RowsPerStrip
    (279, 6),  # StripByteCounts
]
tiff = struct.pack("<2sHI", b"II", 42, 8 + len(samples)) + samples + struct.pack("<H", len(tags))
tiff += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags) + struct.pack("<I", 0)
path = Path(sys.argv[1])
path.write_bytes(tiff)

print(f"Pillow {PIL.__version__}")
for name, source in (("file object", io.BytesIO(tiff)), ("path", path)):
    image = Image.open(source)
    image.load()
    rows = [[image.getpixel((x, y)) for x in range(image.width)] for y in range(image.height)]
    print(f"{name}: {rows}")
PYTHON
for version in 11.3.0 12.3.0; do
    "$folder/venv/bin/pip" install -q "pillow==$version"
    "$folder/venv/bin/python" "$folder/show.py" "$folder/turned.tif"
done | tee "$folder/output"
cat >"$folder/expected" <<'TEXT'
Pillow 11.3.0
file object: [[30, 0], [40, 10], [50, 20]]
path: [[40, 20, 0], [50, 30, 10]]
Pillow 12.3.0
file object: [[30, 0], [40, 10], [50, 20]]
path: [[40, 20, 0], [50, 30, 10]]
TEXT
diff "$folder/expected" "$folder/output"
