"""Pictures that show what a model does."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ocr_models.recognition.crops import WIDTH_STRIDE, resize_crop

_ZOOM = 4  # of the crop
_BAND_PX = 26  # height of a character's row
_LABEL_PX, _FONT_PX = 40, 17
_INK = np.array([178, 34, 34])  # what full attention is drawn in, RGB


def draw_alignments(crop: np.ndarray, labels: Sequence[str], alignments: np.ndarray) -> np.ndarray:
    """A word crop, and below it a row for each character: the redder, the more attention was there.

    Args:
        crop: gray uint8 (h, w).
        labels: L of them, what each row shows: the characters, and a sign for the end.
        alignments: (L, T), 0 to 1, a column for every four of the crop once it is resized to height 32.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    if len(labels) != len(alignments):
        raise ValueError(f"{len(labels)} labels, but alignments of {len(alignments)} steps; each step needs a label")
    gray = resize_crop(crop)
    gray = cv2.resize(gray, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_CUBIC)
    word = np.repeat(gray[:, :, None], 3, axis=2)
    bands = [_draw_band(row, word) for row in alignments]
    picture = np.concatenate([word, *bands])
    picture = cv2.copyMakeBorder(picture, 0, 0, _LABEL_PX, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return _write_labels(picture, labels, first_px=word.shape[0])


def _draw_band(alignments: np.ndarray, word: np.ndarray) -> np.ndarray:
    """A row (26, W, 3) of the picture: the middle of the word, pale, with the attention laid over it."""
    columns = np.repeat(alignments, WIDTH_STRIDE * _ZOOM)[: word.shape[1]]
    weight = np.clip(columns, 0, 1)[None, :, None]
    middle = cv2.resize(word, (word.shape[1], _BAND_PX), interpolation=cv2.INTER_AREA)
    pale = 255 - (255 - middle) * 0.25
    return np.round(pale * (1 - weight) + _INK * weight).astype(np.uint8)


def _write_labels(picture: np.ndarray, labels: Sequence[str], first_px: int) -> np.ndarray:
    """Each label before its row, by OpenCV's own font, which has the letters of all European languages."""
    font = cv2.FontFace("sans")
    for i, label in enumerate(labels):
        _, _, width, _ = cv2.getTextSize(picture.shape[1::-1], label, (0, 0), font, _FONT_PX)
        left, baseline = (_LABEL_PX - width) // 2, first_px + round((i + 0.7) * _BAND_PX)
        cv2.putText(picture, label, (left, baseline), (0, 0, 0), font, _FONT_PX)
    return picture
