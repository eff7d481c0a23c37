"""Show and Tell (Vinyals et al. 2015, arXiv 1411.4555): a convolutional backbone, and an LSTM that generates words.

The first input of the LSTM is the embedded features of the picture; then come the words of the caption, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from ocr_models.captioning.backbones import build_backbone
from ocr_models.decoding.cells import DropoutCell

_INITIAL_SCALE = 0.08  # embeddings, LSTM and logits start uniformly within plus or minus this


@dataclass(frozen=True)
class CaptionerSize:
    """The sizes of an architecture.

    Attributes:
        backbone: "inception-v3" or "light"; see ``build_backbone``.
        resized_px: side of the square that pictures are resized to.
        image_px: side of the crop that the backbone sees.
        embedding_units: of images and words.
        lstm_units: of the LSTM.
        dropout: of the LSTM's inputs and outputs.
    """

    backbone: str
    resized_px: int
    image_px: int
    embedding_units: int
    lstm_units: int
    dropout: float = 0.3


SIZES = {
    "show-and-tell": CaptionerSize("inception-v3", 346, 299, 512, 512),
    "show-and-tell-light": CaptionerSize("light", 148, 128, 256, 256),
}


def build_captioner(vocabulary_size: int, arch: str = "show-and-tell") -> ShowAndTell:
    """Builds a captioner with fresh weights; raises ValueError for an unknown architecture."""
    if arch not in SIZES:
        raise ValueError(f"arch is {arch!r}, but must be one of {sorted(SIZES)}.")
    return ShowAndTell(vocabulary_size, **asdict(SIZES[arch]), name=arch.replace("-", "_"))


@keras.saving.register_keras_serializable(package="pagebeam")
class Standardize(layers.Layer):
    """Subtracts the mean of each feature (B, F) and divides by its standard deviation; both are set, not learned.

    The layer returns its input unchanged until ``set_from`` has been called.
    """

    def build(self, input_shape: Any) -> None:
        units = input_shape[-1]
        self.mean = self.add_weight(shape=(units,), initializer="zeros", trainable=False, name="mean")
        self.scale = self.add_weight(shape=(units,), initializer="ones", trainable=False, name="scale")

    def call(self, features: Any) -> Any:
        return (features - self.mean) * self.scale

    def set_from(self, features: np.ndarray) -> None:
        """Computes means and deviations from examples, a NumPy array (N, F); constant features become 0."""
        deviation = features.std(axis=0)
        varies = deviation > 1e-6
        deviation[~varies] = 1
        self.mean.assign(features.mean(axis=0))
        self.scale.assign(varies / deviation)


@keras.saving.register_keras_serializable(package="pagebeam")
class ShowAndTell(keras.Model):
    """The captioner.

    Inputs: a dict of ``image`` (B, S, S, 3), RGB, 0 to 255, and ``input_ids`` int (B, T), captions that begin with
    ``<S>``. Output: float32 logits (B, T, V) of each next word. ``backbone`` is the part from images to features
    (B, F), ``decoder`` the part from a dict of ``features`` and ``input_ids`` to logits; both are models themselves.

    Args:
        vocabulary_size: V.
        backbone, resized_px, image_px, embedding_units, lstm_units, dropout: see ``CaptionerSize``.
    """

    def __init__(
        self,
        vocabulary_size: int,
        backbone: str,
        resized_px: int,
        image_px: int,
        embedding_units: int,
        lstm_units: int,
        dropout: float,
        **kwargs: Any,
    ) -> None:
        # Layers
        backbone_model = build_backbone(backbone, image_px)
        standardize = Standardize(name="standardize")
        image_embedding = layers.Dense(
            embedding_units, use_bias=False, kernel_initializer=_uniform(), name="image_embedding"
        )
        word_embedding = layers.Embedding(
            vocabulary_size, embedding_units, embeddings_initializer=_uniform(), name="word_embedding"
        )
        cell = layers.LSTMCell(
            lstm_units, kernel_initializer=_uniform(), recurrent_initializer=_uniform(), name="lstm_cell"
        )
        cell = DropoutCell(cell, input_rate=dropout, output_rate=dropout, name="dropout_cell")
        rnn = layers.RNN(cell, return_sequences=True, name="lstm")
        to_logits = layers.Dense(vocabulary_size, kernel_initializer=_uniform(), dtype="float32", name="logits")

        # Graph
        features = keras.Input((backbone_model.output_shape[-1],), name="features")
        input_ids = keras.Input((None,), dtype="int32", name="input_ids")
        image_input = layers.Reshape((1, -1), name="first_step")(image_embedding(standardize(features)))  # (B, 1, E)
        inputs = layers.Concatenate(axis=1, name="inputs")([image_input, word_embedding(input_ids)])  # (B, 1 + T, E)
        outputs = layers.Cropping1D((1, 0), name="outputs")(rnn(inputs))  # (B, T, U): the image predicts no word
        decoder_inputs = {"features": features, "input_ids": input_ids}
        decoder = keras.Model(decoder_inputs, to_logits(outputs), name="decoder")

        image = keras.Input((image_px, image_px, 3), name="image")
        logits = decoder({"features": backbone_model(image), "input_ids": input_ids})
        super().__init__({"image": image, "input_ids": input_ids}, logits, **kwargs)

        # Config
        self.vocabulary_size = vocabulary_size
        self.size = CaptionerSize(backbone, resized_px, image_px, embedding_units, lstm_units, dropout)
        self.backbone, self.decoder = backbone_model, decoder

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "vocabulary_size": self.vocabulary_size, **asdict(self.size)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> ShowAndTell:
        # Earlier bundles call the backbone "stem".
        return cls(**{"backbone" if name == "stem" else name: value for name, value in config.items()})

    def encode(self, features: Any) -> Sequence[Any]:
        """The state of the LSTM after its first input, the features (B, F) of pictures: a list of h and c, (B, U)."""
        standardize, embedding, cell = self._part("standardize"), self._part("image_embedding"), self._cell
        inputs = embedding(standardize(ops.cast(features, self.compute_dtype)))
        _, state = cell(inputs, cell.get_initial_state(batch_size=ops.shape(inputs)[0]), training=False)
        return state

    def step(self, token_ids: Any, state: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """Logits (B, V) of the word that follows ``token_ids`` (B,), and the new state."""
        outputs, state = self._cell(self._part("word_embedding")(token_ids), state, training=False)
        return self._part("logits")(outputs), state

    @property
    def standardize(self) -> Standardize:
        return self._part("standardize")

    @property
    def _cell(self) -> DropoutCell:
        return self._part("lstm").cell

    def _part(self, name: str) -> Any:
        return self.decoder.get_layer(name)


def _uniform() -> keras.initializers.Initializer:
    return keras.initializers.RandomUniform(-_INITIAL_SCALE, _INITIAL_SCALE)
