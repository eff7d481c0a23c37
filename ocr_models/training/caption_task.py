"""Training of the captioner in two phases: the decoder on features of a frozen stem, then both on pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import keras
import numpy as np

from ocr_models.bundle import find_bundle
from ocr_models.captioning.batches import encoded_captions, feature_batches, image_batches, shifted
from ocr_models.captioning.captioner import Captioner
from ocr_models.captioning.examples import CaptionedImage, read_captions, read_records, split
from ocr_models.captioning.features import FeatureRows, cached_features
from ocr_models.captioning.images import center_view
from ocr_models.captioning.model import ShowAndTell, build_captioner
from ocr_models.captioning.stems import calibrate, load_stem_weights, weights_digest
from ocr_models.captioning.vocabulary import Vocabulary, without_punctuation
from ocr_models.decoding.losses import sequence_loss
from ocr_models.errors import UsageError
from ocr_models.metrics import BleuCounts
from ocr_models.training.config import TrainingConfig
from ocr_models.training.options import CaptionOptions
from ocr_models.training.task import GRADIENT_NORM, Learner, Task, start_from

_VALIDATION_PICTURES = 100
_CALIBRATION_PICTURES, _CALIBRATION_BATCH = 256, 16
_MAX_LOG = 700.0  # of a number that a float can hold: training may diverge
_STEM_FILE = "stem.weights.h5"


class CaptionTask(Task):
    """Show and Tell as published, validated by BLEU-4 of beam search's best captions, counted on words alone."""

    def __init__(self, config: TrainingConfig):
        self.config = config
        options = config.options
        training, self._validation = _pictures(options)
        self._vocabulary = self.charset = _vocabulary(config, training)  # type: ignore[assignment]
        captions = encoded_captions(training, self._vocabulary)
        self._steps_per_epoch = len(captions) / config.batch_size
        self.network = start_from(build_captioner(len(self._vocabulary), config.arch), config)
        self._captioner = Captioner(self.network, self._vocabulary)
        self._scorer = Learner(self.network.decoder, _loss)
        self._scorer.compile(jit_compile=keras.backend.backend() == "jax")
        self._validation_rows: FeatureRows | None = None
        if options.fine_tune_rate:
            self.learner = WholeLearner(self.network, _loss)
            sides = self.network.size.resized_px, self.network.size.image_px
            self.make_batches = partial(image_batches, training, captions, sides, config.batch_size)
        else:
            rows = self._freeze_stem(training)
            self.learner = Learner(self.network.decoder, _loss)
            self.make_batches = partial(feature_batches, rows, captions, config.batch_size)

    def _freeze_stem(self, training: list[CaptionedImage]) -> FeatureRows:
        """Makes the stem final and computes its features of all pictures; gives those for training."""
        cache, stem = Path(self.config.options.cache), self.network.stem
        cache.mkdir(parents=True, exist_ok=True)
        if not self.config.init:
            _initialize_stem(self.network, self.config.options, training)
        path = cache / f"{weights_digest(stem)[:16]}.features"
        units = stem.output_shape[-1]
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
        """As published: halved after every few epochs in phase one, constant in phase two."""
        options = self.config.options
        if options.fine_tune_rate:
            return options.fine_tune_rate
        rate = super().learning_rate(step, part_done)
        if self.config.schedule == "staircase":
            rate *= 0.5 ** (step // (options.decay_epochs * self._steps_per_epoch))
        return rate

    def validate(self) -> dict[str, float]:
        if self._validation_rows is None:
            features = self._captioner.features([image.pixels() for image in self._validation])
        else:
            features = self._validation_rows.take(slice(None))
        counts = BleuCounts()
        for image, captions in zip(self._validation, self._captioner.caption_features(features), strict=True):
            references = [without_punctuation(caption) for caption in image.captions]
            counts += BleuCounts.of(references, without_punctuation(captions[0].tokens))
        return {"score": counts.bleu, "perplexity": self._perplexity(features)}

    def _perplexity(self, features: np.ndarray) -> float:
        """exp of the mean negative log probability of a word, or a caption's end, in the validation captions."""
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
    """Stem and decoder. The stem's batch norms keep their statistics, which small batches would only blur."""

    def call(self, inputs, training=None):
        features = self.network.stem(inputs["image"], training=False)
        return self.network.decoder({"features": features, "input_ids": inputs["input_ids"]}, training=training)


def _loss(truth, logits):
    return sequence_loss(logits, truth["target_ids"], truth["weights"])


def _pictures(options: CaptionOptions) -> tuple[list[CaptionedImage], list[CaptionedImage]]:
    """Pictures for training and for validation."""
    if options.records:
        images = read_records([Path(file) for file in options.records], Vocabulary.load(Path(options.vocabulary)))
    else:
        images = read_captions(Path(options.images), Path(options.captions))
    if options.overfit:
        return images[: options.overfit], images[: options.overfit]
    training, validation = split(images)
    if not training or not validation:
        raise UsageError(f"{len(images)} pictures can't be split for training and validation; give more or --overfit N")
    return training, validation[:_VALIDATION_PICTURES]


def _vocabulary(config: TrainingConfig, training: list[CaptionedImage]) -> Vocabulary:
    """That of the bundle to start from, the one given, or the frequent words of the training captions."""
    if config.init:
        return Vocabulary.load(find_bundle(config.init, config.task).vocabulary_path)
    if config.options.vocabulary:
        return Vocabulary.load(Path(config.options.vocabulary))
    return Vocabulary.build((caption for image in training for caption in image.captions), config.options.min_count)


def _initialize_stem(network: ShowAndTell, options: CaptionOptions, training: list[CaptionedImage]) -> None:
    """Gives the stem the weights of the file, those of the run that is resumed, or random ones, calibrated."""
    kept = Path(options.cache) / _STEM_FILE
    if options.stem_weights:
        try:
            load_stem_weights(network.stem, options.stem_weights)
        except (OSError, ValueError) as error:
            raise UsageError(f"--stem-weights {options.stem_weights}: {error}; give weights of this stem") from error
    elif kept.is_file():
        network.stem.load_weights(kept)
    else:
        calibrate(network.stem, _views(training[:_CALIBRATION_PICTURES], network))
        unfinished = kept.with_name(f"unfinished.{_STEM_FILE}")
        network.stem.save_weights(unfinished)
        os.replace(unfinished, kept)


def _views(images: list[CaptionedImage], network: ShowAndTell) -> Iterator[np.ndarray]:
    for part in np.array_split(np.arange(len(images)), math.ceil(len(images) / _CALIBRATION_BATCH)):
        sides = network.size.resized_px, network.size.image_px
        yield np.stack([center_view(images[i].pixels(), *sides) for i in part])
