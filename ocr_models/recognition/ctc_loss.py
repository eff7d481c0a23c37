"""The loss of connectionist temporal classification (Graves et al. 2006), with true lengths. Class 0 is the blank."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ocr_models.charset import BLANK_ID


def ctc_loss(labels, logits, label_length, logit_length) -> Any:
    """Mean CTC loss of a batch.

    Args:
        labels: int (B, L), class numbers from 1, padded with 0.
        logits: float (B, T, C), unnormalized.
        label_length: int (B,), true lengths.
        logit_length: int (B,), time steps that belong to the crop and not to its padding.

    Returns:
        A float32 scalar: the mean negative log likelihood of the words that have a character and fit their crop. A word
        that needs more steps than its crop has, counting a blank between equal neighbors, has no path and is left out.
    """
    logits = ops.cast(logits, "float32")
    labels, label_length, logit_length = (ops.cast(x, "int32") for x in (labels, label_length, logit_length))
    equal_neighbors = ops.sum(ops.cast((labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] > 0), "int32"), axis=1)
    usable = (label_length > 0) & (label_length + equal_neighbors <= logit_length)
    # A word without a path is replaced by one of one character and left out of the mean: TensorFlow's kernel refuses it
    # or gives infinity, and Keras' loss is 100,000 on JAX, with a gradient (Keras 3.15, TensorFlow 2.21).
    labels = ops.where(usable[:, None], labels, ops.ones_like(labels))
    losses = _ctc_losses(labels, logits, ops.where(usable, label_length, ops.ones_like(label_length)), logit_length)
    usable = ops.cast(usable, "float32")
    return ops.sum(losses * usable) / ops.maximum(ops.sum(usable), 1.0)


def _ctc_losses(labels, logits, label_length, logit_length) -> Any:
    """Negative log likelihoods (B,). The compiled kernel that TensorFlow has for CPUs takes sparse labels only."""
    if keras.backend.backend() != "tensorflow":
        return ops.ctc_loss(labels, logits, label_length, logit_length, BLANK_ID)
    import tensorflow as tf

    positions = tf.range(tf.shape(labels)[1])[None, :] < label_length[:, None]
    indices = tf.where(positions)
    sparse = tf.SparseTensor(indices, tf.gather_nd(labels, indices), tf.shape(labels, tf.int64))
    return tf.nn.ctc_loss(sparse, logits, None, logit_length, logits_time_major=False, blank_index=BLANK_ID)
