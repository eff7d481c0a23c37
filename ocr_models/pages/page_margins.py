"""Tells headers, footers and page numbers by their place, by the white around them, and by what they say."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ocr_models.pages.leaders import is_leader
from ocr_models.pages.line_sizes import LineSizes
from ocr_models.pages.tables import Line
from ocr_models.records import BlockKind

# Thresholds are rules of thumb; the tests hold what they tell apart.
_MARGIN = 0.12  # share of a page's height, at its top and bottom, in which headers and footers are
_OUTER_MARGIN = 0.085  # in which a line is a header even if it has no number: an inch of a sheet of paper is 0.09
_WIDE_MARGIN = 0.2  # in which a page number is that stands alone below the text
_HEADER_WHITE, _MUCH_WHITE = 0.6, 1.8  # between a header and the text, in heights of a line
_LARGE = 1.3  # in sizes of the text: larger lines are titles
_MOST_WORDS = 30  # of a header without a page number
_NUMBER = r"(?:\d{1,4}|[ivxlcdm]{1,7}|[IVXLCDM]{1,7}|[A-Z][-.]?\d{1,3})"
_PAGE_NUMBER = re.compile(
    rf"[-–—−(\[|]*\s*(?:(?:page|p\.|seite|pag\.|página|pagina|s\.)\s*)?{_NUMBER}"
    rf"(?:\s*(?:/|of|von|de|di|sur)\s*{_NUMBER})?\s*[-–—−)\]|.]*",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"[|•·–—−/-]")  # beside a page number


def find_margins(lines: Sequence[Line], sizes: LineSizes, page_height: float) -> list[BlockKind | None]:
    """For each line whether it is a header, a footer or a page number."""
    kinds: list[BlockKind | None] = [None] * len(lines)
    for at_top in (True, False):
        outward = sorted(range(len(lines)), key=lambda i: lines[i].top if at_top else -lines[i].bottom)
        row: list[int] = []
        edge = 0.0
        for i in outward:
            line = lines[i]
            start, stop = (line.top, line.bottom) if at_top else (-line.bottom, -line.top)
            if row and start >= edge - 0.3 * line.height:
                white = start - edge
                if _is_margin([lines[j] for j in row], white, at_top, sizes, page_height):
                    for j in row:
                        kinds[j] = _margin_kind(lines[j], at_top)
                break
            row.append(i)
            edge = max(edge, stop) if len(row) > 1 else stop
    return kinds


def _is_margin(row: Sequence[Line], white: float, at_top: bool, sizes: LineSizes, page_height: float) -> bool:
    """Whether the outermost lines of a page, with so much white before the next, are no part of its text."""
    height = sizes.height
    far = max(line.bottom if at_top else page_height - line.top for line in row) / page_height
    if not at_top and far < _WIDE_MARGIN and white > _MUCH_WHITE * height and all(map(_is_page_number, row)):
        return True
    if far > _MARGIN or any(is_leader(text) for line in row for text in line.texts):
        return False
    if white < _HEADER_WHITE * height or any(sizes.mean(line) > _LARGE for line in row):
        return False
    if any(_has_page_number(line) for line in row):
        return True
    return far < _OUTER_MARGIN and white > _MUCH_WHITE * height and sum(len(line.texts) for line in row) <= _MOST_WORDS


def _has_page_number(line: Line) -> bool:
    """Whether a line is a page number, or begins or ends with one that a gap or a mark parts from the rest.

    A note begins with its number, and "see page 58." ends with one.
    """
    texts = line.texts
    last = len(texts) - len(line.pieces[-1].words)
    ends = [texts, texts[: len(line.pieces[0].words)], texts[last:]]
    ends += [texts[:i] for i in (1, 3) if len(texts) > i and _SEPARATOR.fullmatch(texts[i])]
    ends += [texts[-i:] for i in (1, 3) if len(texts) > i and _SEPARATOR.fullmatch(texts[-i - 1])]
    return any(_PAGE_NUMBER.fullmatch(" ".join(filter(None, end))) for end in ends)


def _is_page_number(line: Line) -> bool:
    return _PAGE_NUMBER.fullmatch(" ".join(filter(None, line.texts))) is not None


def _margin_kind(line: Line, at_top: bool) -> BlockKind:
    if _is_page_number(line):
        return BlockKind.PAGE_NUMBER
    return BlockKind.HEADER if at_top else BlockKind.FOOTER
