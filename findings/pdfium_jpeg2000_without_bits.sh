#!/usr/bin/env bash
# PDFium shows a gray JPEG 2000 image with a color profile in black and white if its depth isn't stated twice.
#
# Versions:  pypdfium2 5.15.2 (PDFium 8149), written with Pillow 12.3.0 and pikepdf 10.18.0; PyMuPDF 1.26.7 as second reader.
# Behavior:  an image with /Filter /JPXDecode needs no /BitsPerComponent, and readers shall ignore one that is there (PDF
#            1.7, table 89): the data states its depth. Without it, PDFium reads DeviceGray right; but with CalGray or a
#            gray ICC profile, all samples but 0 are white, so that a scan without full black is a blank page; and with
#            Indexed, Separation or an inverting /Decode the whole image is black. No error is raised. With
#            /BitsPerComponent 8, all are right.
# Expected:  the same pixels with and without the entry.
# Pagebeam:  adds the entry to such pages before they are shown (ocr_models/io/pdf_images.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pypdfium2==5.15.2 pillow==12.3.0 pikepdf==10.18.0 pymupdf==1.26.7

cat >"$folder/show.py" <<'PYTHON'
import io
from importlib.metadata import version

import pikepdf
import pymupdf
import pypdfium2
from pikepdf import Array, Dictionary, Name
from PIL import Image

LEVELS = [40, 128, 220]  # three bars, 16 pixels wide each
INK = Dictionary(FunctionType=2, Domain=[0, 1], C0=[1], C1=[0], N=1)
SPACES = {
    "DeviceGray": Name.DeviceGray,
    "CalGray": Array([Name.CalGray, Dictionary(WhitePoint=[0.9505, 1, 1.089], Gamma=1)]),
    "Indexed": Array([Name.Indexed, Name.DeviceGray, 255, pikepdf.String(bytes(range(255, -1, -1)))]),
    "Separation": Array([Name.Separation, Name.Black, Name.DeviceGray, INK]),
}


def page(entries: dict[str, object]) -> bytes:
    image, data, file = Image.new("L", (48, 32)), io.BytesIO(), io.BytesIO()
    for i, level in enumerate(LEVELS):
        image.paste(level, (16 * i, 0, 16 * i + 16, 32))
    image.save(data, "JPEG2000")  # without loss
    pdf = pikepdf.new()
    stream = pikepdf.Stream(
        pdf, data.getvalue(), Type=Name.XObject, Subtype=Name.Image, Filter=Name.JPXDecode, Width=48, Height=32
    )
    for key, value in entries.items():
        stream[key] = value
    only = pdf.add_blank_page(page_size=(48, 32))
    only.obj.Resources = Dictionary(XObject=Dictionary(X=pdf.make_indirect(stream)))
    only.obj.Contents = pdf.make_stream(b"48 0 0 32 0 0 cm /X Do")
    pdf.save(file)
    return file.getvalue()


print(*(f"{name} {version(name)}" for name in ("pypdfium2", "pymupdf")))
for space, bits in ((space, bits) for space in SPACES for bits in ({}, {"/BitsPerComponent": 8})):
    data = page({"/ColorSpace": SPACES[space]} | bits)
    rendered = pypdfium2.PdfDocument(data)[0].render(scale=1, grayscale=True).to_pil()
    by_pdfium = [rendered.getpixel((x, 16)) for x in (8, 24, 40)]
    pixmap = pymupdf.open("pdf", data)[0].get_pixmap(colorspace=pymupdf.csGRAY)
    by_mupdf = [pixmap.pixel(x, 16)[0] for x in (8, 24, 40)]
    print(f"{space:10} {'with bits' if bits else 'without  '}: PDFium {by_pdfium}, MuPDF {by_mupdf}")
PYTHON
cat >"$folder/expected" <<'TEXT'
pypdfium2 5.15.2 pymupdf 1.26.7
DeviceGray without  : PDFium [40, 128, 220], MuPDF [40, 128, 220]
DeviceGray with bits: PDFium [40, 128, 220], MuPDF [40, 128, 220]
CalGray    without  : PDFium [255, 255, 255], MuPDF [110, 188, 239]
CalGray    with bits: PDFium [40, 128, 220], MuPDF [110, 188, 239]
Indexed    without  : PDFium [0, 0, 0], MuPDF [215, 127, 35]
Indexed    with bits: PDFium [215, 127, 35], MuPDF [215, 127, 35]
Separation without  : PDFium [0, 0, 0], MuPDF [215, 126, 34]
Separation with bits: PDFium [215, 127, 35], MuPDF [215, 126, 34]
TEXT

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
