"""Captions as arrays for training the captioner. Worker processes run this, so it doesn't import Keras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ocr_models.data.captions.captioned_images import CaptionedImage
from ocr_models.data.captions.features import FeatureRows
from ocr_models.vocabulary import Vocabulary

Arrays = dict[str, np.ndarray]
_LENGTH_STEP = 8  # lengths are multiples of this, since the training step is recompiled for each shape


def encoded_captions(images: Sequence[CaptionedImage], vocabulary: Vocabulary) -> list[tuple[int, list[int]]]:
    """All captions, each as the index of its picture and its word ids from ``<S>`` to ``</S>``."""
    return [(i, vocabulary.encode(caption)) for i, image in enumerate(images) for caption in image.captions]


def shifted(captions: Sequence[Sequence[int]]) -> tuple[np.ndarray, Arrays]:
    """The input and target ids of captions, shifted against each other by one step, and padded.

    Args:
        captions: ids from ``<S>`` to ``</S>``.

    Returns:
        Input ids (B, T), and a dict of ``target_ids`` (B, T) and ``weights`` (B, T), 1 at words and ``</S>`` and 0
        at padding. ``<S> a dog </S>`` becomes the input ``<S> a dog`` and the target ``a dog </S>``.
    """
    length = -(-max(len(ids) - 1 for ids in captions) // _LENGTH_STEP) * _LENGTH_STEP
    inputs, targets = np.full((2, len(captions), length), Vocabulary.end_id, np.int32)
    weights = np.zeros((len(captions), length), np.float32)
    for row, ids in enumerate(captions):
        inputs[row, : len(ids) - 1], targets[row, : len(ids) - 1] = ids[:-1], ids[1:]
        weights[row, : len(ids) - 1] = 1
    return inputs, {"target_ids": targets, "weights": weights}


def feature_batches(
    features: FeatureRows, captions: Sequence[tuple[int, list[int]]], batch_size: int, seed: int
) -> Iterator[tuple[Arrays, Arrays]]:
    """Batches for the decoder alone: the inputs ``features`` (B, F) and ``input_ids`` (B, T), and the targets."""
    for batch in _shuffled_batches(captions, batch_size, np.random.default_rng(seed)):
        input_ids, targets = shifted([ids for _, ids in batch])
        yield {"features": features.take([i for i, _ in batch]), "input_ids": input_ids}, targets


def _shuffled_batches(captions: Sequence, batch_size: int, rng: np.random.Generator) -> Iterator[list]:
    """Yields full batches endlessly; no caption is repeated before all others have occurred."""
    batch = []
    while True:
        for i in rng.permutation(len(captions)):
            batch.append(captions[i])
            if len(batch) == batch_size:
                yield batch
                batch = []
