"""The attention recognizer: the sequence recognition network (SRN) of Shi et al. 2016 (arXiv 1603.03915).

A convolutional encoder turns a crop into a sequence, as in CRNN; a recurrent decoder attends to one part of it after
another and outputs one character at a time. Characters are numbered from 1, as for CTC; class 0, the blank of CTC, ends
a word here. The first input of the decoder is ``start_id``, one more than the last class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

import keras
from keras import layers, ops

from ocr_models.decoding.attention import AttentionMechanism, AttentionMemory, BahdanauAttention, LuongAttention
from ocr_models.decoding.attention_wrapper import AttentionState, AttentionWrapper
from ocr_models.decoding.beam_search import beam_search, repeat_for_beams
from ocr_models.decoding.decode import decode
from ocr_models.decoding.strategies import Greedy, TeacherForcing
from ocr_models.recognition.encoder import LIGHT, ConvSize, bidirectional_lstms, conv_features, image_input

END_ID = 0


@dataclass(frozen=True)
class AttentionSize:
    """Sizes and kinds of the parts.

    Attributes:
        conv: the convolutions.
        encoder: "bilstm", two bidirectional LSTMs, which see the whole word; or "dense", a tanh layer on each position
            alone.
        encoder_units: of the tanh layer, or of each direction of the LSTMs.
        embedding: length of a character's vector.
        cell: "gru" or "lstm".
        cell_units: of the decoder's cell.
        mechanism: "bahdanau" or "luong".
        attention_units: depth of the keys.
    """

    conv: ConvSize = LIGHT
    encoder: str = "bilstm"
    encoder_units: int = 96
    embedding: int = 64
    cell: str = "gru"
    cell_units: int = 192
    mechanism: str = "bahdanau"
    attention_units: int = 128


SIZES = {"attention": AttentionSize()}
_CELLS = {"gru": layers.GRUCell, "lstm": layers.LSTMCell}


def build_attention(num_classes: int, size: AttentionSize = SIZES["attention"]) -> keras.Model:
    """Builds the model in its form for training, with the true characters as the decoder's input.

    Inputs: "image", gray crops (B, 32, W, 1), values 0 to 255, W a multiple of 4; "logit_length" (B,), the positions
    (one for every four columns) that belong to the crop and not to its padding; "token_ids" (B, L), ``start_id`` and
    then the characters. Output: float32 logits (B, L, num_classes) of the next character; class 0 is the end.
    """
    # Layers
    decoder = AttentionDecoder(
        num_classes,
        AttentionWrapper(_CELLS[size.cell](size.cell_units), _mechanism(size), output="both", name="attention"),
        size.embedding,
        name="decoder",
    )
    # Graph
    image = image_input()
    logit_length = keras.Input((), dtype="int32", name="logit_length")
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    memory = _encode(conv_features(image, size.conv), size)  # (B, T, D)
    logits = decoder(memory, logit_length, token_ids)  # (B, L, num_classes)
    return keras.Model({"image": image, "logit_length": logit_length, "token_ids": token_ids}, logits, name="attention")


def _encode(x, size: AttentionSize) -> Any:
    if size.encoder == "bilstm":
        return bidirectional_lstms(x, size.encoder_units)
    return layers.Dense(size.encoder_units, activation="tanh", name="encoder")(x)


def _mechanism(size: AttentionSize) -> AttentionMechanism:
    if size.mechanism == "bahdanau":
        return BahdanauAttention(size.attention_units, name="bahdanau")
    return LuongAttention(size.attention_units, score="general", name="luong")


def is_attention(network: Any) -> TypeGuard[keras.Model]:
    """Whether a recognizer was built by ``build_attention``."""
    return isinstance(network, keras.Model) and isinstance(network.layers[-1], AttentionDecoder)


@keras.saving.register_keras_serializable(package="pagebeam")
class AttentionDecoder(layers.Layer):
    """Decodes a memory character by character: embedding, cell with attention, dense layer on [cell output; context].

    Args:
        num_classes: characters and the end.
        wrapper: an ``AttentionWrapper`` around the cell.
        embedding: length of a character's vector.

    Call with:
        memory: (B, T, D), the encoded crops.
        logit_length: int (B,), the number of positions that are not padding.
        token_ids: int (B, L), the inputs of the decoder, step by step.

    Returns:
        float32 logits (B, L, num_classes).
    """

    def __init__(self, num_classes: int, wrapper: AttentionWrapper, embedding: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.wrapper = wrapper
        self.embedding = layers.Embedding(num_classes + 1, embedding, name="embedding")
        self.logits = layers.Dense(num_classes, dtype="float32", name="logits")

    @property
    def start_id(self) -> int:
        return self.num_classes

    def build(self, memory_shape, logit_length_shape, token_ids_shape) -> None:
        depth = self.embedding.output_dim
        self.embedding.build(token_ids_shape)
        self.wrapper.build((None, depth), memory_shape=memory_shape)
        self.logits.build((None, self.wrapper.cell.units + memory_shape[-1]))

    def call(self, memory, logit_length, token_ids) -> Any:
        prepared = self.prepare(memory, logit_length)

        def step(inputs, state) -> tuple[Any, AttentionState]:
            return self.wrapper(inputs, state, prepared)

        # The layers around the cell take all steps at once: the loop has only what depends on the step before.
        forced = decode(step, self.wrapper.get_initial_state(prepared), TeacherForcing(self.embedding(token_ids)))
        return self.logits(forced.outputs)

    def prepare(self, memory, logit_length) -> AttentionMemory:
        """Prepares the memory for ``step``, with its padding masked."""
        positions = ops.arange(ops.shape(memory)[1], dtype="int32")
        return self.wrapper.prepare(memory, positions[None, :] < ops.cast(logit_length, "int32")[:, None])

    def step(self, token_ids, state: AttentionState, memory: AttentionMemory) -> tuple[Any, AttentionState]:
        """One step of decoding: from ids (B,) and a state to logits (B, num_classes) and the next state."""
        outputs, state = self.wrapper(self.embedding(token_ids), state, memory)
        return self.logits(outputs), state

    def compute_output_shape(self, memory_shape, logit_length_shape, token_ids_shape) -> tuple[int | None, ...]:
        return (*token_ids_shape, self.num_classes)

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_classes": self.num_classes,
            "wrapper": keras.saving.serialize_keras_object(self.wrapper),
            "embedding": self.embedding.output_dim,
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config) -> AttentionDecoder:
        return cls(**{**config, "wrapper": keras.saving.deserialize_keras_object(config["wrapper"])})


class ReadWords(NamedTuple):
    """Words that were read; L is the largest number of steps allowed.

    Attributes:
        ids: int32 (B, L), classes, 0 from the end on.
        probabilities: float32 (B, L), of each class at its step, with that of the end; 0 after it.
        alignments: float32 (B, L, T), the attention weights at each step.
    """

    ids: Any
    probabilities: Any
    alignments: Any


class _ReadState(NamedTuple):
    """The decoder's state, and the probability (B,) of the likeliest class of the last step."""

    attention: AttentionState
    probability: Any


class AttentionReader(keras.Model):
    """The trained model in use: encodes crops once, then decodes without the truth.

    Args:
        network: what ``build_attention`` built, trained.
        beam_width: number of hypotheses kept; 1 decodes greedily.

    Call with "image" and "logit_length", like the network; returns ``ReadWords``. A word has at most as many characters
    as the crops, with their padding, have positions.
    """

    def __init__(self, network: keras.Model, beam_width: int = 1) -> None:
        super().__init__()
        self.decoder = network.get_layer("decoder")
        self.encoder = keras.Model(network.input["image"], self.decoder.input[0])
        self._read = self._read_greedily if beam_width == 1 else self._search
        self._beam_width = beam_width
        self.built = True

    def call(self, inputs, training=False) -> ReadWords:
        memory = self.encode(inputs["image"], inputs["logit_length"])
        return self._read(memory, ops.shape(memory.mask)[1] + 1)

    def encode(self, images, logit_length) -> AttentionMemory:
        """The memory to attend to, from crops (B, 32, W, 1) and their lengths (B,)."""
        return self.decoder.prepare(self.encoder(images, training=False), logit_length)

    def _read_greedily(self, memory: AttentionMemory, max_length) -> ReadWords:
        def step(token_ids: Any, state: _ReadState) -> tuple[Any, _ReadState]:
            logits, attention = self.decoder.step(token_ids, state.attention, memory)
            return logits, _ReadState(attention, _highest_probability(logits))

        start = self.decoder.wrapper.get_initial_state(memory)
        decoded = decode(
            step,
            _ReadState(start, start.alignments[:, 0]),
            Greedy(self.decoder.start_id, END_ID, pad_id=END_ID),
            max_length,
            history=lambda state: (state.probability, state.attention.alignments),
        )
        return ReadWords(decoded.ids, *decoded.history)

    def _search(self, memory: AttentionMemory, max_length) -> ReadWords:
        of_beams = repeat_for_beams(memory, self._beam_width)
        beams = beam_search(
            lambda token_ids, state: self.decoder.step(token_ids, state, of_beams),
            self.decoder.wrapper.get_initial_state(memory),
            self._beam_width,
            self.decoder.start_id,
            END_ID,
            max_length,
            num_results=1,
            history=lambda state: state.alignments,
            pad_id=END_ID,
        )
        in_word = ops.arange(ops.shape(beams.ids)[-1]) < beams.lengths[:, :1]  # (B, L)
        probabilities = ops.where(in_word, ops.exp(beams.token_log_probs[:, 0]), 0.0)
        return ReadWords(beams.ids[:, 0], probabilities, beams.history)


def _highest_probability(logits) -> Any:
    """The probability (B,) of the likeliest class, from logits (B, C).

    Written out because TensorFlow may compute a softmax in bfloat16 on a CPU, which has no value between 0.996 and 1.
    """
    return 1 / ops.sum(ops.exp(logits - ops.max(logits, axis=-1, keepdims=True)), axis=-1)
