"""Rows of MNIST digits on a noisy canvas, a small task for sequence recognizers.

The digits are those of LeCun, Cortes and Burges, from their idx files. Worker processes run this, so it doesn't import
Keras.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr_models.charset import BLANK_ID, Charset
from ocr_models.data.mnist.idx import read_idx
from ocr_models.errors import UsageError
from ocr_models.recognition.crops import INPUT_HEIGHT, logit_length

Arrays = dict[str, np.ndarray]

CHARSET = Charset("0123456789")
PAD_LABEL = -1

DIGIT_PX = 28
GAP_PX = (3, 10)  # between two digits, both ends included
MAX_DIGITS = 7
# Seven digits with the widest gaps fill it. All rows have the same width, so that it doesn't reveal the number of
# digits. It is one of the recognizer's ``WIDTH_BUCKETS``: a canvas padded for reading would end differently from those
# in training.
CANVAS_WIDTH = 256
NOISE_LEVELS = (16, 128)  # each canvas has uniform noise from 0 up to a level drawn from this range

# Training digits are stretched and slanted by up to this many 256ths in each direction, as if by other writers.
_STRETCH, _SLANT = 30, 40

_FILES = {"train": "train", "validation": "train", "test": "t10k"}
_HELD_OUT_PART = 12  # the last twelfth of the training images (5,000 of 60,000) is for validation


@dataclass(frozen=True)
class Digits:
    """Pictures of single digits: ``images`` uint8 (N, 28, 28), white on black, and ``labels`` uint8 (N,), 0 to 9."""

    images: np.ndarray
    labels: np.ndarray


def load_digits(folder: str | Path, split: str) -> Digits:
    """Reads MNIST from its idx files, plain or gzipped (``train-images-idx3-ubyte.gz``).

    Args:
        folder: the folder of the files.
        split: "train" or "validation", which are disjoint parts of the training files, or "test".

    Raises:
        UsageError: a file is missing or damaged, or images and labels don't fit.
    """
    images_path = _find(Path(folder), f"{_FILES[split]}-images-idx3-ubyte")
    labels_path = _find(Path(folder), f"{_FILES[split]}-labels-idx1-ubyte")
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if images.shape[1:] != (DIGIT_PX, DIGIT_PX):
        raise UsageError(f"{images_path}: images of {images.shape[1:]} pixels; those of MNIST are (28, 28)")
    if len(images) != len(labels):
        raise UsageError(f"{labels_path}: {len(labels)} labels for {len(images)} images; take both from one MNIST")
    if labels.max(initial=0) > 9:
        raise UsageError(f"{labels_path}: label {labels.max()}; those of MNIST are 0 to 9")
    kept = _part(split, len(images))
    return Digits(images[kept], labels[kept])


def _part(split: str, count: int) -> slice:
    first_held_out = count - count // _HELD_OUT_PART
    return {"train": slice(first_held_out), "validation": slice(first_held_out, count), "test": slice(count)}[split]


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise UsageError(f"{folder}: neither {name} nor {name}.gz is there; give --mnist the folder of MNIST's four files")


@dataclass(frozen=True)
class Rows:
    """Pictures of digit rows.

    Attributes:
        images: uint8 (N, 32, 256, 1), as the recognizers take them.
        labels: int32 (N, L), ids in ``CHARSET`` (digit d is d + 1), padded with -1 to the longest row.
        lengths: int32 (N,), the number of digits of each row.
    """

    images: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray


def build_rows(digits: Digits, lengths: np.ndarray, rng: np.random.Generator, distort: bool = False) -> Rows:
    """Draws a row of digits for each of ``lengths``, int (N,), 1 to 7; with ``distort``, each digit is distorted.

    Digits are drawn with replacement. Each has a random vertical position, each row a random horizontal one. All random
    numbers are integers, so that the same generator gives the same rows on every machine.
    """
    lengths = np.asarray(lengths, np.int32)
    if lengths.ndim != 1 or not ((lengths >= 1) & (lengths <= MAX_DIGITS)).all():
        raise ValueError(f"lengths {lengths}: an axis of numbers from 1 to {MAX_DIGITS} was expected")
    count, longest = len(lengths), int(lengths.max(initial=1))
    chosen = rng.integers(len(digits.labels), size=(count, longest))
    tops = rng.integers(INPUT_HEIGHT - DIGIT_PX + 1, size=(count, longest))
    lefts = _places(lengths, longest, rng)
    images = _noise(count, rng)
    for i in range(longest):
        there = np.flatnonzero(i < lengths)
        pictures = digits.images[chosen[there, i]]
        _paint(images, there, tops[there, i], lefts[there, i], distorted(pictures, rng) if distort else pictures)
    drawn = np.arange(longest) < lengths[:, None]  # (N, L)
    labels = np.where(drawn, digits.labels[chosen].astype(np.int32) + 1, PAD_LABEL)
    return Rows(images[..., None], labels.astype(np.int32), lengths)


def _places(lengths: np.ndarray, longest: int, rng: np.random.Generator) -> np.ndarray:
    """The left edge of each digit, (N, L), with random gaps between digits and random space before the first."""
    gaps = rng.integers(GAP_PX[0], GAP_PX[1] + 1, size=(len(lengths), longest))
    gaps[:, 0] = 0
    places = np.cumsum(gaps + DIGIT_PX, axis=1) - DIGIT_PX
    widths = places[np.arange(len(lengths)), lengths - 1] + DIGIT_PX
    return places + rng.integers(CANVAS_WIDTH - widths + 1)[:, None]


def _noise(count: int, rng: np.random.Generator) -> np.ndarray:
    levels = rng.integers(NOISE_LEVELS[0], NOISE_LEVELS[1] + 1, size=(count, 1, 1), dtype=np.uint16)
    noise = rng.integers(256, size=(count, INPUT_HEIGHT, CANVAS_WIDTH), dtype=np.uint8)
    return ((noise * levels) >> 8).astype(np.uint8)


def _paint(images: np.ndarray, rows: np.ndarray, tops: np.ndarray, lefts: np.ndarray, digits: np.ndarray) -> None:
    """Paints one digit on each of the ``rows``, keeping brighter pixels of the canvas."""
    pixels = np.arange(DIGIT_PX)
    y = tops[:, None, None] + pixels[:, None]  # (R, 28, 1)
    x = lefts[:, None, None] + pixels  # (R, 1, 28)
    where = (rows[:, None, None], y, x)
    images[where] = np.maximum(images[where], digits)


def distorted(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Applies to each digit (N, 28, 28) a random affine map about its center, with nearest-neighbor sampling."""
    half_pixels = 2 * np.arange(DIGIT_PX, dtype=np.int16) - (DIGIT_PX - 1)  # from the center: -27, -25, ..., 27
    stretch = rng.integers(-_STRETCH, _STRETCH + 1, size=(2, len(digits), 1, 1), dtype=np.int16) + 256
    slant = rng.integers(-_SLANT, _SLANT + 1, size=(2, len(digits), 1, 1), dtype=np.int16)
    y = _source(stretch[0] * half_pixels[:, None] + slant[0] * half_pixels)  # (N, 28, 28)
    x = _source(stretch[1] * half_pixels + slant[1] * half_pixels[:, None])
    framed = np.pad(digits, ((0, 0), (1, 1), (1, 1)))  # beyond the square of a digit it is black
    pixels = (y * framed.shape[2] + x).reshape(len(digits), -1)
    return np.take_along_axis(framed.reshape(len(digits), -1), pixels.astype(np.intp), axis=1).reshape(digits.shape)


def _source(offsets: np.ndarray) -> np.ndarray:
    """The index of the pixel in a framed digit at offsets from its center, given in 512ths of a pixel."""
    return np.clip(((offsets + (256 * (DIGIT_PX - 1) + 256)) >> 9) + 1, 0, DIGIT_PX + 1)


def decoder_sequences(labels: np.ndarray, start_id: int, end_id: int) -> tuple[np.ndarray, np.ndarray]:
    """The inputs and targets of a decoder trained by teacher forcing, step by step.

    Args:
        labels: int (N, L), padded with -1.
        start_id: the first input.
        end_id: the target after the last label.

    Returns:
        inputs, (N, L + 1): the start id, then the labels, padded with the end id.
        targets, (N, L + 1): the labels, then the end id, padded with -1.
    """
    padding = np.full((len(labels), 1), PAD_LABEL, np.int32)
    targets = np.concatenate([labels, padding], axis=1).astype(np.int32)
    targets[np.arange(len(labels)), (labels != PAD_LABEL).sum(axis=1)] = end_id
    inputs = np.roll(np.where(targets == PAD_LABEL, end_id, targets), 1, axis=1)
    inputs[:, 0] = start_id
    return inputs, targets


def row_batches(folder: str, length: int, batch_size: int, seed: int) -> Iterator[Rows]:
    """Yields endless batches of training rows of ``length`` distorted digits each."""
    digits, rng = load_digits(folder, "train"), np.random.default_rng(seed)
    while True:
        yield build_rows(digits, np.full(batch_size, length), rng, distort=True)


def ctc_batches(folder: str, length: int, batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, Arrays]]:
    """``row_batches`` for a CRNN: images, and the truth of ``ctc_loss``."""
    for rows in row_batches(folder, length, batch_size, seed):
        labels = np.maximum(rows.labels, BLANK_ID)
        yield rows.images, {"labels": labels, "label_length": rows.lengths, "logit_length": _logit_length(rows)}


def attention_batches(folder: str, length: int, batch_size: int, seed: int) -> Iterator[tuple[Arrays, Arrays]]:
    """``row_batches`` for an attention recognizer: its inputs, and its "targets"."""
    for rows in row_batches(folder, length, batch_size, seed):
        token_ids, targets = decoder_sequences(rows.labels, start_id=len(CHARSET) + 1, end_id=BLANK_ID)
        inputs = {"image": rows.images, "logit_length": _logit_length(rows), "token_ids": token_ids}
        yield inputs, {"targets": targets}


def _logit_length(rows: Rows) -> np.ndarray:
    return np.full(len(rows.images), logit_length(CANVAS_WIDTH), np.int32)


def held_out_rows(folder: str, split: str, length: int, count: int, seed: int) -> Rows:
    """Rows of digits that training doesn't see, of "validation" or "test"; the same for the same seed."""
    return build_rows(load_digits(folder, split), np.full(count, length), np.random.default_rng(seed))
