"""Puts the lines of a page into blocks: paragraphs, headings, tables, headers, footers and page numbers.

A page is seen alone: its headers are told by their place, by the white around them, and by what they say, not by what
other pages of the document have at the same place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from ocr_models.pages.layout import PageLayout, Table
from ocr_models.pages.leaders import is_leader
from ocr_models.pages.line_sizes import LineSizes, text_width
from ocr_models.pages.page_margins import find_margins
from ocr_models.pages.ruled_tables import Cell
from ocr_models.pages.tables import LIST_MARK, Line, Piece, find_tables, part_close_columns
from ocr_models.records import BlockKind

# Lengths are in heights of a line. Thresholds are rules of thumb; the tests hold what they tell apart.
_BLOCK_WHITE = 0.75  # more white than this between two lines parts two blocks
_MORE_WHITE = 1.4  # or, on a page whose lines are set apart, so many times the usual white
_LITTLE_MORE_WHITE = 0.25  # more than usual, after a line that ends early
_LEAST_WHITES, _WHITE = 3, 0.2  # fewer pairs of lines don't tell what is usual; then it is this
_SEEN_LINES = 12  # of a block, which tell where its next line begins and ends
_INDENT = (0.5, 5.0)  # of the first line of a paragraph
_SAME_SIZE = 1.15  # lines whose sizes differ by more are in different blocks
_OTHER_SIZE = 1.3  # the same, if a line goes on where a full one ended
_SMALL_PRINT = 0.95  # that of notes, in sizes of the text
_COLUMN_WIDTH = 9.0  # narrower blocks, such as parts of formulas, make no column of text
_HEADING_SIZES = (1.7, 1.3, 1.14)  # least sizes of levels 1 to 3 in sizes of the text: HTML's are 2, 1.5 and 1.17
_HEADING_WORDS = 30
_CODE = frozenset("_{}=\\\\<>;/|&")  # a line with such marks is a heading only if it is that of a chapter or section
_HEADING_HEIGHT = 1.04  # least height of a heading's words: those of code are as wide, but not higher

_SECTION = re.compile(r"^(?:[A-Z]|[A-Z]?\d+)(?:\.\d+)*\.? ")  # the number of a heading


@dataclass(frozen=True)
class LaidBlock:
    """A block: its lines are lists of words, in reading order; ``cells`` are those of a table."""

    kind: BlockKind
    lines: list[list[int]]
    level: int | None = None
    column: int = 0
    cells: list[Cell] | None = None


def find_blocks(boxes: np.ndarray, texts: Sequence[str], layout: PageLayout, page_height: float) -> list[LaidBlock]:
    """Puts lines into blocks.

    Args:
        boxes: (N, 4) level word boxes in pixels: xmin, ymin, xmax, ymax.
        texts: N; "" for what was found but is no text.
        layout: of these words.
        page_height: in pixels.

    Returns:
        The blocks in reading order: headers first, footers last. Every word is in one.
    """
    words = layout.lines
    if not words:
        return []
    ends = boxes.tolist()
    lines = [_line(ends, texts, pieces) for pieces in layout.pieces]
    sizes = LineSizes(lines)
    kinds = find_margins(lines, sizes, page_height)
    known = [table for table in layout.tables if _is_read(texts, table)]
    for table in known:
        kinds[table.start : table.stop] = [None] * (table.stop - table.start)
    body = [i for i, kind in enumerate(kinds) if kind is None]
    tables = [Table(body.index(t.start), body.index(t.stop - 1) + 1, t.cells) for t in known]
    blocks = _body_blocks([lines[i] for i in body], body, tables, sizes, ends)
    heads = [_Run([i], [lines[i]], kind) for i, kind in enumerate(kinds) if kind is not None]
    top, bottom = ([h for h in heads if (h.lines[0].bottom < page_height / 2) == first] for first in (True, False))
    runs = top + _with_columns(blocks) + bottom
    return [LaidBlock(r.kind, [words[i] for i in r.indices], r.level, r.column, r.cells) for r in runs]


@dataclass
class _Run:
    indices: list[int]
    lines: list[Line]
    kind: BlockKind
    level: int | None = None
    column: int = 0
    cells: list[Cell] | None = None

    @property
    def box(self) -> tuple[float, float, float, float]:
        lines = self.lines
        return (
            min(line.x0 for line in lines),
            min(line.top for line in lines),
            max(line.x1 for line in lines),
            max(line.bottom for line in lines),
        )


def _line(boxes: Sequence[Sequence[float]], texts: Sequence[str], pieces: Sequence[Sequence[int]]) -> Line:
    """A line of a layout, parted at leaders, too: they reach from one cell to the next."""
    parted: list[Piece] = []
    of_text = []
    letters = drawn = 0.0
    for piece in pieces:
        begins = True
        for word in piece:
            x0, _, x1, _ = box = boxes[word]
            text = texts[word]
            if text:
                of_text.append(box)
                letters += text_width(text)
                drawn += x1 - x0
            if parted and is_leader(text):
                end = parted[-1].x1
                parted[-1].words.append(word)
                parted[-1].ends.append((end, end))  # no gap before it parts a cell
                begins = True
            elif begins:
                parted.append(Piece([word], [(x0, x1)]))
                begins = False
            else:
                parted[-1].words.append(word)
                parted[-1].ends.append((x0, x1))
    words = [word for piece in pieces for word in piece]
    measured = of_text or [boxes[word] for word in words]
    top, bottom = median([box[1] for box in measured]), median([box[3] for box in measured])
    first_width = measured[0][2] - measured[0][0]
    return Line(parted, top, bottom, [texts[word] for word in words], first_width, drawn / max(1.0, letters))


def _is_read(texts: Sequence[str], table: Table) -> bool:
    """Whether most of a table is text: the strokes of pictures cross as rules do."""
    words = [word for cell in table.cells for word in cell.words]
    return 2 * sum(bool(texts[word]) for word in words) > len(words)


def _body_blocks(
    lines: Sequence[Line],
    indices: Sequence[int],
    ruled: Sequence[Table],
    sizes: LineSizes,
    boxes: Sequence[Sequence[float]],
) -> list[_Run]:
    """Tables, and between them paragraphs and headings."""
    blocks: list[_Run] = []
    start = 0
    are_headings = [len(line.pieces) == 1 and _heading_level([line], sizes) is not None for line in lines]
    for table in find_tables(lines, are_headings, ruled):
        blocks += _paragraphs(lines, indices, start, table.start, sizes)
        part = slice(table.start, table.stop)
        cells = part_close_columns(table.cells, boxes, median([line.height for line in lines[part]]))
        blocks.append(_Run(list(indices[part]), list(lines[part]), BlockKind.TABLE, cells=cells))
        start = table.stop
    return blocks + _paragraphs(lines, indices, start, len(lines), sizes)


def _paragraphs(lines: Sequence[Line], indices: Sequence[int], start: int, stop: int, sizes: LineSizes) -> list[_Run]:
    usual = _usual_white(lines[start:stop])
    blocks: list[_Run] = []
    marks: list[_Run] = []  # without text: those amid the lines of a block come before it
    for i in range(start, stop):
        after = lines[i + 1] if i + 1 < stop else None
        is_mark = not any(lines[i].texts)
        runs = marks if is_mark else blocks
        begins = not runs or _begins(runs[-1].lines, lines[i], after, usual, sizes)
        if not is_mark:
            place = len(blocks) if begins else len(blocks) - 1
            blocks[place:place] = marks
            marks = []
        if begins:
            runs.append(_Run([], [], BlockKind.TEXT))
        runs[-1].indices.append(indices[i])
        runs[-1].lines.append(lines[i])
    blocks += marks
    for block in blocks:
        block.level = _heading_level(block.lines, sizes)
        block.kind = BlockKind.TEXT if block.level is None else BlockKind.HEADING
    return blocks


def _usual_white(lines: Sequence[Line]) -> float:
    """The usual white between two lines of running text, in heights of lines."""
    whites = [
        (after.top - line.bottom) / line.height
        for line, after in pairwise(lines)
        if 0 < after.top + after.height - line.bottom < 3.5 * line.height and not _has_room(line, after, [line, after])
    ]
    return sorted(whites)[len(whites) // 4] if len(whites) >= _LEAST_WHITES else _WHITE  # others part paragraphs


def _has_room(line: Line, after: Line, column: Sequence[Line]) -> bool:
    """Whether the first word of the next line would have had room on a line: then it ends a paragraph."""
    right = max(other.x1 for other in column)
    return right - line.x1 > after.first_width + 0.5 * line.height


def _begins(block: Sequence[Line], line: Line, after: Line | None, usual: float, sizes: LineSizes) -> bool:
    """Whether a line begins a block after the lines of another."""
    block = block[-_SEEN_LINES:]
    before = block[-1]
    smaller = min(line.height, before.height)
    white = line.top - before.bottom
    if white < -0.7 * smaller or min(line.x1, before.x1) <= max(line.x0, before.x0):
        return True
    if white > max(_BLOCK_WHITE, _MORE_WHITE * usual) * smaller:
        return True
    ends = _has_room(before, line, [*block, line])
    left = min(other.x0 for other in block)
    least, most = (share * smaller for share in _INDENT)
    # The last words of a paragraph may be code, or have a raised number, and seem to be larger than the rest.
    continues = not ends and abs(line.x0 - left) < least
    if _differ(sizes.mean(line), sizes.mean(before), _OTHER_SIZE if continues else _SAME_SIZE) and _are_told(
        line, before
    ):
        return True
    if ends and white > (max(usual, 0.0) + _LITTLE_MORE_WHITE) * smaller:
        return True
    if _is_item(line) and ((ends and line.x0 < before.x0 + least) or _is_item(block[0])):
        return True
    if _is_next_note(line, block[0], sizes) or (ends and _is_left_of(line, block)):
        return True
    is_prose = (
        len(block) > 1 and sum(not _has_room(one, other, block) for one, other in pairwise(block)) * 2 >= len(block) - 1
    )
    if least < line.x0 - left < most and before.x0 < left + least:  # a paragraph's first line is indented
        returns = after is not None and after.x0 < left + least and after.top - line.bottom < _BLOCK_WHITE * smaller
        is_full = after is not None and not _has_room(line, after, [*block, line, after])
        return (returns and is_full) or (ends and is_prose)
    hangs = len(block) > 1 and all(other.x0 > block[0].x0 + least for other in block[1:])
    return hangs and is_prose and abs(line.x0 - block[0].x0) < least  # its other lines were indented


def _is_item(line: Line) -> bool:
    """Whether a line begins with the mark of a list."""
    return LIST_MARK.fullmatch(line.texts[0]) is not None


def _is_next_note(line: Line, first: Line, sizes: LineSizes) -> bool:
    """Whether a line in small print begins with the number after that of the first line, as notes do."""
    number, before = line.texts[0], first.texts[0]
    if not (re.fullmatch(r"\d{1,3}", number) and re.fullmatch(r"\d{1,3}", before) and int(number) == int(before) + 1):
        return False
    return sizes.mean(line) < _SMALL_PRINT and abs(line.x0 - first.x0) < _INDENT[0] * line.height


def _is_left_of(line: Line, block: Sequence[Line]) -> bool:
    """Whether a line begins left of several lines, such as a quotation or code, and isn't centered as they are."""
    lefts = [other.x0 for other in block]
    least = _INDENT[0] * line.height
    off = abs(line.x0 + line.x1 - median([other.x0 + other.x1 for other in block])) / 2
    is_centered = max(lefts) - min(lefts) > least and off < line.height
    return len(block) > 1 and line.x0 < min(lefts) - least and not is_centered


def _differ(size: float, other: float, share: float) -> bool:
    return max(size, other) > share * min(size, other)


def _are_told(line: Line, other: Line) -> bool:
    """Whether two lines have so many letters that their sizes say something."""
    return min(sum(map(len, line.texts)), sum(map(len, other.texts))) >= 5


def _heading_level(lines: Sequence[Line], sizes: LineSizes) -> int | None:
    """The level of a heading, by its size in comparison with the text; None for a paragraph."""
    size = median([sizes.mean(line) for line in lines])
    if (
        size < _HEADING_SIZES[-1]
        or min(median(part) for part in zip(*map(sizes.of, lines), strict=True)) < _HEADING_HEIGHT
    ):
        return None
    text = " ".join(text for line in lines for text in line.texts if text)
    named = _SECTION.sub("", text, count=1)
    if len(text.split()) > _HEADING_WORDS or sum(map(str.isalpha, named)) < max(3, 0.6 * len(named.replace(" ", ""))):
        return None
    levels = _HEADING_SIZES[: 2 if _CODE & set(text) else 3]
    return next((level for level, least in enumerate(levels, start=1) if size >= least), None)


def _with_columns(blocks: list[_Run]) -> list[_Run]:
    """The blocks, with the index of the text column that each stands in: one more than the blocks to its left."""
    x0, y0, x1, y1 = np.array([block.box for block in blocks]).reshape(-1, 4).T
    is_wide = x1 - x0 > _COLUMN_WIDTH * np.array([block.lines[0].height for block in blocks])
    columns = np.zeros(len(blocks), int)
    for i in np.argsort(x0, kind="stable"):
        is_left = is_wide & (x1 <= x0[i]) & (np.minimum(y1, y1[i]) > np.maximum(y0, y0[i]))
        columns[i] = columns[is_left].max(initial=-1) + 1
    for block, column in zip(blocks, columns.tolist(), strict=True):
        block.column = column
    for before, block in pairwise(blocks):
        height = block.lines[0].height
        if block.column < before.column and block.box[0] > before.box[0] - 2 * height and block.box[1] > before.box[1]:
            block.column = before.column  # the column to the left has ended
    return blocks
