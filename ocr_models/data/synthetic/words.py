"""Draws word crops to train a recognizer.

Words are cut out of small blocks of a few lines, so that a crop shows the same things as one of a real page: edges of
its neighbors, the lines above and below, rules and underlines. Some blocks look like old books, some like receipts.
Sometimes a crop has two words and the space between them, as detected boxes do.

A crop is a word's box (``word_boxes``) with random margins, so that the recognizer learns to cope with a detector's
small errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from ocr_models.data.augmentation import Look, degrade_word
from ocr_models.data.synthetic.fonts import FontFace, FontKind, FontLibrary
from ocr_models.data.synthetic.glyphs import FaceGlyphs
from ocr_models.data.synthetic.text_source import TextSource
from ocr_models.recognition.crops import MARGIN_X, MARGIN_Y
from ocr_models.records import WordTruth
from ocr_models.word_boxes import ASCENT_EM, DESCENT_EM

JITTER_EM = 0.08
_LOOSE_SHARE, _LOOSE_JITTER = 0.12, 2.5  # the share of crops whose jitter above and below is this many times larger
PAIR_SHARE = 0.07  # the share of words that share a crop with the next
PAIR_MAX_LENGTH = 28
_CAPITALS = {Look.BOOK: 0.12, Look.RECEIPT: 0.6, None: 0.07}
Placed = tuple[str, float, float, float]
"""A drawn text: the text, the left and right end of its ink, and its baseline, in pixels."""


@dataclass(frozen=True)
class Style:
    """The style of a block of a few lines.

    Attributes:
        look: the kind of document by which its words are degraded; None for any.
        em: the size in pixels.
        capitals: whether all letters are capitals.
        kind: the kind of its faces; None for any.
        tracking: the space between letters, in em.
        gap: the space between words, in em.
        squeeze: the width of letters relative to that of the face.
        small_caps: whether capitalized words are set in small capitals.
        ligatures: whether ligatures are used.
    """

    look: Look | None
    em: float
    capitals: bool
    kind: FontKind | None
    tracking: float
    gap: float
    squeeze: float
    small_caps: bool
    ligatures: bool


def render_words(
    text_source: TextSource, fonts: FontLibrary, rng: Generator, count: int, degrade: bool = True
) -> list[WordTruth]:
    """Draws ``count`` crops, uint8 (H, W), as large as on a page of 200 dpi (12 to 80 rows).

    Words of one block follow each other: shuffle them over a few thousand.
    """
    words: list[WordTruth] = []
    while len(words) < count:
        style = draw_style(rng)
        block = _render_block(text_source, fonts, style, rng)
        words += [WordTruth(degrade_word(w.image, rng, style.look), w.text) for w in block] if degrade else block
    return words[:count]


def draw_size_px(rng: Generator) -> float:
    """Draws a size as on pages at 200 dpi, in pixels per em: mostly 8 to 12 points (22 to 33 px)."""
    u = rng.random()
    if u < 0.8:
        return 20 + 14 * rng.random()
    return 13 + 8 * rng.random() if u < 0.9 else 30 + 40 * rng.random() ** 1.5


def draw_style(rng: Generator) -> Style:
    """Draws the style of a block of any kind."""
    u = rng.random()
    look = Look.BOOK if u < 0.2 else Look.RECEIPT if u < 0.38 else None
    capitals = rng.random() < _CAPITALS[look]
    kind: FontKind | None
    if look is Look.RECEIPT:
        kind = FontKind.MONO if rng.random() < 0.6 else FontKind.TEXT
        tracking = 0.3 * rng.random() if rng.random() < 0.4 else 0.0
        em, gap = 13 + 13 * rng.random(), 0.3 + 0.5 * rng.random()
    else:
        kind = FontKind.BOOK if look is Look.BOOK else None
        spaced = rng.random() < (0.5 if capitals else 0.07)
        tracking = 0.25 * rng.random() - 0.03 if spaced else 0.0
        em, gap = (26 + 18 * rng.random() if look is Look.BOOK else draw_size_px(rng)), 0.15 + 0.4 * rng.random()
    narrow = rng.random() < (0.5 if look is Look.RECEIPT else 0.05)
    return Style(
        look,
        em,
        capitals,
        kind,
        tracking,
        gap,
        squeeze=0.6 + 0.35 * rng.random() if narrow else 1.0,
        small_caps=rng.random() < (0.12 if look is Look.BOOK else 0.03),
        ligatures=rng.random() < (0.8 if look is Look.BOOK else 0.4),
    )


def _render_block(text_source: TextSource, fonts: FontLibrary, style: Style, rng: Generator) -> list[WordTruth]:
    em = style.em
    draw_text = text_source.prose if style.look is Look.BOOK else text_source.word
    texts = [
        [drawn_text(draw_text(rng), style) for _ in range(2 + int(4 * rng.random()))]
        for _ in range(1 + int(4 * rng.random()))
    ]
    leading = em * (1.0 + 0.7 * rng.random())
    pad = math.ceil(em)
    height = math.ceil(2 * pad + em + leading * (len(texts) - 1))
    advance = em * (1.1 + max(0.0, style.tracking))
    width = math.ceil(2 * pad + max(sum(len(text) + 2 for text in line) for line in texts) * advance)
    ink = int(ink_value(rng))
    paper = 255 if rng.random() < 0.85 else 190 + int(60 * rng.random())
    image = Image.new("L", (width, height), paper)
    face, placed = fonts.face(rng, style.kind), []
    for row, line in enumerate(texts):
        baseline = pad + ASCENT_EM * em + row * leading + rng.random()
        if rng.random() < 0.3:
            face = fonts.face(rng, style.kind)
        placed += _run_together(draw_line(image, line, fonts, face, style, pad, baseline, ink, rng), rng)
    draw_rules(ImageDraw.Draw(image), placed, em, ink, width, rng)
    if style.squeeze < 1:
        image = image.resize((round(width * style.squeeze), height), Image.Resampling.BILINEAR)
        placed = [(text, left * style.squeeze, right * style.squeeze, y) for text, left, right, y in placed]
    pixels = np.asarray(image)
    if rng.random() < 0.04:
        pixels = 255 - pixels
    return [
        WordTruth(cut_box(pixels, left, right, baseline, em, rng), text)
        for text, left, right, baseline in placed
        if right <= pixels.shape[1]  # letterspaced text may extend beyond the block
    ]


def drawn_text(text: str, style: Style) -> str:
    """A text as it is printed in a style: in capitals or as it is."""
    capitals = text.upper()
    return capitals if style.capitals and len(capitals) == len(text) else text  # not with ß, which becomes two letters


def _run_together(line: list[Placed], rng: Generator) -> list[Placed]:
    """Joins some words of a line with the next, with a space in their text."""
    words: list[Placed] = []
    for word in line:
        text, _, right, baseline = word
        if words and rng.random() < PAIR_SHARE and len(words[-1][0]) + len(text) < PAIR_MAX_LENGTH:
            words[-1] = (f"{words[-1][0]} {text}", words[-1][1], right, baseline)
        else:
            words.append(word)
    return words


def ink_value(rng: Generator) -> float:
    """Draws the gray of ink, mostly 0."""
    u = rng.random()
    return 0 if u < 0.6 else 90 * rng.random() if u < 0.9 else 90 + 80 * rng.random()


def draw_line(
    image: Image.Image,
    line: list[str],
    fonts: FontLibrary,
    face: FontFace,
    style: Style,
    x: float,
    baseline: float,
    ink: int,
    rng: Generator,
) -> list[Placed]:
    """Draws the words of a line from ``x`` on."""
    em = style.em
    gap, tracking = style.gap * em, style.tracking * em
    placed = []
    for text in line:
        own = face if fonts.covers(face, text) else other_face(fonts, rng, text)
        if own is None:
            continue
        glyphs = fonts.glyphs(own, em)
        if style.small_caps and text.isascii() and text.istitle():
            bounds = _draw_small_caps(image, x, baseline, text, glyphs, em, ink)
            text = text.upper()  # they look like capitals, and are transcribed as such
        else:
            bounds = glyphs.paint(image, x, baseline, text, em, ink, tracking, style.ligatures)
        if bounds:
            placed.append((text, *bounds, baseline))
            x = bounds[1]
        x += tracking + gap * (0.85 + 0.3 * rng.random())
    return placed


def other_face(fonts: FontLibrary, rng: Generator, text: str) -> FontFace | None:
    """A face that covers a text, or None."""
    try:
        return fonts.face_for(rng, text)
    except LookupError:
        return None


def _draw_small_caps(
    image: Image.Image, x: float, baseline: float, text: str, glyphs: FaceGlyphs, em: float, ink: int
) -> tuple[float, float] | None:
    """Draws a capital, and then the small letters as capitals of 0.78 times its size."""
    ends: list[float] = []
    for char in text:
        size = em if char.isupper() else 0.78 * em
        ends += glyphs.paint(image, x, baseline, char.upper(), size, ink) or ()
        x += glyphs.width(char.upper(), size) + 0.03 * em
    return (min(ends), max(ends)) if ends else None


def draw_rules(draw: ImageDraw.ImageDraw, placed: list, em: float, ink: int, width: int, rng: Generator) -> None:
    """Draws underlines, or the rules of tables and boxes between and around words."""
    u, thickness = rng.random(), max(1, round(em * (0.03 + 0.06 * rng.random())))
    if u < 0.05:
        for _, left, right, baseline in placed:
            y = baseline + em * 0.13
            draw.line((left, y, right, y), fill=ink, width=thickness)
    elif u < 0.17:
        above, below = em * (0.78 + 0.3 * rng.random()), em * (0.26 + 0.3 * rng.random())
        horizontal, vertical = rng.random() < 0.8, rng.random() < 0.6
        for _, _, right, baseline in placed:
            if horizontal:
                draw.line((0, baseline + below, width, baseline + below), fill=ink, width=thickness)
            if vertical:
                x = right + em * (0.08 + 0.2 * rng.random())
                draw.line((x, baseline - above, x, baseline + below), fill=ink, width=thickness)


def cut_box(pixels: np.ndarray, left: float, right: float, baseline: float, em: float, rng: Generator) -> np.ndarray:
    """Cuts out a word's box with random margins at whole pixels, uint8 (H, W)."""
    grow = (rng.random(4) * 2 - 1) * JITTER_EM * em
    if rng.random() < _LOOSE_SHARE:
        grow[:2] *= _LOOSE_JITTER
    top = round(baseline - (ASCENT_EM + MARGIN_Y) * em - grow[0])
    bottom = round(baseline + (DESCENT_EM + MARGIN_Y) * em + grow[1])
    start = round(left - MARGIN_X * em - grow[2])
    end = round(right + MARGIN_X * em + grow[3])
    return pixels[max(0, top) : bottom, max(0, start) : max(end, start + 3)].copy()
