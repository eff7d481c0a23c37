"""What a run computes with: precision, several devices, and whether twice the same command gives the same weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import keras

from ocr_models.errors import UsageError
from ocr_models.training.config import TrainingConfig


@contextlib.contextmanager
def devices_of(config: TrainingConfig) -> Iterator[None]:
    """Sets Keras up for a run: weights drawn by its seed, its precision, all devices. Undone at the end.

    On JAX batches are spread over all devices by Keras's ``DataParallel``; Keras has no such thing on TensorFlow,
    where the first device trains alone.

    Raises:
        UsageError: batches can't be spread evenly.
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
    """For the whole process: TensorFlow can't take it back. JAX needs a flag of XLA's only on GPUs."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def in_float32(network: keras.Model, build: Callable[[], keras.Model]) -> keras.Model:
    """The network as it is used: one that computes in float32, whatever precision it was trained in."""
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
