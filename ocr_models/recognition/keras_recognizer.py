"""Recognizers that Keras computes: those in training, those on GPUs, and all attention recognizers."""

from __future__ import annotations

import keras
import numpy as np

from ocr_models.bundle import Bundle
from ocr_models.charset import Charset
from ocr_models.inference.keras_engine import compile_forward, load_network
from ocr_models.inference.threads import limit_threads
from ocr_models.lexicon import Lexicon
from ocr_models.limits import cores
from ocr_models.recognition import digit_rows  # noqa: F401  registers its layers, so that bundles with them load
from ocr_models.recognition.attention_network import END_ID, AttentionReader, is_attention
from ocr_models.recognition.crops import INPUT_HEIGHT
from ocr_models.recognition.respelling import Reading
from ocr_models.recognition.text_recognizer import FEW_SIZES, SIZES, BatchReader, TextRecognizer, read_by_ctc

_CROPS = keras.KerasTensor((None, INPUT_HEIGHT, None, 1), "uint8")


def load_keras_recognizer(
    bundle: Bundle, charset: Charset, beam_width: int, temperature: float | None, lexicon: Lexicon | None
) -> TextRecognizer:
    """Loads a recognizer from the Keras model of its bundle; the arguments are those of ``keras_recognizer``.

    It sets in the process what ``load_forward`` does.
    """
    limit_threads(cores())
    return keras_recognizer(load_network(bundle), charset, beam_width, temperature, lexicon)


def keras_recognizer(
    network: keras.Model,
    charset: Charset,
    beam_width: int = 1,
    temperature: float | None = None,
    lexicon: Lexicon | None = None,
) -> TextRecognizer:
    """A recognizer that reads with a Keras network, with the weights that this has now.

    On TensorFlow this sets its bfloat16 option for the whole process, where the processor has bfloat16. It leaves
    TensorFlow's threads alone: for what ``TextRecognizer.read`` promises, ``limit_threads`` must be called before.

    Args:
        network: what ``build_crnn`` or ``build_attention`` built.
        charset: its characters.
        beam_width: number of prefixes (CRNN) or hypotheses (attention) that decoding keeps; 1 is greedy decoding.
        temperature: see ``TextRecognizer``.
        lexicon: for a CRNN; see ``read_by_ctc``.
    """
    on_jax = keras.backend.backend() == "jax"
    if is_attention(network):
        read_batch = _read_by_attention(network, beam_width)
        sizes = FEW_SIZES if on_jax or beam_width > 1 else SIZES
        return TextRecognizer(read_batch, charset, temperature, sizes)
    read_batch = read_by_ctc(compile_forward(network, _CROPS), charset, beam_width, lexicon)
    return TextRecognizer(read_batch, charset, temperature, FEW_SIZES if on_jax else SIZES)


def _read_by_attention(network: keras.Model, beam_width: int) -> BatchReader:
    inputs = {"image": _CROPS, "logit_length": keras.KerasTensor((None,), "int32")}
    # Beam search needs the width of the crops at compile time.
    forward = compile_forward(AttentionReader(network, beam_width), inputs if beam_width == 1 else None)

    def read_batch(images: np.ndarray, logit_lengths: np.ndarray) -> list[Reading]:
        words = forward({"image": images, "logit_length": logit_lengths})
        return [_attended(*of_crop) for of_crop in zip(*words, strict=True)]

    return read_batch


def _attended(ids: np.ndarray, probabilities: np.ndarray, alignments: np.ndarray) -> Reading:
    # The probability of the end counts, too: if it is low, characters may be missing.
    count = np.count_nonzero(probabilities)
    text = ids[ids != END_ID]
    steps = alignments[: len(text)].argmax(axis=1).tolist()
    return Reading(text.tolist(), tuple(probabilities[:count].tolist()), steps, alignments)
