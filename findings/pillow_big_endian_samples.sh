#!/usr/bin/env bash
# Pillow swaps the bytes of float and signed samples in compressed big-endian TIFF files once too often.
#
# Versions:  Pillow 11.3.0 and 12.3.0, with tifffile 2026.3.3 as writer and as second reader.
# Behavior:  libtiff gives samples in the machine's byte order. Pillow takes that into account for unsigned 16-bit
#            samples, but not for signed and float ones: 1.0 becomes 4.6e-41, and 256 becomes 1. No error is raised.
#            Uncompressed files, which Pillow reads without libtiff, and little-endian ones are right.
# Expected:  the same samples whether a file is compressed or not.
# Pagebeam:  names the machine's byte order to Pillow (ocr_models/io/tiff.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tifffile==2026.3.3 numpy==2.4.6

cat >"$folder/show.py" <<'PYTHON'
import io
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

assert sys.byteorder == "little"
print(f"Pillow {PIL.__version__}, tifffile {tifffile.__version__}")
for kind, value in (("uint16", 256), ("int16", 256), ("int32", 256), ("float32", 1.0)):
    found = []
    for order in "<>":
        for compression in (None, "zlib"):
            file = io.BytesIO()
            tifffile.imwrite(file, np.full((16, 16), value, kind), byteorder=order, compression=compression)
            file.seek(0)
            assert (tifffile.imread(file) == value).all()
            found.append(f"{Image.open(file).getpixel((0, 0)):g}")
    print(f"{kind} {value}: little-endian {found[0]}, compressed {found[1]}; big-endian {found[2]}, compressed {found[3]}")
PYTHON
cat >"$folder/expected" <<'TEXT'
Pillow 11.3.0, tifffile 2026.3.3
uint16 256: little-endian 256, compressed 256; big-endian 256, compressed 256
int16 256: little-endian 256, compressed 256; big-endian 256, compressed 1
int32 256: little-endian 256, compressed 256; big-endian 256, compressed 65536
float32 1.0: little-endian 1, compressed 1; big-endian 1, compressed 4.6006e-41
Pillow 12.3.0, tifffile 2026.3.3
uint16 256: little-endian 256, compressed 256; big-endian 256, compressed 256
int16 256: little-endian 256, compressed 256; big-endian 256, compressed 1
int32 256: little-endian 256, compressed 256; big-endian 256, compressed 65536
float32 1.0: little-endian 1, compressed 1; big-endian 1, compressed 4.6006e-41
TEXT

for version in 11.3.0 12.3.0; do
    "$folder/venv/bin/pip" install -q "pillow==$version"
    "$folder/venv/bin/python" "$folder/show.py"
done | tee "$folder/output"
diff "$folder/expected" "$folder/output"
