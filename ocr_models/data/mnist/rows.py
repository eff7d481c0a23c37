"""Rows of MNIST digits: several in a row on a noisy canvas, a small world for recognizers of sequences.

The digits are the real ones of LeCun, Cortes and Burges, in their own idx files. Runs in worker processes: no Keras.
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
# Seven digits with the widest gaps fill it. One width for all rows: where a row begins and how much of the canvas it
# leaves empty then tells nothing of the number of its digits. And it is one of the recognizer's ``WIDTH_BUCKETS``: a
# canvas that is widened when it is read would end otherwise than those in training.
CANVAS_WIDTH = 256
NOISE_LEVELS = (16, 128)  # the canvas is uniform noise from 0 up to a level of its own

# By so many 256ths training digits are stretched and slanted, at most and in each direction: as by other writers.
_STRETCH, _SLANT = 30, 40

_FILES = {"train": "train", "validation": "train", "test": "t10k"}
_HELD_OUT_PART = 12  # the last twelfth of the train images (5,000 of 60,000) is for validation


@dataclass(frozen=True)
class Digits:
    """Pictures of single digits: ``images`` uint8 (N, 28, 28), white on black, and ``labels`` uint8 (N,), 0 to 9."""

    images: np.ndarray
    labels: np.ndarray


def load_digits(folder: str | Path, split: str) -> Digits:
    """Reads MNIST from its idx files, plain or gzipped (``train-images-idx3-ubyte.gz``).

    Args:
        folder: where the files are.
        split: "train" or "validation", which share no image of the train files, or "test".

    Raises:
        UsageError: a file is missing or damaged, or images and labels don't belong together.
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
        images: uint8 (N, 32, 256, 1), what the recognizers take.
        labels: int32 (N, L), numbers of ``CHARSET`` (digit d is d + 1), padded with -1 to the longest row.
        lengths: int32 (N,), digits of each row.
    """

    images: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray


def build_rows(digits: Digits, lengths: np.ndarray, rng: np.random.Generator, distort: bool = False) -> Rows:
    """Draws a row of digits for each of ``lengths``, int (N,), 1 to 7; with ``distort``, each under a map of its own.

    Digits are drawn with replacement; each stands anywhere in the canvas's height, the row anywhere in its width. All
    numbers drawn are whole ones: the same generator gives the same rows on every machine.
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
    """The left edge of each digit, (N, L): random gaps between them, and random room before the first."""
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
    """Puts one digit on each of the ``rows``, where it is brighter than what is there."""
    pixels = np.arange(DIGIT_PX)
    y = tops[:, None, None] + pixels[:, None]  # (R, 28, 1)
    x = lefts[:, None, None] + pixels  # (R, 1, 28)
    where = (rows[:, None, None], y, x)
    images[where] = np.maximum(images[where], digits)


def distorted(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each digit (N, 28, 28) under an affine map of its own about its middle, with the nearest pixel's gray."""
    half_pixels = 2 * np.arange(DIGIT_PX, dtype=np.int16) - (DIGIT_PX - 1)  # from the middle: -27, -25, ..., 27
    stretch = rng.integers(-_STRETCH, _STRETCH + 1, size=(2, len(digits), 1, 1), dtype=np.int16) + 256
    slant = rng.integers(-_SLANT, _SLANT + 1, size=(2, len(digits), 1, 1), dtype=np.int16)
    y = _source(stretch[0] * half_pixels[:, None] + slant[0] * half_pixels)  # (N, 28, 28)
    x = _source(stretch[1] * half_pixels + slant[1] * half_pixels[:, None])
    framed = np.pad(digits, ((0, 0), (1, 1), (1, 1)))  # what lies beyond a digit's square is black
    pixels = (y * framed.shape[2] + x).reshape(len(digits), -1)
    return np.take_along_axis(framed.reshape(len(digits), -1), pixels.astype(np.intp), axis=1).reshape(digits.shape)


def _source(offsets: np.ndarray) -> np.ndarray:
    """The pixel of a framed digit at offsets from its middle, given in 512ths of a pixel."""
    return np.clip(((offsets + (256 * (DIGIT_PX - 1) + 256)) >> 9) + 1, 0, DIGIT_PX + 1)


def decoder_sequences(labels: np.ndarray, start_id: int, end_id: int) -> tuple[np.ndarray, np.ndarray]:
    """What a decoder that is taught is given and what it should answer, step by step.

    Args:
        labels: int (N, L), padded with -1.
        start_id: the first input.
        end_id: the answer after the last label.

    Returns:
        inputs, (N, L + 1): the start, then each label; where nothing follows, the end.
        targets, (N, L + 1): each label, then the end, then -1.
    """
    padding = np.full((len(labels), 1), PAD_LABEL, np.int32)
    targets = np.concatenate([labels, padding], axis=1).astype(np.int32)
    targets[np.arange(len(labels)), (labels != PAD_LABEL).sum(axis=1)] = end_id
    inputs = np.roll(np.where(targets == PAD_LABEL, end_id, targets), 1, axis=1)
    inputs[:, 0] = start_id
    return inputs, targets


def row_batches(folder: str, length: int, batch_size: int, seed: int) -> Iterator[Rows]:
    """Endless batches of training rows, all of ``length`` digits, which are distorted."""
    digits, rng = load_digits(folder, "train"), np.random.default_rng(seed)
    while True:
        yield build_rows(digits, np.full(batch_size, length), rng, distort=True)


def ctc_batches(folder: str, length: int, batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, Arrays]]:
    """The batches of ``row_batches`` as a CRNN learns them: images, and the truth of ``ctc_loss``."""
    for rows in row_batches(folder, length, batch_size, seed):
        labels = np.maximum(rows.labels, BLANK_ID)
        yield rows.images, {"labels": labels, "label_length": rows.lengths, "logit_length": _logit_length(rows)}


def attention_batches(folder: str, length: int, batch_size: int, seed: int) -> Iterator[tuple[Arrays, Arrays]]:
    """The batches of ``row_batches`` as an attention recognizer learns them: its inputs, and its "targets"."""
    for rows in row_batches(folder, length, batch_size, seed):
        token_ids, targets = decoder_sequences(rows.labels, start_id=len(CHARSET) + 1, end_id=BLANK_ID)
        inputs = {"image": rows.images, "logit_length": _logit_length(rows), "token_ids": token_ids}
        yield inputs, {"targets": targets}


def _logit_length(rows: Rows) -> np.ndarray:
    return np.full(len(rows.images), logit_length(CANVAS_WIDTH), np.int32)


def held_out_rows(folder: str, split: str, length: int, count: int, seed: int) -> Rows:
    """The same rows each time, of digits that training doesn't see: of "validation" or of "test"."""
    return build_rows(load_digits(folder, split), np.full(count, length), np.random.default_rng(seed))
