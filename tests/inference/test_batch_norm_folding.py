from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from ocr_models.inference.batch_norm_folding import fold_batch_norm


def convolution_and_norm(convolution):
    """kernel 2 and bias 3, then gamma 5, beta 7, mean 1 and variance 4."""
    image = keras.Input((4, 4, 1))
    norm = layers.BatchNormalization(epsilon=0)
    model = keras.Model(image, norm(convolution(image)))
    convolution.set_weights([np.full((1, 1, 1, 1), 2.0), np.array([3.0])])
    norm.set_weights([np.array([value]) for value in (5.0, 7.0, 1.0, 4.0)])
    return model


@pytest.mark.parametrize("convolution", [layers.Conv2D(1, 1), layers.DepthwiseConv2D(1)], ids=["full", "depthwise"])
def test_norm_becomes_part_of_kernel_and_bias(convolution):
    model = convolution_and_norm(convolution)
    folded = fold_batch_norm(model)
    # The scale is 5 / sqrt(4) = 2.5: the kernel 2 * 2.5, the bias (3 - 1) * 2.5 + 7.
    kernel, bias = folded.get_weights()
    assert (kernel.item(), bias.item()) == (5, 12)
    image = np.random.default_rng(0).standard_normal((1, 4, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(folded(image), 5 * image + 12, rtol=1e-5)
    np.testing.assert_allclose(model(image), 5 * image + 12, rtol=1e-5)


def test_norm_after_an_activation_stays():
    model = convolution_and_norm(layers.Conv2D(1, 1, activation="relu"))
    folded = fold_batch_norm(model)
    assert isinstance(folded.layers[-1], layers.BatchNormalization)
    image = np.random.default_rng(0).standard_normal((1, 4, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(folded(image), model(image), rtol=1e-5)


def test_norm_of_a_branching_convolution_stays():
    image = keras.Input((4, 4, 1))
    shared = layers.Conv2D(1, 1)(image)
    model = keras.Model(image, layers.Add()([shared, layers.BatchNormalization()(shared)]))
    model.layers[2].set_weights([np.array([value]) for value in (5.0, 7.0, 1.0, 4.0)])
    noise = np.random.default_rng(0).standard_normal((1, 4, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(fold_batch_norm(model)(noise), model(noise), rtol=1e-5)
