"""Rows as ``pagebeam run`` writes them, by hand."""

from __future__ import annotations

from typing import Any

from tests.run_folders import box


def row(of_lines: list[list[tuple[str, list[float]]]], **columns: Any) -> dict[str, Any]:
    """The row of a page with these lines of words and quads; all words have confidence 0.75, and are in the text."""
    return {
        "source_uri": "/scans/a.png",
        "also_at": None,
        "source_sha256": "0" * 64,
        "source_kind": "image",
        "page_index": 0,
        "page_count": 1,
        "width_px": 200,
        "height_px": 100,
        "dpi": 200.0,
        "rotation_deg": 0,
        "status": "ok",
        "text": "".join(" ".join(word for word, _ in line) + "\n" for line in of_lines),
        "words": [
            {"text": word, "confidence": 0.75, "quad": quad, "line": number, "in_text": True}
            for number, line in enumerate(of_lines)
            for word, quad in line
        ],
        "lines": [
            {"text": " ".join(word for word, _ in line), "quad": around([quad for _, quad in line]), "confidence": 0.75}
            for line in of_lines
        ],
        "run_id": "20260131T020000.123Z-0a1b2c",
        "detector_id": "d@0",
        "recognizer_id": "r@0",
        **columns,
    }


def around(quads: list[list[float]]) -> list[float]:
    x, y = [n for quad in quads for n in quad[::2]], [n for quad in quads for n in quad[1::2]]
    return box(min(x), min(y), max(x), max(y))


def block(kind: str, quad: list[float], level: int | None = None, cells: list[dict] | None = None) -> dict[str, Any]:
    return {"kind": kind, "quad": quad, "level": level, "column": 0, "cells": cells}


def cell(row_: int, column: int, words: list[int], column_span: int = 1) -> dict[str, Any]:
    return {"row": row_, "column": column, "row_span": 1, "column_span": column_span, "words": words}


def page_with_blocks() -> dict[str, Any]:
    """A header, a heading, a paragraph of two lines, a table of 2 × 2 cells, and a page number."""
    lines = [
        [("Annual", box(10, 2, 40, 8)), ("report", box(44, 2, 70, 8))],
        [("Rope", box(10, 12, 50, 22)), ("#1", box(54, 12, 64, 22))],
        [("Made", box(10, 30, 40, 38)), ("of", box(44, 30, 54, 38))],
        [("2.", box(10, 40, 20, 48)), ("hemp*", box(24, 40, 54, 48))],
        [("Kind", box(10, 60, 40, 68)), ("Price", box(60, 60, 90, 68))],
        [("a|b", box(10, 70, 40, 78)), ("9.80", box(60, 70, 90, 78))],
        [("17", box(95, 90, 105, 98))],
    ]
    cells = [cell(0, 0, [8]), cell(0, 1, [9]), cell(1, 0, [10]), cell(1, 1, [11])]
    page = row(lines)
    page["blocks"] = [
        block("header", box(10, 2, 70, 8)),
        block("heading", box(10, 12, 64, 22), level=2),
        block("text", box(10, 30, 54, 48)),
        block("table", box(10, 60, 90, 78), cells=cells),
        block("page_number", box(95, 90, 105, 98)),
    ]
    for line, number in zip(page["lines"], (0, 1, 2, 2, 3, 3, 4), strict=True):
        line["block"] = number
    return page
