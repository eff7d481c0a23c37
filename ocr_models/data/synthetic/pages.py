"""Draws whole pages in the layouts of real documents, with the true quad of every word, to train a detector."""

from __future__ import annotations

from numpy.random import Generator

from ocr_models.data.synthetic.fonts import FontLibrary
from ocr_models.data.synthetic.page_canvas import PageCanvas
from ocr_models.data.synthetic.page_layouts import LAYOUTS
from ocr_models.data.synthetic.text_source import TextSource
from ocr_models.data.synthetic.text_tokens import pick
from ocr_models.records import PageTruth

_SIZES_IN = ((8.27, 11.69), (8.27, 11.69), (8.5, 11.0), (8.5, 11.0), (5.83, 8.27))


def render_page(
    text_source: TextSource,
    fonts: FontLibrary,
    rng: Generator,
    dpi: int = 200,
    kind: str | None = None,
    decorate: bool = True,
) -> PageTruth:
    """Draws a clean page: its gray image, its words with quads, and regions to ignore (dot leaders, turned lines).

    Args:
        text_source: gives the text.
        fonts: the faces that it is written in.
        rng: the source of every random choice.
        dpi: pixels per inch.
        kind: a key of ``LAYOUTS``; None draws one by weight.
        decorate: False leaves out rules, boxes, pictures and scribbles.
    """
    if kind is None:
        kind = pick(rng, [name for name, (weight, _) in LAYOUTS.items() for _ in range(weight)])
    width, height = _draw_size_in(rng, kind)
    page = PageCanvas((round(width * dpi), round(height * dpi)), dpi, text_source, fonts, rng, decorate)
    if page.chance(0.04):
        page.box(0, 0, page.width, page.height, page.shade(), None)
    LAYOUTS[kind][1](page)
    _stray_marks(page)
    return page.truth()


def _draw_size_in(rng: Generator, kind: str) -> tuple[float, float]:
    if kind == "receipt":
        return 2.6 + 1.4 * rng.random(), 4.5 + 6 * rng.random()
    width, height = pick(rng, _SIZES_IN)
    if kind == "book" and rng.random() < 0.4:
        return 5.83, 8.27
    return (height, width) if kind == "slide" or rng.random() < 0.05 else (width, height)


def _stray_marks(page: PageCanvas) -> None:
    """Draws marks that aren't text: a frame, strokes of a pen, punch holes, a fold or a dark edge."""
    u, width, height = page.rng.random(), page.width, page.height
    if u < 0.04:
        inset = page.px(page.between(6, 16))
        page.box(inset, inset, width - inset, height - inset, None, 0)
    elif u < 0.08:
        page.scribble(
            width * page.between(0, 0.7), height * page.between(0, 0.9), width * page.between(0.05, 0.3), page.px(30)
        )
    elif u < 0.11 and page.decorate:
        for y in (0.35, 0.65):
            x, radius = page.px(14), page.px(8)
            page.draw.ellipse(
                (x - radius, y * height - radius, x + radius, y * height + radius),
                fill=40 + int(100 * page.rng.random()),
            )
    elif u < 0.14:
        x = width * page.between(0.2, 0.8)
        page.rule(x, 0, x + page.between(-9, 9), height, 1.5, 150)
    elif u < 0.18:
        page.box(0, 0, page.px(page.between(1, 7)), height, int(90 * page.rng.random()), None)
