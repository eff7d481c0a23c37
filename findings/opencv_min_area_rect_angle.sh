#!/usr/bin/env bash
# cv2.minAreaRect changed its range of angles, and with it which side is the width, within OpenCV 4.
#
# Versions:  opencv-python-headless 4.12.0.88, 4.13.0.92 and 5.0.0.93; numpy 2.2.6.
# Behavior:  4.12 gives angles from above 0 to 90 degrees. 4.13 and 5.0 give angles from -90 to below 0, and for the same
#            points the other side as the width and another corner as the first one of cv2.boxPoints.
# Expected:  the same rectangle in the same form in all releases of a major version.
# Pagebeam:  uses only the four corners (ocr_models/data/sources/coco_text.py), and no angle or side of such a rectangle.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"

cat >"$folder/show.py" <<'PYTHON'
import cv2
import numpy as np

print(f"OpenCV {cv2.__version__}")
rectangle = np.array([[-50, -10], [50, -10], [50, 10], [-50, 10]])  # 100 wide, 20 high
for degrees in (0, 30, 60, 90, 120):
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    _, (width, height), angle = cv2.minAreaRect((rectangle @ rotation.T + 100).astype(np.float32))
    print(f"turned by {degrees:3}: width {width:.0f}, height {height:.0f}, angle {angle:.0f}")
PYTHON
cat >"$folder/expected" <<'TEXT'
OpenCV 4.12.0
turned by   0: width 20, height 100, angle 90
turned by  30: width 100, height 20, angle 30
turned by  60: width 100, height 20, angle 60
turned by  90: width 100, height 20, angle 90
turned by 120: width 20, height 100, angle 30
OpenCV 4.13.0
turned by   0: width 20, height 100, angle -90
turned by  30: width 20, height 100, angle -60
turned by  60: width 20, height 100, angle -30
turned by  90: width 100, height 20, angle -90
turned by 120: width 100, height 20, angle -60
OpenCV 5.0.0
turned by   0: width 20, height 100, angle -90
turned by  30: width 20, height 100, angle -60
turned by  60: width 20, height 100, angle -30
turned by  90: width 100, height 20, angle -90
turned by 120: width 100, height 20, angle -60
TEXT

for version in 4.12.0.88 4.13.0.92 5.0.0.93; do
    "$folder/venv/bin/pip" install -q numpy==2.2.6 "opencv-python-headless==$version"
    "$folder/venv/bin/python" "$folder/show.py"
done | tee "$folder/output"
diff "$folder/expected" "$folder/output"
