"""hOCR 1.2 (http://kba.github.io/hocr-spec/1.2), with the classes and ids that Tesseract writes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import BinaryIO
from xml.etree import ElementTree

from ocr_models import __version__
from pipelines.export.exported_page import ExportedBlock, ExportedLine, ExportedPage, box_px
from pipelines.export.xml_text import Element, add, allowed, number

_HEAD = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title>{{title}}</title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
<meta name="ocr-system" content="pagebeam {__version__}"/>
<meta name="ocr-langs" content="unknown"/>
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_table ocr_par ocr_line ocr_header ocr_footer ocrx_word"/>
</head>
<body>
"""
_LINE_CLASSES = {"header": "ocr_header", "footer": "ocr_footer"}  # of running heads and feet; else ocr_line


def write_hocr(file: BinaryIO, pages: Iterable[ExportedPage]) -> None:
    """Writes a document. A page without text, or that couldn't be decoded, is an empty ``ocr_page``."""
    head = ""
    for position, page in enumerate(pages, 1):
        head = head or _HEAD.format(title=escape(allowed(page.uri.rpartition("/")[2])))
        if position == 1:
            file.write(head.encode())
        file.write(ElementTree.tostring(_page(page, position), "UTF-8", short_empty_elements=False) + b"\n")
    file.write(b"</body>\n</html>\n")


def _page(page: ExportedPage, position: int) -> Element:
    width, height = page.size_px or (0, 0)
    image = page.uri.replace("\\", "\\\\").replace('"', '\\"')
    title = f'image "{image}"; bbox 0 0 {width} {height}; ppageno {page.index}'
    if page.dpi:
        title += f"; scan_res {number(page.dpi)} {number(page.dpi)}"
    element = Element("div", {"class": "ocr_page", "id": f"page_{position}", "title": allowed(title)})
    element.text = "\n"
    if page.size_px:
        writer = _PageWriter(position, page.size_px)
        for block in page.blocks:
            writer.add_block(element, block)
    return element


class _PageWriter:
    """Numbers the elements of a page."""

    def __init__(self, position: int, size_px: tuple[int, int]) -> None:
        self._position, self._size_px = position, size_px
        self._blocks, self._lines, self._words = 0, 0, 0

    def add_block(self, page: Element, block: ExportedBlock) -> None:
        self._blocks += 1
        box = _box(box_px(block.quad, self._size_px))
        kind = "ocr_table" if block.kind == "table" else "ocr_carea"
        area = _add(page, "div", kind, f"block_{self._position}_{self._blocks}", box)
        paragraph = _add(area, "p", "ocr_par", f"par_{self._position}_{self._blocks}", box)
        area.text = paragraph.text = "\n"
        for line in block.lines:
            self._add_line(paragraph, line, _LINE_CLASSES.get(block.kind, "ocr_line"))

    def _add_line(self, paragraph: Element, line: ExportedLine, kind: str) -> None:
        self._lines += 1
        name = f"line_{self._position}_{self._lines}"
        element = _add(paragraph, "span", kind, name, line_properties(line, self._size_px))
        for word in line.words:
            self._words += 1
            title = _box(box_px(word.quad, self._size_px))
            if word.confidence is not None:
                title += f"; x_wconf {number(100 * word.confidence)}"
            added = _add(element, "span", "ocrx_word", f"word_{self._position}_{self._words}", title)
            added.text, added.tail = allowed(word.text), " "


def line_properties(line: ExportedLine, size_px: tuple[int, int]) -> str:
    """The box of a line, and its baseline or, if that isn't nearly level, its angle.

    ``baseline`` is the slope, and the height at the left edge of the box above its lower left corner (negative);
    ``textangle`` is in degrees counterclockwise.
    """
    left, _, _, bottom = box = box_px(line.quad, size_px)
    turns = round(line.angle_deg / 90) % 4  # clockwise
    if turns:
        return f"{_box(box)}; textangle {360 - 90 * turns}"
    left_x, left_y, right_x, right_y = line.baseline
    slope = (right_y - left_y) / (right_x - left_x) if right_x > left_x else 0.0
    offset = left_y + slope * (left - left_x) - bottom
    return f"{_box(box)}; baseline {number(slope)} {number(offset)}"


def _box(box: tuple[int, int, int, int]) -> str:
    return "bbox {} {} {} {}".format(*box)


def _add(parent: Element, tag: str, kind: str, name: str, title: str) -> Element:
    element = add(parent, tag, **{"class": kind, "id": name, "title": title})
    element.tail = "\n"
    return element
