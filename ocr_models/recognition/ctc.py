"""Connectionist temporal classification (Graves et al. 2006): the loss with true lengths, and two decoders.

Class 0 is the blank. The loss runs on the Keras backend; decoding is NumPy.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
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
    # The kernels reject words without a path: replace each by a word of one character, and leave it out of the mean.
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


def greedy_decode(logits: np.ndarray, logit_lengths: np.ndarray) -> list[tuple[list[int], list[float], list[int]]]:
    """Decodes the best paths of a batch: the likeliest class of each step, repeats merged, blanks dropped.

    Args:
        logits: float (B, T, C), unnormalized.
        logit_lengths: int (B,), time steps that belong to the crop and not to its padding.

    Returns:
        For each crop: its class numbers; the confidence of each, which is its highest probability among its steps; and
        the first step of each.
    """
    best = logits.argmax(axis=2)
    best[np.arange(best.shape[1]) >= logit_lengths[:, None]] = BLANK_ID
    begins = np.diff(best, axis=1, prepend=BLANK_ID) != 0
    crops, steps = np.nonzero(best != BLANK_ID)  # most steps are blank and need no softmax
    classes = best[crops, steps]
    of_step = logits[crops, steps].astype(np.float32, copy=False)
    of_step -= logits[crops, steps, classes].astype(np.float32)[:, None]
    peaks = 1 / np.exp(of_step, out=of_step).sum(axis=1)
    first = np.flatnonzero(begins[crops, steps])
    ids, places = classes[first].tolist(), steps[first].tolist()
    confidences = np.maximum.reduceat(peaks, first).tolist()
    stops = np.cumsum(np.bincount(crops[first], minlength=len(logits))).tolist()
    ranges = [slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]
    return [(ids[crop], confidences[crop], places[crop]) for crop in ranges]


def prefix_beam_decode(log_probs: np.ndarray, beam_width: int, candidates: int = 16) -> tuple[list[int], float]:
    """Finds the likeliest label sequence, where each is summed over all its paths (Graves 2012; Hannun et al. 2014).

    Args:
        log_probs: float (T, C), normalized.
        beam_width: prefixes kept after each step; at least 1.
        candidates: number of likeliest classes of a step that may extend a prefix.

    Returns:
        Class numbers and the log probability of the sequence.
    """
    # For each prefix: the log probabilities of its paths that end in the blank, and of those that end in its last one.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    for step in log_probs:
        extended: dict[tuple[int, ...], tuple[float, float]] = {}
        classes = [c for c in np.argsort(-step)[: candidates + 1].tolist() if c != BLANK_ID]

        def add(prefix, blank, char, extended=extended) -> None:
            old_blank, old_char = extended.get(prefix, (-np.inf, -np.inf))
            extended[prefix] = (np.logaddexp(old_blank, blank), np.logaddexp(old_char, char))

        for prefix, (blank, char) in beams.items():
            total = np.logaddexp(blank, char)
            add(prefix, total + step[BLANK_ID], -np.inf)
            if prefix:
                add(prefix, -np.inf, char + step[prefix[-1]])
            for c in classes:
                # A repeated character is a new one only after a blank.
                add((*prefix, c), -np.inf, (blank if prefix and c == prefix[-1] else total) + step[c])
        ranked = sorted(extended.items(), key=lambda item: -np.logaddexp(*item[1]))
        beams = dict(ranked[:beam_width])
    prefix, (blank, char) = next(iter(beams.items()))
    return list(prefix), float(np.logaddexp(blank, char))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Normalized log probabilities along the last axis, in float32."""
    logits = logits.astype(np.float32)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
