"""Writes PDFs with a real text layer in Helvetica, which needs no font file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np


def write_text_pdf(
    path: Path,
    pages: Iterable[str],
    page_entries: str = "",
    catalog_entries: str = "",
    more_objects: Sequence[str] = (),
) -> Path:
    """Writes a PDF of A5 pages, 420 by 595 points.

    Args:
        path: of the PDF.
        pages: the content stream of each page; /F1 is Helvetica.
        page_entries: entries for the dictionaries of all pages, such as "/Rotate 90".
        catalog_entries: entries for the document's catalog.
        more_objects: objects that follow those of the pages; of a PDF of one page, the first is object 6.
    """
    pages = list(pages)
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        f"<</Type/Catalog/Pages 2 0 R{catalog_entries}>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for i, content in enumerate(pages):
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 420 595]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {5 + 2 * i} 0 R{page_entries}>>",
            stream(content),
        ]
    objects += more_objects
    body = "".join(f"{number} 0 obj\n{text}\nendobj\n" for number, text in enumerate(objects, start=1))
    # Without a table of offsets, readers search the objects.
    path.write_bytes(f"%PDF-1.4\n{body}trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\n%%EOF\n".encode("latin-1"))
    return path


def stream(content: str, entries: str = "") -> str:
    """A stream object."""
    return f"<<{entries}/Length {len(content)}>>\nstream\n{content}\nendstream"


def set_text(text: str, x: float = 40, y: float = 540, size: float = 12) -> str:
    """The content stream of lines of text, whose first baseline is ``y`` points above the lower edge of the page."""
    return "\n".join(
        f"BT /F1 {size} Tf {x} {y - 1.5 * size * i} Td ({line}) Tj ET" for i, line in enumerate(text.splitlines())
    )


def picture_of(pixels: np.ndarray, place: str = "420 0 0 595 0 0") -> str:
    """Content that shows gray pixels, uint8 (H, W), by default over the whole page."""
    height, width = pixels.shape
    data = f"{pixels.tobytes().hex()}>"
    return f"q {place} cm BI /W {width} /H {height} /CS /G /BPC 8 /F /AHx ID {data} EI Q"


def prose(seed: int, lines: int = 20) -> str:
    """Lines of seven random words, most of which occur only once."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abdefghiklmnoprstuvwy"))
    words = ["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(7 * lines)]
    return "\n".join(" ".join(words[start : start + 7]) for start in range(0, len(words), 7))
