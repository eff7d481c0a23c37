"""Small recognizers for rows of MNIST digits, with one that reads rows of any length after learning rows of one.

A decoder that learns from rows of five digits only may learn to count: that the sixth answer is the end is always
right, and easier to find than where a row ends. The attention recognizer does learn it, and reads no other row. So
here is one that can't count: its cell forgets, and all that it carries from step to step is the place it has come to.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from ocr_models.decoding.attention_wrapper import AttentionWrapper
from ocr_models.decoding.monotonic import BahdanauMonotonicAttention
from ocr_models.recognition.attention_network import AttentionDecoder, AttentionSize, build_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.recognition.encoder import SMALL, conv_features, image_input

_SRN = AttentionSize(SMALL, "bilstm", 64, 32, "gru", 96, "bahdanau", 96)
_UNITS, _EMBEDDING = 128, 32
_SIGMOID_NOISE = 1.0  # teaches to stop for certain or not at all: else a little attention leaks past each digit
_SCORE_BIAS = -2.0  # a first walk stops at each position with the probability 0.12: a digit takes about nine of them


def build_digit_reader(num_classes: int, arch: str) -> keras.Model:
    """Builds a recognizer by the name of its architecture.

    Args:
        num_classes: digits, and the blank or the end.
        arch: "crnn"; "attention", the one described above; or "attention-srn", the recognizer of ``attention.py``.

    Inputs and output are those of ``build_crnn`` and ``build_attention``.
    """
    if arch == "crnn":
        return build_crnn(num_classes, "crnn-mnist")
    return build_attention(num_classes, _SRN) if arch == "attention-srn" else _build_walking_attention(num_classes)


def _build_walking_attention(num_classes: int) -> keras.Model:
    """A memory of what is seen near each position, without LSTMs, which could number the digits for the decoder."""
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
    """Answers with what is seen at the attended place alone, not with what was read before: nothing seen is the end.

    ``wrapper`` must put out the attention vector, its context; the rest is as in ``AttentionDecoder``.
    """

    def build(self, memory_shape, logit_length_shape, token_ids_shape):
        self.embedding.build(token_ids_shape)
        self.wrapper.build((None, self.embedding.output_dim), memory_shape=memory_shape)
        self.logits.build((None, memory_shape[-1]))


@keras.saving.register_keras_serializable(package="pagebeam")
class MemorylessGRUCell(layers.GRUCell):
    """A GRU cell that begins each step with a state of zeros: it knows the inputs of this step and nothing else."""

    def call(self, sequence, states, training=None):
        return super().call(sequence, keras.tree.map_structure(ops.zeros_like, states), training=training)


@keras.saving.register_keras_serializable(package="pagebeam")
class StrictlyMonotonicAttention(BahdanauMonotonicAttention):
    """Monotonic attention that stops at no position twice: each walk begins behind the last stop.

    So a score may say what a place is (the middle of a digit), where plain monotonic attention would have to learn a
    query that lets go of the place at which it has just stopped. A walk that finds no further place leaves the memory
    and brings home an empty context, which means the end.

    Takes the arguments of ``BahdanauMonotonicAttention``.
    """

    def call(self, query, memory, previous_alignments, training=None):
        behind = ops.pad(previous_alignments[:, :-1], ((0, 0), (1, 0)))  # (B, T), each row moved by one
        return super().call(query, memory, behind, training=training)
