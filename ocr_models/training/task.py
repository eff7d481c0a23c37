"""The base of training tasks: a network with its loss, batches, and a validation that scores the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ocr_models.bundle import find_bundle
from ocr_models.charset import Charset
from ocr_models.data.loading.skips import SkipCounts
from ocr_models.errors import UsageError
from ocr_models.inference.keras_engine import load_keras_model
from ocr_models.reports.html_report import Picture
from ocr_models.training.config import TrainingConfig

GRADIENT_NORM = 5.0
# Of the run, which may be shorter than the steps of warm-up; the warm-up of BERT's run_classifier.py takes as much.
_LONGEST_WARMUP = 0.1
_LOGITS = "logits"  # the layer of a CRNN that has one column per class
SAMPLES, WORST = 8, 24  # pictures in a validation


class Learner(keras.Model):
    """A network with its loss, so that Keras's training step works on both backends.

    Args:
        network: a functional model.
        loss: from the truth of a batch and the outputs of the network to a scalar.
    """

    def __init__(self, network: keras.Model, loss: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.network = network
        self._loss = loss
        self.built = True  # because its network is

    def call(self, inputs, training=None) -> Any:
        return self.network(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
        return self._loss(y, y_pred)


@dataclass(frozen=True)
class Validation:
    """The quality of the network on held-out examples.

    Attributes:
        scores: "score" selects the best weights; higher is better. "temperature", of recognizers only, is fitted to
            these examples and goes into the bundle.
        samples: predictions on a few examples, always the same ones.
        worst: the predictions furthest from the truth, the worst first.
    """

    scores: dict[str, float]
    samples: Sequence[Picture] = ()
    worst: Sequence[Picture] = ()


class TrainingTask:
    """The base of tasks; subclasses set the attributes and define ``validate``.

    Attributes:
        config: of the run.
        build: makes the network with fresh weights.
        network: the network that goes into the bundle, in the precision of the run.
        learner: the network with its loss.
        make_batches: from a seed to endless batches (inputs, truth) of arrays; runs in other processes, without Keras.
        charset: goes into the bundle; None for a task without one.
        skipped: counts of examples from shards that training can't use.
    """

    config: TrainingConfig
    build: Callable[[], keras.Model]
    network: keras.Model
    learner: keras.Model
    make_batches: Callable[[int], Iterator[tuple[Any, Any]]]
    charset: Charset | None = None
    skipped: SkipCounts | None = None

    def validate(self) -> Validation:
        """Validates the network with its current weights on held-out examples."""
        raise NotImplementedError

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """Makes the optimizer of the run."""
        return keras.optimizers.AdamW(
            self.config.learning_rate, weight_decay=self.config.weight_decay, global_clipnorm=GRADIENT_NORM
        )

    def learning_rate(self, step: int, part_done: float) -> float:
        """The learning rate of a step, without the factor of the plateau schedule.

        Args:
            step: from 0.
            part_done: the share of the run that is done, 0 to 1.
        """
        warmed_up = max((step + 1) / max(1, self.config.warmup_steps), part_done / _LONGEST_WARMUP)
        rate = self.config.learning_rate * min(1.0, warmed_up)
        if self.config.schedule == "cosine":
            rate *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, part_done)))
        return rate


def start_from(network: keras.Model, config: TrainingConfig) -> keras.Model:
    """Loads the weights of the bundle ``config.init``, if there is one, into the network and returns it.

    From a bundle of another architecture, layers with the same name and shapes are taken: an attention recognizer can
    start from the convolutions and LSTMs of a CRNN. Characters that the bundle doesn't have, at the end of the charset,
    start a little apart from the mean of those that it has, so that they don't disturb what the bundle reads.

    Raises:
        UsageError: the bundle is missing, broken, for another task, or shares no layer with the network.
    """
    if not config.init:
        return network
    bundle = find_bundle(config.init, config.task)
    layers = {layer.name: layer.get_weights() for layer in load_keras_model(bundle).layers}
    if bundle.config["arch"] == config.arch and _LOGITS in layers:
        fresh = network.get_layer(_LOGITS).get_weights()
        layers[_LOGITS] = [_grown(*pair) for pair in zip(layers[_LOGITS], fresh, strict=True)]
    shared = [
        layer for layer in network.layers if layer.weights and _same_shapes(layer.get_weights(), layers.get(layer.name))
    ]
    if not shared or (
        bundle.config["arch"] == config.arch and len(shared) < sum(bool(x.weights) for x in network.layers)
    ):
        raise UsageError(
            f"--init {config.init} is {bundle.config['arch']}, whose layers don't fit --arch {config.arch}; "
            "give a bundle of the same architecture or one that shares its first layers"
        )
    for layer in shared:
        layer.set_weights(layers[layer.name])
    return network


def _grown(old: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """The old weights of classes, the blank first, and of the classes that only the fresh ones have.

    A class that is new has the mean of all characters, as unlikely as any that isn't there, plus its fresh weights: at
    zero it would be likelier than nearly all others.
    """
    if old.shape[:-1] != fresh.shape[:-1]:
        return old
    mean = old[..., 1:].mean(axis=-1, keepdims=True)
    return np.concatenate([old, mean + fresh[..., old.shape[-1] :]], axis=-1)


def _same_shapes(weights: list[np.ndarray], others: list[np.ndarray] | None) -> bool:
    return others is not None and [w.shape for w in weights] == [o.shape for o in others]
