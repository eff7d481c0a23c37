#!/usr/bin/env bash
# PDFium changes the size of a page when it flattens it, if the page inherits its MediaBox.
#
# Versions:  pypdfium2 5.15.2 and the PDFium in it.
# Behavior:  FPDFPage_Flatten sets the MediaBox of such a page to 612 x 792 points, even if only a link is flattened.
# Expected:  the size stays: MediaBox may be inherited from the parent of the page (PDF 1.7, 7.7.3.4).
# Pagebeam:  writes the MediaBox into the page before it flattens it (ocr_models/data/pdf_pages.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pypdfium2==5.15.2

cat >"$folder/show.py" <<'PYTHON'
import pypdfium2
import pypdfium2.raw
import pypdfium2.version


def pdf_with_page(of_parent: str, of_page: str) -> bytes:
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[3 0 R]/Count 1{of_parent}>>",
        f"<</Type/Page/Parent 2 0 R/Resources<<>>/Annots[4 0 R]{of_page}>>",
        "<</Type/Annot/Subtype/Link/Rect[10 10 50 20]>>",
    ]
    file, offsets = "%PDF-1.6\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<</Size 5/Root 1 0 R>>\nstartxref\n{len(file)}\n%%EOF\n"
    return f"{file}xref\n0 5\n0000000000 65535 f \n{table}{trailer}".encode()


print(f"pypdfium2 {pypdfium2.version.PYPDFIUM_INFO}, PDFium {pypdfium2.version.PDFIUM_INFO}")
box = "/MediaBox[0 0 200 100]"
for name, entries in {"its own": ("", box), "inherited": (box, "")}.items():
    pdf = pypdfium2.PdfDocument(pdf_with_page(*entries))
    page = pdf[0]
    before = page.get_size()
    pypdfium2.raw.FPDFPage_Flatten(page, pypdfium2.raw.FLAT_NORMALDISPLAY)
    page.close()
    print(f"{name}: size {before}, flattened {pdf[0].get_size()}")
PYTHON
cat >"$folder/expected" <<'TEXT'
its own: size (200.0, 100.0), flattened (200.0, 100.0)
inherited: size (200.0, 100.0), flattened (612.0, 792.0)
TEXT

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/output"
diff "$folder/expected" <(tail -n 2 "$folder/output")
