from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest

from ocr_models.captioning.backbones import build_backbone, calibrate, load_backbone_weights, weights_digest

SIDE = 32


def pictures(count=12, seed=0):
    """Pictures of one color each, between black and white, with some noise."""
    rng = np.random.default_rng(seed)
    colors = rng.uniform(30, 225, (count, 1, 1, 3))
    return (colors + rng.uniform(-30, 30, (count, SIDE, SIDE, 3))).astype(np.float32)


def features(backbone, images):
    return keras.ops.convert_to_numpy(backbone(images, training=False))


@pytest.fixture
def backbone():
    keras.utils.set_random_seed(1)
    return build_backbone("light", SIDE)


def test_values_are_mapped_onto_minus_one_to_one(backbone):
    rescale = backbone.get_layer("rescale")
    np.testing.assert_allclose(rescale(np.array([0.0, 127.5, 255.0])), [-1, 0, 1], atol=1e-6)


def test_calibrated_norms_have_the_statistics_of_the_pictures(backbone):
    first, second = pictures(seed=0), pictures(seed=1)
    inner = backbone.layers[-1]
    conv = keras.Model(backbone.input, inner.get_layer("conv1")(backbone.get_layer("rescale")(backbone.input)))
    seen = [keras.ops.convert_to_numpy(conv(batch)) for batch in (first, second)]
    calibrate(backbone, [first, second])
    norm = inner.get_layer("norm1")
    # The mean of the batches' means and variances, each over pictures and places.
    np.testing.assert_allclose(norm.moving_mean, np.mean([x.mean((0, 1, 2)) for x in seen], axis=0), atol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, np.mean([x.var((0, 1, 2)) for x in seen], axis=0), rtol=1e-2)
    assert norm.momentum == 0.99  # as it was


def test_calibrated_backbone_tells_pictures_apart(backbone):
    calibrate(backbone, [pictures()])
    seen = features(backbone, pictures())
    assert seen.shape == (12, 256)
    assert 0.1 < seen.mean() < 1  # the mean of a rectified normal number is 0.4
    assert seen.std(axis=0).mean() > 0.05


def test_digest_is_of_all_weights(backbone):
    before = weights_digest(backbone)
    assert before == weights_digest(backbone)
    calibrate(backbone, [pictures()])
    assert weights_digest(backbone) != before


def test_weights_come_from_a_file(backbone, tmp_path):
    calibrate(backbone, [pictures()])
    backbone.layers[-1].save_weights(tmp_path / "own.weights.h5")
    other = build_backbone("light", SIDE)
    load_backbone_weights(other, str(tmp_path / "own.weights.h5"))
    np.testing.assert_array_equal(features(other, pictures(2)), features(backbone, pictures(2)))


def test_file_that_does_not_fit_is_refused(backbone, tmp_path):
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    dense.save_weights(tmp_path / "dense.weights.h5")
    with pytest.raises(ValueError), warnings.catch_warnings(action="ignore"):
        load_backbone_weights(backbone, str(tmp_path / "dense.weights.h5"))
    with pytest.raises((OSError, ValueError)):
        load_backbone_weights(backbone, str(tmp_path / "nowhere.weights.h5"))


def test_unknown_backbone_is_refused():
    with pytest.raises(ValueError, match="backbone is 'vgg', but must be one of"):
        build_backbone("vgg", SIDE)
