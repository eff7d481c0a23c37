from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.geometry import (
    box_quads,
    invert_affine,
    known_places,
    quad_angles,
    quad_boxes,
    quad_sizes,
    quarter_turn_matrix,
    run_boxes,
    transform_quads,
)

# A word 50 long and 10 high whose top edge goes 40 right and 30 down: 3-4-5 triangles.
SLANTED = np.array([[[10, 10], [50, 40], [44, 48], [4, 18]]], np.float32)


def test_measures_of_a_slanted_quad():
    np.testing.assert_allclose(quad_sizes(SLANTED), [[50, 10]], rtol=1e-6)
    np.testing.assert_allclose(quad_angles(SLANTED), [np.arctan(3 / 4)], rtol=1e-6)
    np.testing.assert_array_equal(quad_boxes(SLANTED), [[4, 10, 50, 48]])


def test_sizes_are_means_of_opposite_edges():
    trapezoid = np.array([[[0, 0], [10, 0], [8, 6], [2, 6]]], np.float32)
    # along (10 + 6) / 2; both sides are sqrt(2² + 6²)
    np.testing.assert_allclose(quad_sizes(trapezoid), [[8, np.sqrt(40)]], rtol=1e-6)


def test_boxes_become_quads_and_come_back():
    boxes = np.array([[1, 2, 30, 12], [5, 5, 6, 7]], np.float32)
    np.testing.assert_array_equal(box_quads(boxes)[0], [[1, 2], [30, 2], [30, 12], [1, 12]])
    np.testing.assert_array_equal(quad_boxes(box_quads(boxes)), boxes)


def test_quad_of_zeros_has_no_place():
    quads = np.stack([SLANTED[0], np.zeros((4, 2), np.float32), box_quads(np.array([[0, 0, 3, 2]]))[0]])
    assert known_places(quads).tolist() == [True, False, True]


def test_no_quads_stay_no_quads():
    none = np.zeros((0, 4, 2), np.float32)
    assert known_places(none).shape == (0,)
    assert quad_sizes(none).shape == (0, 2)
    assert quad_angles(none).shape == (0,)
    assert transform_quads(quarter_turn_matrix(1, 3, 5), none).shape == (0, 4, 2)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turn_follows_rot90(turns):
    image = np.zeros((3, 5), np.uint8)
    image[1, 4] = 255
    # Coordinates are continuous: pixel k covers [k, k + 1), so the marker's quad goes around the pixel.
    marker = box_quads(np.array([[4, 1, 5, 2]]))
    turned = np.rot90(image, turns)
    (row,), (column,) = np.nonzero(turned)

    quad = transform_quads(quarter_turn_matrix(turns, *image.shape), marker)

    np.testing.assert_array_equal(quad_boxes(quad), [[column, row, column + 1, row + 1]])
    # The top edge, which pointed right, has turned counterclockwise with the image.
    np.testing.assert_allclose(np.exp(1j * quad_angles(quad)), np.exp(-1j * np.pi / 2 * turns), atol=1e-6)


def test_transform_applies_the_matrix_to_each_corner():
    matrix = np.array([[2, 0, 1], [0, 3, -1]])
    quad = np.array([[[0, 0], [4, 0], [4, 2], [0, 2]]], np.float32)
    moved = transform_quads(matrix, quad)
    np.testing.assert_array_equal(moved, [[[1, -1], [9, -1], [9, 5], [1, 5]]])
    assert moved.dtype == np.float32


@given(
    angle=st.floats(-3.2, 3.2),
    stretch=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
    move=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_inverse_undoes_the_matrix(angle, stretch, move):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn * stretch, move])
    back = transform_quads(invert_affine(matrix), transform_quads(matrix, SLANTED))
    np.testing.assert_allclose(back, SLANTED, atol=5e-3)


def test_run_boxes_hold_their_boxes():
    boxes = np.array([[0, 5, 10, 15], [12, 4, 20, 14], [30, 6, 40, 17], [50, 50, 60, 60]])
    np.testing.assert_array_equal(
        run_boxes(boxes, np.array([0, 2, 3])), [[0, 4, 20, 15], [30, 6, 40, 17], [50, 50, 60, 60]]
    )
