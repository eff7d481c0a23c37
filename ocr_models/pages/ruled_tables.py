"""Finds the tables of a page whose columns are parted by rules, and their cells.

Rules are searched on the page at a quarter of its size, as thin runs of darkness in which no word stands. Tables
without upright rules are told by their words alone (``tables``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np

SCALE = 4
"""Pixels of a page for one that is searched."""

_CONTRAST = 14  # gray levels by which a rule is darker than both sides of it, at that scale: a pixel of black is 64
_LEAST_LEVEL_PX, _LEAST_UPRIGHT_PX = 120, 56  # no marks between words are as long; two lines of text are 60 high
_BROKEN_PX = 12  # white that may be in a rule: rules of scans are broken
_NARROW = 0.35  # width to height of boxes in which a rule may be
_DRAWN = 0.6  # share of a rule that is dark where no word stands
_THICKEST, _MOST_SLANT = 4, 0.02  # of rules: rows at that scale, or height to width
_MEET_PX = 12  # rules that are as near as this meet
_MOST_RULES, _MOST_CELLS = 1000, 20_000  # of a table; a page with more has hatching or a pattern
_RULED = 0.35  # share of the side of a cell that has a rule, where no word stands; letters beside it hide some of it
_REACH_PX = 20  # from the end of an upright rule to a level one
_LONG = 0.3  # share of the height of a table
_FEW_ROWS = 3  # between level rules: a head, a body and a foot; the rows of such a table may have no rules
_MANY_FULL = 0.6  # as _FULL, of bands of more lines than _FEW_ROWS
_FULL = 0.7  # share of the cells of a band, and of the lines of its fullest cell
_SEEN = 0.2  # share of it where no word stands, or else the side tells nothing


class GridCell(NamedTuple):
    """A cell of a table with rules, and its box in pixels."""

    row: int
    column: int
    row_span: int
    column_span: int
    x0: float
    y0: float
    x1: float
    y1: float


class Cell(NamedTuple):
    """A cell of a table; ``words`` are indices of the page's words."""

    row: int
    column: int
    row_span: int
    column_span: int
    words: list[int]


def find_grids(image: np.ndarray, words: np.ndarray) -> list[list[GridCell]]:
    """Finds the tables whose columns are parted by upright rules.

    Args:
        image: uint8 (H, W), gray, level.
        words: (N, 4), the boxes of the words on it in pixels: xmin, ymin, xmax, ymax.

    Returns:
        The cells of each table, row by row: of at least two rows and two columns.
    """
    rows, columns = (side // SCALE for side in image.shape)
    small = image[: rows * SCALE, : columns * SCALE]
    if not small.size:
        return []
    for shrink in (2, 4):  # twice by two is six times as fast as by four
        small = cv2.resize(small, (columns * SCALE // shrink, rows * SCALE // shrink), interpolation=cv2.INTER_AREA)
    return find_small_grids(small, words)


def find_small_grids(small: np.ndarray, words: np.ndarray) -> list[list[GridCell]]:
    """As ``find_grids``, on a page at a quarter of its size, uint8 (H / 4, W / 4); words and cells as there."""
    if min(small.shape) < _LEAST_LEVEL_PX // SCALE:
        return []
    # The detector sees a piece of a rule as a letter; a real one is shorter than a rule.
    words = words[words[:, 2] - words[:, 0] > _NARROW * (words[:, 3] - words[:, 1])]
    is_inside = _filled(small.shape, words / SCALE + [0.5, 0.5, -0.5, -0.5])  # boxes may hold a rule at their edges
    level_dark = _thin_darkness(small, is_inside)
    level = _level_rules(level_dark, _LEAST_LEVEL_PX)
    if not len(level):
        return []
    is_word = _filled(small.shape, words / SCALE)
    level = level[_are_drawn(level, level_dark, is_word)]
    sideways, inside_sideways = np.ascontiguousarray(small.T), np.ascontiguousarray(is_inside.T)
    upright_dark = _thin_darkness(sideways, inside_sideways)
    upright = _level_rules(upright_dark, _LEAST_UPRIGHT_PX)
    upright = upright[_are_drawn(upright, upright_dark, is_word.T)][:, [1, 0, 3, 2]]
    if not len(level) or not len(upright) or len(level) + len(upright) > _MOST_RULES:
        return []
    group = _connected(np.concatenate([level, upright]))
    of_level, of_upright = group[: len(level)], group[len(level) :]
    maps = (level_dark, is_inside), (upright_dark, inside_sideways)
    found = (_grid(level[of_level == g], upright[of_upright == g], *maps) for g in np.unique(of_upright))
    return [grid for grid in found if grid]


_Map = tuple[np.ndarray, np.ndarray]  # uint8 (h, w) each: where rules may be, and where words are


def _filled(shape: tuple[int, ...], boxes: np.ndarray) -> np.ndarray:
    """uint8 (h, w): 1 in boxes (N, 4)."""
    filled = np.zeros(shape, np.uint8)
    for x0, y0, x1, y1 in np.round(boxes).astype(int).clip(0).tolist():
        filled[y0:y1, x0:x1] = 1
    return filled


def _thin_darkness(small: np.ndarray, is_word: np.ndarray) -> np.ndarray:
    """Where a small page, uint8 (h, w), is dark between two lighter rows, at most two rows high, beside words: 0, 1.

    The lighter of two rows counts on each side: a letter may be as near as that.
    """
    dark = np.zeros_like(small)
    above, below = cv2.max(small[:-4], small[1:-3]), cv2.max(small[3:-1], small[4:])
    contrast = cv2.subtract(cv2.min(above, below), small[2:-2])
    dark[2:-2] = cv2.threshold(contrast, _CONTRAST, 1, cv2.THRESH_BINARY)[1]
    return cv2.subtract(dark, is_word)


def _level_rules(thin: np.ndarray, least_px: int) -> np.ndarray:
    """The long rows of thin darkness: boxes (R, 4) in pixels of the page."""
    dark = cv2.dilate(thin, np.ones((2, 1), np.uint8))  # a rule may step from one row to the next
    dark = cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((1, _BROKEN_PX // SCALE + 1), np.uint8))
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((1, least_px // SCALE), np.uint8))
    outlines, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    x, y, width, height = np.array([cv2.boundingRect(o) for o in outlines], np.float64).reshape(-1, 4).T
    boxes = np.stack([x, y, x + width, y + height], axis=1) * SCALE
    return boxes[height <= np.maximum(_THICKEST, _MOST_SLANT * width)]


def _are_drawn(rules: np.ndarray, thin: np.ndarray, is_word: np.ndarray) -> np.ndarray:
    """Bool (R,): which level rules are also dark between words, and not just the stems of their letters."""
    drawn = np.zeros(len(rules), bool)
    for i, (x0, y0, x1, y1) in enumerate((rules / SCALE).astype(int).tolist()):
        seen = is_word[y0:y1, x0:x1].max(axis=0) == 0
        drawn[i] = seen.any() and thin[y0:y1, x0:x1].max(axis=0)[seen].mean() >= _DRAWN
    return drawn


def _connected(rules: np.ndarray) -> np.ndarray:
    """For each of rules (R, 4) the group of those that meet it, directly or through others: int (R,)."""
    low, high = rules[:, :2] - _MEET_PX / 2, rules[:, 2:] + _MEET_PX / 2
    meets = ((low[:, None] < high) & (high[:, None] > low)).all(axis=2)
    group = np.arange(len(rules))
    while True:
        least = np.where(meets, group, len(rules)).min(axis=1)
        if (least == group).all():
            return group
        group = least


def _grid(level: np.ndarray, upright: np.ndarray, level_map: _Map, upright_map: _Map) -> list[GridCell]:
    """The cells between rules that meet; none if they don't make a table."""
    if not len(level):
        return []
    rules = np.concatenate([level, upright])
    (left, top), (right, bottom) = rules[:, :2].min(axis=0), rules[:, 2:].max(axis=0)
    upright = upright[_stand_between(upright, level, bottom - top)]
    if not len(upright):
        return []
    xs = _places((upright[:, 0] + upright[:, 2]) / 2, left, right)
    ys = _places((level[:, 1] + level[:, 3]) / 2, top, bottom)
    rows, columns = len(ys) - 1, len(xs) - 1
    if rows < 2 or columns < 2 or rows * columns > _MOST_CELLS:
        return []
    # Whether a rule is at the right of each cell, and below it.
    walls, floors = np.ones((rows, columns), bool), np.ones((rows, columns), bool)
    for i in range(rows):
        for j in range(columns):
            if j < columns - 1:
                walls[i, j] = _is_ruled(upright_map, xs[j + 1], ys[i], ys[i + 1])
            if i < rows - 1:
                floors[i, j] = _is_ruled(level_map, ys[i + 1], xs[j], xs[j + 1])
    cells: list[GridCell] = []
    is_taken = np.zeros((rows, columns), bool)
    for i, j in np.ndindex(rows, columns):
        if not is_taken[i, j]:
            across = 1
            while not walls[i, j + across - 1] and not is_taken[i, j + across]:
                across += 1
            down = 1
            while not floors[i + down - 1, j : j + across].any() and not is_taken[i + down, j : j + across].any():
                down += 1
            is_taken[i : i + down, j : j + across] = True
            cells.append(GridCell(i, j, down, across, xs[j], ys[i], xs[j + across], ys[i + down]))
    return cells


def _stand_between(upright: np.ndarray, level: np.ndarray, height: float) -> np.ndarray:
    """Bool (S,): which upright rules are long, or reach from one level rule to another; stems of letters don't."""
    middles = (level[:, 1] + level[:, 3]) / 2
    reaches = [np.abs(upright[:, end, None] - middles).min(axis=1) <= _REACH_PX for end in (1, 3)]
    x = (upright[:, 0] + upright[:, 2]) / 2
    in_line = np.abs(x[:, None] - x) <= _MEET_PX  # with words that reach over a rule between
    return (reaches[0] & reaches[1]) | (in_line @ (upright[:, 3] - upright[:, 1]) > _LONG * height)


def _places(places: np.ndarray, low: float, high: float) -> list[float]:
    """The places of rules, rising, each once, and the two ends of a table where it has no rule."""
    rising = np.sort(places)
    first = np.flatnonzero(np.diff(rising, prepend=-np.inf) > _MEET_PX)
    found = [float(part.mean()) for part in np.split(rising, first[1:])]
    before, after = int(found[0] > low + _MEET_PX), int(found[-1] < high - _MEET_PX)
    return [float(low)][:before] + found + [float(high)][:after]


def _is_ruled(level_map: _Map, y: float, x0: float, x1: float) -> bool:
    """Whether a level rule lies along a side of a cell; a word that reaches over the side hides it."""
    row, start, stop = round(y / SCALE), round(x0 / SCALE) + 1, round(x1 / SCALE) - 1
    near = slice(max(0, row - 2), row + 2)
    dark, is_word = (part[near, start : max(stop, start + 1)] for part in level_map)
    seen = is_word.max(axis=0) == 0
    if seen.sum() < max(1.0, _SEEN * seen.size):
        return True
    return float(dark.max(axis=0)[seen].mean()) >= _RULED


def cells_of_words(boxes: np.ndarray, grids: Sequence[Sequence[GridCell]]) -> tuple[np.ndarray, np.ndarray]:
    """For each word, boxes (N, 4), the table and the cell in which its middle is, int (N,) each; -1 if in none.

    A table without words in two rows and two columns is none.
    """
    table, cell = np.full(len(boxes), -1), np.full(len(boxes), -1)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    for number, grid in enumerate(grids):
        x0, y0, x1, y1 = np.array([of_cell[4:] for of_cell in grid]).T
        near = np.flatnonzero((table < 0) & (x > x0.min()) & (x < x1.max()) & (y > y0.min()) & (y < y1.max()))
        found = np.full(len(near), -1)
        for i in range(len(grid)):
            found[(x[near] > x0[i]) & (x[near] <= x1[i]) & (y[near] > y0[i]) & (y[near] <= y1[i])] = i
        near, found = near[found >= 0], found[found >= 0]
        used = [grid[i] for i in np.unique(found)]
        if min(len({of_cell.row for of_cell in used}), len({of_cell.column for of_cell in used})) >= 2:
            table[near], cell[near] = number, found
    return table, cell


def table_lines(
    extents: np.ndarray, segments: Sequence[list[int]], cell: np.ndarray, grid: Sequence[GridCell]
) -> tuple[list[list[list[int]]], list[Cell]]:
    """The lines of a table in reading order, and its cells.

    A row whose cells have one line each is one line; of other rows, each line of a cell stands alone.

    Args:
        extents: (S, 4), boxes of the segments in pixels.
        segments: the words of each; all in one cell.
        cell: int (N,), the index in ``grid`` of each word.
        grid: the cells of the table.

    Returns:
        Each line as segments; and the cells that have words.
    """
    middles = (extents[:, 1] + extents[:, 3]) / 2
    of_cells = [int(cell[segment[0]]) for segment in segments]
    order = sorted(range(len(segments)), key=lambda i: (*grid[of_cells[i]][:2], middles[i], extents[i, 0]))
    bands: list[_Band] = []
    for row, of_row in groupby(order, key=lambda i: grid[of_cells[i]].row):
        members = [(grid[i], list(of_cell)) for i, of_cell in groupby(of_row, key=of_cells.__getitem__)]
        bands.append(_Band(row, [(place, _level_lines(of_cell, extents)) for place, of_cell in members]))
    lines: list[list[list[int]]] = []
    cells: list[Cell] = []
    is_sparse = max(place.row + place.row_span for place in grid) <= _FEW_ROWS
    first_rows = {0: 0}  # of the rows between rules
    for row, of_band in bands:
        parted = _rows_of_band(of_band, middles) if is_sparse else [of_band]
        first = row + sum(more for after, more in first_rows.items() if after <= row)
        first_rows[row + 1] = len(parted) - 1
        for i, of_row_cells in enumerate(parted):
            if all(len(of_cell) == 1 for _, of_cell in of_row_cells):
                lines.append([segments[i] for _, (line,) in of_row_cells for i in line])
            else:
                lines += [[segments[i] for i in line] for _, of_cell in of_row_cells for line in of_cell]
            for place, of_cell in of_row_cells:
                words = [word for line in of_cell for j in line for word in segments[j]]
                cells.append(Cell(first + i, place.column, place.row_span, place.column_span, words))
    return lines, cells


_CellLines = tuple[GridCell, list[list[int]]]


class _Band(NamedTuple):
    """What stands between two level rules: the lines of each cell, from left to right."""

    row: int
    cells: list[_CellLines]


def _rows_of_band(cells: list[_CellLines], middles: np.ndarray) -> list[list[_CellLines]]:
    """The rows of a band in which most cells have as many lines: then its rows have no rules between them."""
    most = max(len(lines) for _, lines in cells)
    full = sum(len(lines) >= _FULL * most for _, lines in cells)
    least = _FULL if most <= _FEW_ROWS else _MANY_FULL  # cells of one row seldom have as many lines
    if most < 2 or full < max(2, least * len(cells)):
        return [cells]
    fullest = next(lines for _, lines in cells if len(lines) == most)
    heights = middles[[line[0] for line in fullest]]
    rows: list[list[_CellLines]] = [[] for _ in fullest]
    for place, lines in cells:
        of_rows: dict[int, list[list[int]]] = {}
        for line in lines:
            of_rows.setdefault(int(np.abs(heights - middles[line[0]]).argmin()), []).append(line)
        for row, of_row in of_rows.items():
            rows[row].append((place, of_row))
    return [row for row in rows if row]


def _level_lines(segments: Sequence[int], extents: np.ndarray) -> list[list[int]]:
    """Joins the segments of a cell, sorted by height, that are level."""
    lines: list[list[int]] = []
    for i in segments:
        if lines and extents[i, 1] < (extents[lines[-1][0], 1] + extents[lines[-1][0], 3]) / 2:
            lines[-1].append(i)
        else:
            lines.append([i])
    return [sorted(line, key=lambda i: extents[i, 0]) for line in lines]
