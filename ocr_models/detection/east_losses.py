"""The EAST loss: whether there is text (score), and where its edges are (geometry).

Source: Zhou et al. 2017 (arXiv 1704.03155), section 3.4. Everything is computed in float32.
"""

from __future__ import annotations

from typing import Any

from keras import ops

_TINY = 1e-6


def east_loss(
    score_map,
    geometry_map,
    training_mask,
    score_logits,
    predicted_geometry,
    score_loss: str = "balanced",
    angle_weight: float = 10.0,
) -> tuple[Any, dict[str, Any]]:
    """The loss of a batch: score loss + box loss + ``angle_weight`` * angle loss.

    Args:
        score_map: truth (B, h, w, 1), 1 in the shrunk words and 0 elsewhere.
        geometry_map: truth (B, h, w, 5), distances in pixels (top, right, bottom, left) and the angle in radians.
        training_mask: (B, h, w, 1), 0 for cells that are ignored.
        score_logits: prediction (B, h, w, 1), before the sigmoid.
        predicted_geometry: prediction (B, h, w, 5), like ``geometry_map``.
        score_loss: "balanced", the paper's class-balanced cross-entropy, or "dice".
        angle_weight: the paper's lambda for the angle.

    Returns:
        (total, parts): a scalar, and a dict of the scalars "score", "box" and "angle" before weighting.
    """
    if score_loss not in _SCORE_LOSSES:
        raise ValueError(f"score_loss is {score_loss!r}, but must be one of {sorted(_SCORE_LOSSES)}.")
    maps = (score_map, geometry_map, training_mask, score_logits, predicted_geometry)
    score_map, geometry_map, training_mask, score_logits, predicted_geometry = (ops.cast(x, "float32") for x in maps)
    positive = score_map * training_mask
    negative = (1.0 - score_map) * training_mask
    parts = {
        "score": _SCORE_LOSSES[score_loss](positive, negative, score_logits),
        "box": _masked_mean(box_loss(geometry_map, predicted_geometry), positive),
        "angle": _masked_mean(angle_loss(geometry_map, predicted_geometry), positive),
    }
    return parts["score"] + parts["box"] + angle_weight * parts["angle"], parts


def balanced_cross_entropy(positive, negative, score_logits) -> Any:
    """Class-balanced cross-entropy from logits (equation 5), with beta = 1 - positives / all unmasked cells.

    In the paper's sums, positives have weight beta and negatives 1 - beta. Since beta * positives = (1 - beta) *
    negatives, both classes have the same total weight. Normalized by it, the loss is the mean over the positives plus
    the mean over the negatives, whatever share of the batch is text. A batch without text has the second term only.
    """
    positive_loss = ops.softplus(-score_logits)  # -log(p)
    negative_loss = ops.softplus(score_logits)  # -log(1 - p)
    return _masked_mean(positive_loss, positive) + _masked_mean(negative_loss, negative)


def dice_loss(positive, negative, score_logits) -> Any:
    """1 - 2 |truth and prediction| / (|truth| + |prediction|) over the unmasked cells; 0 to 1."""
    probability = ops.sigmoid(score_logits) * (positive + negative)
    overlap = ops.sum(probability * positive)
    return 1.0 - (2.0 * overlap + 1.0) / (ops.sum(probability) + ops.sum(positive) + 1.0)


def box_loss(geometry_map, predicted_geometry) -> Any:
    """-log IoU of the true and the predicted box of each cell, without their angles (equation 8): (B, h, w, 1).

    One pixel is added to both areas, so that the loss is finite for an empty box.
    """
    top, right, bottom, left = _distances(geometry_map)
    predicted_top, predicted_right, predicted_bottom, predicted_left = _distances(predicted_geometry)
    area = (top + bottom) * (right + left)
    predicted_area = (predicted_top + predicted_bottom) * (predicted_right + predicted_left)
    height = ops.minimum(top, predicted_top) + ops.minimum(bottom, predicted_bottom)
    width = ops.minimum(right, predicted_right) + ops.minimum(left, predicted_left)
    intersection = height * width
    union = area + predicted_area - intersection
    return ops.log((union + 1.0) / (intersection + 1.0))


def angle_loss(geometry_map, predicted_geometry) -> Any:
    """1 - cos(true angle - predicted angle) of each cell (equation 9): (B, h, w, 1).

    Computed as 2 sin²(difference / 2), which is exact for small differences: 1 - cos(0.05) is 0 in bfloat16.
    """
    return 2.0 * ops.square(ops.sin((geometry_map[..., 4:] - predicted_geometry[..., 4:]) / 2.0))


_SCORE_LOSSES = {"balanced": balanced_cross_entropy, "dice": dice_loss}


def _distances(geometry) -> tuple[Any, ...]:
    return tuple(geometry[..., edge : edge + 1] for edge in range(4))


def _masked_mean(values, weights) -> Any:
    """The weighted mean; 0, with a zero gradient, if all weights are 0."""
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), _TINY)
