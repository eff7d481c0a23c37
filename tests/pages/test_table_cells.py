from __future__ import annotations

import tracemalloc

import numpy as np

from ocr_models.pages.line_pieces import line_pieces
from ocr_models.pages.table_cells import cell_successors


def cells(rows, columns, width=18.0):
    """Cells of 10 in height, 40 apart in both directions, row by row: (rows * columns, 4)."""
    y, x = (40.0 * i.ravel() for i in np.mgrid[:rows, :columns])
    return np.stack([x, y, x + width, y + 10], axis=1)


def test_no_segments():
    assert cell_successors(np.zeros((0, 4))).tolist() == []


def test_cells_of_a_row_follow_each_other():
    assert cell_successors(cells(2, 3)).tolist() == [1, 2, -1, 4, 5, -1]


def test_column_whose_rows_are_not_level_with_the_next_one_is_read_alone():
    table = cells(20, 2)
    table[1::2, [1, 3]] += 4.0  # level within a quarter of their height are rows
    assert cell_successors(table).tolist() == [-1] * 40


def test_columns_of_wide_lines_are_not_joined():
    page = cells(12, 2)
    page *= [10, 0.35, 10, 0.35]  # lines 14 apart, of 180 by 10, with 220 between them
    page[:, 3] = page[:, 1] + 10
    assert cell_successors(page).tolist() == [-1] * 24


def test_sheet_of_60000_segments_takes_little_memory():
    """A matrix of its pairs would take 3.6 GB as bytes alone."""
    sheet = cells(245, 245)
    tracemalloc.start()
    try:
        successors = cell_successors(sheet)
        assert len(line_pieces(sheet)) == len(sheet)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (np.flatnonzero(successors < 0) % 245 == 244).all()
    assert peak < 1 << 30
