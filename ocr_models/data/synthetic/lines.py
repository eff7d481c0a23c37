"""Draws crops of whole lines to train a recognizer: pieces of lines as ``ocr_models.pages.line_pieces`` joins them.

A recognizer that reads lines must tell spaces from the gaps between letters, and see marks that no detector finds. So
lines have all kinds of spacing: justified, letterspaced, of fixed pitch, tabular, and with leaders.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from ocr_models.data.augmentation import Look, degrade_word
from ocr_models.data.synthetic.fonts import FontFace, FontKind, FontLibrary
from ocr_models.data.synthetic.formulas import LEVEL, FormulaSetting, draw_terms, plain
from ocr_models.data.synthetic.glyphs import FaceGlyphs
from ocr_models.data.synthetic.text_source import TextSource
from ocr_models.data.synthetic.text_tokens import digits, pick
from ocr_models.data.synthetic.words import (
    Placed,
    Style,
    cut_box,
    draw_rules,
    draw_size_px,
    draw_style,
    drawn_text,
    ink_value,
    other_face,
)
from ocr_models.records import WordTruth
from ocr_models.word_boxes import ASCENT_EM

MAX_WORDS = 15  # of a line
_WIDEST_GAP = 1.2  # em, between words of one piece: wider ones part cells
_TOUCHED = 0.06  # em; words that are nearer are drawn as one
_RULED_GAP = 0.35  # em; a table's rules stand in gaps that are wider
_Row = list[str]


def render_lines(text_source: TextSource, fonts: FontLibrary, rng: Generator, count: int) -> list[WordTruth]:
    """Draws ``count`` degraded crops of lines, uint8 (H, W), as large as on a page of 200 dpi.

    The words of a text are separated by single spaces. Lines of one block follow each other: shuffle them.
    """
    lines: list[WordTruth] = []
    while len(lines) < count:
        style, draw_row = _draw_kind(rng)
        block = _render_block(text_source, fonts, style, draw_row, rng)
        lines += [WordTruth(degrade_word(line.image, rng, style.look), line.text) for line in block]
    return lines[:count]


def _draw_kind(rng: Generator) -> tuple[Style, Callable[[TextSource, Generator], _Row]]:
    u = rng.random()
    if u < 0.32:
        style = draw_style(rng)
        return style, _prose if style.look is not Look.RECEIPT else _receipt_row
    if u < 0.43:
        style = replace(draw_style(rng), look=Look.RECEIPT, em=14 + 14 * rng.random())
        style = replace(
            style, kind=FontKind.MONO if rng.random() < 0.7 else FontKind.TEXT, gap=0.3 + 0.6 * rng.random()
        )
        if rng.random() < 0.2:  # printers of fixed pitch double the width of their letters
            style = replace(style, squeeze=1.15 + 0.85 * rng.random(), tracking=0.1 * rng.random())
        return style, _receipt_row
    if u < 0.60:
        look = pick(rng, (None, Look.TYPED, Look.TYPED, Look.TYPED, Look.RECEIPT))
        tracking = 0.12 * rng.random() if rng.random() < 0.3 else 0.0
        return _plain(rng, look=look, kind=FontKind.TYPEWRITER, tracking=tracking), _typed_row
    if u < 0.65:
        tracking = 0.08 + 0.35 * rng.random()
        spaced = _plain(rng, capitals=rng.random() < 0.75, tracking=tracking, gap=0.35 + tracking + 0.4 * rng.random())
        return spaced, _heading
    if u < 0.72:
        return _plain(rng, gap=0.3 + 0.9 * rng.random()), _figures
    if u < 0.94:
        kind = FontKind.BOOK if rng.random() < 0.6 else None
        return _plain(rng, kind=kind, capitals=False, gap=0.17 + 0.13 * rng.random()), _formula
    return _plain(rng, gap=0.2 + 0.5 * rng.random()), _contents


def _plain(rng: Generator, **changes) -> Style:
    """A style without a look of its own, with changes."""
    plain = {"look": None, "kind": None, "capitals": rng.random() < 0.07, "squeeze": 1.0, "small_caps": False}
    return replace(draw_style(rng), **{"em": draw_size_px(rng), "tracking": 0.0, **plain, **changes})


def _words(draw: Callable[[Generator], str], rng: Generator, most: int = MAX_WORDS) -> _Row:
    return [draw(rng) for _ in range(1 + int(most * rng.random()))]


def _prose(text_source: TextSource, rng: Generator) -> _Row:
    return _words(text_source.prose if rng.random() < 0.7 else text_source.word, rng)


def _typed_row(text_source: TextSource, rng: Generator) -> _Row:
    """A line of a letter or form, sometimes underlined by hyphens or filled in on a rule of underscores."""
    u = rng.random()
    if u < 0.06:
        return [pick(rng, "-_=*.") * (4 + int(30 * rng.random()))]
    row = _words(text_source.prose if rng.random() < 0.75 else text_source.word, rng, 12)
    if u < 0.12:
        row.insert(int(rng.random() * (len(row) + 1)), pick(rng, "_.-") * (3 + int(12 * rng.random())))
    return row


def _heading(text_source: TextSource, rng: Generator) -> _Row:
    return _words(text_source.prose, rng, 6)


def _figures(text_source: TextSource, rng: Generator) -> _Row:
    """Cells that stand so close that they are one piece: numbers, units and lonely marks, after a word or none."""
    kinds = ("number", "number", "number", "money", "date", "unit", "single", "reference")
    row = [text_source.token(rng, pick(rng, kinds)) for _ in range(2 + int(8 * rng.random()))]
    if rng.random() < 0.3:
        row[int(rng.random() * len(row))] = pick(rng, ("-", "–", "—", "/", ":", "*", "+", "=", "0", "1", "%", "x"))
    return [text_source.prose(rng), *row] if rng.random() < 0.4 else row


def _formula(text_source: TextSource, rng: Generator) -> _Row:
    """Formulas with the narrow spaces of mathematics between terms and operators, mostly within a sentence."""
    row = draw_terms(rng)
    while rng.random() < 0.55:
        between = _words(text_source.prose, rng, 4) if rng.random() < 0.75 else []
        row += [*between, *draw_terms(rng)]
    return [*_words(text_source.prose, rng, 4), *row, *_words(text_source.prose, rng, 3)] if rng.random() < 0.6 else row


def _receipt_row(text_source: TextSource, rng: Generator) -> _Row:
    """An article with its count and price, a total, an address, a time."""
    u = rng.random()
    price = f"{int(10 ** (3 * rng.random()))}.{digits(rng, 2)}"
    if u < 0.3:
        count = pick(rng, ("1", "2", "3", "1.00", f"{int(20 * rng.random())}", "x", "@", "PCS", "EA"))
        row = [*_words(text_source.word, rng, 4), count, pick(rng, ("x", "X", "@", "*", "")), price]
        return [word for word in row if word] + [pick(rng, ("S", "SR", "T", "A", "ZRL", "*"))] * (rng.random() < 0.3)
    if u < 0.5:
        label = pick(rng, ("Total", "TOTAL", "Subtotal", "CASH", "Change", "GST", "TAX", "Rounding", "Qty", "Amount"))
        end = pick(rng, (":", "", " :", ":RM", " (RM)", " 6%", " $", "@"))
        return [*f"{label}{end}".split(" "), pick(rng, ("", "-", "RM", "$")) + price]
    if u < 0.6:
        return [pick(rng, "-=*.") * (5 + int(35 * rng.random()))]
    if u < 0.8:
        kinds = ("date", "identifier", "number", "address", "reference", "punctuated")
        return [text_source.token(rng, pick(rng, kinds)) for _ in range(1 + int(5 * rng.random()))]
    return _words(text_source.word, rng, 8)


def _contents(text_source: TextSource, rng: Generator) -> _Row:
    """A title, a leader of dots and a page; the leader is marked, because its dots are spaced in their own way."""
    page = pick(rng, (str(1 + int(400 * rng.random())), pick(rng, ("ii", "iv", "xi")), ""))
    title = _words(text_source.prose, rng, 7)
    row = [*title, pick(rng, "....._·-") * (4 + int(30 * rng.random())), page]
    return [word for word in row if word]


def _render_block(
    text_source: TextSource,
    fonts: FontLibrary,
    style: Style,
    draw_row: Callable[[TextSource, Generator], _Row],
    rng: Generator,
) -> list[WordTruth]:
    em = style.em
    rows = [
        [word if word[:1] == LEVEL else drawn_text(word, style) for word in draw_row(text_source, rng)]
        for _ in range(1 + int(4 * rng.random()))
    ]
    leading, pad = em * (1.0 + 0.7 * rng.random()), math.ceil(em)
    face = fonts.face(rng, style.kind)
    setting = FormulaSetting.draw(fonts, face, rng) if draw_row is _formula else None
    ink, paper = int(ink_value(rng)), 255 if rng.random() < 0.85 else 190 + int(60 * rng.random())
    width = math.ceil(2 * pad + max(_room(row, style) for row in rows))
    image = Image.new("L", (width, math.ceil(2 * pad + em + leading * (len(rows) - 1))), paper)
    lines: list[Placed] = []
    spread = 0.5 * em * rng.random() if rng.random() < 0.3 else 0.0  # justified: the gaps of each line are its own
    pitch, is_ruled = _pitch(fonts, face, style), draw_row is _figures and rng.random() < 0.4
    for i, row in enumerate(rows):
        baseline = pad + ASCENT_EM * em + i * leading + rng.random()
        gap = style.gap * em + spread * rng.random() if pitch is None else pitch * pick(rng, (1, 1, 1, 1, 2))
        gap = min(gap, _WIDEST_GAP * em)
        lines += _draw_row(image, row, fonts, face, style, pad, baseline, ink, gap, pitch, is_ruled, rng, setting)
    draw_rules(ImageDraw.Draw(image), lines, em, ink, width, rng)
    pixels = np.asarray(image if style.squeeze == 1 else _squeezed(image, style.squeeze))
    if rng.random() < 0.04:
        pixels = 255 - pixels
    scaled = [(text, left * style.squeeze, right * style.squeeze, y) for text, left, right, y in lines]
    return [
        WordTruth(cut_box(pixels, left, right, y, em, rng), text)
        for text, left, right, y in scaled
        if right <= pixels.shape[1]
    ]


def _room(row: _Row, style: Style) -> float:
    """The pixels that a row may need: letters are rarely wider than an em."""
    return sum((len(text) + 1) * (1.1 + max(0.0, style.tracking)) + _WIDEST_GAP for text in row) * style.em


def _squeezed(image: Image.Image, squeeze: float) -> Image.Image:
    return image.resize((round(image.width * squeeze), image.height), Image.Resampling.BILINEAR)


def _pitch(fonts: FontLibrary, face: FontFace, style: Style) -> float | None:
    """The advance of a letter, where all letters have the same; None for proportional faces."""
    if not face.mono:
        return None
    return fonts.glyphs(face, style.em).width("n", style.em) + style.tracking * style.em


def _draw_row(
    image: Image.Image,
    row: _Row,
    fonts: FontLibrary,
    face: FontFace,
    style: Style,
    x: float,
    baseline: float,
    ink: int,
    gap: float,
    pitch: float | None,
    is_ruled: bool,
    rng: Generator,
    setting: FormulaSetting | None = None,
) -> list[Placed]:
    """Draws the words of a row from ``x`` on, with rules in wide gaps if asked; one line, or none if nothing is drawn.

    Rules of a table are no text: they are read as spaces.
    """
    em = style.em
    drawn: list[str] = []
    ends: list[float] = []
    is_typed = style.kind is FontKind.TYPEWRITER and rng.random() < 0.6
    for text in row:
        if text[:1] == LEVEL:
            if setting and (place := setting.paint(image, x, baseline, text, em, ink)):
                drawn.append(plain(text))
                ends += place[:2]
                x = max(place[2], place[1]) + gap * (0.9 + 0.2 * rng.random())
            continue
        own = face if fonts.covers(face, text) else other_face(fonts, rng, text)
        if own is None:
            continue
        is_leader = len(text) > 3 and text == text[0] * len(text)
        tracking = style.tracking * em
        if is_leader and pitch is None and rng.random() < 0.6:
            tracking += em * 0.5 * rng.random()
        glyphs = fonts.glyphs(own, em)
        if is_typed:
            bounds = _type(image, x, baseline, text, glyphs, style, ink, rng)
        else:
            bounds = glyphs.paint(image, x, baseline, text, em, ink, tracking, style.ligatures)
        if not bounds:
            continue
        if is_ruled and ends and bounds[0] - ends[-1] > _RULED_GAP * em:
            middle = (ends[-1] + bounds[0]) / 2
            rule = (middle, baseline - 0.95 * em, middle, baseline + 0.4 * em)
            ImageDraw.Draw(image).line(rule, fill=ink, width=max(1, round(0.05 * em)))
        if ends and bounds[0] - ends[-1] < _TOUCHED * em:  # no space is seen
            drawn[-1] += text
        else:
            drawn.append(text)
        ends += bounds
        x += glyphs.width(text, em) + tracking * len(text)
        x += gap if pitch is not None else gap * (0.9 + 0.2 * rng.random())
        if pitch is None:
            x = max(x, bounds[1] + 0.12 * em)
    return [(" ".join(drawn), min(ends), max(ends), baseline)] if drawn else []


def _type(
    image: Image.Image,
    x: float,
    baseline: float,
    text: str,
    glyphs: FaceGlyphs,
    style: Style,
    ink: int,
    rng: Generator,
) -> tuple[float, float] | None:
    """Types letter by letter: each strikes a little too high or low, too strong or weak."""
    em = style.em
    ends: list[float] = []
    for char in text:
        weak = min(255.0, ink + 110 * rng.random() ** 3)
        ends += glyphs.paint(image, x, baseline + 0.06 * em * (rng.random() - 0.5), char, em, int(weak)) or ()
        x += glyphs.width(char, em) + style.tracking * em
    return (min(ends), max(ends)) if ends else None
