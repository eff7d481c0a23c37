"""Training targets of EAST: score map, geometry map and training mask, made from the words of a page.

Source: Zhou et al. 2017 (arXiv 1704.03155), section 3.3.

Conventions, shared with ``restore``:

* Coordinates are continuous: pixel k covers [k, k + 1). Cell (i, j) stands for the point x = (j + 0.5) * stride,
  y = (i + 0.5) * stride.
* A word's angle is that of its top edge, positive clockwise as seen on the screen, where y points down. The head
  predicts angles within ±45°, so that steeper ones are turned by quarter turns into that range: a word that runs
  vertically becomes a level box that is higher than wide.
* A point (x, y) has the coordinates u = x cos(angle) + y sin(angle), along the text, and
  v = -x sin(angle) + y cos(angle), down the text, in the frame of that angle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ocr_models.geometry import quad_angles, quad_sizes

_QUARTER_TURN = np.pi / 2


def make_targets(
    quads: np.ndarray,
    ignore: np.ndarray,
    height: int,
    width: int,
    shrink_ratio: float = 0.2,
    output_stride: int = 4,
    min_height: float = 5.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws the maps with which the loss compares the output of the model.

    A word's cells are those inside its core: its rectangle with each edge moved inward by ``shrink_ratio`` times the
    shorter side. The border between the core and the edges is background. The core is never smaller than a cell, so
    that a word has at least one positive cell if its center is on the page and no smaller word covers it. Where cores
    overlap, the cell belongs to the smaller word.

    Args:
        quads: (N, 4, 2) pixels, clockwise from the text's top-left.
        ignore: bool (N,), words that count neither as text nor as background.
        height: of the image in pixels, a multiple of ``output_stride``.
        width: of the image in pixels, a multiple of ``output_stride``.
        shrink_ratio: how far edges move inward, as a share of the shorter side.
        output_stride: pixels of the image per cell of the maps.
        min_height: words below this height in pixels are illegible and ignored.

    Returns:
        score_map (h, w, 1), 1 in the cores of words; geometry_map (h, w, 5), with distances to the top, right, bottom
        and left edge in pixels and the angle in radians there; training_mask (h, w, 1), 0 on ignored words. All are
        float32, with h = height / output_stride.
    """
    shape = (height // output_stride, width // output_stride)
    score_map = np.zeros((*shape, 1), np.float32)
    geometry_map = np.zeros((*shape, 5), np.float32)
    training_mask = np.ones((*shape, 1), np.float32)
    quads = np.asarray(quads, np.float64).reshape(-1, 4, 2)
    ignored = np.asarray(ignore, bool).reshape(-1) | (quad_sizes(quads)[:, 1] < min_height)

    words = _Rectangles.around(quads[~ignored]).largest_first()
    shorter = np.minimum(words.right - words.left, words.bottom - words.top)
    core = words.grown(-shrink_ratio * shorter).at_least(output_stride)
    index, rows, columns, u, v = _cells_within(core, shape, output_stride)
    distances = (v - words.top[index], words.right[index] - u, words.bottom[index] - v, u - words.left[index])
    score_map[rows, columns] = 1.0
    geometry_map[rows, columns, :4] = np.stack(distances, axis=-1).clip(min=0.0)
    geometry_map[rows, columns, 4] = words.angle[index]

    unread = _Rectangles.around(quads[ignored]).at_least(output_stride)
    _, rows, columns, _, _ = _cells_within(unread, shape, output_stride)
    training_mask[rows, columns] = 0.0
    return score_map, geometry_map, training_mask


def text_angles(quads: np.ndarray) -> np.ndarray:
    """Angles (N,) in radians of the top edges of quads (N, 4, 2), brought into ±45° by quarter turns."""
    angle = quad_angles(quads)
    return angle - _QUARTER_TURN * np.round(angle / _QUARTER_TURN)


@dataclass(frozen=True)
class _Rectangles:
    """N rectangles, each in the frame of its own angle: top and bottom are v, left and right are u; all (N,)."""

    angle: np.ndarray
    top: np.ndarray
    right: np.ndarray
    bottom: np.ndarray
    left: np.ndarray

    @classmethod
    def around(cls, quads: np.ndarray) -> _Rectangles:
        """The smallest rectangles that contain the quads, at the angles of the quads."""
        angle = text_angles(quads)
        u, v = _to_frame(quads[..., 0], quads[..., 1], angle[:, None])  # (N, 4)
        return cls(angle, v.min(axis=1), u.max(axis=1), v.max(axis=1), u.min(axis=1))

    def largest_first(self) -> _Rectangles:
        order = np.argsort(-(self.right - self.left) * (self.bottom - self.top), kind="stable")
        return _Rectangles(self.angle[order], self.top[order], self.right[order], self.bottom[order], self.left[order])

    def grown(self, margin: np.ndarray) -> _Rectangles:
        """With every edge moved outward by ``margin`` (N,) pixels, inward where it is negative."""
        return _Rectangles(self.angle, self.top - margin, self.right + margin, self.bottom + margin, self.left - margin)

    def at_least(self, stride: float) -> _Rectangles:
        """Enlarged to contain a level square of the stride's size, and so the center of at least one cell."""
        half = stride / 2 * (np.cos(self.angle) + np.abs(np.sin(self.angle)))
        u, v = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        return _Rectangles(
            self.angle,
            np.minimum(self.top, v - half),
            np.maximum(self.right, u + half),
            np.maximum(self.bottom, v + half),
            np.minimum(self.left, u - half),
        )

    def bounds(self) -> np.ndarray:
        """The level boxes around them: (N, 4) xmin, ymin, xmax, ymax."""
        u = np.stack((self.left, self.right, self.right, self.left), axis=1)  # (N, 4)
        v = np.stack((self.top, self.top, self.bottom, self.bottom), axis=1)
        x, y = _to_frame(u, v, -self.angle[:, None])
        return np.stack((x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)), axis=1)


def _to_frame(x, y, angle) -> tuple[Any, Any]:
    """Coordinates (u, v) of points in the frame of an angle; with the negative angle, the inverse."""
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def _cells_within(
    rectangles: _Rectangles, shape: tuple[int, int], stride: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All cells inside a rectangle, those of the first rectangle first.

    Returns:
        The index of the rectangle, the row and the column of each cell, and its u and v in the rectangle's frame.
    """
    limits = np.array([shape[1], shape[0]])
    bounds = rectangles.bounds().reshape(-1, 2, 2) / stride - 0.5  # (N, [min, max], [x, y]), in cells
    first = np.ceil(bounds[:, 0] - 1e-6).astype(int).clip(0, limits)
    counts = (np.floor(bounds[:, 1] + 1e-6).astype(int) + 1).clip(0, limits) - first
    counts = counts.clip(min=0)
    sizes = counts[:, 0] * counts[:, 1]
    index = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(index)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    columns = first[index, 0] + place % counts[index, 0]
    rows = first[index, 1] + place // counts[index, 0]
    u, v = _to_frame((columns + 0.5) * stride, (rows + 0.5) * stride, rectangles.angle[index])
    inside = (u >= rectangles.left[index] - 1e-6) & (u <= rectangles.right[index] + 1e-6)
    inside &= (v >= rectangles.top[index] - 1e-6) & (v <= rectangles.bottom[index] + 1e-6)
    return index[inside], rows[inside], columns[inside], u[inside], v[inside]
