#!/usr/bin/env bash
# Pillow opens a gray TIFF of 12 bits per sample in the mode "I;16", with samples from 0 to 4095.
#
# Versions:  Pillow 11.3.0 and 12.3.0.
# Behavior:  white is 4095, as in the file. Nothing in the mode or in info says that the range isn't that of 16 bits.
#            convert("L") clips at 255 in place of scaling, so that a quarter of white (1024) is white already.
# Expected:  samples scaled to the range that the mode's name states, 0 to 65535, or a mode of its own.
# Pagebeam:  scales such samples by the range that BitsPerSample gives (ocr_models/io/tiff.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"

cat >"$folder/show.py" <<'PYTHON'
import io
import struct

import PIL
from PIL import Image

samples = bytes.fromhex("000 400 800 fff".replace(" ", ""))  # 0, 1024, 2048, 4095: one row of 4 pixels, 12 bits each
SHORT, LONG = 3, 4
tags = [
    (256, SHORT, 4),  # ImageWidth
    (257, SHORT, 1),  # ImageLength
    (258, SHORT, 12),  # BitsPerSample
    (259, SHORT, 1),  # Compression: none
    (262, SHORT, 1),  # PhotometricInterpretation: 0 is black
    (273, LONG, 8),  # StripOffsets
    (277, SHORT, 1),  # SamplesPerPixel
    (278, SHORT, 1),  # RowsPerStrip
    (279, LONG, len(samples)),  # StripByteCounts
]
tiff = struct.pack("<2sHI", b"II", 42, 8 + len(samples)) + samples + struct.pack("<H", len(tags))
tiff += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags) + struct.pack("<I", 0)

image = Image.open(io.BytesIO(tiff))
print(f"Pillow {PIL.__version__}: mode {image.mode}")
print("samples      ", [image.getpixel((x, 0)) for x in range(4)])
print('convert("L") ', [image.convert("L").getpixel((x, 0)) for x in range(4)])
PYTHON
cat >"$folder/expected" <<'TEXT'
Pillow 11.3.0: mode I;16
samples       [0, 1024, 2048, 4095]
convert("L")  [0, 255, 255, 255]
Pillow 12.3.0: mode I;16
samples       [0, 1024, 2048, 4095]
convert("L")  [0, 255, 255, 255]
TEXT

for version in 11.3.0 12.3.0; do
    "$folder/venv/bin/pip" install -q "pillow==$version"
    "$folder/venv/bin/python" "$folder/show.py"
done | tee "$folder/output"
diff "$folder/expected" "$folder/output"
