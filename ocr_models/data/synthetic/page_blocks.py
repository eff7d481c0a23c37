"""The blocks of a page: paragraphs, headings, lists, tables, code, figures with captions, footnotes.

Every block is drawn into a ``Column`` from its ``y`` downwards, ends at its bottom at the latest, and moves ``y`` below
itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ocr_models.data.synthetic.fonts import FontKind
from ocr_models.data.synthetic.page_canvas import PageCanvas, Style
from ocr_models.data.synthetic.text_tokens import digits, pick

_LINE_ENDS = (".", ".", ".", ".", ",", ",", ":", ";", "!", "?", "’", "'", "”", '"', ".”", ",”", ".’", ".)", "-")
_LINE_END_MARKS = "".join(_LINE_ENDS)


@dataclass
class Column:
    """The area that text flows into, in pixels."""

    x: float
    y: float
    width: float
    bottom: float

    def room(self, style: Style, lines: float = 1) -> bool:
        """Tells whether this many lines still fit."""
        return self.y + lines * style.size * style.leading <= self.bottom

    def next_baseline(self, style: Style) -> float:
        """Moves down by one line; returns the baseline of that line."""
        baseline = self.y + 0.76 * style.size
        self.y += style.size * style.leading
        return baseline


def paragraph(
    page: PageCanvas, column: Column, style: Style, words: int, align: str = "justify", indent: float = 0.0
) -> None:
    """Running text, often with words in another face, marks at line ends or narrow spaces; rarely in capitals."""
    text, first, hyphenate = page.tokens(style, words), True, align == "justify"
    if text:
        text[0] = text[0][:1].upper() + text[0][1:]
    if page.chance(0.04):
        text = [word.upper() for word in text]
    if page.chance(0.1):
        at = int(len(text) * page.rng.random())
        text[at:at] = [page.token(style, "number"), "/", digits(page.rng, 1 + at % 3)]
    if page.chance(0.3):
        style = replace(style, spacing=page.between(0.5, 0.85))
    other, share, marks = _other_style(page, style), 0.15 if page.chance(0.3) else 0.0, page.chance(0.6)
    while text and column.room(style):
        shift = indent if first else 0.0
        row, width = page.fill(text, style, column.width - shift, hyphenate), column.width - shift
        baseline = column.next_baseline(style)
        styles = _switch_styles(page, row, style, other, share)
        if marks and row and (not text or page.chance(0.3)):
            row[-1] = row[-1].rstrip(_LINE_END_MARKS) + pick(page.rng, _LINE_ENDS)
        while len(row) > 1 and _row_width(page, row, styles) > width + 0.3 * style.size:
            text.insert(0, row.pop())
            styles.pop()
        page.line(column.x + shift, baseline, row, style, width, align if text else "left", styles)
        first = False
        if page.chance(0.01):
            y = baseline + 0.12 * style.size
            page.rule(column.x, y, column.x + column.width * page.between(0.1, 0.6), y, 1 + style.size / 24, style.ink)


def _other_style(page: PageCanvas, style: Style) -> Style:
    """The style of emphasized words in a paragraph: slanted, bold, or monospaced."""
    if page.chance(0.3):
        return replace(style.sized(page.between(0.85, 1.0)), face=page.fonts.face(page.rng, FontKind.MONO))
    slanted = page.chance(0.6)
    return replace(style, face=page.fonts.sibling(style.face, not slanted or page.chance(0.2), slanted))


def _switch_styles(page: PageCanvas, row: list[str], style: Style, other: Style, share: float) -> list[Style]:
    """The style of each word: some runs are in ``other``; a few become single letters or code, changed in ``row``."""
    styles, inside = [], False
    for i in range(len(row) if share else 0):
        inside = page.chance(0.5 if inside else share)
        styles.append(other if inside else style)
        if inside and page.chance(0.4):
            row[i] = page.token(other, "code") if other.face.mono else pick(page.rng, "xyznkabij")
    return styles or [style] * len(row)


def _row_width(page: PageCanvas, row: list[str], styles: list[Style]) -> float:
    gaps = (len(row) - 1) * (page.space(styles[0]) + styles[0].tracking)
    return gaps + sum(page.measure(word, style) for word, style in zip(row, styles, strict=True))


def heading(page: PageCanvas, column: Column, style: Style, factor: float, align: str = "left") -> None:
    """One or two large lines, often bold, sometimes numbered, in capitals or letterspaced."""
    big = replace(style.sized(factor), face=page.fonts.sibling(style.face, page.chance(0.7)), leading=1.15)
    upper = page.chance(0.4)
    if page.chance(0.25 if upper else 0.05):
        big = replace(big, tracking=big.size * page.between(0.05, 0.6 if upper else 0.25))
    if page.chance(0.2):
        big = replace(big, stretch=page.between(0.6, 0.9), small_caps=upper and page.chance(0.3))
    elif upper and page.chance(0.15):
        big = replace(big, small_caps=True)
    text = page.tokens(big, 1 + int(7 * page.rng.random()), "plain" if page.chance(0.7) else None)
    if upper:
        text = [word.upper() for word in text]
    if page.chance(0.3):
        text.insert(0, page.token(big, "reference"))
    column.y += 0.5 * big.size
    while text and column.room(big):
        row = page.fill(text, big, column.width)
        page.line(column.x, column.next_baseline(big), row, big, column.width, align)
    if page.chance(0.15):
        page.rule(column.x, column.y, column.x + column.width, column.y, page.between(1, 4))
    column.y += 0.3 * big.size


def bullets(page: PageCanvas, column: Column, style: Style) -> None:
    """A list with bullets, dashes, numbers or letters."""
    marks = pick(page.rng, ("•", "–", "-", "*", "1.", "1)", "a)", "(i)", "▪", "o"))
    shape, solid = page.between(0.12, 0.4) if page.decorate and page.chance(0.25) else 0.0, page.chance(0.6)
    inner = Column(
        column.x + style.size * page.between(1.2, 2.2), column.y, column.width - 2.2 * style.size, column.bottom
    )
    for item in range(2 + int(6 * page.rng.random())):
        if not inner.room(style):
            break
        mark = (
            marks.replace("1", str(item + 1))
            .replace("a)", f"{chr(97 + item)})")
            .replace("(i)", f"({'i' * (item % 3 + 1)})")
        )
        if shape:  # a black, white or round mark, which isn't a word
            x, y, side = inner.x - 1.2 * style.size, inner.y + 0.5 * style.size, shape * style.size
            (page.draw.ellipse if page.chance(0.3) else page.draw.rectangle)(
                (x - side, y - side, x + side, y + side), 0 if solid else 255, 0, 2
            )
        else:
            page.put(inner.x - page.measure(mark, style) - 0.5 * style.size, inner.y + 0.76 * style.size, mark, style)
        paragraph(page, inner, style, 2 + int(20 * page.rng.random()), "left")
        inner.y += page.pick_gap(style)
    column.y = inner.y


def table(page: PageCanvas, column: Column, style: Style, rows: int, columns: int, kind: str = "number") -> None:
    """Cells with numbers or words, without rules, with rules between rows, or with a full grid."""
    ruling, height = pick(page.rng, ("none", "rows", "grid", "ends")), style.size * page.between(1.2, 2.2)
    weights = [page.between(1.2, 2.6)] + [page.between(0.7, 1.3) for _ in range(columns - 1)]
    edges = [column.x]
    for weight in weights:
        edges.append(edges[-1] + column.width * weight / sum(weights))
    bold, top = replace(style, face=page.fonts.sibling(style.face, True)), column.y
    shade = page.chance(0.2)
    numeric = [index > 0 and page.chance(0.75) for index in range(columns)]
    for row in range(rows):
        if column.y + height > column.bottom:
            break
        head = row == 0
        if shade and (head or row % 2 == 0):
            page.box(edges[0], column.y, edges[-1], column.y + height, page.shade(), None)
        baseline = column.y + height / 2 + 0.26 * style.size
        for index in range(columns):
            cell = kind if numeric[index] and not head else ""
            _cell(page, edges[index], edges[index + 1], baseline, bold if head else style, cell)
        column.y += height
        if ruling in ("rows", "grid") or (ruling == "ends" and head):
            page.rule(edges[0], column.y, edges[-1], column.y, page.between(1, 3))
    if ruling in ("grid", "ends"):
        page.rule(edges[0], top, edges[-1], top, page.between(1, 4))
        page.rule(edges[0], column.y, edges[-1], column.y, page.between(1, 4))
    if ruling == "grid":
        for edge in edges:
            page.rule(edge, top, edge, column.y, page.between(1, 3))
    column.y += 0.6 * style.size


def _cell(page: PageCanvas, left: float, right: float, baseline: float, style: Style, kind: str) -> None:
    pad, align = style.size * page.between(0.12, 0.5), "right" if kind else pick(page.rng, ("left", "left", "center"))
    if page.chance(0.06):
        return
    words = page.tokens(style, 1, kind) if kind else page.tokens(style, 1 + int(3 * page.rng.random()))
    if kind == "number" and page.chance(0.1):
        words += ["/", digits(page.rng, 2)]
    row = page.fill(words, style, right - left - 2 * pad)
    page.line(left + pad, baseline, row, style, right - left - 2 * pad, align)


def code(page: PageCanvas, column: Column, style: Style, lines: int) -> None:
    """A program listing in a monospaced face, indented, sometimes numbered, framed or on gray."""
    face = page.fonts.face(page.rng, FontKind.MONO)
    mono = Style(face, style.size * page.between(0.8, 1.0), style.ink, page.between(1.1, 1.35))
    lines = min(lines, int((column.bottom - column.y) / (mono.size * mono.leading)))
    if lines < 1:
        return
    if page.chance(0.4):
        bottom = column.y + lines * mono.size * mono.leading + 0.3 * mono.size
        page.box(column.x - 4, column.y - 0.3 * mono.size, column.x + column.width, bottom, page.shade(), None)
    numbered, depth = page.chance(0.3), 0
    unit = page.measure("x", mono)
    for number in range(lines):
        depth = max(0, min(5, depth + pick(page.rng, (-1, 0, 0, 0, 1))))
        baseline, x = column.next_baseline(mono), column.x + unit * (2 * depth + (4 if numbered else 0))
        if numbered:
            page.put(column.x, baseline, str(number + 1), mono)
        if page.chance(0.1):
            continue
        kinds = pick(
            page.rng,
            (
                ("code", "code", "code"),
                ("plain", "code"),
                ("code", "number", "single"),
                ("common", "code", "common", "code"),
            ),
        )
        words = [page.token(mono, kind) for kind in kinds * (1 + int(2 * page.rng.random()))]
        page.line(x, baseline, page.fill(words, mono, column.x + column.width - x), mono)
    column.y += 0.8 * mono.size


def figure(page: PageCanvas, column: Column, style: Style) -> None:
    """A photograph, a plot or a diagram, with a caption in small type."""
    height = min(column.width * page.between(0.35, 0.8), page.height * 0.35)
    if column.y + height + 3 * style.size > column.bottom:
        return
    inset = column.width * page.between(0, 0.15)
    frame = (column.x + inset, column.y, column.x + column.width - inset, column.y + height)
    drawing = pick(page.rng, (_photo, plot, plot, plot, diagram, _woodcut, _music))
    drawing(page, frame, style.sized(page.between(0.5, 0.9)))
    column.y += height + 0.6 * style.size
    small = style.sized(page.between(0.75, 0.95))
    inner, label = (
        Column(column.x, column.y, column.width, column.bottom),
        [pick(page.rng, ("Figure", "Fig.", "Abb.")), "3:"],
    )
    indent = sum(page.measure(word, small) + page.space(small) for word in label)
    if indent < column.width:
        page.line(column.x, column.y + 0.76 * small.size, label, small)
        paragraph(page, inner, small, 4 + int(25 * page.rng.random()), "left", indent)
    column.y = inner.y + 0.8 * style.size


def _photo(page: PageCanvas, frame: tuple[float, float, float, float], style: Style) -> None:
    page.picture(*frame)


def _woodcut(page: PageCanvas, frame: tuple[float, float, float, float], style: Style) -> None:
    page.woodcut(*frame)


def _music(page: PageCanvas, frame: tuple[float, float, float, float], style: Style) -> None:
    """Staves with a line of words under each."""
    x0, y, x1, y1 = frame
    gap = page.px(page.between(3, 6))
    while y + 9 * gap + 2 * style.size < y1:
        page.staff(x0, x1, y + 2 * gap, gap)
        y += 9 * gap + style.size
        sparse = replace(style, spacing=page.between(1.5, 5))
        page.line(x0, y, page.fill(page.tokens(style, 8, "short"), sparse, x1 - x0), sparse)
        y += style.size


def plot(page: PageCanvas, frame: tuple[float, float, float, float], style: Style) -> None:
    """Axes with ticks and their numbers, curves or bars, and labels."""
    x0, y0, x1, y1 = frame
    left, bottom = x0 + 3.2 * style.size, y1 - 2.6 * style.size
    page.box(left, y0, x1, bottom, None, 60)
    if x1 - left < 6 * style.size or bottom - y0 < 4 * style.size:
        return
    unit, whole = pick(page.rng, (1, 2, 5, 10, 50, 100, 200, 1000)), page.chance(0.7)
    for step in range(count := 3 + int(6 * page.rng.random())):
        y, x = bottom - (bottom - y0) * step / count, left + (x1 - left) * (step + 0.3) / count
        number = str(step * unit) if whole else f"{step / 10:.1f}"
        page.put(left - page.measure(number, style) - 0.3 * style.size, y + 0.2 * style.size, number, style)
        page.put(x, bottom + 1.1 * style.size, number, style)
        page.rule(left, y, left + (x1 - left) * (0.02 if count % 2 else 1), y, 1, 120)
    _curves(page, left, y0, x1, bottom)
    page.line(
        left, bottom + 2.3 * style.size, page.tokens(style, 1 + int(3 * page.rng.random())), style, x1 - left, "center"
    )
    for row in range(int(5 * page.rng.random())):  # a legend with close lines
        baseline = y0 + (1.4 + row) * style.size
        if baseline < bottom - style.size:
            page.line(left + 2 * style.size, baseline, page.tokens(style, 2, pick(page.rng, ("plain", "math"))), style)


def _curves(page: PageCanvas, left: float, top: float, right: float, bottom: float) -> None:
    if not page.decorate:
        return
    bars, height = page.chance(0.4), 0.6 * (bottom - top)
    for _ in range(1 + int(3 * page.rng.random())):
        count, ink = 5 + int(25 * page.rng.random()), int(170 * page.rng.random())
        values = page.rng.random(count).cumsum() / count * 2 if page.chance(0.5) else page.rng.random(count)
        points = [
            (left + (right - left) * (i + 0.5) / count, bottom - height * min(1.0, v))
            for i, v in enumerate(values.tolist())
        ]
        if bars:
            for x, y in points:
                page.box(x - 4, y, x + (right - left) / count * 0.6, bottom, ink, None)
            return
        page.draw.line(points, fill=ink, width=1 + int(4 * page.rng.random()))


def diagram(page: PageCanvas, frame: tuple[float, float, float, float], style: Style) -> None:
    """Boxes with one or two words in each, and arrows."""
    x0, y0, x1, y1 = frame
    columns, rows = 2 + int(3 * page.rng.random()), 1 + int(3 * page.rng.random())
    width, height = (x1 - x0) / columns, (y1 - y0) / rows
    for index in range(columns * rows):
        left, top = x0 + width * (index % columns), y0 + height * (index // columns)
        right, bottom = left + 0.75 * width, top + 0.7 * height
        page.box(left, top, right, bottom, 255 if page.chance(0.6) else page.shade(), 0)
        words = page.fill(page.tokens(style, 1 + int(2 * page.rng.random()), "plain"), style, 0.7 * width)
        page.line(left + 4, (top + bottom) / 2 + 0.3 * style.size, words, style, 0.75 * width - 8, "center")
        middle = (top + bottom) / 2
        page.rule(right, middle, left + width, middle, 2)
        page.rule(left + width - 8, middle - 5, left + width, middle, 2)


def footnotes(page: PageCanvas, column: Column, style: Style) -> None:
    """Small type under a short rule at the bottom of the column."""
    small = replace(style.sized(page.between(0.62, 0.8)), leading=1.15)
    count = 1 + int(3 * page.rng.random())
    top = column.bottom - count * 2.2 * small.size * small.leading
    if top < column.y:
        return
    notes = Column(column.x, top, column.width, column.bottom)
    page.rule(column.x, top - 0.4 * small.size, column.x + 0.3 * column.width, top - 0.4 * small.size, 1.5)
    for number in range(count):
        page.put(notes.x, notes.y + 0.6 * small.size, str(number + 1), small.sized(0.75))
        paragraph(page, notes, small, 6 + int(12 * page.rng.random()), "left", indent=0.9 * small.size)
    column.bottom = top - small.size


def leaders(page: PageCanvas, column: Column, style: Style, kind: str = "plain") -> None:
    """A line of a table of contents: entry, dots (a region to ignore) and page number."""
    baseline, depth = column.next_baseline(style), int(3 * page.rng.random())
    x = column.x + depth * 1.5 * style.size
    words = page.fill(page.tokens(style, 1 + int(7 * page.rng.random()), kind), style, 0.75 * column.width)
    number = str(1 + int(400 * page.rng.random()))
    end = page.line(x, baseline, [f"{depth + 1}.{int(9 * page.rng.random())}", *words], style)
    right = column.x + column.width - page.measure(number, style)
    dot = page.measure(".", style) + style.tracking
    count = math.floor((right - end - style.size) / max(dot, 1))
    if count > 3 and page.chance(0.8):
        page.put(right - 0.4 * style.size - count * dot, baseline, "." * count, style, ignore=True)
    page.put(right, baseline, number, style)
