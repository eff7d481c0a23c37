"""Pictures prepared for the captioner's backbone: squares of uint8 RGB, plain for use and varied for training.

The network itself maps 0..255 to [-1, 1], so that pictures pass between processes as bytes.
"""

from __future__ import annotations

import cv2
import numpy as np

# How far colors are changed in training; the numbers are those of the published im2txt code.
_BRIGHTNESS = 32 / 255
_CONTRAST = _SATURATION = (0.5, 1.5)
_HUE_DEGREES = 0.032 * 360


def center_view(image: np.ndarray, resized_px: int, crop_px: int) -> np.ndarray:
    """The middle of a picture, which is first resized to a square, whatever its shape.

    Args:
        image: uint8 (H, W, 3) RGB.
        resized_px: side of the square that the picture is resized to, such as 346.
        crop_px: side of the crop, such as 299.

    Returns:
        uint8 (crop_px, crop_px, 3).
    """
    margin = (resized_px - crop_px) // 2
    return _resize(image, resized_px)[margin : margin + crop_px, margin : margin + crop_px]


def random_view(image: np.ndarray, resized_px: int, crop_px: int, rng: np.random.Generator) -> np.ndarray:
    """Like ``center_view``, but with a random crop, mirrored with probability 0.5, and with distorted colors."""
    top, left = rng.integers(0, resized_px - crop_px, size=2, endpoint=True)
    crop = _resize(image, resized_px)[top : top + crop_px, left : left + crop_px]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    return distort_colors(np.ascontiguousarray(crop), rng)


def distort_colors(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes brightness, contrast, saturation and hue by random amounts, in random order; uint8 (H, W, 3) RGB."""
    distortions = [
        lambda x: x + np.float32(rng.uniform(-_BRIGHTNESS, _BRIGHTNESS)),
        lambda x: adjust_contrast(x, rng.uniform(*_CONTRAST)),
        lambda x: adjust_hue_saturation(x, 0.0, rng.uniform(*_SATURATION)),
        lambda x: adjust_hue_saturation(x, rng.uniform(-_HUE_DEGREES, _HUE_DEGREES), 1.0),
    ]
    x = image.astype(np.float32) / 255
    for i in rng.permutation(len(distortions)):
        x = np.clip(distortions[i](x), 0, 1)
    return np.rint(255 * x).astype(np.uint8)


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiplies the difference between float pixels (H, W, 3) and the mean of their channel by ``factor``."""
    mean = image.mean(axis=(0, 1))
    return (image - mean) * np.float32(factor) + mean


def adjust_hue_saturation(image: np.ndarray, hue_degrees: float, saturation: float) -> np.ndarray:
    """Rotates the hue of float32 pixels (H, W, 3) in [0, 1], and multiplies their saturation, to at most 1."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # degrees, 0 to 1, 0 to 1
    hsv[..., 0] = (hsv[..., 0] + hue_degrees) % 360
    hsv[..., 1] = np.minimum(hsv[..., 1] * saturation, 1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _resize(image: np.ndarray, side: int) -> np.ndarray:
    interpolation = cv2.INTER_AREA if min(image.shape[:2]) > side else cv2.INTER_LINEAR
    return cv2.resize(image, (side, side), interpolation=interpolation)
