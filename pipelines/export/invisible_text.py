"""Invisible text on the pages of PDFs: writes a page's words, and removes those that another tool wrote."""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name

from pipelines.export.exported_page import DESCENT, ExportedLine, ExportedPage, Quad, quad_around
from pipelines.export.glyphless_font import ADVANCE, GlyphlessFont

_FONT = "/f-0-"  # and a number; of text that OCRmyPDF 17 lays under pages, it takes no font but /f-0-0 and /F1
_INVISIBLE = 3  # text rendering mode, PDF 1.7, table 106
_SHOWS_TEXT = ("Tj", "TJ", "'", '"')
_LEVEL_DEG = 3.5  # a slant of more is one: from 5° on, poppler joins words whose boxes overlap
_MAX_DEPTH = 20  # of forms in forms, and of nodes of the page tree
_LETTER_PT = (0.0, 0.0, 612.0, 792.0)  # PDFium's page for a broken MediaBox


@dataclass(frozen=True)
class Placement:
    """Where the pixels of a page are in its user space: (x, y) = origin + x_px * along + y_px * down."""

    origin: tuple[float, float]
    along: tuple[float, float]
    down: tuple[float, float]

    def __call__(self, x_px: float, y_px: float) -> tuple[float, float]:
        return (
            self.origin[0] + x_px * self.along[0] + y_px * self.down[0],
            self.origin[1] + x_px * self.along[1] + y_px * self.down[1],
        )


def page_placement(page: pikepdf.Page, size_px: tuple[int, int]) -> Placement:
    """Where a rendering of a page is in its user space.

    A page is rendered as viewers show it: the part of its CropBox that is in its MediaBox, turned by ``/Rotate``
    clockwise. ``/UserUnit`` is in the rendering's size, and doesn't change where in user space a pixel is.
    """
    left, bottom, right, top = _visible_box(page)
    turns = _quarter_turns(page)
    shown = (top - bottom, right - left) if turns % 2 else (right - left, top - bottom)
    x, y = shown[0] / size_px[0], shown[1] / size_px[1]
    return (
        Placement((left, top), (x, 0), (0, -y)),
        Placement((left, bottom), (0, x), (y, 0)),
        Placement((right, bottom), (-x, 0), (0, y)),
        Placement((right, top), (0, -x), (-y, 0)),
    )[turns]


def _visible_box(page: pikepdf.Page) -> tuple[float, float, float, float]:
    media = _box(page, "/MediaBox") or _LETTER_PT
    crop = _box(page, "/CropBox") or media
    left, bottom, right, top = (
        max(media[0], crop[0]),
        max(media[1], crop[1]),
        min(media[2], crop[2]),
        min(media[3], crop[3]),
    )
    return (left, bottom, right, top) if left < right and bottom < top else media


def _box(page: pikepdf.Page, name: str) -> tuple[float, float, float, float] | None:
    """A box with its lower left corner first; None if there is none, or none that is one."""
    try:
        a, b, c, d = map(float, _inherited(page, name))
    except (TypeError, ValueError):
        return None
    box = min(a, c), min(b, d), max(a, c), max(b, d)
    return box if box[0] < box[2] and box[1] < box[3] else None


def _quarter_turns(page: pikepdf.Page) -> int:
    try:
        return int(_inherited(page, "/Rotate") or 0) // 90 % 4
    except (TypeError, ValueError):
        return 0


def _inherited(page: pikepdf.Page, name: str) -> Any:
    """An attribute of a page or, as PDF 1.7, 7.7.3.4, has it, of a node above it."""
    node: Any = page.obj
    for _ in range(_MAX_DEPTH):
        if not isinstance(node, Dictionary):
            return None
        if name in node:
            return node[name]
        node = node.get("/Parent")
    return None


def add_text(pdf: pikepdf.Pdf, page: pikepdf.Page, text: ExportedPage, place: Placement, font: GlyphlessFont) -> None:
    """Writes the words of a page under what is on it, each in its quad.

    It comes first among the page's contents, where no other content has changed the coordinates.
    """
    resources = copy.copy(_dictionary(_inherited(page, "/Resources")))
    fonts = copy.copy(_dictionary(resources.get("/Font")))
    name = next(name for i in range(len(fonts.keys()) + 1) if (name := f"{_FONT}{i}") not in fonts)
    fonts[name] = font.object
    resources.Font = fonts
    page.obj.Resources = resources  # the page's own: others may share what it had
    content = pdf.make_stream(_content(text, place, font, name))
    under = _streams(page)
    page.obj.Contents = Array([content, *under]) if under else content


def _dictionary(value: Any) -> Any:
    return value if isinstance(value, Dictionary) else Dictionary()


def _streams(page: pikepdf.Page) -> list[Any]:
    contents = page.obj.get("/Contents")
    return [
        stream
        for stream in (contents if isinstance(contents, Array) else [contents])
        if isinstance(stream, pikepdf.Stream)
    ]


def _content(text: ExportedPage, place: Placement, font: GlyphlessFont, name: str) -> bytes:
    lines = (operator for line in text.lines for operator in _line(line, place, font))
    return "\n".join(["q BT", f"{name} 1 Tf", f"{_INVISIBLE} Tr", *lines, "ET Q"]).encode() + b"\n"


def _line(line: ExportedLine, place: Placement, font: GlyphlessFont) -> Iterator[str]:
    """The words of a line; a space after each but the last, by which readers tell words apart that are close.

    poppler parts characters that stand at different heights to words of their own. So a word that is nearly level, as
    on most scans, fills the level box around its quad. Where a line is slanted by more, each word has its text once
    more as a whole, as poppler keeps together what an ``ActualText`` says (PDF 1.7, 14.9.4), though not at its place.
    """
    is_slanted = abs((line.angle_deg + 45) % 90 - 45) > _LEVEL_DEG
    for position, word in enumerate(line.words, 1):
        quad = word.quad if is_slanted else _level(word.quad, round(line.angle_deg / 90))
        matrix = " ".join(_number(number) for number in _text_matrix(quad, len(word.text), place))
        space = font.encode(" ") if position < len(line.words) else ""
        shown = f"{matrix} Tm <{font.encode(_visual(word.text))}{'' if is_slanted else space}> Tj"
        if is_slanted:
            actual = f"\ufeff{word.text}".encode("utf-16-be").hex()
            shown = f"/Span <</ActualText <{actual}>>> BDC {shown} EMC" + (f" <{space}> Tj" if space else "")
        yield shown


def _level(quad: Quad, quarter_turns: int) -> Quad:
    """The level box around a quad, from the corner in which text that is turned so far begins."""
    box, first = list(quad_around([quad])), 2 * (quarter_turns % 4)
    return box[first:] + box[:first]


def _visual(text: str) -> str:
    """A word's characters from left to right, as readers of PDFs take them to stand."""
    is_right_to_left = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    return text[::-1] if is_right_to_left else text


def _text_matrix(quad: Quad, length: int, place: Placement) -> tuple[float, ...]:
    """The matrix by which the characters of a word, in a font of size 1, fill its quad."""
    top_left, right, left = place(*quad[0:2]), place(*quad[4:6]), place(*quad[6:8])
    along = (right[0] - left[0]) / (ADVANCE * length), (right[1] - left[1]) / (ADVANCE * length)
    up = top_left[0] - left[0], top_left[1] - left[1]
    if abs(along[0] * up[1] - along[1] * up[0]) < 1e-6:  # without an area; a matrix of which is broken
        along, up = (along, (-along[1], along[0])) if any(along) else ((0.1, 0.0), (0.0, 0.1))
    return *along, *up, left[0] + DESCENT * up[0], left[1] + DESCENT * up[1]


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def remove_invisible_text(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    """Removes the text that is written invisibly on a page, in its contents and in the forms that it shows."""
    data = _visible_content(pdf, page.obj, 0)
    if data is not None:
        page.obj.Contents = pdf.make_stream(data)


def _visible_content(pdf: pikepdf.Pdf, owner: Any, depth: int) -> bytes | None:
    """The contents of a page or form without invisible text; None if there is none. Forms in it are changed."""
    try:
        instructions = list(pikepdf.parse_content_stream(owner))
    except (pikepdf.PdfError, TypeError):  # broken, as what PDFium renders may be
        return None
    kept: list[Any] = []
    mode, saved = 0, []
    for instruction in instructions:
        operator = str(instruction.operator)
        if operator == "q":
            saved.append(mode)
        elif operator == "Q" and saved:
            mode = saved.pop()
        elif operator == "Tr" and instruction.operands:
            mode = int(instruction.operands[0])
        elif operator == "Do" and depth < _MAX_DEPTH and instruction.operands:
            _clean_form(pdf, owner, instruction.operands[0], depth)
        elif operator in _SHOWS_TEXT and mode == _INVISIBLE:
            if operator in ("'", '"'):  # which begin a line, too
                kept.append(pikepdf.ContentStreamInstruction([], pikepdf.Operator("T*")))
            continue
        kept.append(instruction)
    return None if len(kept) == len(instructions) else pikepdf.unparse_content_stream(kept)


def _clean_form(pdf: pikepdf.Pdf, owner: Any, name: Any, depth: int) -> None:
    resources = owner.get("/Resources")
    forms = resources.get("/XObject") if isinstance(resources, Dictionary) else None
    form = forms.get(name) if isinstance(forms, Dictionary) else None
    if isinstance(form, pikepdf.Stream) and form.get("/Subtype") == Name.Form:
        data = _visible_content(pdf, form, depth + 1)
        if data is not None:
            form.write(data)
