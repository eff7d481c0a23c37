"""Tables for terminals."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_models.terminal import printable


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a table: numbers to the right and with commas, texts to the left; None is a dash."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    is_number = [all(isinstance(row[i], (int, float, type(None))) for row in rows) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = zip(row, widths, is_number, strict=True)
        return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in padded).rstrip()

    return [line(row) for row in [list(header), *cells]]


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, (int, float)) else printable(str(value))
