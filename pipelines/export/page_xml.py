"""PAGE XML of 2019-07-15 (https://github.com/PRImA-Research-Lab/PAGE-XML), a file per page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from ocr_models import __version__
from pipelines.export.exported_page import (
    ExportedBlock,
    ExportedCell,
    ExportedLine,
    ExportedPage,
    ExportedWord,
    Quad,
    quad_around,
)
from pipelines.export.xml_text import Element, add, number, to_bytes

_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPES = {"text": "paragraph", "page_number": "page-number"}  # the others have the same names


def write_page_xml(file: BinaryIO, pages: Iterable[ExportedPage]) -> None:
    """Writes a page. A table is a ``TableRegion`` with a ``TextRegion`` for each cell.

    Readers such as dinglehopper 0.11 take only the text that regions of text have themselves (``TextEquiv``), and only
    that of regions that the reading order names: so regions repeat the text of their lines, and cells are in the order.
    """
    [page] = pages
    assert page.size_px
    root = Element("PcGts", {"xmlns": _NAMESPACE, "xmlns:xsi": _XSI})
    root.set("xsi:schemaLocation", f"{_NAMESPACE} {_NAMESPACE}/pagecontent.xsd")
    metadata = add(root, "Metadata")
    add(metadata, "Creator", f"pagebeam {__version__}")
    read = _time_of_run(page.row.get("run_id"))
    add(metadata, "Created", read)
    add(metadata, "LastChange", read)
    width, height = page.size_px
    name = page.uri.rpartition("/")[2]
    element = add(root, "Page", imageFilename=name, imageWidth=str(width), imageHeight=str(height))
    if page.blocks:
        order = add(add(element, "ReadingOrder"), "OrderedGroup", id="order")
        writer = _RegionWriter(page.size_px)
        for position, block in enumerate(page.blocks, 1):
            writer.add_block(element, block, f"block_{position}")
        _add_to_order(order, [region for region in element if region.get("id")])
    file.write(to_bytes(root))


def _add_to_order(group: Element, regions: Iterable[Element]) -> None:
    """Adds regions to a group of the reading order; a table is a group of its cells."""
    for position, region in enumerate(regions):
        place = {"index": str(position), "regionRef": region.get("id", "")}
        if region.tag == "TableRegion":
            cells = add(group, "OrderedGroupIndexed", id=f"{place['regionRef']}_order", **place)
            _add_to_order(cells, region.iter("TextRegion"))
        else:
            add(group, "RegionRefIndexed", **place)


def _time_of_run(run_id: str | None) -> str:
    """When the run began that read a page, by its id; a page has the same bytes however often it is exported."""
    try:
        time = datetime.strptime((run_id or "").partition("-")[0], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        time = datetime.fromtimestamp(0, UTC)
    return time.isoformat(timespec="seconds")


class _RegionWriter:
    """Writes the regions of a page of a size, to which the schema's whole and positive pixels are clipped."""

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._size_px = size_px

    def add_block(self, page: Element, block: ExportedBlock, name: str) -> None:
        """Adds the region of a block."""
        if block.kind == "table" and block.cells:
            self._add_table(page, block, name)
            return
        kind = "paragraph" if block.kind == "table" else _TYPES.get(block.kind, block.kind)
        region = add(page, "TextRegion", id=name, type=kind)
        self._add_coords(region, block.quad)
        self._add_lines(region, block.lines, name)

    def _add_table(self, page: Element, block: ExportedBlock, name: str) -> None:
        table = add(page, "TableRegion", id=name)
        self._add_coords(table, block.quad)
        line_of = {id(word): line for line in block.lines for word in line.words}
        left = {id(word) for line in block.lines for word in line.words}
        for position, cell in enumerate(block.cells, 1):
            lines = _lines_of([word for word in cell.words if id(word) in left], line_of)
            left -= {id(word) for word in cell.words}
            if lines:
                region = self._add_region(table, lines, f"{name}_cell_{position}")
                _add_role(region, cell)
                self._add_lines(region, lines, f"{name}_cell_{position}")
        rest = _lines_of([word for line in block.lines for word in line.words if id(word) in left], line_of)
        if rest:  # in no cell
            self._add_lines(self._add_region(table, rest, f"{name}_rest"), rest, f"{name}_rest")

    def _add_region(self, parent: Element, lines: Sequence[ExportedLine], name: str) -> Element:
        region = add(parent, "TextRegion", id=name)
        self._add_coords(region, quad_around([line.quad for line in lines]))
        return region

    def _add_lines(self, region: Element, lines: Sequence[ExportedLine], name: str) -> None:
        for position, line in enumerate(lines, 1):
            element = add(region, "TextLine", id=f"{name}_line_{position}")
            self._add_coords(element, line.quad)
            add(element, "Baseline", points=self._points(line.baseline))
            for number_, word in enumerate(line.words, 1):
                self._add_word(element, word, f"{name}_line_{position}_word_{number_}")
            _add_text(element, line.text, line.confidence)
        _add_text(region, "\n".join(line.text for line in lines), None)

    def _add_word(self, line: Element, word: ExportedWord, name: str) -> None:
        element = add(line, "Word", id=name)
        self._add_coords(element, word.quad)
        _add_text(element, word.text, word.confidence)

    def _add_coords(self, element: Element, quad: Quad) -> None:
        add(element, "Coords", points=self._points(quad))

    def _points(self, numbers: Sequence[float]) -> str:
        width, height = self._size_px
        x, y = ([round(min(max(n, 0), most)) for n in numbers[i::2]] for i, most in enumerate((width, height)))
        return " ".join(f"{a},{b}" for a, b in zip(x, y, strict=True))


def _lines_of(words: Sequence[ExportedWord], line_of: dict[int, ExportedLine]) -> list[ExportedLine]:
    """Words of a cell in lines, each the part of a line that is in the cell."""
    parts: dict[int, list[ExportedWord]] = {}
    for word in words:
        parts.setdefault(id(line_of[id(word)]), []).append(word)
    return [
        ExportedLine(quad_around([word.quad for word in part]), line_of[id(part[0])].confidence, tuple(part))
        for part in parts.values()
    ]


def _add_role(region: Element, cell: ExportedCell) -> None:
    add(
        add(region, "Roles"),
        "TableCellRole",
        rowIndex=str(cell.row),
        columnIndex=str(cell.column),
        rowSpan=str(cell.row_span),
        colSpan=str(cell.column_span),
    )


def _add_text(element: Element, text: str, confidence: float | None) -> None:
    stated = {} if confidence is None else {"conf": number(min(max(confidence, 0.0), 1.0))}
    add(add(element, "TextEquiv", **stated), "Unicode", text)
