"""ALTO 4 (https://www.loc.gov/standards/alto), a file per page, valid against versions 4.2 to 4.4."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from ocr_models import __version__
from pipelines.export.exported_page import ExportedBlock, ExportedLine, ExportedPage, Quad
from pipelines.export.xml_text import Element, add, number, to_bytes

_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def write_alto(file: BinaryIO, pages: Iterable[ExportedPage]) -> None:
    """Writes a page. Blocks that are not paragraphs name a ``LayoutTag``; slanted words and lines have polygons."""
    [page] = pages
    root = Element("alto", {"xmlns": _NAMESPACE, "xmlns:xsi": _XSI, "xsi:schemaLocation": f"{_NAMESPACE} {_SCHEMA}"})
    _describe(root, page)
    kinds = sorted({_label(block) for block in page.blocks if block.kind != "text"})
    if kinds:
        tags = add(root, "Tags")
        for kind in kinds:
            add(tags, "LayoutTag", ID=f"tag_{kind}", LABEL=kind)
    width, height = page.size_px or (0, 0)
    size = {"WIDTH": str(width), "HEIGHT": str(height)}
    element = add(add(root, "Layout"), "Page", ID="page", PHYSICAL_IMG_NR=str(page.index + 1), **size)
    space = add(element, "PrintSpace", HPOS="0", VPOS="0", **size)
    for position, block in enumerate(page.blocks, 1):
        _add_block(space, block, f"block_{position}")
    file.write(to_bytes(root))


def _describe(root: Element, page: ExportedPage) -> None:
    description = add(root, "Description")
    add(description, "MeasurementUnit", "pixel")
    add(add(description, "sourceImageInformation"), "fileName", page.uri)
    processing = add(description, "Processing", ID="ocr")
    models = [page.row.get("detector_id"), page.row.get("recognizer_id")]
    add(processing, "processingStepSettings", " ".join(model for model in models if model))
    software = add(processing, "processingSoftware")
    add(software, "softwareName", "pagebeam")
    add(software, "softwareVersion", __version__)


def _label(block: ExportedBlock) -> str:
    return f"{block.kind}_{block.level}" if block.level else block.kind


def _add_block(space: Element, block: ExportedBlock, name: str) -> None:
    tag = {} if block.kind == "text" else {"TAGREFS": f"tag_{_label(block)}"}
    element = add(space, "TextBlock", ID=name, **tag, **_box(block.quad))
    for position, line in enumerate(block.lines, 1):
        _add_line(element, line, f"{name}_line_{position}")


def _add_line(block: Element, line: ExportedLine, name: str) -> None:
    ends = line.baseline
    baseline = " ".join(f"{number(x)},{number(y)}" for x, y in (ends[:2], ends[2:]))
    element = add(block, "TextLine", ID=name, BASELINE=baseline, **_box(line.quad))
    _add_shape(element, line.quad)
    for position, word in enumerate(line.words):
        if position:
            add(element, "SP")
        confidence = {} if word.confidence is None else {"WC": number(min(max(word.confidence, 0.0), 1.0))}
        string = add(element, "String", CONTENT=word.text, **confidence, **_box(word.quad))
        _add_shape(string, word.quad)


def _add_shape(element: Element, quad: Quad) -> None:
    if not (quad[1] == quad[3] and quad[2] == quad[4] and quad[5] == quad[7] and quad[6] == quad[0]):
        points = " ".join(f"{number(x)},{number(y)}" for x, y in zip(quad[::2], quad[1::2], strict=True))
        add(add(element, "Shape"), "Polygon", POINTS=points)


def _box(quad: Quad) -> dict[str, str]:
    left, top = min(quad[::2]), min(quad[1::2])
    return {
        "HPOS": number(left),
        "VPOS": number(top),
        "WIDTH": number(max(quad[::2]) - left),
        "HEIGHT": number(max(quad[1::2]) - top),
    }
