"""The log of a running training: curves and pictures for TensorBoard, and a history for its report."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from tensorboardX import SummaryWriter

from ocr_models import durable_files
from ocr_models.reports.html_report import Picture
from ocr_models.training.task import Validation

HISTORY = "history.jsonl"
_LINE_PX, _FONT_PX, _MIN_WIDTH_PX = 26, 17, 360


class RunLog:
    """The log of a run, in its folder; use as a context manager.

    Args:
        run: the folder. Its history is cut after ``step``, since later steps were lost when the run was killed.
        step: the step at which the run begins.
    """

    def __init__(self, run: Path, step: int) -> None:
        self._path = run / HISTORY
        self.history = [line for line in read_history(self._path) if line["step"] <= step]
        with durable_files.replacing(self._path) as file:
            file.write("".join(f"{json.dumps(line)}\n" for line in self.history).encode())
        self._board = SummaryWriter(str(run / "logs"))

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *exc_info) -> None:
        self._board.close()

    def training(self, step: int, values: dict[str, float]) -> None:
        """Logs the loss and other values of some steps."""
        self._add(step, values)

    def validation(self, step: int, validation: Validation) -> None:
        """Logs scores, and sample predictions as pictures."""
        self._add(step, {f"validation/{name}": value for name, value in validation.scores.items()})
        for i, picture in enumerate(validation.samples):
            self._board.add_image(f"samples/{i}", draw_caption(picture), step, dataformats="HWC")

    def _add(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        line = {"step": step, **values}
        self.history.append(line)
        with self._path.open("a") as file:
            file.write(f"{json.dumps(line)}\n")


def read_history(path: Path) -> list[dict[str, float]]:
    """The lines of a history; an incomplete last line is left out."""
    lines = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


def draw_caption(picture: Picture) -> np.ndarray:
    """The picture with its caption written below, uint8 (H, W, 3) RGB."""
    image = picture.image if picture.image.ndim == 3 else np.repeat(picture.image[..., None], 3, axis=2)
    lines, font = picture.caption.split("\n"), cv2.FontFace("sans")
    widths = [cv2.getTextSize((0, 0), line, (0, 0), font, _FONT_PX)[2] for line in lines]
    height = image.shape[0]
    right = max(0, max(_MIN_WIDTH_PX, *widths) - image.shape[1])
    drawn = cv2.copyMakeBorder(image, 0, _LINE_PX * len(lines), 0, right, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    for i, line in enumerate(lines):
        cv2.putText(drawn, line, (0, height + round((i + 0.7) * _LINE_PX)), (0, 0, 0), font, _FONT_PX)
    return drawn
