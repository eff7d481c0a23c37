"""Finds the words of a page that stands in one of four turns, at any slant, and levels it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ocr_models.geometry import (
    box_quads,
    compose_affines,
    invert_affine,
    quad_angles,
    quad_boxes,
    quarter_turn_matrix,
    transform_quads,
)
from ocr_models.pages.box_refinement import fit_words
from ocr_models.pages.ruled_tables import GridCell, find_grids
from ocr_models.pages.word_crops import LEVEL_WORD_RAD, level_page, page_skew
from ocr_models.pages.word_finder import WordFinder
from ocr_models.records import Transcript

_SLANT_STEPS_DEG = (0.5, 0.1)  # in which slants are tried, at first and around the best
_SLANT_SIDE_PX, _SLANT_SCALE = 3200, 4  # the middle of a page that is examined, and how many times smaller
_SLANT_POINTS = 8_000  # pixels of ink that are examined
_INK_BLUR_PX, _INK_CONTRAST = 15, 32  # pixels are examined that differ from their surroundings by so many gray levels
_CLEAR_LINES = 4.0  # lines of text are seen at a slant whose profile is so many times as sharp as the usual one


@dataclass(frozen=True)
class FoundPage:
    """The words found on a page that has been turned and leveled.

    Attributes:
        image: uint8 (H, W), gray: the turned and leveled page, from which words are cut.
        quads: float32 (N, 4, 2), pixels of ``image``.
        headlines: float32 (M, 4, 2), see ``FoundWords``.
        to_given: affine (2, 3) from pixels of ``image`` to pixels of the page as given.
        rotation_deg: clockwise rotation of the content of the given page: 0, 90, 180 or 270.
        skew: radians, positive clockwise, that were removed beside that.
        grids: the cells of its tables with rules, in pixels of ``image``; see ``find_grids``.
    """

    image: np.ndarray
    quads: np.ndarray
    headlines: np.ndarray
    to_given: np.ndarray
    rotation_deg: int
    skew: float
    grids: Sequence[Sequence[GridCell]] = ()


ReadPage = tuple[FoundPage, list[Transcript]]
"""A page and one transcript for each of its quads."""


def find_page(finder: WordFinder, image: np.ndarray, turns: int, slant: float = 0.0) -> FoundPage:
    """Finds words on a page after ``turns`` counterclockwise quarter turns, and removes their common skew.

    Args:
        finder: of words.
        image: uint8 (H, W), gray.
        turns: 0 to 3.
        slant: radians, positive clockwise, that are removed from the page before words are searched.
    """
    upright = np.ascontiguousarray(np.rot90(image, turns))
    seen, to_seen = level_page(upright, slant)
    quads, headlines = finder.find(seen)
    skew = slant + page_skew(quads)
    leveled, level = level_page(upright, skew)
    from_seen = compose_affines(level, invert_affine(to_seen)) if slant else level
    to_given = compose_affines(invert_affine(quarter_turn_matrix(turns, *image.shape)), invert_affine(level))
    quads, headlines = (transform_quads(from_seen, q) for q in (quads, headlines))
    quads = _fit_level_words(leveled, quads)
    grids = find_grids(leveled, quad_boxes(quads))
    return FoundPage(leveled, quads, headlines, to_given, 90 * turns, skew, grids)


def text_slant(image: np.ndarray) -> float:
    """The slant of a page's lines of text, in radians from -45 to 45 degrees, positive clockwise; 0 if unclear.

    The ink is projected along each slant: the profile is sharpest along lines of text (Postl 1986, "Detection of linear
    oblique structures and skew scan in digitized documents").

    Args:
        image: uint8 (H, W), gray, which may lie on its side.
    """
    middle = tuple(slice(max(0, side - _SLANT_SIDE_PX) // 2, (side + _SLANT_SIDE_PX) // 2) for side in image.shape)
    rows, columns = (max(1, side // _SLANT_SCALE) for side in image[middle].shape)
    small = cv2.resize(image[middle], (columns, rows), interpolation=cv2.INTER_AREA)
    contrast = small - cv2.blur(small, (_INK_BLUR_PX, _INK_BLUR_PX)).astype(np.float32)
    y, x = np.nonzero(np.abs(contrast) > _INK_CONTRAST)
    if not len(x):
        return 0.0
    every = -(-len(x) // _SLANT_POINTS)
    points = np.stack([x[::every], y[::every]]).astype(np.float32)
    # Somewhere within their pixels: the rows of a grid would be sharp at 45 degrees.
    points += np.random.default_rng(0).random(points.shape, np.float32)
    coarse, fine = _SLANT_STEPS_DEG
    degrees = np.arange(-90.0, 90.0, coarse)
    contrasts = contrast[y[::every], x[::every]]
    sharpness = _sharpness(points, contrasts, degrees)
    best = degrees[sharpness.argmax()]
    if sharpness.max() < _CLEAR_LINES * np.median(sharpness):
        return 0.0
    near = np.arange(best - coarse, best + coarse, fine)
    best = near[_sharpness(points, contrasts, near).argmax()]
    return float(np.deg2rad((best + 45) % 90 - 45))


def _sharpness(points: np.ndarray, contrasts: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """How much the profiles of contrasts (N,) at points (x, y), (2, N), change from row to row, along slants (D,)."""
    found = []
    for slant in np.deg2rad(degrees):
        across = (np.array([-np.sin(slant), np.cos(slant)], np.float32) @ points).astype(int)
        profile = np.bincount(across - across.min(), contrasts)
        found.append(np.square(np.convolve(profile, [1, 1, -1, -1])).sum())  # over two pixels, as single ones are noise
    return np.array(found, float)


def _fit_level_words(image: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Fits level words to their ink; the others stay as they are."""
    is_level = np.abs(quad_angles(quads)) < LEVEL_WORD_RAD
    fitted = fit_words(image, quad_boxes(quads[is_level]))
    return np.concatenate([box_quads(fitted), quads[~is_level]])
