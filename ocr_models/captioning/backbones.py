"""The captioner's convolutional backbones: models from pictures (B, S, S, 3), 0 to 255, to features (B, F)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import keras
import numpy as np
from keras import layers

_LIGHT_CHANNELS = (32, 64, 128, 192, 256)


def build_backbone(kind: str, image_px: int) -> keras.Model:
    """Builds a backbone with fresh weights; it maps its input to [-1, 1] first.

    Args:
        kind: "inception-v3" (Szegedy et al. 2015, arXiv 1512.00567), without its classifier, F = 2048; or "light",
            five strided convolutions for CPUs, F = 256.
        image_px: S.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in _KINDS:
        raise ValueError(f"backbone is {kind!r}, but must be one of {sorted(_KINDS)}.")
    image = keras.Input((image_px, image_px, 3), name="image")
    rescaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(image)
    return keras.Model(image, _KINDS[kind](image_px)(rescaled), name="stem")  # the name in trained captioners


def load_backbone_weights(backbone: keras.Model, path: str) -> None:
    """Loads the weights of the convolutions from a Keras weights file, such as the published one for Inception v3.

    Raises:
        ValueError, OSError: the file is missing or doesn't fit.
    """
    backbone.layers[-1].load_weights(path)


def calibrate(backbone: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Sets the means and variances in the batch norms of an untrained backbone to those of some pictures.

    A new batch norm has mean 0 and variance 1. With these, the many layers of a deep backbone shrink their inputs until
    all pictures have nearly the same features. After calibration, even random convolutions distinguish pictures by
    their colors and textures.

    Args:
        backbone: from ``build_backbone``.
        batches: pictures (B, S, S, 3), 0 to 255, in batches of about the same size.
    """
    norms = [layer for layer in backbone.layers[-1].layers if isinstance(layer, layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for number, batch in enumerate(batches):
        for norm in norms:
            norm.momentum = number / (number + 1)  # makes the moving mean the plain mean over all batches
        backbone(batch, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def weights_digest(model: keras.Model) -> str:
    """The SHA-256 of all weights of a model, in hex."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def _inception_v3(image_px: int) -> keras.Model:
    return keras.applications.InceptionV3(
        include_top=False, pooling="avg", weights=None, input_shape=(image_px, image_px, 3)
    )


def _light(image_px: int) -> keras.Model:
    image = x = keras.Input((image_px, image_px, 3))
    for i, channels in enumerate(_LIGHT_CHANNELS, start=1):
        x = layers.Conv2D(channels, 3, 2, "same", use_bias=False, kernel_initializer="he_normal", name=f"conv{i}")(x)
        x = layers.BatchNormalization(scale=False, name=f"norm{i}")(x)
        x = layers.ReLU(name=f"relu{i}")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D(name="pool")(x), name="light")


_KINDS = {"inception-v3": _inception_v3, "light": _light}
