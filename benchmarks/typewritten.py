"""Draws pages as typewriters leave them, a development set with its truth.

    python benchmarks/typewritten.py TEXTS --fonts FONT... --output DIR [--pages 16] [--seed 1]

TEXTS is a folder of NAME.json, {"words": [{"text": ...}, ...]}, as other development sets have: its words, in their
order, are typed. FONT are files of faces with one width, such as Debian's fonts-gnutypewriter has, or npm's
@fontsource/special-elite and @fontsource/cutive-mono (.woff). Pages are letters, double-spaced manuscripts, tables of
figures and forms, on A4 at 200 dpi, in four states in turn: a ribbon that inks unevenly, worn and clogged type, carbon
copies, and faxes of two levels. DIR/images/NAME.png has the pages, DIR/NAME.json their words with boxes in pixels.

Nothing here is shared with ``ocr_models.data``, so that the pages don't look like those of the training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

_DPI = 200
_PAGE_INCHES = (8.27, 11.69)
_PITCHES = (10, 12)  # characters per inch: pica and elite
_LINES_PER_INCH = 6
_FONT_EM = 1.2  # heights of a line are of so many points, as 12 points are of 10 characters per inch
_MARGIN = 10  # characters at the left; as many at the right
_TYPEABLE = {chr(code) for code in range(33, 127)} - set("\\^`{|}~<>[]")
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


@dataclass
class _Sheet:
    """A page under the typewriter: words go to rows and columns of characters."""

    columns: int
    rows: int
    words: list[tuple[str, int, int]] = field(default_factory=list)
    rules: list[tuple[int, int, int]] = field(default_factory=list)  # row, first and last column: underlined

    def type(self, text: str, row: int, column: int) -> int:
        """Types words from a place on; returns the column after them."""
        for word in text.split():
            self.words.append((word, row, column))
            column += len(word) + 1
        return column

    def wrap(self, words: list[str], row: int, first: int, spacing: int = 1, indent: int = 0) -> int:
        """Types a paragraph; returns the row after it."""
        column = first + indent
        for word in words:
            if column + len(word) > self.columns - _MARGIN and column > first:
                row, column = row + spacing, first
            column = self.type(word, row, column)
        return row + spacing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--fonts", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    (arguments.output / "images").mkdir(parents=True, exist_ok=True)
    words = _words_of(arguments.texts)
    for i in range(arguments.pages):
        rng = np.random.default_rng([arguments.seed, i])
        state, kind = list(_STATES)[i % 4], list(_KINDS)[i // 4 % 4]
        font = arguments.fonts[(i + i // 4) % len(arguments.fonts)]
        pitch = _PITCHES[i // 2 % 2]
        sheet = _Sheet(int(_PAGE_INCHES[0] * pitch), int(_PAGE_INCHES[1] * _LINES_PER_INCH))
        _KINDS[kind](sheet, words, rng)
        image, boxes = _STATES[state](*_strike(sheet, font, pitch, rng, is_worn=state == "worn"), rng)
        name = f"{i:02d}_{kind}_{state}"
        cv2.imwrite(str(arguments.output / "images" / f"{name}.png"), image)
        truth = [{"text": word, "box": box} for (word, _, _), box in zip(sheet.words, boxes.tolist(), strict=True)]
        (arguments.output / f"{name}.json").write_text(json.dumps({"font": font.name, "words": truth}))
        print(f"{name}: {len(truth)} words, {font.stem}, {pitch} characters per inch")


def _words_of(folder: Path) -> Iterator[str]:
    """The words that a typewriter has the types for, over and over."""
    files = sorted(folder.glob("*.json"))
    texts = [word["text"].translate(_PLAIN) for file in files for word in json.loads(file.read_text())["words"]]
    return cycle([text for text in texts if _TYPEABLE.issuperset(text) and len(text) < 24])


def _take(words: Iterator[str], count: int) -> list[str]:
    return [next(words) for _ in range(count)]


def _letter(sheet: _Sheet, words: Iterator[str], rng: Generator) -> None:
    sheet.type(f"Ref: {rng.integers(10, 99)}/{rng.integers(100, 999)}-K", 6, _MARGIN)
    sheet.type(f"{rng.integers(1, 29)} March 19{rng.integers(31, 79)}", 6, sheet.columns - _MARGIN - 14)
    for row in (9, 10, 11):
        sheet.type(" ".join(_take(words, 3)).title(), row, _MARGIN)
    row = sheet.wrap([*_take(words, 5), ":"], 14, _MARGIN) + 1
    while row < sheet.rows - 14:
        row = sheet.wrap(_take(words, int(rng.integers(30, 70))), row, _MARGIN, 1, 5) + 1
    sheet.type("Yours faithfully,", row + 1, sheet.columns // 2)
    sheet.type("(J. R. Whitcombe)", row + 5, sheet.columns // 2)


def _manuscript(sheet: _Sheet, words: Iterator[str], rng: Generator) -> None:
    sheet.type(f"- {rng.integers(2, 90)} -", 4, sheet.columns // 2 - 3)
    title = " ".join(_take(words, 4)).upper()
    stop = sheet.type(title, 8, _MARGIN + 8)
    sheet.rules.append((8, _MARGIN + 8, stop - 1))
    row = 12
    while row < sheet.rows - 10:
        row = sheet.wrap(_take(words, int(rng.integers(25, 60))), row, _MARGIN, 2, 5)


def _table(sheet: _Sheet, words: Iterator[str], rng: Generator) -> None:
    row = sheet.wrap(_take(words, 40), 6, _MARGIN) + 2
    stops = [_MARGIN, *(sheet.columns - _MARGIN - np.array([32, 20, 8]))]
    for column, head in zip(stops, ("ITEM", "QTY.", "PRICE", "TOTAL"), strict=True):
        stop = sheet.type(head, row, int(column))
        sheet.rules.append((row, int(column), stop - 1))
    row += 2
    for _ in range(26):
        sheet.type(" ".join(_take(words, int(rng.integers(1, 3)))), row, _MARGIN)
        count, price = int(rng.integers(1, 40)), rng.uniform(0.1, 90)
        for column, cell in zip(stops[1:], (f"{count}", f"{price:.2f}", f"{count * price:,.2f}"), strict=True):
            sheet.type(cell, row, int(column) + 5 - len(cell))
        row += 1
    sheet.wrap(_take(words, 40), row + 2, _MARGIN)


def _form(sheet: _Sheet, words: Iterator[str], rng: Generator) -> None:
    row = 6
    sheet.type("FORM " + " ".join(_take(words, 3)).upper(), row, _MARGIN + 10)
    for number in range(1, 15):
        row += 3
        stop = sheet.type(f"{number}. {' '.join(_take(words, 2))}:", row, _MARGIN)
        kind = rng.integers(4)
        answers = (
            f"{rng.integers(1, 29)}.{rng.integers(1, 13)}.19{rng.integers(21, 80)}",
            f"No. {rng.integers(1000, 99999)}/{rng.integers(1, 9)}",
            f"${rng.integers(10, 9000)}.{rng.integers(10, 99)}",
            " ".join(_take(words, 3)).upper(),
        )
        first = max(stop + 1, _MARGIN + 28)
        last = sheet.type(answers[kind], row, first)
        sheet.rules.append((row, first, max(last, sheet.columns - _MARGIN)))
    sheet.wrap(_take(words, 45), row + 4, _MARGIN)


def _strike(sheet: _Sheet, font: Path, pitch: int, rng: Generator, is_worn: bool) -> tuple[np.ndarray, np.ndarray]:
    """Types a sheet: ink, float32 (H, W), 0 to 1, and the boxes of its words, (N, 4), in pixels."""
    width, height = (round(side * _DPI) for side in _PAGE_INCHES)
    advance, line = _DPI / pitch, _DPI / _LINES_PER_INCH
    size = advance / ImageFont.truetype(str(font), 100).getlength("n") * 100
    face = ImageFont.truetype(str(font), size)
    ink, boxes = np.zeros((height, width), np.float32), []
    off_line = {char: rng.normal(0, 0.025 * line) for char in sorted(_TYPEABLE)}  # type bars are bent
    turned = {char: rng.normal(0, 1.2) for char in sorted(_TYPEABLE)}  # degrees
    fading = {char: rng.uniform(0, 0.7) if is_worn and rng.random() < 0.4 else 0.0 for char in sorted(_TYPEABLE)}
    clogged = {char for char in "aegobdpq" if is_worn and rng.random() < 0.6}
    glyphs: dict[str, np.ndarray] = {}
    for char in sorted(_TYPEABLE):
        cell = Image.new("L", (round(2 * advance), round(2 * line)))
        ImageDraw.Draw(cell).text((advance, 1.3 * line), char, 255, face, anchor="ms")
        glyph = np.asarray(cell.rotate(turned[char], Image.Resampling.BICUBIC), np.float32) / 255
        if char in clogged:
            glyph = np.maximum(glyph, 0.75 * cv2.morphologyEx(glyph, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)))
        slope = np.linspace(-1, 1, glyph.shape[1]) * rng.choice([-1, 1])
        glyphs[char] = glyph * np.clip(1 - fading[char] * (0.5 + 0.5 * slope), 0, 1)
    for word, row, column in sheet.words:
        x, y = column * advance, row * line
        boxes.append([x, y - 0.75 * line, x + len(word) * advance, y + 0.22 * line])
        for i, char in enumerate(word):
            force = np.clip(rng.normal(0.92, 0.1), 0.5, 1.0)  # of the typist's finger
            left = round(x + (i - 0.5) * advance + rng.normal(0, 0.02 * advance))
            top = round(y - 1.3 * line + off_line[char] + rng.normal(0, 0.012 * line) - (char.isupper() * 0.015 * line))
            glyph = glyphs[char]
            place = ink[max(0, top) : top + glyph.shape[0], max(0, left) : left + glyph.shape[1]]
            np.maximum(place, force * glyph[-place.shape[0] :, : place.shape[1]], out=place)
    for row, first, last in sheet.rules:
        y = round(row * line + 0.16 * line)
        ink[y : y + 2, round(first * advance) : round(last * advance)] = 0.85
    return ink, np.array(boxes)


def _smooth(shape: tuple[int, ...], rng: Generator, cell: tuple[int, int]) -> np.ndarray:
    """Smooth noise about 0, with a deviation of 1, that changes over so many rows and columns."""
    coarse = rng.normal(0, 1, (shape[0] // cell[0] + 2, shape[1] // cell[1] + 2)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


def _ribbon(ink: np.ndarray, boxes: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """A cloth ribbon, dry in places, its weave in the print."""
    weave = 1 - 0.35 * np.clip(rng.normal(0, 1, ink.shape), 0, 2).astype(np.float32)
    dry = np.clip(0.85 + 0.18 * _smooth(ink.shape, rng, (40, 160)), 0.35, 1.0)
    return _scan(cv2.GaussianBlur(ink * weave, (0, 0), 0.7) * dry, boxes, rng)


def _worn(ink: np.ndarray, boxes: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    return _scan(cv2.GaussianBlur(ink, (0, 0), 0.9), boxes, rng)


def _carbon(ink: np.ndarray, boxes: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """The second or third copy: soft, pale, and with smudges of carbon."""
    soft = cv2.GaussianBlur(ink, (0, 0), rng.uniform(1.4, 2.1))
    soft = np.clip(soft * (0.75 + 0.12 * _smooth(ink.shape, rng, (30, 60))), 0, 0.8)
    return _scan(soft + 0.05 * np.clip(_smooth(ink.shape, rng, (90, 90)), 0, 3), boxes, rng)


def _fax(ink: np.ndarray, boxes: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """A fax of two levels: 204 dots per inch across, 98 or 196 rows."""
    turned, boxes = _turn(cv2.GaussianBlur(ink, (0, 0), 0.8), boxes, rng)
    rows, columns = turned.shape
    kept = rows // 2 if rng.random() < 0.5 else rows
    sent = cv2.resize(turned, (columns, kept), interpolation=cv2.INTER_AREA)
    is_ink = sent + rng.normal(0, 0.06, sent.shape) > rng.uniform(0.3, 0.5)
    is_ink |= rng.random(sent.shape) < 0.0005
    page = np.where(is_ink, 0, 255).astype(np.uint8)
    return cv2.resize(page, (columns, rows), interpolation=cv2.INTER_NEAREST), boxes


def _scan(ink: np.ndarray, boxes: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Paper and a scanner: a slight turn, tone, noise and JPEG."""
    turned, boxes = _turn(ink, boxes, rng)
    paper, black = rng.uniform(205, 245), rng.uniform(30, 80)
    page = paper - np.clip(turned, 0, 1) * (paper - black) + 4 * _smooth(ink.shape, rng, (300, 300))
    page += rng.normal(0, rng.uniform(2, 7), page.shape)
    _, data = cv2.imencode(".jpg", page.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 70])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), boxes


def _turn(ink: np.ndarray, boxes: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = ink.shape
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), rng.uniform(-0.8, 0.8), 1)
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] @ matrix[:, :2].T + matrix[:, 2]
    return cv2.warpAffine(ink, matrix, (columns, rows)), np.hstack([corners.min(axis=1), corners.max(axis=1)])


_State = Callable[[np.ndarray, np.ndarray, Generator], tuple[np.ndarray, np.ndarray]]
_STATES: dict[str, _State] = {"ribbon": _ribbon, "worn": _worn, "carbon": _carbon, "fax": _fax}
_KINDS = {"letter": _letter, "manuscript": _manuscript, "table": _table, "form": _form}


if __name__ == "__main__":
    main()
