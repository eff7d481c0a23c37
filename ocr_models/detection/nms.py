"""From many rectangles for each word to one: locality-aware merging, then non-maximum suppression.

Source: Zhou et al. 2017 (arXiv 1704.03155), section 3.6. The paper merges boxes row by row of the map, as it meets
them; here all pairs of neighboring cells are compared at once, so the result doesn't depend on an order and NumPy
does the loop.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr_models.detection.restore import PositiveCells, rectangle_quads

_NEIGHBORS = ((0, 1), (1, -1), (1, 0), (1, 1))  # each pair of the 8-neighborhood once


def locality_aware_nms(cells: PositiveCells, link_iou: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merges the cells of each word into one rectangle.

    Neighboring cells are linked when the rectangles they answer with agree, IoU above ``link_iou``, and what hangs
    together is a word. So two words which touch on the score map are still parted.

    A word's angle is the mean of its cells' angles weighted by score. Each edge is a mean of its own, in which a cell
    counts score / (1 + distance to the edge in cells)²: the cells next to an edge know best where it is, and a plain
    mean blurs the ends of long words.

    Args:
        cells: of one page.
        link_iou: 0 to 1; 0.5 and above keeps a cell that covers two words from linking them.

    Returns:
        quads float32 (N, 4, 2) in pixels; their scores (N,), the sum over the cells as in the paper; and their
        confidences (N,), the mean probability of the cells.
    """
    count, words = _linked_words(cells, link_iou)

    def weighted_mean(values, weights):
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
    """Drops the quads which say again what a quad with a higher score has said.

    Args:
        quads: (N, 4, 2), convex.
        scores: (N,).
        iou_threshold: of two quads with a higher IoU only the one with the higher score stays.
        containment_threshold: a quad also goes when more than this share of its own area lies within one with a
            higher score: a fragment of a word.

    Returns:
        The indices of the quads that stay, highest score first; among equal scores in order of their coordinates, so
        that the order of the input doesn't matter.
    """
    quads = np.asarray(quads, np.float32).reshape(-1, 4, 2)
    order = np.lexsort((*quads.reshape(-1, 8).T, -np.asarray(scores)))
    quads = quads[order]
    areas = _polygon_areas(quads)
    keep = np.ones(len(quads), bool)
    # Pairs come by rank of the better quad: when its turn comes, whether it stays is settled.
    for better, worse in _overlapping_pairs(quads, areas, min(iou_threshold, containment_threshold)):
        if keep[better] and keep[worse]:
            overlap = cv2.intersectConvexConvex(quads[better], quads[worse])[0]
            iou = overlap / max(areas[better] + areas[worse] - overlap, 1e-9)
            keep[worse] = iou <= iou_threshold and overlap <= containment_threshold * areas[worse]
    return order[keep]


def _linked_words(cells: PositiveCells, link_iou: float) -> tuple[int, np.ndarray]:
    """The connected components of the cells: how many, and the component of each cell (N,)."""
    count = len(cells.rows)
    first, second = _neighbor_pairs(cells)
    linked = _box_iou(cells, first, second) > link_iou
    return _components(count, first[linked], second[linked])


def _components(count: int, first: np.ndarray, second: np.ndarray) -> tuple[int, np.ndarray]:
    """The connected components of a graph of ``count`` nodes with edges from ``first`` to ``second``.

    Each node takes the least number that it or a neighbor knows of, and then what that one knows, until none learns
    anything. (SciPy has this, too, but takes a quarter of a second to be imported.)
    """
    least = np.arange(count)
    learned = True
    while learned:
        before = least.copy()
        known = np.minimum(least[first], least[second])
        np.minimum.at(least, first, known)
        np.minimum.at(least, second, known)
        least = least[least]
        learned = not np.array_equal(least, before)
    roots, members = np.unique(least, return_inverse=True)
    return len(roots), members


def _neighbor_pairs(cells: PositiveCells) -> tuple[np.ndarray, np.ndarray]:
    """The indices of all pairs of positive cells which touch, each pair once."""
    height, width = cells.map_shape
    index_map = np.full((height + 1, width + 2), -1)  # a border, so that no neighbor is off the map
    index_map[cells.rows, cells.columns + 1] = np.arange(len(cells.rows))
    neighbors = np.stack([index_map[cells.rows + down, cells.columns + 1 + right] for down, right in _NEIGHBORS])
    direction, first = np.nonzero(neighbors >= 0)
    return first, neighbors[direction, first]


def _box_iou(cells: PositiveCells, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The IoU of the rectangles of pairs of cells, both taken as level in the frame of their mean angle: (pairs,)."""
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


def _overlapping_pairs(quads: np.ndarray, areas: np.ndarray, threshold: float) -> list[list[int]]:
    """The pairs (i, j), i < j, which may overlap by more than ``threshold`` of the smaller quad, in order of i.

    The overlap of two quads is at most that of their level bounding boxes, so these sort out nearly all pairs.
    """
    low, high = quads.min(axis=1), quads.max(axis=1)  # (N, 2)
    by_top = np.argsort(low[:, 1], kind="stable")
    # A quad meets those which begin after its own top and before its bottom: in order of tops a run behind itself.
    ends = np.searchsorted(low[by_top, 1], high[by_top, 1])
    counts = (ends - np.arange(len(quads)) - 1).clip(min=0)
    upper = np.repeat(np.arange(len(quads)), counts)
    lower = upper + 1 + np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts)
    first, second = by_top[upper], by_top[lower]
    sides = (np.minimum(high[first], high[second]) - np.maximum(low[first], low[second])).clip(min=0)
    likely = sides.prod(axis=1) > threshold * np.minimum(areas[first], areas[second])
    pairs = np.stack((first[likely], second[likely]), axis=1)
    pairs.sort(axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist()
