#!/usr/bin/env bash
# OpenCV's blur over two pixels turns white into black at the end of each row.
#
# Version:   opencv-python-headless 5.0.0 (4.12 does the same) on Python 3.11, x86-64; uint8.
# Behavior:  cv2.blur with a kernel of (1, 2) or (2, 1) gives 1 too much for a constant image, in the last columns of
#            each row: those beyond a multiple of 16, all of them on an image of fewer than 16. 255 becomes 0. Kernels
#            of other sizes, and other types, are right.
# Expected:  the mean of equal pixels is that pixel.
# Pagebeam:  blurs over an odd number of pixels (ocr_models/pages/ruling.py): on small print, white columns were taken
#            for rules, and erased.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 numpy

cat >"$folder/show.py" <<'PYTHON'
import sys

import cv2
import numpy as np

print(f"opencv {cv2.__version__}")
wrong = {}
for kernel in ((1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (1, 4)):
    blurred = cv2.blur(np.full((4, 20), 255, np.uint8), kernel)
    wrong[kernel] = sorted(set(np.nonzero(blurred != 255)[1].tolist()))
    print(f"white, kernel {kernel}: columns {wrong[kernel]} are {sorted(set(blurred[:, wrong[kernel]].ravel().tolist()))}")
gray = cv2.blur(np.full((4, 4), 100, np.uint8), (1, 2))
print(f"gray 100, kernel (1, 2): {np.unique(gray).tolist()}")
flawed = {kernel for kernel, columns in wrong.items() if columns}
sys.exit(0 if flawed == {(1, 2), (2, 1)} and (gray == 101).all() else "changed")
PYTHON

"$folder/venv/bin/python" "$folder/show.py"
