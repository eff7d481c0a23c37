"""Training of EAST on windows of pages."""

from __future__ import annotations

from functools import partial

import numpy as np

from ocr_models.data.batches import detection_batches, validation_pages
from ocr_models.detection.losses import east_loss
from ocr_models.detection.model import build_east, freeze_stem
from ocr_models.metrics import DetectionCounts
from ocr_models.predictors import TextDetector
from ocr_models.training.config import TrainingConfig
from ocr_models.training.task import Learner, Task, start_from

VALIDATION_PAGES = 12
_VALIDATION_SEED = 77


class DetectionTask(Task):
    """EAST on page windows, validated by the F-score of words at IoU 0.5 on whole pages."""

    def __init__(self, config: TrainingConfig):
        self.config = config
        options = config.options
        self.network = start_from(build_east(config.arch.removeprefix("east-")), config)
        if options.freeze_stem:
            freeze_stem(self.network)
        self.learner = Learner(self.network, partial(_loss, score_loss=options.score_loss))
        self.make_batches = partial(
            detection_batches, options.data, config.batch_size, options.window_px, options.shrink_ratio
        )
        self._pages = validation_pages(options.data, VALIDATION_PAGES, _VALIDATION_SEED)

    def validate(self) -> dict[str, float]:
        detector = TextDetector(self.network)
        counts = DetectionCounts()
        for page in self._pages:
            boxes = detector.detect_at(page.image, scale=1.0)
            counts += DetectionCounts.of(page.quads, page.ignore, np.array([b.quad for b in boxes]).reshape(-1, 4, 2))
        return {"score": counts.f_score, "precision": counts.precision, "recall": counts.recall}


def _loss(truth, maps, score_loss):
    total, _ = east_loss(
        truth["score_map"],
        truth["geometry_map"],
        truth["training_mask"],
        maps["score_logits"],
        maps["geometry_map"],
        score_loss=score_loss,
    )
    return total
