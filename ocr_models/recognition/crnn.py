"""CRNN (Shi, Bai and Yao 2015, arXiv 1507.05717): convolutions, map-to-sequence, two bidirectional LSTMs, CTC."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from ocr_models.recognition.encoder import (
    FAST,
    LIGHT,
    SMALL,
    VGG,
    ConvSize,
    bidirectional_lstms,
    conv_features,
    image_input,
)


@dataclass(frozen=True)
class CrnnSize:
    """The convolutions, the units of each direction of the LSTMs, and the number of LSTM layers."""

    conv: ConvSize
    lstm_units: int
    lstm_count: int = 2


SIZES = {
    "crnn-vgg": CrnnSize(VGG, 256),
    "crnn-light": CrnnSize(LIGHT, 96),
    "crnn-fast": CrnnSize(FAST, 96, 1),
    "crnn-mnist": CrnnSize(SMALL, 64),
}


def build_crnn(num_classes: int, size: str = "crnn-light") -> keras.Model:
    """Builds the model.

    Input: gray crops, (B, 32, W, 1), values 0 to 255, W a multiple of 4. Output: float32 logits (B, W / 4,
    num_classes), with the blank as class 0; one prediction for every four columns.
    """
    spec = SIZES[size]
    image = image_input()
    x = conv_features(image, spec.conv)  # (B, T, C)
    x = bidirectional_lstms(x, spec.lstm_units, spec.lstm_count)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # (B, T, num_classes)
    return keras.Model(image, logits, name=size.replace("-", "_"))
