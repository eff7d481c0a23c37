#!/usr/bin/env bash
# Pillow gives pixels of a JPEG 2000 with a palette other colors if the palette holds a color twice, or only gray.
#
# Versions:  Pillow 12.3.0, with OpenCV 5.0.0 as second reader.
# Behavior:  Pillow adds the colors of the palette box (pclr) one by one, and passes over those that it has already, so
#            that later ones move up: after one repetition, a pixel of index 3 gets the color of entry 4. A palette of one column, as gray has, is
#            passed over whole, and the indices are taken for gray. No error is raised.
# Expected:  index i means entry i of the palette (ISO/IEC 15444-1, I.5.3.4), as OpenCV has it.
# Pagebeam:  applies the palette itself (ocr_models/io/jpeg2000.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==12.3.0 opencv-python-headless==5.0.0.93 numpy==2.4.6

cat >"$folder/show.py" <<'PYTHON'
import io
import struct

import cv2
import numpy as np
import PIL
from PIL import Image

INDICES = np.repeat(np.arange(5, dtype=np.uint8), 8)[None].repeat(40, axis=0)  # five bars, 40 × 40
SRGB, GRAY = 16, 17


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def jp2(colors: list[tuple[int, ...]], space: int) -> bytes:
    codestream = io.BytesIO()
    Image.fromarray(INDICES).save(codestream, "JPEG2000", no_jp2=True)  # without loss
    channels = range(len(colors[0]))
    header = box(b"ihdr", struct.pack(">IIHBBBB", 40, 40, 1, 7, 7, 0, 0))
    header += box(b"colr", struct.pack(">BBBI", 1, 0, 0, space))
    entries = b"".join(map(bytes, colors))
    header += box(b"pclr", struct.pack(">HB", len(colors), len(channels)) + bytes([7] * len(channels)) + entries)
    header += box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, channel) for channel in channels))
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 " + bytes(4) + b"jp2 ")
    return start + box(b"jp2h", header) + box(b"jp2c", codestream.getvalue())


def show(name: str, data: bytes) -> None:
    by_pillow = np.array(Image.open(io.BytesIO(data)).convert("RGB"))[0, 4::8]
    by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)[0, 4::8]
    for reader, colors in (("Pillow", by_pillow), ("OpenCV", by_opencv)):
        print(f"{name}, {reader}: {' '.join(color.tobytes().hex() for color in colors)}")


print(f"Pillow {PIL.__version__}, OpenCV {cv2.__version__}")
show("all differ", jp2([(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9), (255, 255, 255)], SRGB))
show("red twice ", jp2([(255, 0, 0), (255, 0, 0), (0, 0, 255), (9, 9, 9), (255, 255, 255)], SRGB))
show("gray      ", jp2([(255,), (128,), (64,), (32,), (0,)], GRAY))
PYTHON
cat >"$folder/expected" <<'TEXT'
Pillow 12.3.0, OpenCV 5.0.0
all differ, Pillow: ff0000 00ff00 0000ff 090909 ffffff
all differ, OpenCV: ff0000 00ff00 0000ff 090909 ffffff
red twice , Pillow: ff0000 0000ff 090909 ffffff 000000
red twice , OpenCV: ff0000 ff0000 0000ff 090909 ffffff
gray      , Pillow: 000000 010101 020202 030303 040404
gray      , OpenCV: ffffff 808080 404040 202020 000000
TEXT

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
