"""CRNN (Shi, Bai and Yao 2015, arXiv 1507.05717): convolutions, map-to-sequence, two bidirectional LSTMs, CTC.

Both sizes have the paper's shape: seven convolutions, pooling that keeps the width from the third on, so that a crop
of height 32 becomes one feature vector for every four pixels of its width.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from ocr_models.recognition.crops import INPUT_HEIGHT


@dataclass(frozen=True)
class CrnnSize:
    """Channels of the seven convolutions, which of them have batch norm, and units of each LSTM direction.

    ``strided_start`` halves the map by a 5x5 convolution of stride 2 instead of pooling after a 3x3 one: the first
    maps are the largest, and moving them through memory is most of their cost.
    """

    filters: tuple[int, ...]
    batch_norm: tuple[bool, ...]
    lstm_units: int
    strided_start: bool


SIZES = {
    # The paper's table 1, where batch norm stands only after the fifth and sixth convolution.
    "crnn-vgg": CrnnSize(
        (64, 128, 256, 256, 512, 512, 512), (False, False, False, False, True, True, False), 256, False
    ),
    "crnn-light": CrnnSize((24, 40, 80, 96, 160, 160, 192), (False, False, True, False, True, True, True), 96, True),
}


def build_crnn(num_classes: int, size: str = "crnn-light") -> keras.Model:
    """Builds the model.

    Input: gray crops, (B, 32, W, 1), values 0 to 255, W a multiple of 4. Output: float32 logits (B, W / 4,
    num_classes), class 0 the blank; one prediction for every four columns.
    """
    spec = SIZES[size]
    pools = {0: (2, 2), 1: (2, 2), 3: (2, 1), 5: (2, 1)}

    image = keras.Input((INPUT_HEIGHT, None, 1), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    for i, filters in enumerate(spec.filters):
        strided, last = i == 0 and spec.strided_start, i == len(spec.filters) - 1
        if last:  # The paper's 2x2 convolution without padding, made 2x3 so that the sequence keeps its length.
            x = layers.ZeroPadding2D((0, 1))(x)
        x = layers.Conv2D(
            filters,
            (2, 3) if last else 5 if strided else 3,
            strides=2 if strided else 1,
            padding="valid" if last else "same",
            use_bias=not spec.batch_norm[i],
            kernel_initializer="he_normal",
            name=f"conv{i + 1}",
        )(x)
        if spec.batch_norm[i]:
            x = layers.BatchNormalization(momentum=0.95, name=f"norm{i + 1}")(x)
        x = layers.ReLU(name=f"relu{i + 1}")(x)
        if i in pools and not strided:
            x = layers.MaxPooling2D(pools[i], name=f"pool{i + 1}")(x)  # (B, 32 / 2**k, W / 4, C)
    x = layers.Reshape((-1, spec.filters[-1]), name="map_to_sequence")(x)  # (B, 1, T, C) → (B, T, C)
    for i in (1, 2):
        x = layers.Bidirectional(layers.LSTM(spec.lstm_units, return_sequences=True), name=f"bilstm{i}")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # (B, T, num_classes)
    return keras.Model(image, logits, name=size.replace("-", "_"))
