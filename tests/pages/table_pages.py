"""Pages with a table whose cells are known, drawn with OpenCV's own font."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

SIZE = (1400, 1700)  # of a page, width and height in pixels
FONT_PX = 28
HEIGHT_PX, LEADING_PX, PADDING_PX = 26, 36, 14
WORDS = (
    "rope",
    "lantern",
    "cargo",
    "harbour",
    "keeper",
    "ballast",
    "manifest",
    "anchor",
    "tar",
    "canvas",
    "oil",
    "bell",
)
KINDS = ("grid", "inner", "head", "booktabs", "plain")


@dataclass
class TablePage:
    """A page, its words, and the cells of its table.

    Attributes:
        image: uint8 (H, W).
        texts, boxes: of its words; boxes (N, 4) as high as the font.
        cells: (row, column, row_span, column_span, words), row by row.
    """

    image: np.ndarray = field(default_factory=lambda: np.full(SIZE[::-1], 255, np.uint8))
    texts: list[str] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    cells: list[tuple[int, int, int, int, list[int]]] = field(default_factory=list)

    def line(self, x: float, y: float, words: list[str]) -> list[int]:
        """Writes words from (x, y) on; their indices."""
        written = []
        for word in words:
            cv2.putText(self.image, word, (round(x), round(y) + 21), (0, 0, 0), cv2.FontFace("sans"), FONT_PX)
            self.boxes.append((x, y, x + width_of(word), y + HEIGHT_PX))
            self.texts.append(word)
            written.append(len(self.texts) - 1)
            x += width_of(word) + 8
        return written

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> None:
        cv2.line(self.image, (round(x0), round(y0)), (round(x1), round(y1)), 0, 2)


def width_of(text: str) -> int:
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("sans"), FONT_PX)
    return width


def table_page(seed: int, kind: str) -> TablePage:
    """A table between two paragraphs.

    Args:
        seed: of its size and words.
        kind: "grid" has all rules, "inner" those between its cells, "head" upright ones and one below its head,
            "booktabs" three level ones, "plain" none. The first two may have cells of several lines.
    """
    rng = np.random.default_rng(seed)
    page = TablePage()
    rows, columns = int(rng.integers(3, 9)), int(rng.integers(2, 6))
    is_wrapped = kind in ("grid", "inner") and seed % 2 == 0
    content = [[_cell(rng, i, j, is_wrapped) for j in range(columns)] for i in range(rows)]
    widths = [max(_width(row[j]) for row in content) + 2 * PADDING_PX for j in range(columns)]
    if kind in ("booktabs", "plain"):
        widths = [width + 40 for width in widths]
    for i in range(4):
        page.line(
            100, 100 + i * LEADING_PX, ["keeper", "of", "the", "lantern", "and", "the", "tide", "at", "harbour"][i:]
        )
    top = y = 300.0
    edges = 100 + np.cumsum([0, *widths])
    spans = kind in ("grid", "inner") and columns > 2 and seed % 3 == 0
    for i, row in enumerate(content):
        height = max(len(lines) for lines in row) * LEADING_PX + PADDING_PX
        for j, lines in enumerate(row):
            is_over = spans and i == 0 and j == 0
            if spans and i == 0 and j == 1:
                continue
            words = []
            for k, line in enumerate(lines):
                is_number = line[0][0].isdigit()
                x = edges[j + 1] - PADDING_PX - _line_width(line) if is_number else edges[j] + PADDING_PX
                words += page.line(x, y + PADDING_PX / 2 + 4 + k * LEADING_PX, line)
            if words:
                page.cells.append((i, j, 1, 1 + is_over, words))
            if j and (kind in ("grid", "inner", "head")):
                page.rule(edges[j], y, edges[j], y + height)
        if kind == "grid" or (kind == "inner" and i) or (kind in ("head", "booktabs") and i == 1):
            page.rule(edges[0], y, edges[-1], y)
        y += height
    if kind in ("grid", "booktabs"):
        page.rule(edges[0], y, edges[-1], y)
    if kind == "booktabs":
        page.rule(edges[0], top, edges[-1], top)
    if kind == "grid":
        for x in edges[[0, -1]]:
            page.rule(x, top, x, y)
    for i in range(4):
        page.line(
            100, y + 80 + i * LEADING_PX, ["ballast", "of", "canvas", "and", "the", "oil", "bell", "at", "anchor"][i:]
        )
    return page


def _cell(rng: np.random.Generator, i: int, j: int, is_wrapped: bool) -> list[list[str]]:
    if i and j and rng.random() < 0.1:
        return []
    if i and j and j % 2:
        return [[f"{rng.integers(10, 9999) / 10:.1f}"]]
    lines = int(rng.integers(1, 4)) if is_wrapped and i else 1
    return [list(rng.choice(WORDS, int(rng.integers(1, 3)))) for _ in range(lines)]


def _line_width(line: list[str]) -> float:
    return sum(map(width_of, line)) + 8 * (len(line) - 1)


def _width(lines: list[list[str]]) -> float:
    return max((_line_width(line) for line in lines), default=40)
