"""Reads ALTO (versions 2 to 4) and PAGE XML (2010 to 2019): the lines and words of a page, and where they are.

https://www.loc.gov/standards/alto and https://github.com/PRImA-Research-Lab/PAGE-XML describe the formats. Elements
are found by their names without namespace, which depends on the version.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NoReturn
from xml.etree import ElementTree

import numpy as np

from ocr_models.geometry import outline_quad

_MAX_ASPECT_ERROR = 0.01  # of a page and its picture: sizes in 1/10 mm or of a thumbnail are rounded, a cut page is not
_SOFT_HYPHEN = "\u00ad"


@dataclass(frozen=True)
class XmlText:
    """A text: a word, or several.

    Attributes:
        text: "" if it is not stated.
        corners: x and y of four corners, clockwise from the text's top-left; or xmin, ymin, xmax, ymax of a box; or
            empty if the place is not stated. In the unit of the page's size.
        confidence: 0 to 1; None if it is not stated.
    """

    text: str
    corners: tuple[float, ...]
    confidence: float | None = None


@dataclass(frozen=True)
class XmlLine(XmlText):
    """A line of text.

    Attributes:
        words: its words; none if they are not marked, or if the line has another text: the words are then older than
            the correction of the line.
        is_region: whether it is a whole region of text, whose lines are not marked.
    """

    words: tuple[XmlText, ...] = ()
    is_region: bool = False


@dataclass(frozen=True)
class XmlPage:
    """A page.

    Attributes:
        image: the name or path of its picture; None if it is not stated.
        size: its width and height in the unit of all places; None if they are not stated.
        in_pixels: whether this unit is the pixel of its picture.
        lines: in reading order.
    """

    image: str | None
    size: tuple[float, float] | None
    in_pixels: bool
    lines: tuple[XmlLine, ...]

    def scale(self, width_px: int, height_px: int) -> tuple[float, float] | None:
        """The factors for x and y from its places to pixels of a picture; None if the picture isn't of this page."""
        if self.size is None:
            return (1.0, 1.0) if self.in_pixels else None
        x, y = width_px / self.size[0], height_px / self.size[1]
        return (x, y) if abs(x / y - 1) <= _MAX_ASPECT_ERROR else None


FORMATS = {"alto": "ALTO", "page": "PAGE XML"}
_ROOTS = {"alto": "alto", "pcgts": "page"}


def parse_layout(data: bytes) -> tuple[str, list[XmlPage]]:
    """The format, one of ``FORMATS`` or the name of another root, and the pages of an XML file.

    Raises:
        ValueError: it is no XML, or is broken.
    """
    try:
        root = ElementTree.fromstring(data, ElementTree.XMLParser(target=NoDoctype()))
        name = _tag(root)
        layout = _ROOTS.get(name.lower(), f"<{name}>")
        if layout == "alto":
            return layout, _alto_pages(root)
        return layout, [_page_page(page) for page in _children(root, "Page")] if layout == "page" else []
    except (ElementTree.ParseError, LookupError, RecursionError) as error:
        raise ValueError(str(error)) from error


class NoDoctype(ElementTree.TreeBuilder):
    """Refuses document types: these formats have none, and they can declare entities that exhaust memory."""

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> NoReturn:
        raise ValueError(f"it has a document type, {name}")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [child for child in element if _tag(child) == name]


def _points(text: str) -> np.ndarray:
    """Points (N, 2) of "x,y x,y" or, as some tools write, "x y x y"."""
    numbers = list(map(_number, re.split(r"[\s,]+", text.strip()))) if text.strip() else []
    if len(numbers) % 2:
        raise ValueError(f"the points {text!r} have an odd number of coordinates")
    return np.array(numbers, np.float64).reshape(-1, 2)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number of this page")
    return number


def _confidence(text: str | None) -> float | None:
    return None if text is None else _number(text)


def _direction(baseline: np.ndarray) -> float | None:
    """In which direction a line runs, in radians clockwise from the right, by its baseline (N, 2); None if unknown.

    Baselines of lines that are read from right to left are drawn either way: a line counts as upside down in no case.
    """
    if len(baseline) < 2 or np.array_equal(baseline[0], baseline[-1]):
        return None
    x, y = baseline[-1] - baseline[0]
    return float(np.arctan2(-y, -x) if x < 0 and abs(y) < -x else np.arctan2(y, x))


def _corners(outline: np.ndarray, direction: float | None) -> tuple[float, ...]:
    return tuple(outline_quad(outline, direction).ravel().tolist()) if len(outline) else ()


def _alto_pages(root: ElementTree.Element) -> list[XmlPage]:
    unit = next((e.text or "" for e in root.iter() if _tag(e) == "MeasurementUnit"), "pixel").strip()
    image = next(((e.text or "").strip() for e in root.iter() if _tag(e) == "fileName"), None)
    return [
        XmlPage(image or None, _size(page, "WIDTH", "HEIGHT"), unit == "pixel", tuple(_alto_lines(page)))
        for page in root.iter()
        if _tag(page) == "Page"
    ]


def _size(page: ElementTree.Element, *names: str) -> tuple[float, float] | None:
    width, height = (_number(page.get(name) or "0") for name in names)
    return (width, height) if width > 0 and height > 0 else None


def _alto_lines(page: ElementTree.Element) -> Iterator[XmlLine]:
    for element in page.iter():
        if _tag(element) == "TextLine":
            yield _alto_line(element)
        elif _tag(element) == "TextBlock" and not _children(element, "TextLine"):
            yield XmlLine("", _alto_corners(element, None), is_region=True)


def _alto_line(line: ElementTree.Element) -> XmlLine:
    baseline = line.get("BASELINE") or ""
    direction = _direction(_points(baseline)) if len(baseline.split()) > 1 else None  # before version 4, its height
    words: list[XmlText] = []
    for element in line:
        if _tag(element) == "String":
            text = " ".join(element.get("CONTENT", "").split())
            words.append(XmlText(text, _alto_corners(element, direction), _confidence(element.get("WC"))))
        elif _tag(element) == "HYP" and words:
            words[-1] = _hyphenated(words[-1], element.get("CONTENT", "").strip())
    text = " ".join(word.text for word in words if word.text)
    return XmlLine(text, _alto_corners(line, direction), words=tuple(words))


def _hyphenated(word: XmlText, hyphen: str) -> XmlText:
    """A word with the hyphen at the end of its line, which is part of it on the page."""
    printed = "-" if hyphen in ("", _SOFT_HYPHEN) else hyphen
    stem = word.text.removesuffix(_SOFT_HYPHEN)
    return word if stem.endswith(printed) else replace(word, text=stem + printed)


def _alto_corners(element: ElementTree.Element, direction: float | None) -> tuple[float, ...]:
    for polygon in (polygon for shape in _children(element, "Shape") for polygon in _children(shape, "Polygon")):
        return _corners(_points(polygon.get("POINTS", "")), direction)
    places = [element.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    if None in places:
        return ()
    x, y, width, height = (_number(place or "0") for place in places)
    if direction is not None and abs(math.sin(direction)) > math.cos(direction):  # a vertical line
        return _corners(np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]]), direction)
    return x, y, x + width, y + height


def _page_page(page: ElementTree.Element) -> XmlPage:
    position = {place: i for i, place in reversed([*enumerate(_reading_order(page))])}
    regions = sorted(_regions(page, position, len(position)), key=lambda region: region[0])
    lines = tuple(line for _, region in regions for line in _page_lines(region))
    return XmlPage(page.get("imageFilename"), _size(page, "imageWidth", "imageHeight"), True, lines)


def _reading_order(group: ElementTree.Element) -> Iterator[str]:
    """The ids of the regions in the reading order of a page or group."""
    for part in sorted(group, key=lambda part: int(part.get("index") or 0)):
        if part.get("regionRef"):
            yield part.get("regionRef", "")
        if _tag(part) == "ReadingOrder" or "Group" in _tag(part):
            yield from _reading_order(part)


def _regions(
    parent: ElementTree.Element, position: dict[str, int], of_parent: int
) -> Iterator[tuple[int, ElementTree.Element]]:
    """The regions of text, in others or not, each with its position in the reading order."""
    for region in parent:
        if _tag(region).endswith("Region"):
            place = position.get(region.get("id", ""), of_parent)
            if _tag(region) == "TextRegion":
                yield place, region
            yield from _regions(region, position, place)


def _page_lines(region: ElementTree.Element) -> list[XmlLine]:
    lines = [_page_line(line) for line in _children(region, "TextLine")]
    if lines or _children(region, "TextRegion"):
        return lines
    text, _ = _page_text(region)
    return [XmlLine(text, _page_corners(region, None), is_region=True)]


def _page_line(line: ElementTree.Element) -> XmlLine:
    direction = next((_direction(_page_points(baseline)) for baseline in _children(line, "Baseline")), None)
    words = tuple(
        XmlText(text, _page_corners(word, direction), confidence)
        for word in _children(line, "Word")
        for text, confidence in [_page_text(word)]
    )
    text, confidence = _page_text(line)
    text = text.replace("\n", " ")
    of_words = " ".join(word.text for word in words if word.text)
    if text and text.replace(" ", "") != of_words.replace(" ", ""):
        words = ()
    return XmlLine(text or of_words, _page_corners(line, direction), confidence, words)


def _page_text(element: ElementTree.Element) -> tuple[str, float | None]:
    """The text of a region, line, word or glyph, with its confidence: the variant with the lowest index."""
    variants = _children(element, "TextEquiv")
    if not variants:  # a word may have glyphs only
        return "".join(_page_text(glyph)[0] for glyph in _children(element, "Glyph")), None
    main = min(variants, key=lambda variant: float(variant.get("index") or math.inf))
    text = next((part.text for name in ("Unicode", "PlainText") for part in _children(main, name) if part.text), "")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line), _confidence(main.get("conf"))


def _page_corners(element: ElementTree.Element, direction: float | None) -> tuple[float, ...]:
    coords = _children(element, "Coords")
    return _corners(_page_points(coords[0]), direction) if coords else ()


def _page_points(element: ElementTree.Element) -> np.ndarray:
    """Points (N, 2) of an outline or baseline: an attribute or, before 2013, elements."""
    given = element.get("points")
    if given is None:
        given = " ".join(f"{point.get('x')},{point.get('y')}" for point in _children(element, "Point"))
    return _points(given)
