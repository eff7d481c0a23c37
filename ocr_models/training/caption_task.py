"""Trains the captioner in two phases: first the decoder on features of a frozen backbone, then both on pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from ocr_models.bundle import find_bundle
from ocr_models.captioning.backbones import calibrate, load_backbone_weights, weights_digest
from ocr_models.captioning.captioner import Caption, Captioner
from ocr_models.captioning.show_and_tell import ShowAndTell, build_captioner
from ocr_models.captioning.views import center_view
from ocr_models.data.captions.caption_batches import encoded_captions, feature_batches, shifted
from ocr_models.data.captions.captioned_images import CaptionedImage, read_captions
from ocr_models.data.captions.features import FeatureRows, cached_features
from ocr_models.data.dataset import find_vocabulary
from ocr_models.data.loading.skips import SkipCounts
from ocr_models.decoding.losses import sequence_loss
from ocr_models.errors import UsageError
from ocr_models.metrics.bleu import BleuCounts
from ocr_models.reports.html_report import Picture
from ocr_models.training.caption_options import CaptionOptions
from ocr_models.training.checkpoints import save_weights
from ocr_models.training.config import TrainingConfig
from ocr_models.training.task import GRADIENT_NORM, SAMPLES, WORST, Learner, TrainingTask, Validation, start_from
from ocr_models.vocabulary import Vocabulary, join_tokens, without_punctuation

_VALIDATION_PICTURES = 100
_CALIBRATION_PICTURES, _CALIBRATION_BATCH = 256, 16
_SHOWN_PX = 320  # long side of pictures in the report
_MAX_LOG = 700.0  # exp of more overflows, if training diverges
_BACKBONE_FILE = "stem.weights.h5"  # the name in run folders since the first version


class CaptionTask(TrainingTask):
    """Show and Tell as published, validated by BLEU-4 of the best caption of beam search, without punctuation."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        options = config.options
        training, self._validation = _pictures(options)
        self._vocabulary = self.charset = _vocabulary(config)  # type: ignore[assignment]
        captions = encoded_captions(training, self._vocabulary)
        self._steps_per_epoch = len(captions) / config.batch_size
        self.build = partial(build_captioner, len(self._vocabulary), config.arch)
        self.network = start_from(self.build(), config)
        self._captioner = Captioner(self.network, self._vocabulary)
        self._scorer = Learner(self.network.decoder, _loss)
        self._scorer.compile(jit_compile=keras.backend.backend() == "jax")
        self._validation_rows: FeatureRows | None = None
        if options.fine_tune_rate:
            self.learner = WholeLearner(self.network, _loss)
            self._learn_from_pictures([image.image_id for image in training])
        else:
            rows = self._freeze_backbone(training)
            self.learner = Learner(self.network.decoder, _loss)
            self.make_batches = partial(feature_batches, rows, captions, config.batch_size)

    def _learn_from_pictures(self, image_ids: list[str]) -> None:
        from ocr_models.data.loading.input_pipeline import caption_dataset, shard_batches  # TensorFlow

        self.skipped = SkipCounts()
        make_dataset = partial(
            caption_dataset,
            self.config.options.data.training,
            self._vocabulary,
            (self.network.size.resized_px, self.network.size.image_px),
            self.config.batch_size,
            image_ids=image_ids if self.config.options.overfit else None,
            deterministic=self.config.deterministic,
            counts=self.skipped,
        )
        self.make_batches = partial(shard_batches, make_dataset)

    def _freeze_backbone(self, training: list[CaptionedImage]) -> FeatureRows:
        """Sets the final weights of the backbone and returns its features of the pictures for training."""
        cache, backbone = Path(self.config.options.cache), self.network.backbone
        cache.mkdir(parents=True, exist_ok=True)
        if not self.config.init:
            _initialize_backbone(self.network, self.config.options, training)
        path = cache / f"{weights_digest(backbone)[:16]}.features"
        units = backbone.output_shape[-1]
        rows = cached_features(path, units, training, self._captioner.features)
        self._validation_rows = cached_features(path, units, self._validation, self._captioner.features)
        if not self.config.init:
            self.network.standardize.set_from(rows.take(slice(None)))
        return rows

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        return keras.optimizers.SGD(
            self.config.learning_rate, weight_decay=self.config.weight_decay or None, global_clipnorm=GRADIENT_NORM
        )

    def learning_rate(self, step: int, part_done: float) -> float:
        """The published schedule: halved after every few epochs in phase one, constant in phase two."""
        options = self.config.options
        if options.fine_tune_rate:
            return options.fine_tune_rate
        rate = super().learning_rate(step, part_done)
        if self.config.schedule == "staircase":
            rate *= 0.5 ** (step // (options.decay_epochs * self._steps_per_epoch))
        return rate

    def validate(self) -> Validation:
        if self._validation_rows is None:
            features = self._captioner.features([image.pixels() for image in self._validation])
        else:
            features = self._validation_rows.take(slice(None))
        total, told = BleuCounts(), []
        for image, captions in zip(self._validation, self._captioner.caption_features(features), strict=True):
            references = [without_punctuation(caption) for caption in image.captions]
            counts = BleuCounts.of(references, without_punctuation(captions[0].tokens))
            total += counts
            told.append((counts.bleu(1), image, captions[0]))
        scores = {"score": total.bleu(), "perplexity": self._perplexity(features)}
        worst = sorted((pair for pair in told if pair[0] < 1), key=lambda pair: pair[0])[:WORST]
        samples, worst_pictures = ([_drawn(*pair[1:]) for pair in pairs] for pairs in (told[:SAMPLES], worst))
        return Validation(scores, samples, worst_pictures)

    def _perplexity(self, features: np.ndarray) -> float:
        """exp of the mean negative log probability of the words and ends of the validation captions."""
        captions, size = encoded_captions(self._validation, self._vocabulary), self.config.batch_size
        total = tokens = 0.0
        for start in range(0, len(captions), size):
            batch = captions[start : start + size]
            input_ids, truth = shifted([ids for _, ids in batch])
            inputs = {"features": features[[i for i, _ in batch]], "input_ids": input_ids}
            count = float(truth["weights"].sum())
            total += count * float(self._scorer.test_on_batch(inputs, truth))
            tokens += count
        return math.exp(min(total / tokens, _MAX_LOG))


class WholeLearner(Learner):
    """Backbone and decoder. The batch norms of the backbone keep their statistics, since batches are small."""

    def call(self, inputs, training=None) -> Any:
        features = self.network.backbone(inputs["image"], training=False)
        return self.network.decoder({"features": features, "input_ids": inputs["input_ids"]}, training=training)


def _loss(truth, logits) -> Any:
    return sequence_loss(logits, truth["target_ids"], truth["weights"])


def _pictures(options: CaptionOptions) -> tuple[list[CaptionedImage], list[CaptionedImage]]:
    """Pictures for training and for validation."""
    training = read_captions(options.data.training)
    if options.overfit:
        return training[: options.overfit], training[: options.overfit]
    validation = read_captions(options.data.validation, "validation")
    if not training or not validation:
        raise UsageError(f"{len(training)} pictures to train on and {len(validation)} to validate on; give more")
    return training, validation[:_VALIDATION_PICTURES]


def _vocabulary(config: TrainingConfig) -> Vocabulary:
    """The vocabulary of the bundle to start from, or that of the data set."""
    if config.init:
        return Vocabulary.load(find_bundle(config.init, config.task).vocabulary_path)
    return find_vocabulary(config.options.data.training)


def _drawn(image: CaptionedImage, caption: Caption) -> Picture:
    pixels = image.pixels()
    factor = min(1.0, _SHOWN_PX / max(pixels.shape))
    size = [max(1, round(side * factor)) for side in pixels.shape[1::-1]]
    shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return Picture(shown, f"{caption.text} ({caption.probability:.3f})\ntruth: {join_tokens(image.captions[0])}")


def _initialize_backbone(network: ShowAndTell, options: CaptionOptions, training: list[CaptionedImage]) -> None:
    """Gives the backbone the weights of the file, those of the resumed run, or calibrated random ones."""
    kept = Path(options.cache) / _BACKBONE_FILE
    if options.backbone_weights:
        try:
            load_backbone_weights(network.backbone, options.backbone_weights)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"--backbone-weights {options.backbone_weights}: {error}; give weights of this backbone"
            ) from error
    elif kept.is_file():
        network.backbone.load_weights(kept)
    else:
        calibrate(network.backbone, _views(training[:_CALIBRATION_PICTURES], network))
        save_weights(network.backbone, kept)


def _views(images: list[CaptionedImage], network: ShowAndTell) -> Iterator[np.ndarray]:
    for part in np.array_split(np.arange(len(images)), math.ceil(len(images) / _CALIBRATION_BATCH)):
        sides = network.size.resized_px, network.size.image_px
        yield np.stack([center_view(images[i].pixels(), *sides) for i in part])
