from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from ocr_models.inference.batch_norm_folding import fold_batch_norm
from ocr_models.recognition.crnn import SIZES, build_crnn
from ocr_models.recognition.ctc_loss import ctc_loss

CLASSES = 12


def crops(width=40, count=2):
    return np.random.default_rng(0).uniform(0, 255, (count, 32, width, 1)).astype(np.float32)


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.fixture(scope="module", params=sorted(SIZES))
def model(request):
    """A network of each size with batch norms that have seen something: all of their weights are at random."""
    keras.utils.set_random_seed(1)
    network = build_crnn(CLASSES, request.param)
    rng = np.random.default_rng(0)
    for norm in layers_of(network, layers.BatchNormalization):
        norm.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in norm.get_weights()])
    return network


def test_shape_of_the_paper(model):
    assert len(layers_of(model, layers.Conv2D)) == 7
    assert len(layers_of(model, layers.Bidirectional)) == (1 if model.name == "crnn_fast" else 2)
    assert model.output_shape == (None, None, CLASSES)


def test_classic_size_has_the_numbers_of_the_paper():
    network = build_crnn(CLASSES, "crnn-vgg")
    assert [layer.filters for layer in layers_of(network, layers.Conv2D)] == [64, 128, 256, 256, 512, 512, 512]
    assert [layer.forward_layer.units for layer in layers_of(network, layers.Bidirectional)] == [256, 256]
    assert len(layers_of(network, layers.BatchNormalization)) == 2


@pytest.mark.parametrize("width", [4, 32, 52])
def test_one_prediction_for_four_columns(model, width):
    logits = keras.ops.convert_to_numpy(model(crops(width)))
    assert logits.shape == (2, width // 4, CLASSES)
    assert logits.dtype == np.float32 and np.isfinite(logits).all()


def test_saved_model_predicts_the_same(model, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(crops()), model(crops()), rtol=1e-5, atol=1e-6)


def test_folded_model_answers_the_same(model):
    folded = fold_batch_norm(model)
    assert not layers_of(folded, layers.BatchNormalization)
    np.testing.assert_allclose(folded(crops()), model(crops()), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", sorted(SIZES))
def test_learns_a_word(size):
    keras.utils.set_random_seed(1)
    network = build_crnn(CLASSES, size)

    def loss(labels, logits):
        return ctc_loss(labels, logits, np.array([3, 2]), np.array([10, 10]))

    network.compile(keras.optimizers.Adam(1e-3), loss)
    labels = np.array([[1, 2, 3, 0], [4, 4, 0, 0]])
    losses = [float(network.train_on_batch(crops(), labels)) for _ in range(4)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
