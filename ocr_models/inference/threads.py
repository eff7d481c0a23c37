"""How many threads TensorFlow computes with."""

from __future__ import annotations

import contextlib

import keras


def limit_threads(threads: int) -> None:
    """Lets TensorFlow run up to ``threads`` operations at once, each on one thread.

    The setting holds for the whole process, because TensorFlow has no narrower scope for it. If TensorFlow has
    computed before, its threads exist already and stay as they are.

    The recognizer's LSTMs are chains of small steps that threads cannot share: reading the words of two pages side by
    side, on one thread each, took 10 % less time than reading one page after the other on two threads. With one thread
    per operation, sums are also added in the same order whatever the size of the batch.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # TensorFlow's threads exist already
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
