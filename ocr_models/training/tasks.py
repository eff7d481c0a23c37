"""The two things that can be trained: what differs between them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import keras
import numpy as np

from ocr_models.bundle import find_bundle
from ocr_models.charset import LATIN, Charset
from ocr_models.data.batches import (
    detection_batches,
    recognition_batches,
    validation_pages,
    validation_words,
)
from ocr_models.detection.losses import east_loss
from ocr_models.detection.model import build_east, freeze_stem
from ocr_models.errors import UsageError
from ocr_models.metrics import DetectionCounts, EditCounts
from ocr_models.predictors import TextDetector, TextRecognizer
from ocr_models.recognition.crnn import SIZES, build_crnn
from ocr_models.recognition.ctc import ctc_loss
from ocr_models.training.config import TrainingConfig

_VALIDATION_WORDS = 2000
_VALIDATION_PAGES = 12
_VALIDATION_SEED = 77


class Task(Protocol):
    """``learner`` wraps ``network``, which the bundle gets, with the task's loss; ``charset`` is None without one."""

    network: keras.Model
    learner: keras.Model
    make_batches: Callable[[int], Iterator[Any]]

    @property
    def charset(self) -> Charset | None: ...

    def validate(self) -> dict[str, float]:
        """Scores on held-out examples; "score" is the one that the best weights are chosen by, higher is better."""


class Learner(keras.Model):
    """A network with a loss of its own, so that Keras's training step serves both backends."""

    def __init__(self, network: keras.Model, loss: Callable):
        super().__init__()
        self.network = network
        self._loss = loss

    def call(self, images, training=None):
        return self.network(images, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self._loss(y, y_pred)


def _ctc(truth, logits):
    return ctc_loss(truth["labels"], logits, truth["label_length"], truth["logit_length"])


class RecognitionTask(Task):
    """CRNN on words, validated by the share of words read without a fault."""

    charset = Charset(LATIN)

    def __init__(self, config: TrainingConfig):
        self.network = _initial(config, lambda: build_crnn(len(self.charset) + 1, config.arch))
        self.learner = Learner(self.network, _ctc)
        self.make_batches = partial(recognition_batches, config.data, self.charset, config.batch_size)
        self._words = validation_words(config.data, self.charset, _VALIDATION_WORDS, _VALIDATION_SEED)

    def validate(self) -> dict[str, float]:
        recognizer = TextRecognizer(self.network, self.charset)
        transcripts = recognizer.read([word.image for word in self._words])
        counts = EditCounts()
        for word, transcript in zip(self._words, transcripts, strict=True):
            counts += EditCounts.of(word.text, transcript.text)
        return {"score": counts.exact_share, "cer": counts.error_rate}


class DetectionTask(Task):
    """EAST on page windows, validated by the F-score of words at IoU 0.5 on whole pages."""

    charset = None

    def __init__(self, config: TrainingConfig):
        if config.window_px % 32:
            raise UsageError(f"--window-px {config.window_px}: must be a multiple of 32")
        self.network = _initial(config, lambda: build_east(config.arch.removeprefix("east-")))
        if config.freeze_stem:
            freeze_stem(self.network)
        self.learner = Learner(self.network, partial(_east, score_loss=config.score_loss))
        self.make_batches = partial(
            detection_batches, config.data, config.batch_size, config.window_px, config.shrink_ratio
        )
        self._pages = validation_pages(config.data, _VALIDATION_PAGES, _VALIDATION_SEED)

    def validate(self) -> dict[str, float]:
        detector = TextDetector(self.network)
        counts = DetectionCounts()
        for page in self._pages:
            boxes = detector.detect_at(page.image, scale=1.0)
            counts += DetectionCounts.of(page.quads, page.ignore, np.array([b.quad for b in boxes]).reshape(-1, 4, 2))
        return {"score": counts.f_score, "precision": counts.precision, "recall": counts.recall}


def _east(truth, maps, score_loss):
    total, _ = east_loss(
        truth["score_map"],
        truth["geometry_map"],
        truth["training_mask"],
        maps["score_logits"],
        maps["geometry_map"],
        score_loss=score_loss,
    )
    return total


def _initial(config: TrainingConfig, build: Callable[[], keras.Model]) -> keras.Model:
    """A fresh network, or one that starts from the weights of the bundle named by ``init``."""
    network = build()
    if config.init:
        bundle = find_bundle(config.init, config.task)
        if bundle.config["arch"] != config.arch:
            raise UsageError(f"--init {config.init} is {bundle.config['arch']}, but --arch is {config.arch}")
        network.set_weights(keras.saving.load_model(bundle.model_path).get_weights())
    return network


ARCHITECTURES = {"recognition": sorted(SIZES), "detection": ["east-fast", "east-vgg16"]}
TASKS: dict[str, Callable[[TrainingConfig], Task]] = {"recognition": RecognitionTask, "detection": DetectionTask}
