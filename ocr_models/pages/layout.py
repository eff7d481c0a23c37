"""Puts words into lines, and lines into reading order.

All boxes are level: the skew of the page has been removed. Lines are chains of words that follow each other at the same
height. Chains that are side by side are one line, unless they are running text in columns. The order of lines is the
topological one of Breuel 2003, "High performance document layout analysis".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ocr_models.limits import check_reading_time
from ocr_models.pages.groups import cheapest, flat_lists, group_medians, portions
from ocr_models.pages.neighbors import Strips, level_pairs, white_extents
from ocr_models.pages.repeated_columns import Gutter, find_gutters
from ocr_models.pages.ruled_tables import Cell, GridCell, cells_of_words, table_lines
from ocr_models.pages.table_cells import cell_successors

# Thresholds without a unit are shares; they are rules of thumb, and the tests hold what they tell apart.
_MAX_WORD_GAP = 1.3  # in line heights: a wider gap separates two cells or columns
_MIN_OVERLAP = 0.5  # of the smaller of two heights, for words of one line
_MAX_HEIGHT_RATIO = 2.2  # of two words of one line
_CORRIDOR_WIDTH = 0.6  # in median word heights: twice a space; the gutter of LaTeX's twocolumn is about 1
_CORRIDOR_LINES = 5  # lines that end at a corridor on its left, and lines that begin at it on its right
_ROW_STEP = 0.5  # in median word heights: words whose middles differ by more stand in different rows
_AT_ONCE = 1 << 22  # pairs of lines that are compared at a time, which bounds memory
_CORRIDOR_REACH = 3.0  # in median word heights: the largest distance of these lines from the corridor


@dataclass(frozen=True)
class PageLayout:
    """The lines of a page in reading order, and its tables with rules.

    Attributes:
        pieces: the words of each line, in pieces that no wide gap parts, such as cells.
        tables: those with rules.
    """

    pieces: list[list[list[int]]]
    tables: list[Table]

    @property
    def lines(self) -> list[list[int]]:
        """The words of each line."""
        return [[word for piece in pieces for word in piece] for pieces in self.pieces]


class Table(NamedTuple):
    """A table: its lines from ``start`` to before ``stop``, and its cells that have words, row by row."""

    start: int
    stop: int
    cells: list[Cell]


def order_words(
    boxes: np.ndarray, grids: Sequence[Sequence[GridCell]] = (), are_text: np.ndarray | None = None
) -> PageLayout:
    """Puts words into lines and lines into reading order.

    Args:
        boxes: (N, 4) level word boxes in pixels: xmin, ymin, xmax, ymax.
        grids: the cells of tables with rules, in the same pixels; words in at least two of the cells make a table.
        are_text: bool (N,), False for what is more likely a mark or a part of a picture than a word. Lines of marks
            alone say nothing about the order of others, and stand beside the nearest one. By default, all are text.

    Returns:
        Lines of indices into ``boxes``; every word is in exactly one line. A table's are read by rows, and in a row in
        which a cell has several lines, cell by cell.
    """
    if not len(boxes):
        return PageLayout([], [])
    boxes = np.asarray(boxes, np.float64)
    table, cell = cells_of_words(boxes, grids)
    successors = _part_at_corridors(boxes, word_successors(boxes))
    follows = np.flatnonzero(successors >= 0)
    crosses = (table[follows] != table[successors[follows]]) | (cell[follows] != cell[successors[follows]])
    successors[follows[crosses]] = -1
    segments = chains(successors)
    gutters = find_gutters(_extents(boxes, segments))
    if gutters:
        follows = np.flatnonzero(successors >= 0)
        are_parted = [gutter.is_before(boxes[successors[follows]]) for gutter in gutters]
        successors[follows[np.any(are_parted, axis=0)]] = -1
        segments = chains(successors)
    of_tables: dict[int, list[list[int]]] = {number: [] for number in range(-1, len(grids))}
    for segment in segments:
        of_tables[int(table[segment[0]])].append(segment)
    free = of_tables.pop(-1)
    # A table stands in the reading order as a whole, as a line does.
    runs = (
        [[[free[i] for i in chain]] for chain in chains(_row_successors(_extents(boxes, free), gutters))]
        if free
        else []
    )
    cells: list[list[Cell]] = [[] for _ in runs]
    for number, inside in of_tables.items():
        if inside:
            lines, of_table = table_lines(_extents(boxes, inside), inside, cell, grids[number])
            runs.append(lines)
            cells.append(of_table)
    words = [[word for line in run for segment in line for word in segment] for run in runs]
    flags = [True] * len(boxes) if are_text is None else are_text.tolist()
    of_text = np.array([any(flags[word] for word in of_run) for of_run in words])
    layout = PageLayout([], [])
    for i in _order_with_marks(_extents(boxes, words), of_text).tolist():
        if cells[i]:
            layout.tables.append(Table(len(layout.pieces), len(layout.pieces) + len(runs[i]), cells[i]))
        layout.pieces.extend(runs[i])
    return layout


def _row_successors(extents: np.ndarray, gutters: Sequence[Gutter]) -> np.ndarray:
    """For each segment, (L, 4), the next cell on its line, which is not in another column of the page; or -1."""
    successors = cell_successors(extents)
    for gutter in gutters:
        follows = np.flatnonzero(successors >= 0)
        is_parted = gutter.parts(extents[follows], extents[successors[follows]])
        successors[follows[is_parted]] = -1
    return successors


def line_segments(boxes: np.ndarray) -> list[list[int]]:
    """Chains of words, (N, 4) boxes, that follow each other on a line with no gap as wide as a cell's or column's."""
    boxes = np.asarray(boxes, np.float64)
    return chains(_part_at_corridors(boxes, word_successors(boxes))) if len(boxes) else []


def word_successors(boxes: np.ndarray) -> np.ndarray:
    """For each word, the next one on its line, which is the nearest to its right at the same height; or -1."""
    boxes = np.asarray(boxes, np.float64)
    found = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
    for word, other in level_pairs(boxes, _MAX_HEIGHT_RATIO):
        cost = _following_costs(boxes[word], boxes[other])
        follows = np.isfinite(cost)
        found.append((word[follows], other[follows], cost[follows]))
    words, others, costs = (np.concatenate(part) for part in zip(*found, strict=True))
    return _mutual_nearest(words, others, costs, len(boxes))


def _part_at_corridors(boxes: np.ndarray, successors: np.ndarray) -> np.ndarray:
    """The successors without those across a white corridor, such as the gutter between two columns.

    The width of a gap alone doesn't tell a gutter from a space: justified text has spaces as wide as a narrow gutter.
    A gutter is white along several lines.
    """
    em = float(np.median(boxes[:, 3] - boxes[:, 1]))
    gaps = boxes[successors, 0] - boxes[:, 2]
    wide = np.flatnonzero((successors >= 0) & (gaps >= _CORRIDOR_WIDTH * em))
    parted = successors.copy()
    parted[wide[_are_at_corridors(boxes, boxes[wide], boxes[successors[wide]], em)]] = -1
    return parted


def _are_at_corridors(boxes: np.ndarray, left: np.ndarray, right: np.ndarray, em: float) -> np.ndarray:
    """Bool (G,): whether the gaps between words of a line, ``left`` and ``right``, (G, 4), are part of corridors."""
    half = _CORRIDOR_WIDTH / 2 * em
    tries = 3
    center = np.linspace(left[:, 2] + half, right[:, 0] - half, tries, axis=1).ravel()
    gap = np.repeat(np.arange(len(left)), tries)
    strips = Strips(boxes)
    middle = (left[gap, 1] + left[gap, 3]) / 2
    top, bottom = white_extents(boxes, strips, center - half, center + half, middle)
    long = bottom - top >= (_CORRIDOR_LINES - 1) * _ROW_STEP * em  # most are spaces, too short for so many rows
    center, gap, top, bottom = center[long], gap[long], top[long] - half, bottom[long] + half
    reach = _CORRIDOR_REACH * em
    on_left, on_right = np.zeros(len(center), int), np.zeros(len(center), int)
    for place, box in strips.near(center - reach, center + reach, top, bottom):
        x0, y0, x1, y1 = boxes[box].T
        is_beside = (y0 > top[place]) & (y1 < bottom[place])
        is_left = is_beside & (x1 <= center[place]) & (x1 > center[place] - reach)
        is_right = is_beside & (x0 >= center[place]) & (x0 < center[place] + reach)
        on_left += _count_rows(boxes[box[is_left]], place[is_left], len(center), em)
        on_right += _count_rows(boxes[box[is_right]], place[is_right], len(center), em)
    at_corridor = np.zeros(len(left), bool)
    at_corridor[gap[np.minimum(on_left, on_right) >= _CORRIDOR_LINES]] = True
    return at_corridor


def _count_rows(boxes: np.ndarray, groups: np.ndarray, count: int, em: float) -> np.ndarray:
    """The number of rows that the boxes (N, 4) of each of ``count`` groups stand in."""
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    order = np.lexsort((middles, groups))
    middles, groups = middles[order], groups[order]
    is_new = np.diff(middles, prepend=-np.inf) > _ROW_STEP * em
    is_new |= np.diff(groups, prepend=-1) > 0
    return np.bincount(groups[is_new], minlength=count)


def _following_costs(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Costs (P,) of each other box as the next word after its box on a line; infinite where it can't be."""
    x0, y0, x1, y1 = np.ascontiguousarray(boxes.T)
    other_x0, other_y0, _, other_y1 = np.ascontiguousarray(others.T)
    heights, other_heights = y1 - y0, other_y1 - other_y0
    lower = np.minimum(heights, other_heights)
    overlap = np.minimum(y1, other_y1) - np.maximum(y0, other_y0)
    gap = other_x0 - x1
    similar = np.maximum(heights, other_heights) < _MAX_HEIGHT_RATIO * lower
    follows = (other_x0 > x0) & (gap > -0.5 * lower) & (gap < _MAX_WORD_GAP * np.maximum(lower, 1e-6))
    follows &= similar & (overlap > _MIN_OVERLAP * lower)
    return np.where(follows, gap - 0.5 * overlap, np.inf)


def _mutual_nearest(firsts: np.ndarray, seconds: np.ndarray, costs: np.ndarray, count: int) -> np.ndarray:
    """For each of ``count`` firsts, the second with which it forms a pair that is the cheapest for both, or -1."""
    everyone = np.arange(len(costs))
    mutual = cheapest(costs, firsts, count)[firsts] == everyone
    mutual &= cheapest(costs, seconds, count)[seconds] == everyone
    successors = np.full(count, -1)
    successors[firsts[mutual]] = seconds[mutual]
    return successors


def chains(successors: np.ndarray) -> list[list[int]]:
    """Follows successors from each word that has no predecessor."""
    following = successors.tolist()
    found = []
    for start in sorted(set(range(len(following))) - set(following)):
        chain = [start]
        while following[chain[-1]] >= 0:
            chain.append(following[chain[-1]])
        found.append(chain)
    return found


def _extents(boxes: np.ndarray, lines: list[list[int]]) -> np.ndarray:
    """Bounding boxes (L, 4) of lines, with the medians of the tops and bottoms of their words."""
    words, line = flat_lists(lines)
    x0, y0, x1, y1 = boxes[words].T
    first = np.flatnonzero(np.diff(line, prepend=-1))
    top, bottom = (group_medians(side, line, len(lines)) for side in (y0, y1))
    return np.stack([np.minimum.reduceat(x0, first), top, np.maximum.reduceat(x1, first), bottom], axis=1)


def _order_with_marks(extents: np.ndarray, of_text: np.ndarray) -> np.ndarray:
    """The reading order of lines, (L, 4), in which those without text stand beside the nearest with text."""
    lines, marks = np.flatnonzero(of_text), np.flatnonzero(~of_text)
    if not len(lines) or not len(marks):
        return _reading_order(extents)
    lines = lines[_reading_order(extents[lines])]
    place = np.zeros(len(extents))
    place[lines] = np.arange(len(lines))
    x0, y0, x1, y1 = extents[lines].T
    for mark in marks.tolist():
        check_reading_time()
        left, top, right, bottom = extents[mark]
        across = np.maximum(np.maximum(x0 - right, left - x1), 0)
        along = np.maximum(np.maximum(y0 - bottom, top - y1), 0)
        distance = np.hypot(across, along)
        nearest = int((distance < distance.min() + bottom - top).argmax())  # the first of several lines beside it
        place[mark] = nearest + (0.5 if top > y1[nearest] else -0.5)
    return np.lexsort((extents[:, 0], extents[:, 1], place))


def _reading_order(extents: np.ndarray) -> np.ndarray:
    """Line a comes before b if it is above b and they share columns, or left of b with no line across between them.

    A line left of b and below it comes first only if their columns stand side by side somewhere between the two: the
    brace at the end of indented lines of code is left of them, too.
    """
    x0, y0, x1, y1 = extents.T
    middle = (y0 + y1) / 2
    # A line c across is between a and b in height and shares columns with both, like a heading over two columns. A page
    # may have 20,000 lines, so that relations are kept as bits, and 8 lines c are tested at a time.
    over, under, beside = _relations(extents, middle)
    before = np.empty_like(under)
    waiting = np.zeros(len(extents), int)
    for a in range(len(extents)):
        check_reading_time()  # a sheet of 12,000 pieces of lines takes over a minute
        left = np.flatnonzero(x1[a] <= x0)
        across = ((under[a] & over[left]) | (over[a] & under[left])).any(axis=1)
        left = left[~across]
        first = left[middle[left] >= middle[a]]
        above = left[middle[left] < middle[a]]
        if len(above):
            first = np.concatenate([first, above[_side_by_side(a, above, over, beside)]])
        is_first = np.zeros(len(extents), bool)
        is_first[first[first != a]] = True
        before[a] = under[a] | np.packbits(is_first)
        waiting += np.unpackbits(before[a], count=len(extents))
    return _topological_order(before, waiting, np.lexsort((x0, middle)))


def _relations(extents: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits (L, L / 8): which lines c share columns with a and are above it; the same below it; to its right, level."""
    x0, y0, x1, y1 = extents.T
    found: list[list[np.ndarray]] = [[], [], []]
    for a in portions(np.full(len(extents), len(extents)), _AT_ONCE):
        check_reading_time()
        shares = (np.minimum(x1[a, None], x1) - np.maximum(x0[a, None], x0)) > 0
        higher = middle < middle[a, None]
        lower = middle > middle[a, None]
        level = (np.minimum(y1[a, None], y1) > np.maximum(y0[a, None], y0)) & (x1[a, None] <= x0)
        for bits, relation in zip(found, (shares & higher, shares & lower, level), strict=True):
            bits.append(np.packbits(relation, axis=1))
    over, under, beside = (np.concatenate(bits) for bits in found)
    return over, under, beside


def _side_by_side(a: int, lines: np.ndarray, over: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """Bool (M,): lines, above a and right of it, that are above or beside something that stands beside a's column."""
    count = len(over)
    column = np.append(np.flatnonzero(np.unpackbits(over[a], count=count)), a)
    right = np.flatnonzero(np.unpackbits(np.bitwise_or.reduce(beside[column]), count=count))
    reached = np.zeros(count, bool)
    if len(right):
        reached |= np.unpackbits(np.bitwise_or.reduce(over[right]), count=count).astype(bool)
        reached[right] = True
    return reached[lines]


def _topological_order(before: np.ndarray, waiting: np.ndarray, by_height: np.ndarray) -> np.ndarray:
    """Takes the highest of the lines that no unread line precedes, again and again; in a cycle, the highest line.

    Args:
        before: bits (L, L / 8), whether line a comes before b.
        waiting: int (L,), how many lines come before b.
        by_height: int (L,), the lines from top to bottom.
    """
    order, unread = [], by_height.tolist()
    while unread:
        line = next((i for i in unread if waiting[i] == 0), unread[0])
        unread.remove(line)
        order.append(line)
        waiting -= np.unpackbits(before[line], count=len(waiting))
    return np.array(order)
