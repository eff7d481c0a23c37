"""Writes small idx files in place of MNIST's, with digits drawn by OpenCV."""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
import numpy as np

from ocr_models.data.mnist.rows import Digits


def draw_digits(count: int, seed: int) -> Digits:
    """Digits of a plain font, with slightly different positions and strokes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(10, size=count).astype(np.uint8)
    images = np.zeros((count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        place = (int(rng.integers(4, 8)), int(rng.integers(22, 26)))
        cv2.putText(image, str(label), place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, int(rng.integers(2, 4)), cv2.LINE_AA)
    return Digits(images, labels)


def write_mnist(folder: Path, train: Digits, test: Digits) -> Path:
    """Writes the four files, the training images gzipped and the others not; returns the folder."""
    for name, digits in (("train", train), ("t10k", test)):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx_bytes(digits.images))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx_bytes(digits.labels))
    plain = folder / "train-images-idx3-ubyte"
    plain.with_suffix(".gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return folder


def idx_bytes(array: np.ndarray) -> bytes:
    """A uint8 array in the idx format."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
