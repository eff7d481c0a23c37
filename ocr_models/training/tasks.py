"""The tasks by name, those of ``options.TASK_OPTIONS``."""

from __future__ import annotations

from collections.abc import Callable

from ocr_models.training.caption_task import CaptionTask
from ocr_models.training.config import TrainingConfig
from ocr_models.training.detection_task import DetectionTask
from ocr_models.training.mnist_rows_task import MnistRowsTask
from ocr_models.training.recognition_task import RecognitionTask
from ocr_models.training.task import TrainingTask

TASKS: dict[str, Callable[[TrainingConfig], TrainingTask]] = {
    "detection": DetectionTask,
    "recognition": RecognitionTask,
    "mnist-rows": MnistRowsTask,
    "caption": CaptionTask,
}
