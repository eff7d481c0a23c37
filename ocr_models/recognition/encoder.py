"""The layers that CRNN and the attention recognizer share: convolutions, map-to-sequence, bidirectional LSTMs.

The shape is that of CRNN (Shi, Bai and Yao 2015, arXiv 1507.05717): seven convolutions, with pooling that keeps the
width from the third on, so that a crop of height 32 becomes one feature vector for every four columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ocr_models.recognition.crops import INPUT_HEIGHT

_POOLS = {0: (2, 2), 1: (2, 2), 3: (2, 1), 5: (2, 1)}


@dataclass(frozen=True)
class ConvSize:
    """Channels of the seven convolutions, and which of them have batch norm.

    ``strided`` lists convolutions that halve the map by a stride, in place of the pooling after them. This saves three
    quarters of their work and, for the first one, which is 5x5 then, the memory traffic of the largest maps.
    """

    filters: tuple[int, ...]
    batch_norm: tuple[bool, ...]
    strided: tuple[int, ...] = ()


# Table 1 of the paper, with batch norm after the fifth and sixth convolution only.
VGG = ConvSize((64, 128, 256, 256, 512, 512, 512), (False, False, False, False, True, True, False))
LIGHT = ConvSize((24, 40, 80, 96, 160, 160, 192), (False, False, True, False, True, True, True), (0,))
# A stride at every halving. With one LSTM it is 1.8 times as fast as LIGHT with two (measured).
FAST = ConvSize((24, 48, 64, 96, 112, 160, 192), (True,) * 7, (0, 1, 3, 5))
# For digits (``digit_rows.py``).
SMALL = ConvSize((24, 32, 48, 64, 96, 96, 128), (True,) * 7, (0,))


def image_input() -> keras.KerasTensor:
    """The input of every recognizer: gray crops, (B, 32, W, 1), values 0 to 255, W a multiple of 4."""
    return keras.Input((INPUT_HEIGHT, None, 1), name="image")


def conv_features(image, size: ConvSize) -> Any:
    """The sequence of feature vectors (B, W / 4, C) of gray crops (B, 32, W, 1)."""
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    for i, filters in enumerate(size.filters):
        strided, last = i in size.strided, i == len(size.filters) - 1
        if last:  # the paper's 2x2 convolution without padding, made 2x3 so that the sequence keeps its length
            x = layers.ZeroPadding2D((0, 1))(x)
        x = layers.Conv2D(
            filters,
            (2, 3) if last else 5 if strided and i == 0 else 3,
            strides=_POOLS[i] if strided else 1,
            padding="valid" if last else "same",
            use_bias=not size.batch_norm[i],
            kernel_initializer="he_normal",
            name=f"conv{i + 1}",
        )(x)
        if size.batch_norm[i]:
            x = layers.BatchNormalization(momentum=0.95, name=f"norm{i + 1}")(x)
        x = layers.ReLU(name=f"relu{i + 1}")(x)
        if i in _POOLS and not strided:
            x = layers.MaxPooling2D(_POOLS[i], name=f"pool{i + 1}")(x)  # (B, 32 / 2**k, W / 4, C)
    return layers.Reshape((-1, size.filters[-1]), name="map_to_sequence")(x)  # (B, 1, T, C) → (B, T, C)


def bidirectional_lstms(x, units: int, count: int = 2) -> Any:
    """Bidirectional LSTMs over a sequence (B, T, C): (B, T, 2 * units)."""
    for i in range(1, count + 1):
        x = layers.Bidirectional(layers.LSTM(units, return_sequences=True), name=f"bilstm{i}")(x)
    return x
