"""The setup of a page before blocks fill it: style of the text, margins, running lines, columns, bars."""

from __future__ import annotations

from dataclasses import replace

from ocr_models.data.synthetic.fonts import FontKind
from ocr_models.data.synthetic.page_blocks import Column
from ocr_models.data.synthetic.page_canvas import PageCanvas, Style
from ocr_models.data.synthetic.text_tokens import pick


def body_style(page: PageCanvas, low: float, high: float, kind: FontKind | None = FontKind.TEXT) -> Style:
    """Draws a style of ``low`` to ``high`` points, seldom bold or italic. ``kind`` None means any face."""
    face = page.fonts.face(page.rng, kind)
    if face.bold or face.italic:
        face = page.fonts.sibling(face, False) if page.chance(0.85) else face
    ink = 0 if page.chance(0.7) else int(110 * page.rng.random())
    return Style(face, page.px(page.between(low, high)), ink, page.between(1.08, 1.6))


def page_frame(page: PageCanvas) -> Column:
    """The page without its margins."""
    side, top = page.width * page.between(0.06, 0.15), page.height * page.between(0.05, 0.11)
    return Column(side, top, page.width - 2 * side, page.height * page.between(0.88, 0.95))


def running_lines(page: PageCanvas, frame: Column, style: Style) -> None:
    """A header and a footer with the number of the page."""
    small, rng = style.sized(page.between(0.7, 1.0)), page.rng
    number, title = str(1 + int(900 * rng.random())), page.tokens(small, 2 + int(5 * rng.random()), "plain")
    above, below = frame.y - 1.6 * style.size, frame.bottom + 2.0 * style.size
    if page.chance(0.6):
        row = page.fill(list(title), small, 0.7 * frame.width)
        page.line(frame.x, above, row, small, frame.width, pick(rng, ("left", "center")))
        if page.chance(0.5):
            page.put(frame.x + frame.width - page.measure(number, small), above, number, small)
        if page.chance(0.4):
            page.rule(frame.x, above + 0.5 * style.size, frame.x + frame.width, above + 0.5 * style.size, 2)
    if page.chance(0.6):
        words = pick(
            rng,
            (
                [number],
                [number],
                ["Page", number],
                ["Page", number, "of", "12"],
                [number, "/", number],
                ["–", number, "–"],
            ),
        )
        page.line(frame.x, below, words, small, frame.width, pick(rng, ("center", "right", "left")))


def split_columns(page: PageCanvas, frame: Column, count: int, ruled: float = 0.0) -> list[Column]:
    """Columns side by side; ``ruled`` is the probability of rules between them."""
    gap = page.width * page.between(0.02, 0.045) if count > 1 else 0.0
    width = (frame.width - gap * (count - 1)) / count
    columns = [Column(frame.x + i * (width + gap), frame.y, width, frame.bottom) for i in range(count)]
    if page.chance(ruled):
        for column in columns[1:]:
            page.rule(column.x - gap / 2, frame.y, column.x - gap / 2, frame.bottom, 1.5)
    return columns


def bar(page: PageCanvas, frame: Column, style: Style) -> None:
    """White text on a dark bar, or only dark text if the page isn't decorated."""
    height = style.size * page.between(1.5, 2.4)
    page.box(frame.x, frame.y, frame.x + frame.width, frame.y + height, int(110 * page.rng.random()), None)
    light = replace(style, ink=255 - int(30 * page.rng.random()) if page.decorate else 0)
    words = page.fill(page.tokens(light, 2 + int(6 * page.rng.random()), "plain"), light, frame.width - 2 * style.size)
    baseline = frame.y + height / 2 + 0.27 * style.size
    page.line(
        frame.x + style.size, baseline, words, light, frame.width - 2 * style.size, pick(page.rng, ("left", "center"))
    )
    frame.y += height + style.size
