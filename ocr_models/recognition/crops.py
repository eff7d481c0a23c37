"""Crops of words and lines in the form that the recognizer takes: one height and a few fixed widths."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import cv2
import numpy as np

INPUT_HEIGHT = 32
WIDTH_STRIDE = 4  # columns of a crop per time step of the recognizer
# Fixed widths, so that batches are full and a compiled model sees few shapes. Wider crops are squeezed. Those above 512
# are for lines: 2048 holds 64 heights of text, and a line across A4 at 10 points has 45.
WIDTH_BUCKETS = (*range(24, 81, 8), *range(96, 161, 16), *range(192, 257, 32), *range(320, 513, 64))
WIDTH_BUCKETS += (*range(576, 769, 64), *range(896, 1281, 128), *range(1536, 2049, 256))
COLUMNS_AT_ONCE = 64 * 1024  # of the crops of a batch, which bounds memory: the first maps take 800 bytes for each
# The detector's box is enlarged by these shares of its height before it is cut, because glyphs reach out of their box.
# Training crops have the same margins, with some jitter.
MARGIN_X, MARGIN_Y = 0.10, 0.04


def logit_length(width: int) -> int:
    """The number of time steps that a crop of ``width`` pixels fills."""
    return (width + WIDTH_STRIDE - 1) // WIDTH_STRIDE


def resize_crop(crop: np.ndarray) -> np.ndarray:
    """Resizes a gray uint8 crop (h, w) to height 32; keeps its aspect ratio unless it is wider than the last bucket."""
    height, width = crop.shape
    new_width = min(max(round(width * INPUT_HEIGHT / height), WIDTH_STRIDE), WIDTH_BUCKETS[-1])
    shrinks = height > INPUT_HEIGHT
    return cv2.resize(crop, (new_width, INPUT_HEIGHT), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def bucket_of(width: int) -> int:
    """The smallest bucket that holds a crop of ``width`` pixels, at most 2048."""
    return WIDTH_BUCKETS[bisect_left(WIDTH_BUCKETS, width)]


def pad_crops(crops: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Stacks crops (32, w) to a batch (B, 32, width); the last column of each is repeated, which adds no edge."""
    batch = np.empty((len(crops), INPUT_HEIGHT, width), np.uint8)
    for padded, crop in zip(batch, crops, strict=True):
        padded[:, : crop.shape[1]] = crop
        padded[:, crop.shape[1] :] = crop[:, -1:]
    return batch
