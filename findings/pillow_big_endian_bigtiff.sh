#!/usr/bin/env bash
# Pillow opens little-endian BigTIFF files, but not big-endian ones.
#
# Versions:  pillow 12.3.0, with tifffile 2026.3.3 as writer.
# Behavior:  Pillow lists the first bytes of both byte orders of BigTIFF among those of TIFF, and reads the
#            little-endian form. For the big-endian one it looks for the version number 43 in the wrong byte, takes the
#            file for a classic TIFF, and raises UnidentifiedImageError.
# Expected:  both files open, as they do with tifffile.
# Pagebeam:  counts the pages of both (ocr_models/io/tiff.py); a page of a big-endian BigTIFF is a failed row.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==12.3.0 tifffile==2026.3.3 numpy

cat >"$folder/show.py" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
import PIL
import tifffile
from PIL import Image, UnidentifiedImageError

print(f"pillow {PIL.__version__}, tifffile {tifffile.__version__}")
pixels = np.full((40, 60), 200, np.uint8)
for order, name in (("<", "little-endian"), (">", "big-endian")):
    for is_big in (False, True):
        path = Path(sys.argv[1]) / "page.tif"
        tifffile.imwrite(path, pixels, byteorder=order, bigtiff=is_big)
        assert (tifffile.imread(path) == pixels).all()
        try:
            with Image.open(path) as image:
                found = f"opened, {image.size[0]} x {image.size[1]}"
        except UnidentifiedImageError:
            found = "UnidentifiedImageError"
        print(f"{name} {'BigTIFF' if is_big else 'TIFF'}: {found}")
PYTHON
"$folder/venv/bin/python" "$folder/show.py" "$folder" | tee "$folder/output"
cat >"$folder/expected" <<'TEXT'
pillow 12.3.0, tifffile 2026.3.3
little-endian TIFF: opened, 60 x 40
little-endian BigTIFF: opened, 60 x 40
big-endian TIFF: opened, 60 x 40
big-endian BigTIFF: UnidentifiedImageError
TEXT
diff "$folder/expected" "$folder/output"
