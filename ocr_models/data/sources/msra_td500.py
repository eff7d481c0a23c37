"""MSRA-TD500: pictures, each with a file ``NAME.gt`` that lists its text lines as rotated boxes without text.

A line has: index, 1 if the text is difficult, x, y, width and height of an upright box, and the angle in radians,
positive clockwise, by which the box is rotated about its center (Yao et al., "Detecting Texts of Arbitrary Orientations
in Natural Images", 2012).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ocr_models.data.sources.labels import TextLabel, label_page, read_labels, read_or_reject, text_lines
from ocr_models.data.sources.source import (
    Files,
    LabelledPicture,
    PictureNames,
    RejectedPicture,
    SourceItem,
    list_source,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task


@dataclass(frozen=True)
class MsraTd500Source:
    """Pictures below ``root``, each with a ``NAME.gt`` beside it; difficult lines are to be ignored."""

    root: str
    task: Task = Task.DETECTION
    format = "msra-td500"

    def items(self, files: Files) -> Iterator[SourceItem]:
        paths = list_source(files, self.root).paths
        truths = {name.removesuffix(".gt"): name for name in paths if name.endswith(".gt")}
        if not truths:
            raise UsageError(f"{self.root}: no *.gt there; --format msra-td500 expects one beside each picture")
        for name in PictureNames(paths):
            truth = truths.pop(name.rpartition(".")[0], None)
            missing = DocumentError(Stage.LABEL, "no .gt file of its name beside it")
            yield SourceItem(name, paths[name], read_labels(files, paths[truth]) if truth else missing)
        for truth in truths.values():
            yield SourceItem(truth, None, b"")

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        return read_or_reject(
            item, path, lambda data: label_page(item.name, data, parse_turned_boxes(item.labels), self.task)
        )


def parse_turned_boxes(data: bytes) -> list[TextLabel]:
    """The labels in the bytes of a ``NAME.gt``. Raises DocumentError with stage "label" if a line can't be parsed."""
    labels = []
    for number, line in enumerate(text_lines(data), start=1):
        if not line.strip():
            continue
        try:
            _, difficult, *box = map(float, line.split())
            x, y, width, height, angle_rad = box
            if not all(map(math.isfinite, box)):
                raise ValueError
        except ValueError as error:
            expected = "index difficult x y width height angle"
            raise DocumentError(Stage.LABEL, f"line {number} is {line!r}; expected {expected}") from error
        labels.append(TextLabel("", _turned_box(x, y, width, height, angle_rad), difficult != 0))
    return labels


def _turned_box(x: float, y: float, width: float, height: float, angle_rad: float) -> tuple[float, ...]:
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    corners = half @ np.array([[cos, sin], [-sin, cos]]) + [x + width / 2, y + height / 2]
    return tuple(corners.ravel().tolist())
