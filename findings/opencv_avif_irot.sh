#!/usr/bin/env bash
# OpenCV doesn't turn an AVIF picture that says by its boxes that it is to be turned.
#
# Versions:  opencv-python-headless 5.0.0.93, Pillow 12.3.0 as writer and as second reader.
# Behavior:  AVIF and HEIC state the turn of a picture in the boxes irot and imir, which are to be applied (ISO/IEC
#            23008-12). cv2.imdecode passes over them, while it turns a JPEG by its EXIF: the same picture stands upright
#            from a JPEG and lies on its side from an AVIF, of which Pillow reads the boxes.
# Expected:  an upright picture from both.
# Pagebeam:  decodes AVIF with Pillow (ocr_models/io/heif.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 pillow==12.3.0 numpy==2.4.6

cat >"$folder/show.py" <<'PYTHON'
import io

import cv2
import numpy as np
import PIL
from PIL import Image, ImageOps

print(f"OpenCV {cv2.__version__}, Pillow {PIL.__version__}")
picture = Image.new("L", (96, 64), 255)
picture.paste(0, (0, 0, 48, 16))  # a black mark at the top left
for kind in ("JPEG", "AVIF"):
    for orientation in (1, 3, 6):
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        picture.save(file, kind, exif=exif, quality=95)  # for AVIF, Pillow writes the boxes, and no orientation in EXIF
        pillow = np.array(ImageOps.exif_transpose(Image.open(file)).convert("L"))
        opencv = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE)
        same = pillow.shape == opencv.shape and int(np.abs(pillow.astype(int) - opencv).max()) < 20
        boxes = "irot" if b"irot" in file.getvalue() else "no irot"
        print(f"{kind}, orientation {orientation}, {boxes}: OpenCV {opencv.shape}, Pillow {pillow.shape}, same: {same}")
PYTHON
cat >"$folder/expected" <<'TEXT'
OpenCV 5.0.0, Pillow 12.3.0
JPEG, orientation 1, no irot: OpenCV (64, 96), Pillow (64, 96), same: True
JPEG, orientation 3, no irot: OpenCV (64, 96), Pillow (64, 96), same: True
JPEG, orientation 6, no irot: OpenCV (96, 64), Pillow (96, 64), same: True
AVIF, orientation 1, no irot: OpenCV (64, 96), Pillow (64, 96), same: True
AVIF, orientation 3, irot: OpenCV (64, 96), Pillow (64, 96), same: False
AVIF, orientation 6, irot: OpenCV (64, 96), Pillow (96, 64), same: False
TEXT

"$folder/venv/bin/python" "$folder/show.py" 2>/dev/null | tee "$folder/output"
diff "$folder/expected" "$folder/output"
