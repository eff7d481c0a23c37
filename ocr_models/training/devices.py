"""Precision, devices and determinism of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import keras

from ocr_models.errors import UsageError
from ocr_models.training.config import TrainingConfig


@contextlib.contextmanager
def devices_of(config: TrainingConfig) -> Iterator[None]:
    """Sets the seed, precision and devices of a run in Keras; resets precision and devices at the end.

    On JAX, batches are split among all devices by Keras's ``DataParallel``. Keras has no equivalent on TensorFlow,
    where only the first device is used.

    Raises:
        UsageError: the batch size isn't a multiple of the number of devices.
    """
    keras.utils.set_random_seed(config.seed)
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    if config.deterministic:
        _compute_deterministically()
    if config.mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{config.mixed_precision}")
    if keras.backend.backend() == "jax" and len(devices := keras.distribution.list_devices()) > 1:
        if config.batch_size % len(devices):
            raise UsageError(f"--batch-size {config.batch_size}: must be a multiple of the {len(devices)} devices")
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.distribution.set_distribution(distribution)


def _compute_deterministically() -> None:
    """Sets determinism for the whole process: TensorFlow can't undo it. JAX needs a flag of XLA only on GPUs."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def in_float32(network: keras.Model, build: Callable[[], keras.Model]) -> keras.Model:
    """The network computing in float32, whatever precision it was trained in."""
    policy = keras.config.dtype_policy()
    if policy.name == "float32":
        return network
    keras.config.set_dtype_policy("float32")
    try:
        same = build()
    finally:
        keras.config.set_dtype_policy(policy)
    same.set_weights(network.get_weights())
    return same
