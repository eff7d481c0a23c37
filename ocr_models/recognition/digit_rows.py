"""Small recognizers for rows of MNIST digits; one of them reads rows of any length after training on a single length.

A decoder that is trained on rows of five digits only can learn to count: "the sixth output is the end" is always right
and easier to learn than to find the end of a row. The attention recognizer does learn this, and then fails on rows of
other lengths. The architecture here cannot count: its cell forgets, and only its position passes from step to step.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from ocr_models.decoding.attention_wrapper import AttentionWrapper
from ocr_models.decoding.monotonic import BahdanauMonotonicAttention
from ocr_models.recognition.attention_network import AttentionDecoder, AttentionSize, build_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.recognition.encoder import SMALL, conv_features, image_input

_SRN = AttentionSize(SMALL, "bilstm", 64, 32, "gru", 96, "bahdanau", 96)
_UNITS, _EMBEDDING = 128, 32
_SIGMOID_NOISE = 1.0  # pushes the probabilities of stopping to 0 or 1; otherwise some attention leaks past each digit
_SCORE_BIAS = -2.0  # at first a walk stops at each position with probability 0.12; a digit has about nine positions


def build_digit_reader(num_classes: int, arch: str) -> keras.Model:
    """Builds a recognizer by the name of its architecture.

    Args:
        num_classes: digits, and the blank or the end.
        arch: "crnn"; "attention", which is described above; or "attention-srn", that of ``attention_network.py``.

    Inputs and output are those of ``build_crnn`` and ``build_attention``.
    """
    if arch == "crnn":
        return build_crnn(num_classes, "crnn-mnist")
    return build_attention(num_classes, _SRN) if arch == "attention-srn" else _build_walking_attention(num_classes)


def _build_walking_attention(num_classes: int) -> keras.Model:
    """Builds a memory of local features only: LSTMs could number the digits for the decoder."""
    mechanism = StrictlyMonotonicAttention(
        _UNITS, normalize=True, sigmoid_noise=_SIGMOID_NOISE, score_bias_init=_SCORE_BIAS, name="monotonic"
    )
    wrapper = AttentionWrapper(MemorylessGRUCell(_UNITS), mechanism, output="attention", name="attention")
    decoder = ContextDecoder(num_classes, wrapper, _EMBEDDING, name="decoder")
    image = image_input()
    logit_length = keras.Input((), dtype="int32", name="logit_length")
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    memory = layers.Dense(_UNITS, activation="tanh", name="encoder")(conv_features(image, SMALL))  # (B, T, D)
    logits = decoder(memory, logit_length, token_ids)  # (B, L, num_classes)
    return keras.Model({"image": image, "logit_length": logit_length, "token_ids": token_ids}, logits, name="attention")


@keras.saving.register_keras_serializable(package="pagebeam")
class ContextDecoder(AttentionDecoder):
    """Predicts from the context at the attended position alone, not from earlier characters; no context is the end.

    ``wrapper`` must output the attention vector, its context; the rest is as in ``AttentionDecoder``.
    """

    def build(self, memory_shape, logit_length_shape, token_ids_shape) -> None:
        self.embedding.build(token_ids_shape)
        self.wrapper.build((None, self.embedding.output_dim), memory_shape=memory_shape)
        self.logits.build((None, memory_shape[-1]))


@keras.saving.register_keras_serializable(package="pagebeam")
class MemorylessGRUCell(layers.GRUCell):
    """A GRU cell that begins each step with a state of zeros, so that it sees only the inputs of the step."""

    def call(self, sequence, states, training=None) -> Any:
        return super().call(sequence, keras.tree.map_structure(ops.zeros_like, states), training=training)


@keras.saving.register_keras_serializable(package="pagebeam")
class StrictlyMonotonicAttention(BahdanauMonotonicAttention):
    """Monotonic attention that never stops twice at a position: each walk begins behind the last stop.

    A score can therefore describe a position (the middle of a digit), whereas plain monotonic attention would have to
    learn a query that leaves the position of the last stop. A walk that finds no further position leaves the memory;
    its context is empty, which means the end.

    Takes the arguments of ``BahdanauMonotonicAttention``.
    """

    def call(self, query, memory, previous_alignments, training=None) -> Any:
        behind = ops.pad(previous_alignments[:, :-1], ((0, 0), (1, 0)))  # (B, T), each row moved by one
        return super().call(query, memory, behind, training=training)
