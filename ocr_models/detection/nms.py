"""From many rectangles per word to one: locality-aware merging, then non-maximum suppression.

Source: Zhou et al. 2017 (arXiv 1704.03155), section 3.6. The paper merges boxes one after the other, row by row of the
map. Here all pairs of neighboring cells are compared at once in NumPy, so that the result doesn't depend on an order.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr_models.detection.restore import PositiveCells, rectangle_quads

_ROUNDING = 1.001  # an overlap in float32 may be larger by so much than that of bounding boxes
_NEIGHBORS = ((0, 1), (1, -1), (1, 0), (1, 1))  # each pair of the 8-neighborhood once


def locality_aware_nms(cells: PositiveCells, link_iou: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merges the cells of each word into one rectangle.

    Neighboring cells are linked if the IoU of the rectangles that they predict is above ``link_iou``; connected cells
    are a word. Two words that touch on the score map are therefore still separated.

    The angle of a word is the mean of the angles of its cells, weighted by score. Each edge is a separate mean, in
    which a cell has the weight score / (1 + distance to the edge in cells)²: cells near an edge predict it best, and a
    plain mean would blur the ends of long words.

    Args:
        cells: of one page.
        link_iou: 0 to 1; from 0.5 on, a cell that covers two words can't link them.

    Returns:
        quads float32 (N, 4, 2) in pixels; their scores (N,), the sum over the cells as in the paper; and their
        confidences (N,), the mean probability of the cells.
    """
    count, words = _linked_words(cells, link_iou)

    def weighted_mean(values, weights) -> np.ndarray:
        return np.bincount(words, weights * values, count) / np.bincount(words, weights, count)

    angles = weighted_mean(cells.angles, cells.scores)
    cos, sin = np.cos(angles)[words], np.sin(angles)[words]
    u, v = cells.x * cos + cells.y * sin, cells.y * cos - cells.x * sin
    top, right, bottom, left = cells.distances.T
    places = (v - top, u + right, v + bottom, u - left)
    trust = cells.scores[:, None] / (1.0 + np.abs(cells.distances) / cells.output_stride) ** 2  # (cells, 4)
    top, right, bottom, left = (weighted_mean(place, weight) for place, weight in zip(places, trust.T, strict=True))
    scores = np.bincount(words, cells.scores, count)
    confidences = scores / np.bincount(words, minlength=count)
    return rectangle_quads(top, right, bottom, left, angles), scores, confidences


def standard_nms(
    quads: np.ndarray, scores: np.ndarray, iou_threshold: float = 0.3, containment_threshold: float = 0.7
) -> np.ndarray:
    """Removes quads that duplicate a quad with a higher score.

    Args:
        quads: (N, 4, 2), convex.
        scores: (N,).
        iou_threshold: of two quads with a higher IoU, only the one with the higher score is kept.
        containment_threshold: a quad is also removed if more than this share of its area is inside a quad with a higher
            score, because it is a fragment of a word.

    Returns:
        The indices of the kept quads, highest score first; those with equal scores in order of their coordinates, so
        that the order of the input doesn't matter.
    """
    quads = np.asarray(quads, np.float32).reshape(-1, 4, 2)
    order = np.lexsort((*quads.reshape(-1, 8).T, -np.asarray(scores)))
    quads = quads[order]
    areas = _polygon_areas(quads)
    keep = np.ones(len(quads), bool)
    # Pairs are ordered by the rank of the better quad, so that it is decided by then whether that quad is kept.
    for better, worse in _overlapping_pairs(quads, areas, iou_threshold, containment_threshold):
        if keep[better] and keep[worse]:
            overlap = cv2.intersectConvexConvex(quads[better], quads[worse])[0]
            iou = overlap / max(areas[better] + areas[worse] - overlap, 1e-9)
            keep[worse] = iou <= iou_threshold and overlap <= containment_threshold * areas[worse]
    return order[keep]


def _linked_words(cells: PositiveCells, link_iou: float) -> tuple[int, np.ndarray]:
    """The number of connected components of the cells, and the component of each cell (N,)."""
    count = len(cells.rows)
    first, second = _neighbor_pairs(cells)
    linked = _box_iou(cells, first, second) > link_iou
    return _components(count, first[linked], second[linked])


def _components(count: int, first: np.ndarray, second: np.ndarray) -> tuple[int, np.ndarray]:
    """The connected components of a graph of ``count`` nodes with edges from ``first`` to ``second``.

    Each node points to a root, at first to itself. Where the ends of an edge point to different roots, the larger of
    these points to the smaller one from then on, and so do all that pointed to it. (SciPy can do this, too, but its
    import takes a quarter of a second.)
    """
    root = np.arange(count)
    while len(first):
        one, other = root[first], root[second]
        differ = one != other  # ends that have one root keep one
        first, second, one, other = first[differ], second[differ], one[differ], other[differ]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(root, farther := root[root]):
            root = farther
    is_root = root == np.arange(count)
    return int(np.count_nonzero(is_root)), (np.cumsum(is_root) - 1)[root]


def _neighbor_pairs(cells: PositiveCells) -> tuple[np.ndarray, np.ndarray]:
    """The indices of all pairs of neighboring positive cells, each pair once."""
    height, width = cells.map_shape
    index_map = np.full((height + 1, width + 2), -1)  # a border, so that no neighbor is off the map
    index_map[cells.rows, cells.columns + 1] = np.arange(len(cells.rows))
    neighbors = np.stack([index_map[cells.rows + down, cells.columns + 1 + right] for down, right in _NEIGHBORS])
    direction, first = np.nonzero(neighbors >= 0)
    return first, neighbors[direction, first]


def _box_iou(cells: PositiveCells, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU (pairs,) of the rectangles of pairs of cells, both treated as level in the frame of their mean angle."""
    angle = (cells.angles[first] + cells.angles[second]) / 2
    dx = (cells.columns[second] - cells.columns[first]).astype(np.float32) * cells.output_stride
    dy = (cells.rows[second] - cells.rows[first]).astype(np.float32) * cells.output_stride
    cos, sin = np.cos(angle), np.sin(angle)
    du, dv = dx * cos + dy * sin, dy * cos - dx * sin  # from the first cell to the second
    top, right, bottom, left = cells.distances[first].T
    top2, right2, bottom2, left2 = cells.distances[second].T
    overlap = (np.minimum(right, right2 + du) + np.minimum(left, left2 - du)).clip(min=0)
    overlap *= (np.minimum(bottom, bottom2 + dv) + np.minimum(top, top2 - dv)).clip(min=0)
    union = (right + left) * (top + bottom) + (right2 + left2) * (top2 + bottom2) - overlap
    return overlap / np.maximum(union, 1e-9)


def _polygon_areas(quads: np.ndarray) -> np.ndarray:
    """The shoelace formula: (N, 4, 2) -> (N,)."""
    x, y = quads[..., 0], quads[..., 1]
    return np.abs(np.sum(x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1), axis=1)) / 2


def _overlapping_pairs(
    quads: np.ndarray, areas: np.ndarray, iou_threshold: float, containment_threshold: float
) -> list[list[int]]:
    """The pairs (i, j), i < j, that may overlap by more than either threshold of ``standard_nms``, in order of i.

    The overlap of two quads is at most that of their level bounding boxes, which excludes nearly all pairs.
    """
    low, high = quads.min(axis=1), quads.max(axis=1)  # (N, 2)
    by_top = np.argsort(low[:, 1], kind="stable")
    # A quad can overlap those whose top is between its own top and bottom: sorted by top, a run that follows it.
    ends = np.searchsorted(low[by_top, 1], high[by_top, 1])
    counts = (ends - np.arange(len(quads)) - 1).clip(min=0)
    upper = np.repeat(np.arange(len(quads)), counts)
    lower = upper + 1 + np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts)
    first, second = by_top[upper], by_top[lower]
    beside = (low[first, 0] < high[second, 0]) & (low[second, 0] < high[first, 0])
    first, second = np.minimum(first[beside], second[beside]), np.maximum(first[beside], second[beside])
    most = (np.minimum(high[first], high[second]) - np.maximum(low[first], low[second])).clip(min=0).prod(axis=1)
    of_iou = iou_threshold / (1 + iou_threshold) * (areas[first] + areas[second])
    likely = most * _ROUNDING > np.minimum(of_iou, containment_threshold * areas[second])
    first, second = first[likely], second[likely]
    order = np.lexsort((second, first))
    return np.stack((first[order], second[order]), axis=1).tolist()
