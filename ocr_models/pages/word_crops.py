"""Cuts words and pieces of lines out of pages, with the recognizer's margins: for reading, data sets and review."""

from __future__ import annotations

import cv2
import numpy as np

from ocr_models.geometry import quad_angles, quad_sizes, quarter_turn_matrix, transform_quads
from ocr_models.recognition.crops import MARGIN_X, MARGIN_Y

LEVEL_WORD_RAD = np.deg2rad(2.0)  # words within this angle of the page's skew are cut level
DARK_GROUND, _LIGHT_LETTERS = 110, 60  # gray levels: the lightest dark ground, and how much lighter its letters are
_GROUND_SAMPLES = 8  # pixels of the top row of a word, and as many of the bottom row, that tell the gray of its ground
_LEVEL_RAD = np.deg2rad(0.25)  # a page with less skew is not leveled


def cut_words(image: np.ndarray, quads: np.ndarray, most_rise: float = np.inf) -> list[np.ndarray]:
    """Cuts words with the recognizer's margins: slices of a leveled page, warped where a word is skewed.

    Args:
        image: uint8 (H, W), gray.
        quads: float32 (N, 4, 2), pixels.
        most_rise: a quad whose ends differ in height by more than this share of its own height is warped, too: over
            the length of a line, a slant counts that a word doesn't show.

    Returns:
        N crops, uint8 (h, w), each with at least one pixel and with its text from left to right, dark on light.
    """
    angles, sizes = quad_angles(quads), quad_sizes(quads)
    is_level = np.abs(angles) < LEVEL_WORD_RAD
    is_level &= np.abs(quads[:, 1, 1] - quads[:, 0, 1]) <= most_rise * sizes[:, 1]
    centers = quads.mean(axis=1)
    half = sizes / 2 + sizes[:, 1:] * np.array([MARGIN_X, MARGIN_Y])
    corners = np.round(np.concatenate([centers - half, centers + half], axis=1)).astype(int)
    height, width = image.shape
    low = np.clip(corners[:, :2], 0, [width - 1, height - 1])
    high = np.maximum(np.clip(corners[:, 2:], 0, [width, height]), low + 1)
    crops = [
        image[y0:y1, x0:x1] if is_level[i] else _warp_word(image, centers[i], half[i], float(angles[i]))
        for i, ((x0, y0), (x1, y1)) in enumerate(zip(low.tolist(), high.tolist(), strict=True))
    ]
    for i in np.flatnonzero(_may_be_dark(image, low, high)):
        if _is_light_on_dark(crops[i]):
            crops[i] = 255 - crops[i]
    return crops


def is_light_on_dark(image: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Which quads (N, 4, 2) of a page, uint8 (H, W), hold light text on dark ground: bool (N,)."""
    low = np.clip(np.floor(quads.min(axis=1)).astype(int), 0, [image.shape[1] - 1, image.shape[0] - 1])
    high = np.maximum(np.ceil(quads.max(axis=1)).astype(int), low + 1)
    places = zip(low.tolist(), high.tolist(), strict=True)
    return np.array([_is_light_on_dark(image[y0:y1, x0:x1]) for (x0, y0), (x1, y1) in places], bool)


def _may_be_dark(image: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Bool (N,): False for boxes from ``low`` to ``high``, (N, 2), above and below which some pixels are light."""
    x = np.linspace(low[:, 0], high[:, 0] - 1, _GROUND_SAMPLES, dtype=int, axis=1)
    edges = np.concatenate([image[low[:, 1:], x], image[high[:, 1:] - 1, x]], axis=1)
    return edges.mean(axis=1) <= DARK_GROUND + 30


def _is_light_on_dark(crop: np.ndarray) -> bool:
    """Whether the ground of a word, which its top and bottom rows mostly show, is dark and its letters are light."""
    edges = crop[:: max(1, len(crop) - 1)]
    ground = float(np.median(edges))
    return ground < DARK_GROUND and float(crop.max()) - ground >= _LIGHT_LETTERS


def cut_read_words(image: np.ndarray, quads: np.ndarray, rotation_deg: int) -> list[np.ndarray]:
    """Cuts the crops that a ``PageReader`` read, given its results: turns and levels the page as the reader did.

    Args:
        image: uint8 (H, W), gray: the page as given to the reader.
        quads: float32 (N, 4, 2) of all words read on it, in pixels of ``image``.
        rotation_deg: clockwise rotation of the content of the page: 0, 90, 180 or 270.
    """
    upright, quads = turn_upright(image, quads, rotation_deg)
    leveled, level = level_page(upright, page_skew(quads))
    return cut_words(leveled, transform_quads(level, quads))


def turn_upright(image: np.ndarray, quads: np.ndarray, rotation_deg: int) -> tuple[np.ndarray, np.ndarray]:
    """Turns a page, uint8 (H, W), and its quads, float32 (N, 4, 2), upright; ``rotation_deg`` is clockwise."""
    turns = rotation_deg // 90
    quads = transform_quads(quarter_turn_matrix(turns, *image.shape), quads)
    return np.ascontiguousarray(np.rot90(image, turns)), quads


def level_page(image: np.ndarray, skew: float) -> tuple[np.ndarray, np.ndarray]:
    """Removes a skew, in radians and positive clockwise, from a page, uint8 (H, W); a tiny one stays.

    Returns:
        The page, enlarged so that its corners fit, and the affine matrix (2, 3) from the given pixels to its own.
    """
    if abs(skew) <= _LEVEL_RAD:
        return image, np.eye(2, 3)
    matrix, size = _leveling(skew, *image.shape)
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), matrix


def page_skew(quads: np.ndarray) -> float:
    """The skew of a page in radians, positive clockwise: the median angle of the longer half of its words."""
    if len(quads) < 3:
        return 0.0
    lengths = quad_sizes(quads)[:, 0]
    return float(np.median(quad_angles(quads)[lengths >= np.median(lengths)]))


def _leveling(skew: float, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The affine matrix (2, 3) that removes the skew of a page, and the size (width, height) that holds the result."""
    cos, sin = abs(np.cos(skew)), abs(np.sin(skew))
    # Enlarged by whole pixels on every side, so that pixels near the middle are sampled where they were.
    margin_x = max(0, int(np.ceil((cos * width + sin * height - width) / 2)))
    margin_y = max(0, int(np.ceil((cos * height + sin * width - height) / 2)))
    level = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.rad2deg(skew)), 1.0)
    level[:, 2] += margin_x, margin_y
    return level, (width + 2 * margin_x, height + 2 * margin_y)


def _warp_word(image: np.ndarray, center: np.ndarray, half: np.ndarray, angle: float) -> np.ndarray:
    """Cuts a skewed word level; ``center`` and ``half`` (half width and height) in pixels, ``angle`` in radians."""
    width, height = (max(1, round(2 * side)) for side in half)
    # Coordinates of quads refer to the corners of pixels, those of OpenCV to their centers.
    pivot = (float(center[0]) - 0.5, float(center[1]) - 0.5)
    matrix = cv2.getRotationMatrix2D(pivot, float(np.rad2deg(angle)), 1.0)
    matrix[:, 2] += half - center
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
