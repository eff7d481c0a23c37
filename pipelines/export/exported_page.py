"""A row as exports see it: blocks of lines of words, of those words that are in the page's text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ocr_models.records import OcrPage, TextBlock
from pipelines.output.schemas import Row

DESCENT = 0.2
"""The share of a word's height that is below its baseline: words' quads have room for descenders, as most fonts do."""

Quad = Sequence[float]
"""x, y of 4 corners in pixels, clockwise from the text's own top left."""


@dataclass(frozen=True)
class ExportedWord:
    """A word.

    Attributes:
        text: without white space at its ends.
        quad: its place.
        confidence: 0 to 1; None if it isn't known.
    """

    text: str
    quad: Quad
    confidence: float | None


@dataclass(frozen=True)
class ExportedLine:
    """A line of at least one word.

    Attributes:
        quad: its place.
        confidence: 0 to 1; None if it isn't known.
        words: in reading order.
    """

    quad: Quad
    confidence: float | None
    words: tuple[ExportedWord, ...]

    @property
    def text(self) -> str:
        """Its words."""
        return " ".join(word.text for word in self.words)

    @property
    def baseline(self) -> tuple[float, float, float, float]:
        """x, y of the ends of the line on which its letters stand, from its beginning to its end.

        It is that of its words: ``quad`` has the slant of the page, from which that of a line may differ.
        """
        left, right = self.words[0].quad, self.words[-1].quad
        low, high = 1 - DESCENT, DESCENT
        return (
            low * left[6] + high * left[0],
            low * left[7] + high * left[1],
            low * right[4] + high * right[2],
            low * right[5] + high * right[3],
        )

    @property
    def angle_deg(self) -> float:
        """In which direction it runs, clockwise from the right, from -180 to 180."""
        left, left_y, right, right_y = self.baseline
        return math.degrees(math.atan2(right_y - left_y, right - left))


@dataclass(frozen=True)
class ExportedCell:
    """A cell of a table: its first row and column from 0, how many it spans, and its words."""

    row: int
    column: int
    row_span: int
    column_span: int
    words: tuple[ExportedWord, ...]


@dataclass(frozen=True)
class ExportedBlock:
    """A paragraph, or what else stands together.

    Attributes:
        kind: "text", "heading", "table", "header", "footer" or "page_number".
        quad: its place.
        lines: in reading order, at least one.
        level: of a heading, 1 to 3; else None.
        cells: of a table, by rows.
    """

    kind: str
    quad: Quad
    lines: tuple[ExportedLine, ...]
    level: int | None = None
    cells: tuple[ExportedCell, ...] = ()


@dataclass(frozen=True)
class ExportedPage:
    """A page.

    Attributes:
        uri: where its document is.
        index: from 0.
        page_count: of its document; None if that couldn't be opened.
        size_px: width and height; None if the page couldn't be decoded.
        dpi: None if it isn't known.
        text: "" if there is none.
        blocks: in reading order.
        row: the whole row.
    """

    uri: str
    index: int
    page_count: int | None
    size_px: tuple[int, int] | None
    dpi: float | None
    text: str = ""
    blocks: tuple[ExportedBlock, ...] = ()
    row: Row = field(default_factory=dict)

    @staticmethod
    def of_row_alone(row: Row) -> ExportedPage:
        """A page without text and size, with its row as it is."""
        return ExportedPage(row["source_uri"], row["page_index"], row["page_count"], None, None, row=row)

    @property
    def lines(self) -> Iterator[ExportedLine]:
        """The lines in reading order."""
        return (line for block in self.blocks for line in block.lines)


def exported_page(row: Row) -> ExportedPage:
    """The page of a row of any schema version.

    Raises:
        ValueError: the row contradicts itself.
    """
    try:
        return ExportedPage(
            uri=row["source_uri"],
            index=row["page_index"],
            page_count=row["page_count"],
            size_px=(row["width_px"], row["height_px"]) if row["width_px"] and row["height_px"] else None,
            dpi=row["dpi"],
            text=row["text"] or "",
            blocks=tuple(_blocks(row)),
            row=row,
        )
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"its row is broken ({type(error).__name__}: {error})") from error


def page_of_reading(page: OcrPage, size_px: tuple[int, int], dpi: float | None, uri: str = "") -> ExportedPage:
    """The page of what a ``PageReader`` read, on a picture of this size."""
    return exported_page(
        {
            "source_uri": uri,
            "page_index": 0,
            "page_count": 1,
            "width_px": size_px[0],
            "height_px": size_px[1],
            "dpi": dpi,
            "text": page.text,
            "words": [{**vars(word), "quad": word.quad.ravel().tolist()} for word in page.words],
            "lines": [{**vars(line), "quad": line.quad.ravel().tolist()} for line in page.lines],
            "blocks": [_block_row(block) for block in page.blocks] or None,
        }
    )


def _block_row(block: TextBlock) -> Row:
    cells = None if block.cells is None else [vars(cell) for cell in block.cells]
    return {**vars(block), "quad": block.quad.ravel().tolist(), "cells": cells}


def _blocks(row: Row) -> Iterator[ExportedBlock]:
    words = [_word(word) for word in row["words"] or ()]
    of_line: dict[int, list[ExportedWord]] = {}
    for word, given in zip(words, row["words"] or (), strict=True):
        if word and given.get("in_text") is not False:  # rows of version 1 have only words that are
            of_line.setdefault(given["line"], []).append(word)
    lines: dict[int, ExportedLine] = {}
    for number in sorted(of_line):
        line = row["lines"][number]
        lines[number] = ExportedLine(_quad(line["quad"]), line["confidence"], tuple(of_line[number]))
    blocks = row.get("blocks")
    of_block: dict[int, list[ExportedLine]] = {}
    for number, block in _block_numbers(row, lines) if blocks is None else _stated_blocks(row, lines):
        of_block.setdefault(block, []).append(lines[number])
    for number in sorted(of_block):
        yield _block(blocks[number] if blocks is not None else None, of_block[number], words)


def _stated_blocks(row: Row, lines: dict[int, ExportedLine]) -> Iterator[tuple[int, int]]:
    """The number of each line with that of its block. A line in no block is one of the block before it."""
    block = 0
    for number in lines:
        stated = row["lines"][number].get("block")
        block = block if stated is None else stated
        yield number, block


def _block_numbers(row: Row, lines: dict[int, ExportedLine]) -> Iterator[tuple[int, int]]:
    """The same for rows before version 5: their ``text`` has an empty line between two blocks."""
    starts, begins = [], True
    for line in (row["text"] or "").splitlines():
        if line.strip():
            starts.append(begins)
        begins = not line.strip()
    block = -1
    for i, number in enumerate(lines):
        block += block < 0 or (i < len(starts) and starts[i])
        yield number, block


def _block(stated: dict[str, Any] | None, lines: list[ExportedLine], words: list[ExportedWord | None]) -> ExportedBlock:
    if stated is None:
        return ExportedBlock("text", quad_around([line.quad for line in lines]), tuple(lines))
    in_text = {id(word) for line in lines for word in line.words}
    cells = tuple(
        ExportedCell(
            cell["row"],
            cell["column"],
            cell["row_span"] or 1,
            cell["column_span"] or 1,
            tuple(word for i in cell["words"] or () if (word := words[i]) and id(word) in in_text),
        )
        for cell in stated["cells"] or ()
    )
    ordered = tuple(sorted(cells, key=lambda cell: (cell.row, cell.column)))
    return ExportedBlock(stated["kind"], _quad(stated["quad"]), tuple(lines), stated["level"], ordered)


def _word(word: dict[str, Any]) -> ExportedWord | None:
    text = " ".join((word["text"] or "").split())
    return ExportedWord(text, _quad(word["quad"]), word["confidence"]) if text else None


def _quad(numbers: Sequence[float]) -> Quad:
    if len(numbers) != 8 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"its row is broken: {numbers} are not the 8 numbers of a quad")
    return numbers


def quad_around(quads: Sequence[Quad]) -> Quad:
    """The level box around others."""
    left, right = min(min(quad[::2]) for quad in quads), max(max(quad[::2]) for quad in quads)
    top, bottom = min(min(quad[1::2]) for quad in quads), max(max(quad[1::2]) for quad in quads)
    return left, top, right, top, right, bottom, left, bottom


def box_px(quad: Quad, size_px: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in whole pixels, inside the page: the formats know no others."""
    width, height = size_px
    x, y = [round(min(max(x, 0), width)) for x in quad[::2]], [round(min(max(y, 0), height)) for y in quad[1::2]]
    return min(x), min(y), max(x), max(y)
