"""The rules by which labelled quads are kept, repaired or rejected, the same for all formats.

1. Corners go clockwise from the text's own top-left. If a quad crosses itself, its corners are sorted by their angle
   about their center, beginning with the first one given; if it is counterclockwise, their order is reversed, again
   beginning with the first one given.
2. If a quad is partly outside the picture and at least half of its area is inside, each corner is moved to the nearest
   point of the picture. If less is inside, the quad is rejected and the part inside becomes a region to ignore, since
   it shows text that can't be read.
3. A quad of less than 1 px², or with an edge shorter than 1 px, is rejected as empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MIN_AREA_PX, _MIN_EDGE_PX = 1.0, 1.0
_MIN_INSIDE = 0.5


@dataclass(frozen=True)
class FittedQuad:
    """The result of the rules for a labelled quad.

    Attributes:
        quad: float32 (4, 2); if the quad is rejected, the region to ignore, or None if no part is inside.
        repairs: the changes made to it.
        rejection: why it can't be used; None if it can.
    """

    quad: np.ndarray | None
    repairs: tuple[str, ...] = ()
    rejection: str | None = None


@np.errstate(over="ignore", invalid="ignore")  # absurd numbers turn out to be no area
def fit_quad(corners: np.ndarray, width_px: int, height_px: int) -> FittedQuad:
    """Applies the rules to the corners (4, 2) of one text in a picture of this size. All numbers must be finite."""
    if _is_plain(corners.tolist(), width_px, height_px):
        return FittedQuad(corners.astype(np.float32))
    ordered, repairs = _in_order(np.asarray(corners, np.float64))
    if _is_empty(ordered):
        return FittedQuad(None, rejection=f"empty: {_describe(corners)}")
    inside = np.clip(ordered, 0, [width_px, height_px])
    if np.array_equal(inside, ordered):
        return FittedQuad(ordered.astype(np.float32), repairs)
    share = _share_inside(ordered, width_px, height_px)
    region = None if _is_empty(inside) or crosses_itself(inside) else inside.astype(np.float32)
    if region is None or not share >= _MIN_INSIDE:
        where = f"outside the picture of {width_px}×{height_px}: {_describe(corners)}"
        return FittedQuad(region if share > 0 else None, rejection=where)
    return FittedQuad(region, (*repairs, "clipped to the picture"))


def _is_plain(corners: list[list[float]], width_px: int, height_px: int) -> bool:
    """Tells whether a quad is inside, convex, clockwise and large enough, in a sixth of the time of all rules."""
    area = 0.0
    for (x, y), (next_x, next_y), (last_x, last_y) in zip(
        corners, corners[1:] + corners[:1], corners[2:] + corners[:2], strict=True
    ):
        run, rise = next_x - x, next_y - y
        if not (0 <= x <= width_px and 0 <= y <= height_px) or run * run + rise * rise < _MIN_EDGE_PX**2:
            return False
        if run * (last_y - next_y) - rise * (last_x - next_x) <= 0:  # no turn to the right
            return False
        area += x * next_y - next_x * y
    return area / 2 >= _MIN_AREA_PX


def signed_area(quad: np.ndarray) -> float:
    """The area of a polygon with corners (N, 2), in px²; negative if they go counterclockwise as seen."""
    (x, y), (next_x, next_y) = quad.T, _next_corners(quad).T
    return float((x * next_y - next_x * y).sum() / 2)


def _next_corners(quad: np.ndarray) -> np.ndarray:
    """The corner after each of the corners (N, 2). np.roll takes ten times as long, and there are millions of texts."""
    return np.concatenate([quad[1:], quad[:1]])


def crosses_itself(quad: np.ndarray) -> bool:
    """Tells whether opposite edges of the quad (4, 2) cross each other."""
    a, b, c, d = quad
    return _cross(a, b, c, d) or _cross(b, c, d, a)


def _in_order(quad: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if crosses_itself(quad):
        x, y = (quad - quad.mean(axis=0)).T
        order = np.argsort(np.arctan2(y, x), kind="stable")  # clockwise, as y points down
        return quad[np.roll(order, -int(np.flatnonzero(order == 0)[0]))], ("corners that crossed put in order",)
    if signed_area(quad) < 0:
        return quad[[0, 3, 2, 1]], ("counterclockwise corners turned",)
    return quad, ()


def _cross(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    """Tells whether the segments a–b and c–d cross in an inner point of both."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> float:
    return float(np.sign((b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])))


def _is_empty(quad: np.ndarray) -> bool:
    edges = np.linalg.norm(_next_corners(quad) - quad, axis=1)
    # An area too large for a float is NaN, which compares as false.
    return not (signed_area(quad) >= _MIN_AREA_PX and edges.min() >= _MIN_EDGE_PX)


def _share_inside(quad: np.ndarray, width_px: int, height_px: int) -> float:
    """The share, 0 to 1, of a clockwise quad's area that is inside the picture."""
    inside = quad
    for axis, limit, sign in ((0, 0, 1), (1, 0, 1), (0, width_px, -1), (1, height_px, -1)):
        inside = _cut(inside, sign * (inside[:, axis] - limit))
    return signed_area(inside) / signed_area(quad) if len(inside) else 0.0


def _cut(polygon: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Clips a polygon (N, 2) to where its depth (N,) behind a line isn't negative (Sutherland and Hodgman, 1974)."""
    kept = []
    for i in range(len(polygon)):
        here, before = depth[i], depth[i - 1]
        if (here >= 0) != (before >= 0):
            kept.append(polygon[i - 1] + (polygon[i] - polygon[i - 1]) * (before / (before - here)))
        if here >= 0:
            kept.append(polygon[i])
    return np.array(kept).reshape(-1, 2)


def _describe(corners: np.ndarray) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in np.asarray(corners).tolist())
