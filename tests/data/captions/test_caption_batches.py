from __future__ import annotations

import itertools
import pickle
from functools import partial

import numpy as np
import pytest

from ocr_models.data.captions.caption_batches import encoded_captions, feature_batches, shifted
from ocr_models.data.captions.captioned_images import read_captions
from ocr_models.data.captions.features import cached_features
from ocr_models.vocabulary import Vocabulary
from tests.shards import write_captions


@pytest.fixture
def images(tmp_path):
    return read_captions(str(write_captions(tmp_path)))


def mean_colors(pictures):
    """Takes the place of a backbone: three features."""
    return np.stack([x.mean(axis=(0, 1)) for x in pictures])


class Counting:
    def __init__(self):
        self.computed = 0

    def __call__(self, pictures):
        self.computed += len(pictures)
        return mean_colors(pictures)


def test_inputs_and_targets_are_shifted_by_one():
    inputs, truth = shifted([[0, 5, 6, 1], [0, 7, 1]])
    # Padded to 8 with the end's id, which weighs nothing there.
    assert inputs.tolist() == [[0, 5, 6, 1, 1, 1, 1, 1], [0, 7, 1, 1, 1, 1, 1, 1]]
    assert truth["target_ids"].tolist() == [[5, 6, 1, 1, 1, 1, 1, 1], [7, 1, 1, 1, 1, 1, 1, 1]]
    assert truth["weights"].tolist() == [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]]
    assert shifted([[0, *range(2, 10), 1]])[0].shape == (1, 16)  # 9 steps


def test_features_are_computed_once(images, tmp_path):
    compute, path = Counting(), tmp_path / "backbone.features"
    rows = cached_features(path, 3, images[:3], compute)
    assert compute.computed == 3
    again = cached_features(path, 3, images[::-1], compute)
    assert compute.computed == 4
    expected = mean_colors([image.pixels() for image in images])
    np.testing.assert_allclose(rows.take([2, 0]), expected[[2, 0]], rtol=1e-6)
    np.testing.assert_allclose(again.take(slice(None)), expected[::-1], rtol=1e-6)


def test_row_that_was_cut_off_is_computed_again(images, tmp_path):
    path = tmp_path / "backbone.features"
    cached_features(path, 3, images, mean_colors)
    path.write_bytes(path.read_bytes()[:-1])
    compute = Counting()
    rows = cached_features(path, 3, images, compute)
    assert compute.computed == 1
    np.testing.assert_allclose(rows.take([3]), mean_colors([images[3].pixels()]), rtol=1e-6)


def test_feature_batches_have_each_caption_once_an_epoch(images, tmp_path):
    vocabulary = Vocabulary.build([caption for image in images for caption in image.captions], 1)
    captions = encoded_captions(images, vocabulary)
    assert len(captions) == 8 and captions[3][0] == 1
    rows = cached_features(tmp_path / "backbone.features", 3, images, mean_colors)
    make = pickle.loads(pickle.dumps(partial(feature_batches, rows, captions, 4)))  # as worker processes get it
    batches = list(itertools.islice(make(seed=1), 4))
    for epoch in (batches[:2], batches[2:]):
        seen = [
            (features.tolist(), vocabulary.decode(target))
            for inputs, truth in epoch
            for features, target in zip(inputs["features"], truth["target_ids"], strict=True)
        ]
        expected = [(rows.take([i])[0].tolist(), vocabulary.decode(ids)) for i, ids in captions]
        assert sorted(seen) == sorted(expected)
    order = [truth["target_ids"].tolist() for _, truth in batches]
    assert order[:2] != order[2:]
    assert order == [truth["target_ids"].tolist() for _, truth in itertools.islice(make(seed=1), 4)]
