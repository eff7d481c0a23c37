"""Quads: float32 (N, 4, 2), pixels, clockwise from the text's own top-left corner, origin at the top-left."""

from __future__ import annotations

import numpy as np


def quad_angles(quads: np.ndarray) -> np.ndarray:
    """Angles (N,) of the top edges in radians, positive clockwise."""
    top = quads[:, 1] - quads[:, 0]
    return np.arctan2(top[:, 1], top[:, 0])


def quad_sizes(quads: np.ndarray) -> np.ndarray:
    """Lengths (N, 2) along and across the text in pixels, each the mean of two opposite edges."""
    along = np.linalg.norm(quads[:, 1] - quads[:, 0], axis=1) + np.linalg.norm(quads[:, 2] - quads[:, 3], axis=1)
    across = np.linalg.norm(quads[:, 3] - quads[:, 0], axis=1) + np.linalg.norm(quads[:, 2] - quads[:, 1], axis=1)
    return np.stack([along, across], axis=1) / 2


def quad_boxes(quads: np.ndarray) -> np.ndarray:
    """Bounding boxes (N, 4): xmin, ymin, xmax, ymax."""
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1)


def run_boxes(boxes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Bounding boxes (R, 4) of consecutive runs of boxes (N, 4) that begin at the indices ``first`` (R,)."""
    return np.hstack([np.minimum.reduceat(boxes[:, :2], first), np.maximum.reduceat(boxes[:, 2:], first)])


def box_quads(boxes: np.ndarray) -> np.ndarray:
    """Quads of level boxes (N, 4): xmin, ymin, xmax, ymax."""
    return boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).astype(np.float32)


def outline_quad(outline: np.ndarray, direction_rad: float | None = None) -> np.ndarray:
    """The quad (4, 2) of a text with an outline (N, 2): its corners if there are four, or else a box around it.

    An outline doesn't say which corner is the first: the one is taken from which the text runs most nearly in its
    direction.

    Args:
        outline: pixels, in either order.
        direction_rad: in which the text runs, clockwise from the right; None if it is not known. Then the box is the
            smallest, and the text is taken to run to the right.
    """
    outline = outline.astype(np.float32)
    if len(outline) == 4:
        quad = outline
    elif direction_rad is None:
        import cv2  # decoders import this module, and need no OpenCV

        quad = cv2.boxPoints(cv2.minAreaRect(outline))
    else:
        cos, sin = np.cos(direction_rad), np.sin(direction_rad)
        turn = np.array([[cos, -sin], [sin, cos]])  # points @ turn are level
        quad = box_quads(quad_boxes((outline @ turn)[None]))[0] @ turn.T
    (x, y), (next_x, next_y) = quad.T, np.roll(quad, -1, axis=0).T
    if (x * next_y - next_x * y).sum() < 0:  # counterclockwise
        quad = quad[::-1]
    turned = np.stack([np.roll(quad, -i, axis=0) for i in range(4)])
    off = quad_angles(turned) - (direction_rad or 0.0)
    return turned[np.cos(off).argmax()].astype(np.float32)


def known_places(quads: np.ndarray) -> np.ndarray:
    """Bool (N,): False for quads of zeros, which mark texts whose place is unknown."""
    return (quads != 0).any(axis=(1, 2))


def transform_quads(matrix: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Quads transformed by an affine matrix (2, 3) in OpenCV's form: out = matrix @ (x, y, 1)."""
    return (quads @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def invert_affine(matrix: np.ndarray) -> np.ndarray:
    """The inverse (2, 3) of an affine matrix (2, 3)."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.concatenate([inverse, -inverse @ matrix[:, 2:]], axis=1)


def compose_affines(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine matrix (2, 3) that applies ``inner``, then ``outer``, both (2, 3)."""
    return outer @ np.vstack([inner, [0, 0, 1]])


def quarter_turn_matrix(turns: int, height: int, width: int) -> np.ndarray:
    """The affine matrix (2, 3) of ``numpy.rot90(image, turns)``, which turns counterclockwise.

    Args:
        turns: 0 to 3.
        height: of the image before the turn, in pixels.
        width: of the image before the turn, in pixels.
    """
    return np.array(
        [
            [[1, 0, 0], [0, 1, 0]],
            [[0, 1, 0], [-1, 0, width]],
            [[-1, 0, width], [0, -1, height]],
            [[0, -1, height], [1, 0, 0]],
        ][turns],
        np.float64,
    )


def runs_of(flags: np.ndarray) -> np.ndarray:
    """The runs of True in flags (N,): int (R, 2), where each starts and stops."""
    bordered = np.zeros(len(flags) + 2, bool)
    bordered[1:-1] = flags
    return (bordered[1:] != bordered[:-1]).nonzero()[0].reshape(-1, 2)
