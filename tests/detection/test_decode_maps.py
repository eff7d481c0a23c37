import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ocr_models.detection import nms
from ocr_models.detection.decode_maps import MAX_WORDS, decode_east
from ocr_models.detection.nms import locality_aware_nms, standard_nms
from ocr_models.detection.restore import positive_cells
from ocr_models.detection.targets import make_targets


def rectangle(center_x, center_y, width, height, angle=0.0):
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (corners @ turn + [center_x, center_y]).astype(np.float32)


def iou(first, second):
    overlap = cv2.intersectConvexConvex(first, second)[0]
    return overlap / (cv2.contourArea(first) + cv2.contourArea(second) - overlap)


def decode_truth(*quads, size=256):
    score_map, geometry_map, _ = make_targets(np.stack(quads), np.zeros(len(quads), bool), size, size)
    return decode_east(score_map, geometry_map)


@settings(deadline=None)
@given(
    center=st.tuples(st.floats(110, 146), st.floats(110, 146)),
    width=st.floats(8, 180),
    height=st.floats(6, 60),
    degrees=st.floats(-44.5, 44.5),
)
def test_rectangle_comes_back_from_its_targets(center, width, height, degrees):
    truth = rectangle(*center, width, height, np.radians(degrees))
    quads, confidences = decode_truth(truth)
    assert len(quads) == 1
    assert iou(truth, quads[0]) > 0.97
    np.testing.assert_allclose(quads[0], truth, atol=1.0)  # corners in the same order
    np.testing.assert_allclose(confidences, [1.0])


@settings(deadline=None)
@given(degrees=st.floats(0, 44.5))
def test_every_cell_restores_the_whole_rectangle(degrees):
    truth = rectangle(128, 128, 120, 30, np.radians(degrees))
    score_map, geometry_map, _ = make_targets(truth[None], [False], 256, 256)
    for row, column in np.argwhere(score_map[..., 0]):
        one_cell = np.zeros_like(score_map)
        one_cell[row, column] = 1
        (quad,), _, _ = locality_aware_nms(positive_cells(one_cell, geometry_map))
        np.testing.assert_allclose(quad, truth, atol=1e-3)


def test_offsets_are_turned_about_the_cell():
    score_map, geometry_map = np.zeros((8, 8, 1), np.float32), np.zeros((8, 8, 5), np.float32)
    score_map[2, 3], geometry_map[2, 3] = 0.9, (0, 10, 0, 0, np.pi / 6)
    (quad,), (score,), _ = locality_aware_nms(positive_cells(score_map, geometry_map))
    # The cell is the point (3.5 * 4, 2.5 * 4) = (14, 10). 10 px to the right, 30° clockwise:
    # (14 + 10 cos 30°, 10 + 10 sin 30°) = (22.660, 15).
    np.testing.assert_allclose(quad, [[14, 10], [22.660, 15], [22.660, 15], [14, 10]], atol=1e-3)
    assert score == np.float32(0.9)


def test_edges_trust_the_cells_next_to_them():
    # Two cells of one word, at x = 2 and x = 6. The left edge: cell 0 says 2 - 2 = 0 with weight 1 / (1 + 2/4)² = 4/9,
    # cell 1 says 6 - 8 = -2 with weight 1 / (1 + 8/4)² = 1/9. (4/9 * 0 + 1/9 * -2) / (5/9) = -0.4
    score_map, geometry_map = np.ones((1, 2), np.float32), np.zeros((1, 2, 5), np.float32)
    geometry_map[0, 0] = (4, 20, 4, 2, 0)
    geometry_map[0, 1] = (4, 16, 4, 8, 0)
    quads, scores, confidences = locality_aware_nms(positive_cells(score_map, geometry_map))
    np.testing.assert_allclose(quads, [[[-0.4, -2], [22, -2], [22, 6], [-0.4, 6]]], atol=1e-5)
    assert scores == [2.0] and confidences == [1.0]


def test_two_touching_words_are_parted():
    left, right = rectangle(60, 40, 80, 20), rectangle(140, 40, 80, 20)
    # With no shrinking, the cells of both stand side by side on the score map.
    score_map, geometry_map, _ = make_targets(np.stack([left, right]), [False] * 2, 256, 256, shrink_ratio=0.0)
    columns = np.flatnonzero(score_map[..., 0].any(axis=0))
    assert (np.diff(columns) == 1).all()
    quads, _ = decode_east(score_map, geometry_map)
    quads = quads[np.argsort(quads[:, 0, 0])]
    np.testing.assert_allclose(quads, [left, right], atol=1e-3)


def test_page_without_words_gives_empty_arrays():
    quads, confidences = decode_east(np.zeros((8, 8, 1), np.float32), np.zeros((8, 8, 5), np.float32))
    assert quads.shape == (0, 4, 2) and confidences.shape == (0,)
    assert quads.dtype == confidences.dtype == np.float32


def test_cell_with_an_empty_box_does_no_harm():
    score_map, geometry_map = np.ones((2, 2), np.float32), np.zeros((2, 2, 5), np.float32)
    quads, _ = decode_east(score_map, geometry_map)
    assert np.isfinite(quads).all()


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (rectangle(60, 20, 40, 20), [0]),  # moved by 10 of 40: IoU = 30 / 50 = 0.6
        (rectangle(75, 20, 40, 20), [0, 1]),  # moved by 25: IoU = 15 / 65 = 0.23, contained 15 / 40 = 0.375
        (rectangle(58, 20, 8, 10), [0]),  # a fragment within the first
        (rectangle(200, 20, 40, 20), [0, 1]),
    ],
)
def test_standard_nms_keeps_the_better_of_two(second, kept):
    quads = np.stack([rectangle(50, 20, 40, 20), second])
    assert standard_nms(quads, np.array([5.0, 3.0])).tolist() == kept


def test_suppressed_quad_suppresses_nothing():
    # 0 beats 1 (IoU 30 / 50); 1 would beat 2, but is gone; 0 and 2 hardly meet (20 / 60).
    quads = np.stack([rectangle(50 + shift, 20, 40, 20) for shift in (0, 10, 20)])
    assert standard_nms(quads, np.array([3.0, 2.0, 1.0]), iou_threshold=0.4).tolist() == [0, 2]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_standard_nms_does_not_depend_on_the_order(seed):
    rng = np.random.default_rng(seed)
    shapes = zip(*rng.uniform((0, 0, 10, 5, -0.7), (150, 150, 80, 30, 0.7), (60, 5)).T, strict=True)
    quads = np.stack([rectangle(*shape) for shape in shapes])
    scores = rng.integers(1, 5, 60).astype(float)  # with many ties
    shuffle = rng.permutation(60)
    kept = quads[standard_nms(quads, scores)]
    np.testing.assert_array_equal(kept, quads[shuffle][standard_nms(quads[shuffle], scores[shuffle])])


def test_noise_gives_no_more_words_than_can_be_ordered(caplog):
    """Every other cell answers with a box of its own."""
    score_map, geometry_map = np.zeros((160, 160), np.float32), np.full((160, 160, 5), 2.0, np.float32)
    score_map[::2, ::2] = 0.9
    score_map[0, 0] = 1.0
    geometry_map[..., 4] = 0
    quads, confidences = decode_east(score_map, geometry_map)
    assert score_map.astype(bool).sum() == 6400 and len(quads) == len(confidences) == MAX_WORDS
    np.testing.assert_array_equal(quads[0], [[0, 0], [4, 0], [4, 4], [0, 4]])  # the one with the most evidence
    assert caplog.messages == ["a look at a page gave 6400 boxes; the 5000 with the most evidence are read"]


@given(st.integers(1, 30), st.data())
def test_components_are_those_that_scipy_finds(count, data):
    nodes = st.integers(0, count - 1)
    edges = np.array(data.draw(st.lists(st.tuples(nodes, nodes), max_size=40)), int).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(count, count))
    number, members = nms._components(count, *edges.T)
    expected_number, expected = connected_components(graph, directed=False)
    assert number == expected_number
    np.testing.assert_array_equal(members, expected)
