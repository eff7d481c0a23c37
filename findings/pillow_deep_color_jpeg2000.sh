#!/usr/bin/env bash
# Pillow turns the white of JPEG 2000 files with more than 8 bits a color into black.
#
# Versions:  Pillow 11.3.0 and 12.3.0, with OpenCV 5.0.0 as writer and as second reader.
# Behavior:  16-bit samples of color become 8-bit ones by adding a half and dropping the low byte, without a limit: the
#            brightest, 65408 to 65535, become 0. White paper is black, and what is opaque (RGBA) is transparent. No
#            error is raised. Files of 9 to 15 bits, and gray ones with transparency, are treated so, too; plain gray is
#            opened as "I;16" and right.
# Expected:  65535 becomes 255.
# Pagebeam:  decodes such files with OpenCV (ocr_models/io/jpeg2000.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 numpy==2.4.6

cat >"$folder/show.py" <<'PYTHON'
import io

import cv2
import numpy as np
import PIL
from PIL import Image

LEVELS = [0, 32768, 65280, 65407, 65408, 65535]
print(f"Pillow {PIL.__version__}, OpenCV {cv2.__version__}")
for channels in (1, 3, 4):
    samples = np.full((64, 64, channels), 65535, np.uint16)
    for i, level in enumerate(LEVELS):
        samples[:, 10 * i : 10 * i + 10, :3] = level
    written, data = cv2.imencode(".jp2", samples, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])  # without loss
    assert written and (cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(samples.shape) == samples).all()
    image = Image.open(io.BytesIO(data.tobytes()))
    print(f"{image.mode}: {[image.getpixel((10 * i + 5, 5)) for i in range(len(LEVELS))]}")
PYTHON
cat >"$folder/expected" <<'TEXT'
Pillow 11.3.0, OpenCV 5.0.0
I;16: [0, 32768, 65280, 65407, 65408, 65535]
RGB: [(0, 0, 0), (128, 128, 128), (255, 255, 255), (255, 255, 255), (0, 0, 0), (0, 0, 0)]
RGBA: [(0, 0, 0, 0), (128, 128, 128, 0), (255, 255, 255, 0), (255, 255, 255, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
Pillow 12.3.0, OpenCV 5.0.0
I;16: [0, 32768, 65280, 65407, 65408, 65535]
RGB: [(0, 0, 0), (128, 128, 128), (255, 255, 255), (255, 255, 255), (0, 0, 0), (0, 0, 0)]
RGBA: [(0, 0, 0, 0), (128, 128, 128, 0), (255, 255, 255, 0), (255, 255, 255, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
TEXT

for version in 11.3.0 12.3.0; do
    "$folder/venv/bin/pip" install -q "pillow==$version"
    "$folder/venv/bin/python" "$folder/show.py"
done | tee "$folder/output"
diff "$folder/expected" "$folder/output"
