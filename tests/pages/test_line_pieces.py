from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads, quad_boxes
from ocr_models.pages.line_pieces import cut_pieces, find_pieces, line_pieces, piece_quads

# Two lines of words of 20 pixels in height; after the second word of the first line, a gap of two heights.
BOXES = np.array([[10, 10, 50, 30], [56, 10, 90, 30], [130, 10, 170, 30], [10, 50, 60, 70], [66, 50, 90, 70]], float)


def test_words_are_joined_up_to_gaps_of_cells():
    assert sorted(line_pieces(BOXES)) == [[0, 1], [2], [3, 4]]


def test_no_words():
    assert line_pieces(np.zeros((0, 4))) == []


def test_word_inside_a_piece_is_covered():
    dash = [[50, 19, 57, 22]]  # seen between two words, too thin to follow one of them
    assert sorted(line_pieces(np.concatenate([BOXES, dash]))) == [[0, 1], [2], [3, 4]]


@pytest.mark.parametrize("y0, y1, pieces", [(12, 32, 1), (9, 29, 1), (16, 36, 2), (30, 50, 2)])
def test_boxes_of_one_word_that_overlap_are_one_piece(y0, y1, pieces):
    # They share 30 columns, more than the words of a line do, and 18, 19, 14 and no rows of 20.
    boxes = np.array([[10, 10, 110, 30], [80, y0, 200, y1]], float)
    assert len(line_pieces(boxes)) == pieces


def test_words_of_joined_pieces_are_in_order():
    boxes = np.array([[80, 10, 200, 30], [210, 10, 250, 30], [10, 10, 50, 30], [56, 10, 110, 30]], float)
    assert line_pieces(boxes) == [[2, 3, 0, 1]]


def test_lines_that_slant_by_their_distance_cover_none():
    # 20 words of 30 in width with 10 between them fall by 40 in 800, which is the distance of the lines.
    x = 40.0 * np.arange(20)
    first = np.stack([x, x / 20, x + 30, x / 20 + 20], axis=1)
    both = np.concatenate([first, first + np.array([0, 40, 0, 40])])
    assert sorted(map(len, line_pieces(both))) == [20, 20]


def test_long_line_is_parted_at_the_widest_gap_of_its_middle():
    # 50 words of 30 in width, 1,998 long: more than 64 heights of 20. The gap after the 20th word is the widest.
    x = 40.0 * np.arange(50)
    x[20:] += 3
    boxes = np.stack([x, 0 * x, x + 30, 0 * x + 20], axis=1)
    assert line_pieces(boxes) == [list(range(20)), list(range(20, 50))]


def test_piece_reaches_from_end_to_end_at_the_height_of_most_words():
    # The heights are 20 (40 wide), 30 (10 wide) and 20 (40 wide).
    boxes = np.array([[10, 10, 50, 30], [56, 5, 66, 35], [70, 10, 110, 30]], float)
    np.testing.assert_allclose(quad_boxes(piece_quads(boxes, [[0, 1, 2]])), [[10, 10, 110, 30]])


@pytest.mark.parametrize("slope", [0.0, 0.01, -0.02])
def test_long_piece_slants_as_its_words_lie(slope):
    x = 40.0 * np.arange(10)
    middle = 100 + slope * (x + 15)
    boxes = np.stack([x, middle - 10, x + 30, middle + 10], axis=1)
    quad = piece_quads(boxes, [list(range(10))])[0]
    # From 0 to 390.
    np.testing.assert_allclose(quad[:, 1], [90, 90 + 390 * slope, 110 + 390 * slope, 110], atol=1e-3)


def test_slanted_word_is_a_piece_of_its_own():
    quads = box_quads(BOXES[:2])
    quads[1] += np.array([[0, 0], [0, 4], [0, 4], [0, 0]])  # 4 in 34: 7 degrees
    _, places = find_pieces(np.full((100, 200), 255, np.uint8), quads)
    assert len(places) == 2


def test_slanted_piece_is_cut_level():
    """A band that falls by 8 in 400 is as straight in its crop as a level one."""
    y, x = np.mgrid[:100, :400]
    image = np.where(np.abs(y - 36 - x / 50) < 4, 0, 255).astype(np.uint8)
    quad = np.array([[[0, 26], [400, 34], [400, 46], [0, 38]]], np.float32)
    (crop,) = cut_pieces(image, quad)
    dark = (crop < 128).any(axis=1)
    assert 6 <= dark.sum() <= 9  # a level slice would show it in 7 + 8 rows, or cut it


def test_leader_in_one_box_lowers_no_piece():
    boxes = np.array([(100, 50, 200, 86), (210, 50, 300, 86), (310, 66, 900, 86)], float)
    heights = np.diff(quad_boxes(piece_quads(boxes, [[0, 1, 2]]))[:, 1::2])
    np.testing.assert_allclose(heights, 36, atol=1)
