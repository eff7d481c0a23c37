"""Weighted cross-entropy of sequences with the usual averages, in float32."""

from __future__ import annotations

from typing import Any

from keras import ops

_TINY = 1e-6
_AVERAGES: dict[str, tuple[int, ...]] = {"token": (0, 1), "sequence": (1,), "batch": (0,)}


def sequence_loss(logits, targets, weights=None, average: str | None = "token", label_smoothing: float = 0.0) -> Any:
    """Weighted cross-entropy of a batch of sequences, with the averages of ``tfa.seq2seq.sequence_loss``.

    Args:
        logits: float (B, L, V), unnormalized.
        targets: int (B, L), class numbers; they may have any value, such as -1, where the weight is 0.
        weights: (B, L), of each token, 0 for padding; all 1 by default.
        average: the tokens over which weighted losses are summed and divided by the sum of their weights:
            "token", all tokens of the batch (the result is a scalar); "sequence", those of each sequence (B,);
            "batch", those of each time step (L,). None returns the weighted losses (B, L).
        label_smoothing: the share of probability that is spread evenly over all classes (Szegedy et al. 2016, arXiv
            1512.00567, section 7).

    Returns:
        float32. If all weights are 0, the average is 0, with a gradient of 0.

    Raises:
        ValueError: there is no such average.
    """
    if average is not None and average not in _AVERAGES:
        raise ValueError(f"average is {average!r}, but must be None or one of {sorted(_AVERAGES)}.")
    targets = ops.cast(targets, "int32")
    weights = ops.ones_like(targets, dtype="float32") if weights is None else ops.cast(weights, "float32")
    targets = ops.where(weights > 0, targets, 0)
    losses = weights * cross_entropy(logits, targets, label_smoothing)
    if average is None:
        return losses
    axes = _AVERAGES[average]
    return ops.sum(losses, axis=axes) / ops.maximum(ops.sum(weights, axis=axes), _TINY)


def cross_entropy(logits, targets, label_smoothing: float = 0.0) -> Any:
    """The negative log probability of each target; with label smoothing, mixed with the mean over all classes.

    Args:
        logits: float (B, L, V), unnormalized.
        targets: int (B, L), class numbers.
        label_smoothing: as in ``sequence_loss``.

    Returns:
        float32 (B, L).
    """
    logits = ops.cast(logits, "float32")
    losses = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    if not label_smoothing:
        return losses
    of_all_classes = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
    return (1.0 - label_smoothing) * losses + label_smoothing * of_all_classes
