"""Detection of words on pages, scored by the rules of the ICDAR 2015 competition (Karatzas et al. 2015, task 4.1).

The rules are those of the organizers' script: a detection with more than half of its area on one ignored region is
ignored. Then each true word, in order, is matched with the first detection whose IoU is above the threshold, if both
are unmatched and neither is ignored. Since this isn't necessarily the best pair, the order of words and detections may
matter if more than two overlap.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from ocr_models.geometry import quad_angles, quad_sizes
from ocr_models.metrics.matches import MatchCounts

IOU = 0.5  # the script's threshold
_ON_IGNORED = 0.5  # the share of a detection's area on an ignored region above which the script ignores it
_HEIGHT_BOUNDS = (12.0, 24.0, 48.0)  # pixels
_ANGLE_BOUNDS = (2.0, 10.0, 45.0)  # degrees from level, in either direction
HEIGHT_GROUPS = ("below 12 px", "12 to 24 px", "24 to 48 px", "48 px and more")
ANGLE_GROUPS = ("below 2°", "2° to 10°", "10° to 45°", "45° and more")

Groups = tuple[MatchCounts, ...]


@dataclass(frozen=True)
class DetectionMatches:
    """The detections of a page that match its words.

    Attributes:
        pairs: (word, detection), indices into the truth and into the predictions.
        ignored: bool (M,), the detections on ignored regions, which are neither right nor wrong.
    """

    pairs: tuple[tuple[int, int], ...]
    ignored: np.ndarray


@dataclass(frozen=True)
class DetectionCounts(MatchCounts):
    """Counts of detected words. Ignored words and detections on ignored regions don't count.

    Attributes:
        by_height: the same counts by height, in the order of ``HEIGHT_GROUPS``. A match is counted in the group of its
            true word, a false detection in its own, so that the groups add up to the whole.
        by_angle: the same counts by angle, in the order of ``ANGLE_GROUPS``.
    """

    by_height: Groups = (MatchCounts(),) * len(HEIGHT_GROUPS)
    by_angle: Groups = (MatchCounts(),) * len(ANGLE_GROUPS)

    @classmethod
    def of(cls, quads: np.ndarray, ignore: np.ndarray, predicted: np.ndarray, iou: float = IOU) -> DetectionCounts:
        """Counts one page.

        Args:
            quads: (N, 4, 2), the true words, in pixels.
            ignore: bool (N,), which of them to ignore.
            predicted: (M, 4, 2), in pixels. A quad that isn't convex is replaced by its convex hull; one without an
                area or with a corner that isn't finite matches nothing.
            iou: the overlap above which a pair matches.
        """
        matches = match_detections(quads, ignore, predicted, iou)
        words, found = np.flatnonzero(~ignore), np.flatnonzero(~matches.ignored)
        heights = _group(_heights(quads), _HEIGHT_BOUNDS), _group(_heights(predicted), _HEIGHT_BOUNDS)
        angles = _group(_angles(quads), _ANGLE_BOUNDS), _group(_angles(predicted), _ANGLE_BOUNDS)
        by_height, by_angle = (
            _by_group(matches.pairs, words, found, *groups, names)
            for groups, names in ((heights, HEIGHT_GROUPS), (angles, ANGLE_GROUPS))
        )
        return cls(len(matches.pairs), len(found), len(words), by_height, by_angle)

    def __add__(self, other: MatchCounts) -> DetectionCounts:
        if not isinstance(other, DetectionCounts):
            return NotImplemented
        whole = MatchCounts.__add__(self, other)
        return DetectionCounts(
            whole.matched,
            whole.predicted,
            whole.true,
            tuple(map(operator.add, self.by_height, other.by_height)),
            tuple(map(operator.add, self.by_angle, other.by_angle)),
        )

    @property
    def by(self) -> dict[str, dict[str, MatchCounts]]:
        """The groups by name: {"height": {"below 12 px": counts, ...}, "angle": {"below 2°": counts, ...}}."""
        return {
            "height": dict(zip(HEIGHT_GROUPS, self.by_height, strict=True)),
            "angle": dict(zip(ANGLE_GROUPS, self.by_angle, strict=True)),
        }


def match_detections(
    quads: np.ndarray, ignore: np.ndarray, predicted: np.ndarray, iou: float = IOU
) -> DetectionMatches:
    """Matches the detections of a page with its words. The arguments are those of ``DetectionCounts.of``."""
    true_hulls, found_hulls = _hulls(quads), _hulls(predicted)
    shared = _intersections(true_hulls, found_hulls)  # (N, M)
    true_areas, areas = shapely.area(true_hulls), shapely.area(found_hulls)
    ignored = (shared[ignore] > _ON_IGNORED * areas).any(axis=0)
    unions = true_areas[:, None] + areas - shared
    overlaps = np.divide(shared, unions, out=np.zeros_like(shared), where=unions > 0) > iou
    pairs: list[tuple[int, int]] = []
    free = ~ignored
    for word in np.flatnonzero(~ignore):
        candidates = np.flatnonzero(overlaps[word] & free)
        if len(candidates):
            pairs.append((int(word), int(candidates[0])))
            free[candidates[0]] = False
    return DetectionMatches(tuple(pairs), ignored)


def _hulls(quads: np.ndarray) -> np.ndarray:
    """The convex hulls (N,) as shapely's geometries; empty if a corner isn't finite."""
    # Not OpenCV's intersectConvexConvex, which sometimes gives no area for two nearly equal quads.
    quads = np.asarray(quads, np.float64).reshape(-1, 4, 2)
    hulls = np.full(len(quads), shapely.Polygon(), object)
    finite = np.isfinite(quads).all(axis=(1, 2))
    hulls[finite] = shapely.convex_hull(shapely.linestrings(quads[finite]))
    return hulls


def _intersections(hulls: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The areas (N, M) shared by hulls."""
    shared = np.zeros((len(hulls), len(others)))
    rows, columns = shapely.STRtree(others).query(hulls)  # pairs whose bounding boxes meet
    shared[rows, columns] = shapely.area(shapely.intersection(hulls[rows], others[columns]))
    return shared


def _heights(quads: np.ndarray) -> np.ndarray:
    return quad_sizes(np.asarray(quads, np.float64).reshape(-1, 4, 2))[:, 1]


def _angles(quads: np.ndarray) -> np.ndarray:
    return np.abs(np.rad2deg(quad_angles(np.asarray(quads, np.float64).reshape(-1, 4, 2))))


def _group(values: np.ndarray, bounds: Sequence[float]) -> np.ndarray:
    """The group of each value: a bound belongs to the group above it."""
    return np.searchsorted(bounds, values, side="right")


def _by_group(
    pairs: Sequence[tuple[int, int]],
    words: np.ndarray,
    found: np.ndarray,
    word_groups: np.ndarray,
    found_groups: np.ndarray,
    names: Sequence[str],
) -> Groups:
    """Counts by group, given the indices of counted words and detections, and the groups of all of them."""
    groups = range(len(names))
    # A match is counted in the group of its word, whatever that of the detection.
    found_groups = found_groups.copy()
    for word, detection in pairs:
        found_groups[detection] = word_groups[word]
    matched = [int(word_groups[word]) for word, _ in pairs]
    predicted, true = found_groups[found].tolist(), word_groups[words].tolist()
    return tuple(MatchCounts(matched.count(g), predicted.count(g), true.count(g)) for g in groups)
