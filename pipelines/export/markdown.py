"""Markdown (CommonMark 0.31, with the tables of GitHub's): headings, paragraphs and tables in reading order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from pipelines.export.exported_page import ExportedBlock, ExportedCell, ExportedPage

_LEFT_OUT = ("header", "footer", "page_number")  # which would tear the text that goes on over the end of a page
_MARKUP = re.compile(r"([\\`*_\[\]<>|~]|&(?=#?\w+;))")
_LINE_START = re.compile(r"^(?=[-+=#]|:-)")
_NUMBERED = re.compile(r"^([0-9]{1,9})([.)])(?=\s|$)")  # the start of a list
_MAX_CELLS = 10_000  # of a table; more means that its rows or columns are misnumbered


def write_markdown(file: BinaryIO, pages: Iterable[ExportedPage]) -> None:
    """Writes a document. Lines of a paragraph stay lines; headers, footers and page numbers are left out.

    Each page begins with a comment that has its number, which readers of Markdown don't show.
    """
    for page in pages:
        blocks = [_block(block) for block in page.blocks if block.kind not in _LEFT_OUT]
        file.write("".join(f"{part}\n\n" for part in [f"<!-- page {page.index + 1} -->", *blocks]).encode())


def _block(block: ExportedBlock) -> str:
    if block.kind == "heading":
        return "#" * (block.level or 1) + " " + _inline(" ".join(line.text for line in block.lines)).replace("#", "\\#")
    if block.kind == "table" and block.cells:
        return _table(block)
    return "\n".join(_escape(line.text) for line in block.lines)


def _escape(line: str) -> str:
    """A line that is shown as it is, wherever in a paragraph it stands."""
    return _NUMBERED.sub(r"\1\\\2", _LINE_START.sub(r"\\", _inline(line)))


def _inline(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def _table(block: ExportedBlock) -> str:
    """A table; what its cells leave out of the block's words follows it."""
    rows = 1 + max(cell.row for cell in block.cells)
    columns = max(cell.column + cell.column_span for cell in block.cells)
    if rows * columns > _MAX_CELLS or min(min(cell.row, cell.column) for cell in block.cells) < 0:
        raise ValueError(f"its row is broken: a table of {rows:,} × {columns:,} cells")
    texts = [[""] * columns for _ in range(rows)]
    for cell in block.cells:
        texts[cell.row][cell.column] = _cell_text(cell)
    lines = [_table_row(texts[0]), _table_row(["---"] * columns), *map(_table_row, texts[1:])]
    in_cells = {id(word) for cell in block.cells for word in cell.words}
    rest = [[word.text for word in line.words if id(word) not in in_cells] for line in block.lines]
    return "\n".join(lines) + "".join("\n\n" + _escape(" ".join(words)) for words in rest if words)


def _cell_text(cell: ExportedCell) -> str:
    return _inline(" ".join(word.text for word in cell.words))


def _table_row(texts: Sequence[str]) -> str:
    return "| " + " | ".join(texts) + " |"
