"""The captioner's convolutional stems: models from pictures (B, S, S, 3), 0 to 255, to features (B, F)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import keras
import numpy as np
from keras import layers

_LIGHT_CHANNELS = (32, 64, 128, 192, 256)


def build_stem(kind: str, image_px: int) -> keras.Model:
    """A stem with fresh weights, which maps its input onto [-1, 1] first.

    Args:
        kind: "inception-v3" (Szegedy et al. 2015, arXiv 1512.00567), without its classifier, F = 2048; or "light",
            five strided convolutions for CPUs, F = 256.
        image_px: S.
    """
    if kind not in _KINDS:
        raise ValueError(f"stem is {kind!r}, but must be one of {sorted(_KINDS)}.")
    image = keras.Input((image_px, image_px, 3), name="image")
    rescaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(image)
    return keras.Model(image, _KINDS[kind](image_px)(rescaled), name="stem")


def load_stem_weights(stem: keras.Model, path: str) -> None:
    """Loads the convolutions' weights from a file of Keras's, such as the one that it publishes for Inception v3.

    Raises:
        ValueError, OSError: the file is missing or doesn't fit.
    """
    stem.layers[-1].load_weights(path)


def calibrate(stem: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Sets the means and variances of an untrained stem's batch norms to those of some pictures.

    As created these are 0 and 1, and the many layers of a deep stem shrink what they see until all pictures have
    nearly the same features. Calibrated, random convolutions tell pictures apart, by colors and textures.

    Args:
        stem: from ``build_stem``.
        batches: pictures (B, S, S, 3), 0 to 255, in batches of about the same size.
    """
    norms = [layer for layer in stem.layers[-1].layers if isinstance(layer, layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for number, batch in enumerate(batches):
        for norm in norms:
            norm.momentum = number / (number + 1)  # so that the moving mean is the plain mean over all batches
        stem(batch, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def weights_digest(model: keras.Model) -> str:
    """A sha256 in hex of all of a model's weights."""
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
