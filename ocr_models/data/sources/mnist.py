"""MNIST's idx files: each digit is a picture for recognition, white on black, with its label as the text."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr_models.data.mnist.idx import parse_idx, read_idx
from ocr_models.data.sources.labels import label_crop_pixels
from ocr_models.data.sources.source import Files, LabelledPicture, RejectedPicture, SourceItem, list_source
from ocr_models.errors import Stage, UsageError
from ocr_models.records import Task, WordTruth

_IMAGES, _LABELS, _SUFFIX = "-images-idx3-ubyte", "-labels-idx1-ubyte", "-idx3-ubyte"
_DIGITS_PER_ITEM = 5000


@dataclass(frozen=True)
class MnistSource:
    """All pairs ``NAME-images-idx3-ubyte`` and ``NAME-labels-idx1-ubyte`` below ``root``, gzipped or not."""

    root: str
    task: Task = Task.RECOGNITION
    format = "mnist"

    def items(self, files: Files) -> Iterator[SourceItem]:
        paths = {name.removesuffix(".gz"): path for name, path in list_source(files, self.root).paths.items()}
        found = [name for name in paths if name.endswith(_IMAGES)]
        if not found:
            raise UsageError(f"{self.root}: no file NAME{_IMAGES} or NAME{_IMAGES}.gz there; give the folder of MNIST")
        for images in found:
            labels = images.removesuffix(_IMAGES) + _LABELS
            if labels not in paths:
                raise UsageError(f"{self.root}: {images} has no {labels} or {labels}.gz beside it; put it there")
            yield from _items(files, images, paths[images], paths[labels])

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        assert path is not None  # all of its items have one
        digits: _Digits = item.labels
        try:
            pictures = _read_images(path, os.stat(path).st_mtime_ns)[digits.start : digits.start + len(digits.labels)]
        except (OSError, UsageError) as error:
            yield RejectedPicture(item.name, Stage.OPEN, str(error))
            return
        for i, (picture, label) in enumerate(zip(pictures, digits.labels, strict=True), start=digits.start):
            yield label_crop_pixels(f"{digits.file}#{i}", WordTruth(picture, str(label)))


@dataclass(frozen=True)
class _Digits:
    """Successive digits of a file: the file's name, the index of the first digit, and their labels, one byte each."""

    file: str
    start: int
    labels: bytes


def _items(files: Files, name: str, images_path: str, labels_path: str) -> Iterator[SourceItem]:
    labels = parse_idx(files.read(labels_path), labels_path, 1)
    count = len(parse_idx(files.read(images_path), images_path, 3))
    if len(labels) != count:
        raise UsageError(f"{labels_path}: {len(labels)} labels for {count} images; take both from one MNIST")
    name = name.removesuffix(_SUFFIX)
    for start in range(0, count, _DIGITS_PER_ITEM):
        some = labels[start : start + _DIGITS_PER_ITEM].tobytes()
        yield SourceItem(f"{name}#{start}-{start + len(some) - 1}", images_path, _Digits(name, start, some))


@functools.lru_cache(maxsize=1)
def _read_images(path: str, changed_ns: int) -> np.ndarray:
    """Unpacks a file of images once for all of its items."""
    return read_idx(Path(path), 3)
