#!/usr/bin/env bash
# PDFium ignores UserUnit, by which a PDF page says how many 1/72 inch a unit of its coordinates is.
#
# Versions:  pypdfium2 5.15.2 and the PDFium in it.
# Behavior:  a page of 200 x 100 units with UserUnit 2 has the size and the rendering of one without it.
# Expected:  400 x 200 points: PDF 1.6 introduced UserUnit for pages larger than 200 inches.
# Pagebeam:  multiplies the scale of the rendering by UserUnit, which it reads with pikepdf (ocr_models/io/documents.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pypdfium2==5.15.2

cat >"$folder/show.py" <<'PYTHON'
import pypdfium2
import pypdfium2.version


def pdf_with_page(entries: str) -> bytes:
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Resources<<>>{entries}>>",
    ]
    file, offsets = "%PDF-1.6\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n{len(file)}\n%%EOF\n"
    return f"{file}xref\n0 4\n0000000000 65535 f \n{table}{trailer}".encode()


print(f"pypdfium2 {pypdfium2.version.PYPDFIUM_INFO}, PDFium {pypdfium2.version.PDFIUM_INFO}")
for entries in ("", "/UserUnit 2"):
    page = pypdfium2.PdfDocument(pdf_with_page(entries))[0]
    bitmap = page.render(scale=1)
    print(f"{entries or 'no UserUnit'}: size {page.get_size()}, rendered {bitmap.width} x {bitmap.height}")
PYTHON
cat >"$folder/expected" <<'TEXT'
no UserUnit: size (200.0, 100.0), rendered 200 x 100
/UserUnit 2: size (200.0, 100.0), rendered 200 x 100
TEXT

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/output"
diff "$folder/expected" <(tail -n 2 "$folder/output")
