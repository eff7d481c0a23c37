"""A page to draw on, which keeps the true quads of the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from ocr_models.data.synthetic.fonts import FontFace, FontLibrary
from ocr_models.data.synthetic.text_source import TextSource
from ocr_models.data.synthetic.text_tokens import pick
from ocr_models.geometry import box_quads
from ocr_models.records import PageTruth
from ocr_models.word_boxes import ASCENT_EM, DESCENT_EM


@dataclass(frozen=True)
class Style:
    """The style of text: ``size`` in pixels per em, ``leading`` (distance of lines) in em, ``tracking`` in pixels.

    ``spacing`` and ``stretch`` are the widths of spaces and letters relative to those of the face. With ``small_caps``,
    all letters of a word but the first are smaller.
    """

    face: FontFace
    size: float
    ink: int = 0
    leading: float = 1.25
    tracking: float = 0.0
    spacing: float = 1.0
    stretch: float = 1.0
    small_caps: bool = False

    def sized(self, factor: float) -> Style:
        return replace(self, size=self.size * factor, tracking=self.tracking * factor)

    def parts(self, text: str) -> tuple[tuple[str, float], ...]:
        """Splits a word into parts of one size, each with its size."""
        if self.small_caps and len(text) > 1:
            return (text[:1], self.size), (text[1:], 0.78 * self.size)
        return ((text, self.size),)


def is_leader(text: str) -> bool:
    """Tells whether a token is a leader: a row of dots, dashes or underscores."""
    return len(text) > 3 and not text[0].isalnum() and text == text[0] * len(text)


class PageCanvas:
    """Draws text and everything else on one page.

    Args:
        size: (width, height) in pixels.
        dpi: pixels per inch, for sizes in points.
        text_source: gives the text.
        fonts: the faces that it is written in.
        rng: the source of every random choice.
        decorate: False leaves out everything that isn't text: rules, boxes, pictures, scribbles.
    """

    def __init__(
        self,
        size: tuple[int, int],
        dpi: int,
        text_source: TextSource,
        fonts: FontLibrary,
        rng: Generator,
        decorate: bool,
    ) -> None:
        self.width, self.height = size
        self.dpi, self.text_source, self.fonts, self.rng, self.decorate = dpi, text_source, fonts, rng, decorate
        self.image = Image.new("L", size, 255)
        self.draw = ImageDraw.Draw(self.image)
        self.ligatures = rng.random() < 0.4
        self._boxes: list[tuple[float, float, float, float]] = []
        self._texts: list[str] = []
        self._ignore: list[bool] = []

    def px(self, points: float) -> float:
        """Converts points to pixels."""
        return points * self.dpi / 72

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.rng.random()

    def pick_gap(self, style: Style) -> float:
        """Draws the space between two items of a list in pixels; half of the time there is none."""
        return 0.0 if self.chance(0.5) else style.size * self.between(0.1, 0.7)

    def shade(self) -> int:
        """Draws a light gray for areas behind text."""
        return 200 + int(50 * self.rng.random())

    def token(self, style: Style, kind: str | None = None) -> str:
        """Draws a token of running text, or of one kind of ``TextSource``, with glyphs in the style's face."""
        for _ in range(6):
            text = self.text_source.token(self.rng, kind) if kind else self.text_source.prose(self.rng)
            if self.fonts.covers(style.face, text):
                return text
        return "".join(char for char in text if self.fonts.covers(style.face, char))

    def tokens(self, style: Style, count: int, kind: str | None = None) -> list[str]:
        return [text for text in (self.token(style, kind) for _ in range(count)) if text]

    def measure(self, text: str, style: Style) -> float:
        """The width of a word in pixels."""
        glyphs = self.fonts.glyphs(style.face, style.size)
        width = sum(glyphs.width(part, size) for part, size in style.parts(text))
        return width * style.stretch + style.tracking * len(text)

    def space(self, style: Style) -> float:
        """The width of a space in pixels. It has a minimum, since a few fonts have nearly none."""
        space = self.fonts.glyphs(style.face, style.size).space(style.size)
        return max(0.15 * style.size, space * style.spacing) * style.stretch

    def put(self, x: float, baseline: float, text: str, style: Style, ignore: bool = False) -> float:
        """Writes a word, if it fits on the page, and keeps its quad; returns where the word ends."""
        advance = self.measure(text, style)
        top, bottom = baseline - ASCENT_EM * style.size, baseline + DESCENT_EM * style.size
        if (
            not self._allows(text, style)
            or x < 1
            or top < 1
            or bottom > self.height - 1
            or x + advance > self.width - 1
        ):
            return x
        ends = self._paint(x, baseline, text, style)
        if ends:
            self._boxes.append((ends[0], top, ends[1], bottom))
            self._texts.append(text)
            self._ignore.append(ignore or is_leader(text))
        return x + advance

    def _paint(self, x: float, baseline: float, text: str, style: Style) -> tuple[float, float] | None:
        """Draws a word; returns (left, right) of its ink, or None."""
        glyphs, ligatures, ends = self.fonts.glyphs(style.face, style.size), self.ligatures and not style.face.mono, []
        for part, size in style.parts(text):
            ends.append(
                glyphs.paint(self.image, x, baseline, part, size, style.ink, style.tracking, ligatures, style.stretch)
            )
            x += glyphs.width(part, size) * style.stretch + style.tracking * len(part)
        inked = [end for end in ends if end]
        return (inked[0][0], inked[-1][1]) if inked else None

    def _allows(self, text: str, style: Style) -> bool:
        return bool(text) and self.text_source.allowed.issuperset(text) and self.fonts.covers(style.face, text)

    def line(
        self,
        x: float,
        baseline: float,
        words: Sequence[str],
        style: Style,
        width: float = 0.0,
        align: str = "left",
        styles: Sequence[Style] | None = None,
    ) -> float:
        """Writes words in a row; returns where the last one ends.

        ``align`` is "left", "right", "center" or "justify" within ``width`` pixels. ``styles`` are the styles of the
        words if they differ; the space between words is that of ``style``.
        """
        styles = styles or [style] * len(words)
        widths = [self.measure(word, style) for word, style in zip(words, styles, strict=True)]
        gap, free = self.space(style) + style.tracking, width - sum(widths)
        if align == "justify" and len(words) > 1 and gap * 0.6 < free / (len(words) - 1) < gap * 4:
            gap = free / (len(words) - 1)
        elif align in ("right", "center"):
            x += max(0.0, (free - gap * (len(words) - 1)) * (1.0 if align == "right" else 0.5))
        for word, style, advance in zip(words, styles, widths, strict=True):
            self.put(x, baseline, word, style)
            x += advance + gap
        return x - gap

    def fill(self, words: list[str], style: Style, width: float, hyphenate: bool = False) -> list[str]:
        """Takes from the front of ``words`` as many as fit into ``width``; the last may be hyphenated."""
        used, row, gap = 0.0, [], self.space(style) + style.tracking
        while words:
            advance = self.measure(words[0], style)
            if used + advance > width:
                head = self._head(words[0], style, width - used) if hyphenate else ""
                if head:
                    row.append(head + "-")
                    words[0] = words[0][len(head) :]
                elif not row:
                    words.pop(0)  # longer than a whole line
                break
            row.append(words.pop(0))
            used += advance + gap
        return row

    def _head(self, word: str, style: Style, room: float) -> str:
        if len(word) < 7 or not word.isalpha() or "-" not in self.text_source.allowed:
            return ""
        for cut in range(len(word) - 3, 2, -1):
            if self.measure(word[:cut] + "-", style) <= room:
                return word[:cut]
        return ""

    def vertical(self, x: float, y: float, words: Sequence[str], style: Style) -> None:
        """Writes upwards along the margin. The line is a region to ignore, since the detector can't find such words."""
        text = " ".join(words)
        length, height = int(self.measure(text, style)) + 2, int(style.size * 1.3)
        if y - length < 2 or x + height > self.width:
            return
        strip = Image.new("L", (length, height), 255)
        self.fonts.glyphs(style.face, style.size).paint(strip, 1, style.size, text, style.size, style.ink)
        self.image.paste(strip.rotate(90, expand=True), (int(x), int(y) - length))
        self._boxes.append((int(x), int(y) - length, int(x) + height, int(y)))
        self._texts.append("")
        self._ignore.append(True)

    def rule(self, x0: float, y0: float, x1: float, y1: float, thickness: float = 2, ink: int = 0) -> None:
        if self.decorate:
            self.draw.line((x0, y0, x1, y1), fill=ink, width=max(1, round(thickness)))

    def dashes(self, x: float, baseline: float, width: float, style: Style) -> None:
        """A rule made of dashes, dots, stars or similar characters, which aren't words."""
        unit = pick(self.rng, ("-", "-", ".", ".", "*", "=", "_", "- ", ". ", "~", "·"))
        count = int(width / max(1.0, self.measure(unit, style)))
        if self.decorate and count > 0 and self.fonts.covers(style.face, unit.strip()) and baseline < self.height:
            self._paint(x, baseline, unit * count, style)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: int | None = None, ink: int | None = 0) -> None:
        if self.decorate and x1 > x0 and y1 > y0:
            self.draw.rectangle((x0, y0, x1, y1), fill=fill, outline=ink, width=1 + int(2 * self.rng.random()))

    def picture(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Gray blobs, edges and grain, as of a photograph."""
        width, height = int(x1 - x0), int(y1 - y0)
        if not self.decorate or width < 8 or height < 8:
            return
        coarse = self.rng.random((2 + int(7 * self.rng.random()), 2 + int(7 * self.rng.random())), np.float32)
        gray = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 230
        fine = self.rng.random((height // 4 + 1, width // 4 + 1), np.float32)
        gray = cv2.add(gray, cv2.resize(fine, (width, height)) * self.between(10, 80))
        for _ in range(int(5 * self.rng.random())):
            center = (int(width * self.rng.random()), int(height * self.rng.random()))
            cv2.circle(
                gray, center, int(self.between(4, width / 3)), 255 * self.rng.random(), int(self.between(-3, 6)) or 1
            )
        self.image.paste(Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8)), (int(x0), int(y0)))

    def woodcut(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """An engraving in black and white: bent lines, thicker in the shade, between solid shapes."""
        width, height = int(x1 - x0), int(y1 - y0)
        if not self.decorate or width < 8 or height < 8:
            return
        coarse = self.rng.random((2, 5, 5), np.float32)
        bend, shade = (cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in coarse)
        rows, columns = np.ogrid[:height, :width]
        slope = self.between(-1, 1)
        phase = (rows + slope * columns).astype(np.float32) / self.between(0.7, 4) + self.between(0, 60) * bend
        white = np.sin(phase) > 2.4 * shade - 1.2
        self.image.paste(Image.fromarray(white.astype(np.uint8) * 255), (int(x0), int(y0)))
        for _ in range(int(4 * self.rng.random())):
            corners = self.rng.random((3 + int(6 * self.rng.random()), 2)) * (width, height) * 0.4
            corners += self.rng.random(2) * (width, height) * 0.6 + (x0, y0)
            self.draw.polygon([tuple(corner) for corner in corners.tolist()], fill=0)

    def staff(self, x0: float, x1: float, y: float, gap: float) -> None:
        """A staff: five lines, ``gap`` pixels apart from ``y`` downwards, with notes and bars."""
        if not self.decorate:
            return
        for i in range(5):
            self.rule(x0, y + i * gap, x1, y + i * gap, 1 + gap / 12)
        x = x0 + 3 * gap
        while x < x1 - gap:
            step, up = y + gap * 0.5 * int(11 * self.rng.random() - 1), self.chance(0.5)
            head = (x, step - 0.42 * gap, x + 1.2 * gap, step + 0.42 * gap)
            self.draw.ellipse(head, fill=0 if self.chance(0.7) else None, outline=0, width=2)
            stem = x + (1.2 * gap if up else 0)
            self.rule(stem, step, stem, step + (-3 if up else 3) * gap, gap / 8)
            if self.chance(0.2):
                self.rule(x + 2 * gap, y, x + 2 * gap, y + 4 * gap, gap / 8)
            x += gap * self.between(1.8, 5)

    def scribble(self, x: float, y: float, width: float, height: float) -> None:
        """A signature or stroke of a pen: smooth, in loops, and no text."""
        if not self.decorate:
            return
        ink, thickness = int(120 * self.rng.random()), 2 + int(3 * self.rng.random())
        if self.chance(0.5):  # loops as in handwriting
            t = np.linspace(0, 1, 24 * (2 + int(width / height)))
            turns, swell = 2 * np.pi * len(t) / 24 * t, 0.25 + 0.25 * np.sin(t * self.between(9, 40))
            across, down = x + t * width - swell * height * np.cos(turns), y + (0.5 + swell * np.sin(turns)) * height
            self.draw.line([*zip(across.tolist(), down.tolist(), strict=True)], fill=ink, width=thickness)
            return
        count = 5 + int(9 * self.rng.random())
        knots = np.stack([np.linspace(0, 1, count), self.rng.random(count)], axis=1).astype(np.float32)
        knots[:, 0] += (self.rng.random(count) - 0.5) * 0.3
        path = cv2.resize(knots, (2, count * 8), interpolation=cv2.INTER_CUBIC) * (width, height) + (x, y)
        self.draw.line([tuple(point) for point in path.tolist()], fill=ink, width=thickness, joint="curve")

    def truth(self) -> PageTruth:
        """The page with its quads, clipped to the image."""
        boxes = np.asarray(self._boxes, np.float32).reshape(-1, 4)
        boxes = np.clip(boxes, 0, np.asarray([self.width, self.height] * 2, np.float32))
        return PageTruth(np.array(self.image), box_quads(boxes), tuple(self._texts), np.asarray(self._ignore, bool))
