"""Trains EAST on windows of pages."""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
import numpy as np

from ocr_models.data.dataset import ShardConfig, read_examples
from ocr_models.data.loading.batches import detection_batches, labelled_pages, validation_pages
from ocr_models.data.loading.skips import SkipCounts
from ocr_models.detection.east import build_east, freeze_backbone
from ocr_models.detection.east_losses import east_loss
from ocr_models.detection.text_detector import TextDetector
from ocr_models.inference.keras_engine import compile_forward
from ocr_models.metrics.detection import DetectionCounts
from ocr_models.records import PageTruth
from ocr_models.reports.html_report import Picture
from ocr_models.training.config import TrainingConfig
from ocr_models.training.task import SAMPLES, WORST, Learner, TrainingTask, Validation, start_from

VALIDATION_PAGES = 12
_VALIDATION_SEED = 77
_TRUE, _FOUND, _IGNORED = (0, 130, 60), (200, 30, 30), (150, 150, 150)  # RGB


class DetectionTask(TrainingTask):
    """EAST on windows of pages, validated by the F-score of words at IoU 0.5 on whole pages."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        options = config.options
        self.build = partial(build_east, config.arch.removeprefix("east-"))
        self.network = start_from(self.build(), config)
        if options.freeze_backbone:
            freeze_backbone(self.network)
        self.learner = Learner(self.network, partial(_loss, score_loss=options.score_loss))
        if isinstance(options.data, ShardConfig):
            self._learn_from_shards(options.data)
        else:
            self.make_batches = partial(
                detection_batches, options.data, config.batch_size, options.window_px, options.shrink_ratio
            )
            self._pages = validation_pages(options.data, VALIDATION_PAGES, _VALIDATION_SEED)

    def _learn_from_shards(self, shards: ShardConfig) -> None:
        from ocr_models.data.loading.input_pipeline import detection_dataset, shard_batches  # TensorFlow

        self.skipped = SkipCounts()
        make_dataset = partial(
            detection_dataset,
            shards.training,
            self.config.batch_size,
            self.config.options.window_px,
            self.config.options.shrink_ratio,
            augment=shards.augment,
            deterministic=self.config.deterministic,
            counts=self.skipped,
        )
        self.make_batches = partial(shard_batches, make_dataset)
        self._pages = labelled_pages(read_examples(shards.validation, "validation"), VALIDATION_PAGES)

    def validate(self) -> Validation:
        detector = TextDetector(compile_forward(self.network))
        total, drawn = DetectionCounts(), []
        for page in self._pages:
            boxes = detector.detect_at(page.image, scale=1.0)
            found = np.array([box.quad for box in boxes], np.float32).reshape(-1, 4, 2)
            counts = DetectionCounts.of(page.quads, page.ignore, found)
            total += counts
            drawn.append((counts.f_score, _drawn(page, found, counts)))
        scores = {"score": total.f_score, "precision": total.precision, "recall": total.recall}
        worst = [picture for f_score, picture in sorted(drawn, key=lambda pair: pair[0]) if f_score < 1]
        return Validation(scores, [picture for _, picture in drawn[:SAMPLES]], worst[:WORST])


def _drawn(page: PageTruth, found: np.ndarray, counts: DetectionCounts) -> Picture:
    image = np.repeat(page.image[..., None], 3, axis=2)
    for quads, color in (
        (page.quads[page.ignore], _IGNORED),
        (page.quads[~page.ignore], _TRUE),
        (found, _FOUND),
    ):
        cv2.polylines(image, list(np.round(quads).astype(np.int32)), isClosed=True, color=color)
    return Picture(
        image,
        f"precision {counts.precision:.2f}, recall {counts.recall:.2f}\n"
        f"{len(found)} found (red), {int((~page.ignore).sum())} true (green)",
    )


def _loss(truth, maps, score_loss) -> Any:
    total, _ = east_loss(
        truth["score_map"],
        truth["geometry_map"],
        truth["training_mask"],
        maps["score_logits"],
        maps["geometry_map"],
        score_loss=score_loss,
    )
    return total
