"""Finds tables among the lines of a page, and their rows, columns and cells.

A table is a run of lines that are parted by the same white columns. Its columns are found bottom up, from the narrowest
of its pieces on: two pieces of one line are never in one column, so that a piece over several columns is known by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise

from ocr_models.pages.layout import Table
from ocr_models.pages.ruled_tables import Cell

# Lengths are in heights of a line. Thresholds are rules of thumb; the tests hold what they tell apart.
_WHITEST = 2.5  # white between two rows of one table
_LEAST_GAP = 0.3  # white between two columns
_WIDE_SPACE = 0.6  # wider than between two words
_CLOSE_COLUMNS = 0.8  # share of the cells of a column that have a gap at the same place, if it is two
_SHARED = 0.3  # pieces that share less are in different columns
_SAME_EDGE = 0.5  # pieces whose left edges, right edges or middles differ by less are aligned
_FULL_LINES = 4  # each with several pieces: one aligned column is then enough
_ALIGNED = 0.6  # share of the pieces of a column that are aligned
_WRAPPED_WORDS = 2  # text that is wrapped has lines of at least so many words
_WRAPPED_WHITE = 0.75  # most white between the lines of one cell
_SEEN_ROWS = 20  # before and after a line, which tell how wide its columns are
_PENDING = 3  # lines with one piece that may stand between two rows
LIST_MARK = re.compile(r"[•·▪■□○◦‣►✓✗–—−*-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)]|\[\d{1,3}\]")
"""What stands before an item of a list."""


@dataclass(frozen=True)
class Piece:
    """Words of a line that no wide gap parts, and where each of them begins and ends."""

    words: list[int]
    ends: list[tuple[float, float]]

    @cached_property
    def x0(self) -> float:
        return self.ends[0][0]

    @cached_property
    def x1(self) -> float:
        return max(end for _, end in self.ends)


@dataclass(frozen=True)
class Line:
    """A line of a page.

    Attributes:
        pieces: from left to right.
        top, bottom: medians over its words, pixels.
        texts: of its words.
        first_width: of its first word, pixels.
        letter_width: of its letters, pixels, as if all were as wide as "n".
    """

    pieces: list[Piece]
    top: float
    bottom: float
    texts: list[str]
    first_width: float
    letter_width: float

    @cached_property
    def x0(self) -> float:
        return self.pieces[0].x0

    @cached_property
    def x1(self) -> float:
        return max(piece.x1 for piece in self.pieces)

    @cached_property
    def height(self) -> float:
        return max(self.bottom - self.top, 1e-6)


def part_close_columns(cells: list[Cell], boxes: Sequence[Sequence[float]], height: float) -> list[Cell]:
    """Parts the columns of a table in which almost all cells have a gap at the same place: two that stand close.

    Args:
        cells: row by row.
        boxes: of the page's words: xmin, ymin, xmax, ymax, pixels.
        height: of a line, pixels.
    """
    column = 0
    while column <= max(cell.column for cell in cells):
        gaps = [_gaps_in(cell, boxes, height) for cell in cells if cell.column == column and cell.column_span == 1]
        least = max(_FULL_LINES, _CLOSE_COLUMNS * len(gaps))
        middles = [(low + high) / 2 for low, high in next(filter(None, gaps), [])]
        shared = [x for x in middles if sum(any(low < x < high for low, high in of) for of in gaps) >= least]
        if shared:
            cells = [part for cell in cells for part in _part_cell(cell, column, shared[0], boxes)]
        column += 1
    return cells


def _gaps_in(cell: Cell, boxes: Sequence[Sequence[float]], height: float) -> list[tuple[float, float]]:
    """The gaps between the words of a cell, over all its lines, that are wider than a space."""
    ends = sorted((boxes[word][0], boxes[word][2]) for word in cell.words)
    reached = accumulate((end for _, end in ends[:-1]), max)
    return [(low, high) for low, (high, _) in zip(reached, ends[1:], strict=True) if high - low > _WIDE_SPACE * height]


def _part_cell(cell: Cell, column: int, x: float, boxes: Sequence[Sequence[float]]) -> list[Cell]:
    """A cell of a table of which a column is parted at ``x``, pixels."""
    if cell.column > column:
        return [cell._replace(column=cell.column + 1)]
    if cell.column + cell.column_span <= column:
        return [cell]
    if cell.column_span > 1:
        return [cell._replace(column_span=cell.column_span + 1)]
    sides: list[list[int]] = [[], []]
    for word in cell.words:
        sides[boxes[word][0] + boxes[word][2] > 2 * x].append(word)
    return [cell._replace(column=column + i, words=words) for i, words in enumerate(sides) if words]


def find_tables(lines: Sequence[Line], are_headings: Sequence[bool], known: Sequence[Table]) -> list[Table]:
    """The tables among lines in reading order: the known ones, with rules, and others. A heading ends a table."""
    tables: list[Table] = []
    start = 0
    for table in known:
        tables += _unruled_tables(lines[: table.start], are_headings, start)
        tables.append(table)
        start = table.stop
    return tables + _unruled_tables(lines, are_headings, start)


def _unruled_tables(lines: Sequence[Line], are_headings: Sequence[bool], i: int) -> list[Table]:
    tables = []
    while i < len(lines):
        stop = _run_end(lines, i, are_headings) if _is_parted(lines[i]) else i
        table = _table(lines, i, stop) if stop > i + 1 else None
        if table:
            tables.append(table)
        i = stop if table else i + 1
    return tables


def _is_parted(line: Line) -> bool:
    """Whether a line has several pieces, but for the mark of a list before an item."""
    count = len(line.pieces) if sum(map(bool, line.texts)) > 1 else 0
    return count > 2 or (count == 2 and not (len(line.pieces[0].words) == 1 and LIST_MARK.fullmatch(line.texts[0])))


def _run_end(lines: Sequence[Line], start: int, are_headings: Sequence[bool]) -> int:
    """Where the run of lines ends that are parted by the same white columns as the first."""
    gaps = _gaps(lines[start])
    stop = start + 1
    for i in range(start + 1, len(lines)):
        line, before = lines[i], lines[i - 1]
        white = line.top - before.bottom
        height = min(line.height, before.height)
        if not -0.7 * height < white < _WHITEST * height or i - stop > _PENDING or are_headings[i]:
            break
        if _is_parted(line):
            shared = _shared_gaps(gaps, _gaps(line), line)
            if shared is None:
                break
            gaps, stop = shared, i + 1
        elif not _is_between(line, gaps):
            break
    while stop < len(lines) and not are_headings[stop] and _continues_row(lines, start, stop, gaps):
        stop += 1
    return stop


def _gaps(line: Line) -> list[tuple[float, float]]:
    return [(a.x1, b.x0) for a, b in pairwise(line.pieces)]


def _shared_gaps(
    gaps: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]], line: Line
) -> list[tuple[float, float]] | None:
    """The white columns of a table and of its next row; None if they have none in common."""
    least = _LEAST_GAP * line.height
    found, is_shared = [], False
    rest = list(others)
    for low, high in gaps:
        common = [(max(low, a), min(high, b)) for a, b in others if min(high, b) - max(low, a) > least]
        is_shared |= bool(common)
        found += common or [(low, high)]
        rest = [(a, b) for a, b in rest if min(high, b) - max(low, a) <= least]
    return sorted(found + rest) if is_shared else None


def _is_between(line: Line, gaps: Sequence[tuple[float, float]]) -> bool:
    """Whether a line of one piece stands in one of the columns that gaps part."""
    return bool(gaps) and not any(line.x0 < low and line.x1 > high for low, high in gaps)


def _continues_row(lines: Sequence[Line], start: int, i: int, gaps: Sequence[tuple[float, float]]) -> bool:
    """Whether a line of one piece after the last row is the rest of its text."""
    line, before = lines[i], lines[i - 1]
    white = line.top - before.bottom
    if (
        len(line.pieces) > 1
        or not -0.7 * line.height < white < _WRAPPED_WHITE * line.height
        or not _is_between(line, gaps)
    ):
        return False
    return i > start and _is_wrapped(before, line, lines[max(start, i - _SEEN_ROWS) : i])


def _is_wrapped(before: Line, line: Line, rows: Sequence[Line]) -> bool:
    """Whether all pieces of a line go on with text of the line before, where their first words had no room."""
    if len(line.pieces) >= len(before.pieces) and len(before.pieces) > 1:
        return False
    if line.top - before.bottom > _WRAPPED_WHITE * min(line.height, before.height):
        return False
    for piece in line.pieces:
        above = [p for p in before.pieces if _overlap(p, piece) > 0]
        if len(above) != 1 or len(above[0].words) < _WRAPPED_WORDS:
            return False
        column = [p.x1 for row in rows for p in row.pieces if _overlap(p, above[0]) > 0 and p.x0 >= above[0].x0 - 2]
        room = max(column, default=piece.x1) - above[0].x1
        if room > line.first_width * (1 if piece is line.pieces[0] else 0.5) + 0.3 * line.height:
            return False
    return True


def _overlap(a: Piece, b: Piece) -> float:
    return min(a.x1, b.x1) - max(a.x0, b.x0)


@dataclass
class _Column:
    x0: float
    x1: float
    rows: set[int] = field(default_factory=set)


def _columns(pieces: Sequence[tuple[int, Piece]], height: float) -> list[_Column]:
    """The columns of pieces, each with its line. Pieces that share columns with several in one line are over both."""
    columns: list[_Column] = []
    # From the narrowest piece on; those last that may be over two columns.
    for line, piece in sorted(pieces, key=lambda item: (_widest_gap(item[1]) > _WIDE_SPACE * height, _width(item[1]))):
        shared = [c for c in columns if min(c.x1, piece.x1) - max(c.x0, piece.x0) > _SHARED * height]
        if len(shared) > 1 and any(a.rows & b.rows for i, a in enumerate(shared) for b in shared[:i]):
            continue
        if len(shared) == 1 and line in shared[0].rows:
            continue
        merged = _Column(piece.x0, piece.x1, {line})
        for c in shared:
            merged = _Column(min(merged.x0, c.x0), max(merged.x1, c.x1), merged.rows | c.rows)
        columns = [c for c in columns if c not in shared] + [merged]
    return sorted(columns, key=lambda c: c.x0 + c.x1)


def _width(piece: Piece) -> float:
    return piece.x1 - piece.x0


def _widest_gap(piece: Piece) -> float:
    return max((after[0] - before[1] for before, after in pairwise(piece.ends)), default=0.0)


def _table(lines: Sequence[Line], start: int, stop: int) -> Table | None:
    """The table in a run of lines; None if its pieces are not aligned."""
    run = lines[start:stop]
    height = sorted(line.height for line in run)[len(run) // 2]
    pieces = [(i, piece) for i, line in enumerate(run) for piece in line.pieces]
    columns = _columns(pieces, height)
    aligned = _count_aligned(pieces, columns, height)
    # The entries of a table of contents are indented by their level; only their numbers are aligned.
    is_full = len(run) >= _FULL_LINES and all(len(line.pieces) > 1 for line in run)
    if len(columns) < 2 or aligned < 2 - is_full:
        return None
    rows: list[list[Line]] = []
    for i, line in enumerate(run):
        if i and _is_wrapped(run[i - 1], line, run[max(0, i - _SEEN_ROWS) : i + _SEEN_ROWS]):
            rows[-1].append(line)
        else:
            rows.append([line])
    if len(rows) < 2:
        return None
    cells: dict[tuple[int, int], Cell] = {}
    for row, of_row in enumerate(rows):
        for piece in (part for line in of_row for whole in line.pieces for part in _part(whole, columns, height)):
            first, last = _span(piece, columns, _SHARED * height)
            cell = cells.setdefault((row, first), Cell(row, first, 1, last - first + 1, []))
            cell.words.extend(piece.words)
    return Table(start, stop, [cells[key] for key in sorted(cells)])


def _part(piece: Piece, columns: Sequence[_Column], height: float) -> list[Piece]:
    """A piece, parted where it has a gap between columns that is wider than a space."""
    cuts = [
        i + 1
        for i, ((_, low), (high, _)) in enumerate(pairwise(piece.ends))
        if high - low > _WIDE_SPACE * height
        and any(min(b.x0, high) - max(a.x1, low) > _LEAST_GAP * height for a, b in pairwise(columns))
    ]
    bounds = pairwise([0, *cuts, len(piece.words)])
    return [Piece(piece.words[i:j], piece.ends[i:j]) for i, j in bounds]


def _span(piece: Piece, columns: Sequence[_Column], least: float) -> tuple[int, int]:
    """The first and last column that a piece is over."""
    over = [min(c.x1, piece.x1) - max(c.x0, piece.x0) for c in columns]
    shared = [i for i, width in enumerate(over) if width > least]
    if not shared:
        shared = [max(range(len(columns)), key=over.__getitem__)]
    return shared[0], shared[-1]


def _count_aligned(pieces: Sequence[tuple[int, Piece]], columns: Sequence[_Column], height: float) -> int:
    """How many columns have pieces that begin, end or are centered at the same place in several lines."""
    aligned = 0
    for column in columns:
        inside = [p for _, p in pieces if p.x0 >= column.x0 - 1 and p.x1 <= column.x1 + 1]
        if len(inside) < 2:
            continue
        edges = ([p.x0 for p in inside], [p.x1 for p in inside], [(p.x0 + p.x1) / 2 for p in inside])
        aligned += any(_share_near_median(edge, _SAME_EDGE * height) >= _ALIGNED for edge in edges)
    return aligned


def _share_near_median(values: Sequence[float], reach: float) -> float:
    middle = sorted(values)[len(values) // 2]
    return sum(abs(value - middle) <= reach for value in values) / len(values)
