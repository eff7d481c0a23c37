#!/usr/bin/env bash
# OpenCV's stackBlur darkens 16-bit images: white becomes gray, or negative.
#
# Versions:  opencv-python-headless 4.13.0.92 and 5.0.0.93 on Python 3.11.
# Behavior:  stackBlur takes uint8, uint16, int16 and float32. Blurred by 101 x 101, a white image of 65535 is 8191
#            everywhere, and an int16 one of 5000 is -3192. Kernels of 31 fail from some 30,000 on, and kernels of 5 to 9
#            in some columns. GaussianBlur and blur keep all of them, and stackBlur does in uint8 and float32.
# Expected:  the mean of equal pixels is that pixel, or a refusal of the type.
# Pagebeam:  doesn't use it; deep images become 8 bits before anything else (ocr_models/io/images.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"

cat >"$folder/show.py" <<'PYTHON'
from importlib.metadata import version

import cv2
import numpy as np

print(f"OpenCV {version('opencv-python-headless')}")
for type_, value in (("uint8", 255), ("float32", 1), ("uint16", 65535), ("int16", 5000)):
    image = np.full((64, 64), value, type_)
    blurred = {size: np.unique(np.round(cv2.stackBlur(image, (size, size)), 3)) for size in (3, 31, 101)}
    sizes = ", ".join(f"{size}: {' '.join(f'{x:g}' for x in values)}" for size, values in blurred.items())
    print(f"{type_} of {value} by {sizes}; GaussianBlur: {cv2.GaussianBlur(image, (31, 31), 0).max():g}")
PYTHON
for release in 4.13.0.92 5.0.0.93; do
    "$folder/venv/bin/pip" install -q opencv-python-headless==$release numpy==2.4.6
    "$folder/venv/bin/python" "$folder/show.py"
done | tee "$folder/output"
for release in 4.13.0.92 5.0.0.93; do
    cat <<TEXT
OpenCV $release
uint8 of 255 by 3: 255, 31: 255, 101: 255; GaussianBlur: 255
float32 of 1 by 3: 1, 31: 1, 101: 1; GaussianBlur: 1
uint16 of 65535 by 3: 65535, 31: 32767, 101: 8191; GaussianBlur: 65535
int16 of 5000 by 3: 5000, 31: 5000, 101: -3192; GaussianBlur: 5000
TEXT
done >"$folder/expected"
diff "$folder/expected" "$folder/output"
