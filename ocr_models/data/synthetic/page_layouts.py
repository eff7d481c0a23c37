"""The layouts of real documents. Each fills one page with blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ocr_models.data.synthetic.fonts import FontKind
from ocr_models.data.synthetic.page_blocks import (
    Column,
    bullets,
    code,
    diagram,
    figure,
    footnotes,
    heading,
    leaders,
    paragraph,
    plot,
    table,
)
from ocr_models.data.synthetic.page_canvas import PageCanvas, Style
from ocr_models.data.synthetic.page_setup import bar, body_style, page_frame, running_lines, split_columns
from ocr_models.data.synthetic.text_tokens import digits, pick


def _flow(page: PageCanvas, column: Column, style: Style, align: str, plain: float = 0.6) -> None:
    """Blocks of all kinds until the column is full; ``plain`` is the share of paragraphs."""
    indent, gap = pick(page.rng, ((0.0, 0.7), (1.5, 0.0), (1.0, 0.2)))
    while column.room(style, 2):
        u = page.rng.random()
        if u < plain:
            paragraph(page, column, style, 15 + int(110 * page.rng.random()), align, indent * style.size)
        elif u < plain + (1 - plain) * 0.35:
            heading(page, column, style, page.between(1.0, 1.9))
        else:
            pick(page.rng, _BLOCKS)(page, column, style)
        column.y += gap * style.size


def _table_block(page: PageCanvas, column: Column, style: Style) -> None:
    small = style.sized(page.between(0.75, 1.0))
    columns = max(2, min(6, int(column.width / small.size / page.between(4, 9))))
    table(
        page,
        column,
        small,
        3 + int(9 * page.rng.random()),
        columns,
        pick(page.rng, ("number", "number", "money", "date")),
    )


def _code_block(page: PageCanvas, column: Column, style: Style) -> None:
    code(page, column, style, 3 + int(14 * page.rng.random()))


def _quote(page: PageCanvas, column: Column, style: Style) -> None:
    """A pull quote: larger or slanted, indented on both sides."""
    face = page.fonts.sibling(style.face, False, True)
    big, inset = replace(style.sized(page.between(1.0, 1.5)), face=face), 0.1 * column.width
    inner = Column(column.x + inset, column.y + 0.5 * big.size, column.width - 2 * inset, column.bottom)
    paragraph(page, inner, big, 8 + int(20 * page.rng.random()), "left")
    page.rule(column.x, column.y, column.x, inner.y, 5, 120)
    column.y = inner.y + 0.5 * big.size


def _formula(page: PageCanvas, column: Column, style: Style) -> None:
    words = page.tokens(style, 2 + int(5 * page.rng.random()), "math")
    baseline = column.next_baseline(style)
    page.line(column.x, baseline, page.fill(words, style, 0.8 * column.width), style, column.width, "center")
    page.line(column.x, baseline, [f"({int(40 * page.rng.random())})"], style, column.width, "right")


_BLOCKS: tuple[Callable[[PageCanvas, Column, Style], None], ...] = (
    bullets, bullets, _table_block, _code_block, figure, figure, _quote, _formula,
)  # fmt: skip


def _article(page: PageCanvas) -> None:
    """A paper or report in one to three columns under a title."""
    style, frame = body_style(page, 8.5, 11.5), page_frame(page)
    running_lines(page, frame, style)
    if page.chance(0.5):
        heading(page, frame, style, page.between(1.6, 2.6), pick(page.rng, ("center", "left")))
        names = page.fill(page.tokens(style, 8, "plain"), style, frame.width)
        page.line(frame.x, frame.next_baseline(style), names, style, frame.width, "center")
        frame.y += 1.5 * style.size
    if page.chance(0.12):
        page.vertical(page.px(12), 0.7 * page.height, page.tokens(style, 5, "identifier"), style.sized(1.5))
    align = "justify" if page.chance(0.7) else "left"
    for column in split_columns(page, frame, pick(page.rng, (1, 1, 2, 2, 2, 3)), 0.1):
        if page.chance(0.3):
            footnotes(page, column, style)
        _flow(page, column, style, align)


def _book(page: PageCanvas) -> None:
    """A page of a book: one justified column and little else."""
    style, frame = body_style(page, 9, 12.5, FontKind.BOOK if page.chance(0.5) else FontKind.TEXT), page_frame(page)
    running_lines(page, frame, style)
    if page.chance(0.3):
        frame.y += page.height * page.between(0.05, 0.25)
        heading(page, frame, style, page.between(1.2, 2.4), "center")
    if page.chance(0.3):
        footnotes(page, frame, style)
    _flow(page, frame, style, "justify", plain=page.between(0.93, 1.0))


def _newspaper(page: PageCanvas) -> None:
    """Narrow columns of small type under large headlines, with pictures and bars."""
    style, frame = replace(body_style(page, 7.5, 9.5), leading=page.between(1.05, 1.25)), page_frame(page)
    heading(page, frame, style, page.between(3, 5), pick(page.rng, ("left", "center")))
    if page.chance(0.4):
        bar(page, frame, style)
    for column in split_columns(page, frame, 3 + int(2 * page.rng.random()), 0.3):
        if page.chance(0.4):
            figure(page, column, style)
        if page.chance(0.5):
            heading(page, column, style, page.between(1.4, 2.4))
        _flow(page, column, style, "justify" if page.chance(0.8) else "left", plain=0.85)


def _letter(page: PageCanvas) -> None:
    """Letterhead, address, date, a few paragraphs, a signature."""
    style, frame = body_style(page, 9.5, 12, FontKind.MONO if page.chance(0.2) else FontKind.TEXT), page_frame(page)
    if page.chance(0.7):
        heading(page, frame, style, page.between(1.4, 2.8), pick(page.rng, ("left", "center", "right")))
    for align in ("left", "right"):
        for _ in range(1 + int(5 * page.rng.random())):
            words = page.tokens(style, 1 + int(3 * page.rng.random()), pick(page.rng, ("plain", "identifier", "date")))
            page.line(
                frame.x, frame.next_baseline(style), page.fill(words, style, frame.width), style, frame.width, align
            )
        frame.y += style.size * page.between(0.5, 2.5)
    for _ in range(2 + int(4 * page.rng.random())):
        paragraph(page, frame, style, 20 + int(80 * page.rng.random()), pick(page.rng, ("left", "justify")))
        frame.y += 0.8 * style.size
    if frame.room(style, 6):
        page.line(frame.x, frame.next_baseline(style), page.tokens(style, 2, "punctuated"), style)
        page.scribble(frame.x, frame.y, page.px(page.between(70, 140)), 2.6 * style.size)
        frame.y += 3 * style.size
        page.line(frame.x, frame.next_baseline(style), page.tokens(style, 2, "plain"), style)


def _invoice(page: PageCanvas) -> None:
    """Two blocks of addresses, fields, a table of items, totals at the right, small print."""
    style, frame = body_style(page, 8, 11), page_frame(page)
    heading(page, frame, style, page.between(1.5, 3))
    left, right = split_columns(page, frame, 2)
    for column in (left, right):
        for _ in range(3 + int(4 * page.rng.random())):
            _field(page, column, style)
    frame.y = max(left.y, right.y) + 2 * style.size
    table(page, frame, style, 4 + int(22 * page.rng.random()), 3 + int(4 * page.rng.random()), "money")
    for _ in range(1 + int(4 * page.rng.random())):
        if frame.room(style):
            words = [page.token(style, "plain"), page.token(style, "money")]
            page.line(frame.x, frame.next_baseline(style), words, style, frame.width, "right")
    frame.y += 2 * style.size
    paragraph(page, frame, style.sized(0.75), 30 + int(60 * page.rng.random()), "left")


def _field(page: PageCanvas, column: Column, style: Style) -> None:
    """A label and its value."""
    baseline = column.next_baseline(style)
    label = page.fill(page.tokens(style, 1 + int(2 * page.rng.random()), "plain"), style, 0.4 * column.width)
    if label and page.chance(0.7):
        label[-1] += ":"
    bold = replace(style, face=page.fonts.sibling(style.face, page.chance(0.4)))
    end = page.line(column.x, baseline, label, bold)
    kind = pick(page.rng, ("plain", "number", "date", "identifier", "address", "money"))
    x = max(end + style.size, column.x + column.width * pick(page.rng, (0.0, 0.35, 0.45)))
    page.line(x, baseline, page.fill(page.tokens(style, 1, kind), style, column.x + column.width - x), style)


def _receipt(page: PageCanvas) -> None:
    """A receipt: a narrow strip with a centered head, items with prices at the right, and totals; often monospaced."""
    style = body_style(page, 7, 11, FontKind.MONO if page.chance(0.65) else None)
    if style.face.mono and page.chance(0.5):
        style = replace(style, tracking=style.size * page.between(0.1, 0.3))
    elif page.chance(0.4):
        style = replace(style, face=page.fonts.sibling(style.face, True), stretch=page.between(0.6, 0.9))
    side, rng = page.width * page.between(0.03, 0.1), page.rng
    frame = Column(
        side, page.height * page.between(0.02, 0.06), page.width - 2 * side, page.height * page.between(0.8, 0.98)
    )
    upper = page.chance(0.6)

    def words(count: int, kind: str, room: float) -> list[str]:
        row = page.fill(page.tokens(style, count, kind), style, room)
        return [word.upper() for word in row] if upper else row

    def centered(lines: int) -> None:
        for _ in range(lines):
            kind = pick(rng, ("plain", "identifier", "date", "number"))
            row = words(1 + int(3 * rng.random()), kind, 0.9 * frame.width)
            page.line(frame.x, frame.next_baseline(style), row, style, frame.width, "center")

    if page.chance(0.5):
        heading(page, frame, style, page.between(1.2, 2), "center")
    centered(2 + int(5 * rng.random()))
    while frame.room(style, 8):
        if page.chance(0.1):
            page.rule(frame.x, frame.y + 0.4 * style.size, frame.x + frame.width, frame.y + 0.4 * style.size, 2)
            frame.y += style.size
        elif page.chance(0.15):
            page.dashes(frame.x, frame.next_baseline(style), frame.width, style)
        elif page.chance(0.06):
            title = replace(style, tracking=page.measure("n", style))
            row = words(1 + int(2 * rng.random()), "short", 0.5 * frame.width)
            page.line(frame.x, frame.next_baseline(style), [w.upper() for w in row], title, frame.width, "center")
        elif page.chance(0.03):
            page.scribble(frame.x, frame.y, frame.width * page.between(0.2, 0.8), style.size * page.between(1.5, 3))
            frame.y += 3 * style.size
        baseline = frame.next_baseline(style)
        row = words(1 + int(3 * rng.random()), pick(rng, ("plain", "number", "identifier")), 0.6 * frame.width)
        room = frame.x + frame.width - page.line(frame.x, baseline, row, style) - style.size
        if page.chance(0.8):
            page.line(frame.x, baseline, _price(page, style, room), style, frame.width, "right")
    centered(3)


def _price(page: PageCanvas, style: Style, room: float) -> list[str]:
    """An amount or, if they fit, a count, a price and an amount."""
    if page.chance(0.3):
        row = [digits(page.rng, 1), pick(page.rng, ("x", "@", "X", "*")), *page.tokens(style, 2, "money")]
        if page.fill(list(row), style, room) == row:
            return row
    return page.fill(page.tokens(style, 1, "money"), style, room)


def _refcard(page: PageCanvas) -> None:
    """A reference card: columns of tiny lines, each with a command, single italic letters and a description."""
    style, frame = body_style(page, 5, 7.5), page_frame(page)
    style = replace(style, leading=page.between(1.0, 1.25))
    mono = replace(style, face=page.fonts.face(page.rng, FontKind.MONO if page.chance(0.7) else FontKind.TEXT))
    italic = replace(style, face=page.fonts.sibling(style.face, False, True))
    for column in split_columns(page, frame, 2 + int(3 * page.rng.random())):
        while column.room(style, 4):
            heading(page, column, style, page.between(1.0, 1.6))
            for _ in range(4 + int(20 * page.rng.random())):
                if column.room(style):
                    _command(page, column, (style, mono, italic))


def _command(page: PageCanvas, column: Column, styles: tuple[Style, Style, Style]) -> None:
    style, mono, italic = styles
    baseline, (x, y) = column.next_baseline(style), (pick(page.rng, "xyznmij") for _ in range(2))
    entry = [page.token(mono, "code"), x, y][: 1 + int(3 * page.rng.random())]
    entry = page.fill(entry, mono, 0.45 * column.width)
    letters = [mono if len(word) > 1 else italic for word in entry]
    end = page.line(column.x, baseline, entry, mono, styles=letters)
    start = max(end + style.size, column.x + column.width * 0.45)
    row = page.fill(page.tokens(style, 6), style, column.x + column.width - start - 2 * style.size)
    runs = [style] * len(row)
    if row and page.chance(0.6):
        at = int(len(row) * page.rng.random())
        row.insert(at, y)
        runs.insert(at, italic)
    page.line(start, baseline, row, style, styles=runs)


def _form(page: PageCanvas) -> None:
    """Labels with lines or boxes to fill in, some of them filled in."""
    style, frame = body_style(page, 7.5, 10.5), page_frame(page)
    heading(page, frame, style, page.between(1.3, 2.2))
    while frame.room(style, 4):
        if page.chance(0.15):
            bar(page, frame, style)
        for column in split_columns(page, frame, 1 + int(3 * page.rng.random())):
            height, top = style.size * page.between(1.8, 3), column.y
            if page.chance(0.4):
                page.box(column.x, top, column.x + column.width, top + height, None, 0)
            else:
                page.rule(column.x, top + height, column.x + column.width, top + height, 2)
            column.x, column.width, column.y = (
                column.x + 0.4 * style.size,
                column.width - 0.8 * style.size,
                top + 0.3 * style.size,
            )
            (_field if page.chance(0.7) else _checkbox)(page, column, style)
        frame.y += style.size * page.between(3.1, 3.6)


def _checkbox(page: PageCanvas, column: Column, style: Style) -> None:
    baseline, size = column.next_baseline(style), 0.8 * style.size
    page.box(column.x, baseline - size, column.x + size, baseline, 255, 0)
    words = page.tokens(style, 1 + int(4 * page.rng.random()))
    page.line(column.x + 1.6 * size, baseline, page.fill(words, style, column.width - 2 * size), style)


def _title(page: PageCanvas) -> None:
    """A cover: a few large lines with much space between them."""
    style, frame = body_style(page, 10, 15), page_frame(page)
    align = pick(page.rng, ("center", "center", "left"))
    frame.y += page.height * page.between(0.02, 0.2)
    for _ in range(2 + int(4 * page.rng.random())):
        heading(page, frame, style, page.between(1, 3.2), align)
        frame.y += page.height * page.between(0.01, 0.12)
        if page.chance(0.2) and frame.room(style, 18):
            page.picture(frame.x + 0.2 * frame.width, frame.y, frame.x + 0.8 * frame.width, frame.y + 12 * style.size)
            frame.y += 14 * style.size


def _contents(page: PageCanvas) -> None:
    """A table of contents with dot leaders, or an index in columns."""
    style, frame = body_style(page, 8.5, 12), page_frame(page)
    running_lines(page, frame, style)
    heading(page, frame, style, page.between(1.3, 2.2))
    if page.chance(0.6):
        while frame.room(style):
            leaders(page, frame, style)
            frame.y += style.size * (page.rng.random() < 0.1)
        return
    for column in split_columns(page, frame, 2 + int(2 * page.rng.random())):
        while column.room(style):
            words = [page.token(style, "punctuated"), digits(page.rng, 2) + ",", digits(page.rng, 3)]
            shift = style.size * (page.rng.random() < 0.3)
            page.line(
                column.x + shift, column.next_baseline(style), page.fill(words, style, column.width - shift), style
            )


def _listing(page: PageCanvas) -> None:
    """A page with little but program text."""
    style, frame = body_style(page, 8, 11), page_frame(page)
    while frame.room(style, 4):
        if page.chance(0.4):
            paragraph(page, frame, style, 10 + int(50 * page.rng.random()), "left")
            frame.y += 0.7 * style.size
        code(page, frame, style, 8 + int(40 * page.rng.random()))


def _statement(page: PageCanvas) -> None:
    """Dense tables: accounts, measurements, timetables."""
    style, frame = body_style(page, 6.5, 9.5), page_frame(page)
    heading(page, frame, style, page.between(1.2, 2))
    while frame.room(style, 5):
        kind = pick(page.rng, ("number", "number", "money", "date"))
        table(page, frame, style, 6 + int(40 * page.rng.random()), 3 + int(7 * page.rng.random()), kind)
        if page.chance(0.5):
            paragraph(page, frame, style, 10 + int(40 * page.rng.random()), "left")
        frame.y += style.size


def _slide(page: PageCanvas) -> None:
    """A slide of a presentation: large type, bullets, a picture or plot, a colored head."""
    style, frame = body_style(page, 14, 24), page_frame(page)
    (bar if page.chance(0.4) else _plain_head)(page, frame, style)
    columns = split_columns(page, frame, 1 + int(2 * page.rng.random()))
    for column in columns:
        if page.chance(0.4):
            area = (column.x, column.y, column.x + column.width, column.y + 0.6 * (column.bottom - column.y))
            (plot if page.chance(0.6) else diagram)(page, area, style.sized(page.between(0.4, 0.7)))
            column.y = area[3] + style.size
        if column.room(style, 3):
            bullets(page, column, style)


def _plain_head(page: PageCanvas, frame: Column, style: Style) -> None:
    heading(page, frame, style, page.between(1.2, 1.8))


LAYOUTS: dict[str, tuple[int, Callable[[PageCanvas], None]]] = {
    "article": (8, _article), "book": (4, _book), "newspaper": (2, _newspaper), "letter": (2, _letter),
    "invoice": (2, _invoice), "receipt": (2, _receipt), "form": (2, _form), "title": (1, _title),
    "contents": (2, _contents), "listing": (2, _listing), "statement": (3, _statement), "slide": (2, _slide),
    "refcard": (1, _refcard),
}  # fmt: skip
