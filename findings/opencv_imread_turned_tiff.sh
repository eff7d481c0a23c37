#!/usr/bin/env bash
# cv2.imread returns None for a TIFF whose Orientation is 5 to 8; cv2.imdecode reads the same bytes.
#
# Versions:  opencv-python-headless 5.0.0.93.
# Behavior:  imread allocates the image before it knows that turning swaps its sides, notices that the pixels aren't
#            where it allocated them, logs "Internal imread issue" and returns None. imdecode returns the turned image.
#            Orientation 3, which swaps no sides, and a JPEG with the same Orientation are read by both.
# Expected:  the same image from both.
# Pagebeam:  decodes images with Pillow (ocr_models/io/images.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 pillow==12.3.0

cat >"$folder/show.py" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

folder = Path(sys.argv[1])
print("opencv-python-headless", version("opencv-python-headless"))
for kind, orientation in (("tiff", 3), ("tiff", 6), ("jpeg", 6)):
    image, path = Image.new("L", (60, 40), 200), folder / f"turned.{kind}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "tiff":
        image.save(path, compression="tiff_lzw", tiffinfo={274: orientation})
    else:
        image.save(path, exif=exif)
    read = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    decoded = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    shapes = [None if pixels is None else pixels.shape for pixels in (read, decoded)]
    print(f"{kind}, Orientation {orientation}: imread {shapes[0]}, imdecode {shapes[1]}")
PYTHON
cat >"$folder/expected" <<'TEXT'
opencv-python-headless 5.0.0.93
tiff, Orientation 3: imread (40, 60), imdecode (40, 60)
tiff, Orientation 6: imread None, imdecode (60, 40)
jpeg, Orientation 6: imread (60, 40), imdecode (60, 40)
TEXT

"$folder/venv/bin/python" "$folder/show.py" "$folder" 2>/dev/null | tee "$folder/output"
diff "$folder/expected" "$folder/output"
