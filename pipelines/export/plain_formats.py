"""Plain text, Tesseract's TSV, and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import BinaryIO

from pipelines.export.exported_page import ExportedPage, Quad, box_px
from pipelines.export.xml_text import number

_TSV_COLUMNS = (
    "level",
    "page_num",
    "block_num",
    "par_num",
    "line_num",
    "word_num",
    "left",
    "top",
    "width",
    "height",
    "conf",
    "text",
)
_PAGE, _BLOCK, _PARAGRAPH, _LINE, _WORD = range(1, 6)  # Tesseract's levels
_NO_CONFIDENCE = "-1"


def write_text(file: BinaryIO, pages: Iterable[ExportedPage]) -> None:
    """Writes the text of each page, as its row has it, and a form feed, as Tesseract and pdftotext do."""
    for page in pages:
        file.write(page.text.replace("\f", " ").encode() + b"\f")


def write_tsv(file: BinaryIO, pages: Iterable[ExportedPage]) -> None:
    """Writes the columns of ``tesseract IMAGE OUT tsv``; a block has one paragraph."""
    file.write(("\t".join(_TSV_COLUMNS) + "\n").encode())
    for page in pages:
        file.write("".join(_tsv_rows(page)).encode())


def _tsv_rows(page: ExportedPage) -> Iterable[str]:
    size = page.size_px or (0, 0)

    def row(level: int, numbers: tuple[int, ...], quad: Quad, confidence: str = _NO_CONFIDENCE, text: str = "") -> str:
        left, top, right, bottom = box_px(quad, size)
        places = (page.index + 1, *numbers, *(0,) * (4 - len(numbers)))
        fields = (level, *places, left, top, right - left, bottom - top, confidence, text)
        return "\t".join(map(str, fields)) + "\n"

    yield row(_PAGE, (), (0, 0, size[0], 0, *size, 0, size[1]))
    for b, block in enumerate(page.blocks, 1):
        yield row(_BLOCK, (b,), block.quad)
        yield row(_PARAGRAPH, (b, 1), block.quad)
        for n, line in enumerate(block.lines, 1):
            yield row(_LINE, (b, 1, n), line.quad)
            for w, word in enumerate(line.words, 1):
                confidence = _NO_CONFIDENCE if word.confidence is None else number(100 * word.confidence)
                yield row(_WORD, (b, 1, n, w), word.quad, confidence, word.text)


def write_json_lines(file: BinaryIO, pages: Iterable[ExportedPage]) -> None:
    """Writes each page's whole row as an object, in a line of its own."""
    for page in pages:
        file.write(json.dumps(page.row, ensure_ascii=False).encode() + b"\n")
