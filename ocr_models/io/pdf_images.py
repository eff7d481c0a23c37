"""What PDFium passes over in PDFs: user units, and JPEG 2000 images that don't state the depth of their samples.

``/BitsPerComponent`` is optional for them (PDF 1.7, table 89). Without it, PDFium (in pypdfium2 5.15) shows gray images
with a color profile in black and white, where all but 0 is white, so that a scan without full black is a blank page.
Those with a palette, a separation or an inverting ``/Decode`` are black.

PDFium ignores the ``/Decode`` of colored ones, as ISO 32000-1 (7.4.9) asks. MuPDF 1.21, Poppler 22.12, Ghostscript 10
invert them; their text is read either way.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import pikepdf

from ocr_models.io.jpeg2000 import component_bits


def open_with_qpdf(path: str) -> pikepdf.Pdf | None:
    """Opens a local PDF; None if qpdf can't read it: PDFium repairs more."""
    try:
        return pikepdf.open(path)
    except (pikepdf.PdfError, OSError):
        return None


def user_unit(source: pikepdf.Pdf, page_index: int) -> float:
    """The ``/UserUnit`` of a page; 1 where none is stated or qpdf can't read it."""
    try:
        unit = float(source.pages[page_index].obj.get("/UserUnit", 1))
    except (pikepdf.PdfError, IndexError, TypeError, ValueError):
        return 1.0
    return unit if 0 < unit < 1e6 else 1.0  # what isn't a positive number means nothing


def page_with_stated_bits(source: pikepdf.Pdf, page_index: int) -> bytes | None:
    """A PDF of one page alone, in which its images state their bits; None if they do already, or can't be read."""
    try:
        page = source.pages[page_index]
        if not any(map(_lacks_bits, _images(page))):
            return None
        _leave_out_other_images(page)  # of resources that all pages share, each copy would have all
        return _alone(source, page) if any(map(_lacks_bits, _images(page))) else None
    except (pikepdf.PdfError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _leave_out_other_images(page: pikepdf.Page) -> None:
    """Takes from a page's resources the images that its own content doesn't draw."""
    steps = pikepdf.parse_content_stream(page, "Do")
    drawn = {str(step.operands[0]) for step in steps if step.operands}
    objects = page.resources.get("/XObject", pikepdf.Dictionary()).items()
    if any(item.get("/Subtype") == "/Form" and "/Resources" not in item for _, item in objects):
        return  # such a form draws the images of its page (PDF 1.7, 7.8.3)
    resources = pikepdf.Dictionary(dict(page.resources.items()))
    resources.XObject = pikepdf.Dictionary({name: item for name, item in objects if name in drawn})
    page.obj.Resources = resources


def _alone(source: pikepdf.Pdf, page: pikepdf.Page) -> bytes:
    alone = pikepdf.new()
    alone.pages.append(page)
    for key in ("/OCProperties", "/AcroForm"):  # which layers are switched off, and which fields are filled in
        if key in source.Root:
            alone.Root[key] = alone.copy_foreign(source.make_indirect(source.Root[key]))
    for image in filter(_lacks_bits, _images(alone.pages[0])):
        image.BitsPerComponent = _bits(image)
    file = io.BytesIO()
    alone.save(file)
    return file.getvalue()


def _images(page: pikepdf.Page) -> Iterator[Any]:
    """The images that a page and the forms on it may draw, and their soft masks, each once."""
    waiting: list[Any] = [page.resources]
    seen = set()
    while waiting:
        for _, item in waiting.pop().get("/XObject", pikepdf.Dictionary()).items():
            if item.objgen in seen:
                continue
            seen.add(item.objgen)
            if item.get("/Subtype") == "/Form":
                waiting.append(item.get("/Resources", pikepdf.Dictionary()))
            else:
                yield item
                if "/SMask" in item:
                    yield item["/SMask"]


def _lacks_bits(image: Any) -> bool:
    if "/BitsPerComponent" in image:
        return False
    filters = image.get("/Filter", pikepdf.Array())
    return "/JPXDecode" in (list(filters) if isinstance(filters, pikepdf.Array) else [filters])


def _bits(image: Any) -> int:
    """The bits of its samples; 8 of deeper ones, which PDFium scales to that."""
    try:
        return min(8, max(component_bits(io.BytesIO(image.read_raw_bytes()))))
    except (ValueError, struct.error):  # broken, or packed once more
        return 8
