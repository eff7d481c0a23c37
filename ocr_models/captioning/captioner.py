"""Show and Tell in use: pictures of any size in, n-best captions out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import tree

from ocr_models.bundle import Bundle
from ocr_models.captioning.show_and_tell import ShowAndTell
from ocr_models.captioning.views import center_view
from ocr_models.decoding.beam_search import beam_search
from ocr_models.inference.precision import use_bfloat16
from ocr_models.vocabulary import Vocabulary, join_tokens

BATCH = 8


@dataclass(frozen=True)
class Caption:
    """One of a picture's captions.

    Attributes:
        text: words and punctuation.
        probability: of the whole caption, 0 to 1.
        log_prob: its natural logarithm.
        tokens: the words as the model gave them.
    """

    text: str
    probability: float
    log_prob: float
    tokens: tuple[str, ...] = ()


class Captioner:
    """A captioner ready for pictures. It sees the network's weights as they are at each call.

    Args:
        network: the model.
        vocabulary: its words.
        captioner_id: names the model in results.
        beam_width: captions that beam search keeps, and that each picture gets.
        max_length: most words of a caption, its end counted as one.
        length_normalization: of beam search; 1 ranks captions by the mean log probability of their words.
    """

    def __init__(
        self,
        network: ShowAndTell,
        vocabulary: Vocabulary,
        captioner_id: str = "",
        beam_width: int = 3,
        max_length: int = 20,
        length_normalization: float = 1.0,
    ):
        self.captioner_id = captioner_id
        self._size = network.size
        self._vocabulary = vocabulary

        def search(features):
            start_id, end_id = vocabulary.start_id, vocabulary.end_id
            state = network.encode(features)
            beams = beam_search(
                network.step, state, beam_width, start_id, end_id, max_length, length_normalization=length_normalization
            )
            return beams.ids, beams.log_probs, beams.lengths

        self._see = _compiled(lambda images: network.stem(images, training=False), network.stem)
        self._tell = _compiled(search, network.decoder)

    @classmethod
    def load(cls, bundle: Bundle, beam_width: int = 3, max_length: int = 20) -> Captioner:
        """The captioner of a bundle, which ``find_bundle(name_or_path, "caption")`` gives."""
        network = keras.saving.load_model(bundle.model_path, compile=False)
        return cls(network, Vocabulary.load(bundle.vocabulary_path), bundle.id, beam_width, max_length)

    def caption(self, images: Sequence[np.ndarray]) -> list[list[Caption]]:
        """Captions of pictures, uint8 (H, W, 3) RGB of any size: ``beam_width`` for each, the likeliest first.

        Batches have a fixed size, so that a picture's captions don't depend on the other pictures.
        """
        return self.caption_features(self.features(images)) if len(images) else []

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The stem's features (N, F) of the middles of pictures, as ``caption`` takes them."""
        views = [center_view(image, self._size.resized_px, self._size.image_px) for image in images]
        return np.concatenate([self._see(batch)[:count] for batch, count in _batches(views)])

    def caption_features(self, features: np.ndarray) -> list[list[Caption]]:
        """Captions of pictures by their features (N, F)."""
        captions: list[list[Caption]] = []
        for batch, count in _batches(features):
            ids, log_probs, lengths = (x[:count].tolist() for x in self._tell(batch))
            captions.extend(map(self._n_best, ids, log_probs, lengths))
        return captions

    def _n_best(self, ids: list[list[int]], log_probs: list[float], lengths: list[int]) -> list[Caption]:
        """The captions of one picture, without the empty places of its beam."""
        found = zip(map(self._vocabulary.decode, ids), log_probs, lengths, strict=True)
        return [Caption(join_tokens(words), math.exp(x), x, words) for words, x, length in found if length]


def _batches(rows: Sequence[np.ndarray] | np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Rows in batches of the fixed size, the last one padded with zeros; each with the number of its true rows."""
    for start in range(0, len(rows), BATCH):
        chunk = np.asarray(rows[start : start + BATCH])
        padding = np.zeros((BATCH - len(chunk), *chunk.shape[1:]), chunk.dtype)
        yield np.concatenate([chunk, padding]), len(chunk)


def _compiled(function: Callable[[Any], Any], model: keras.Model) -> Callable[[np.ndarray], Any]:
    """The function of one array, which computes with the model's layers, by ``tf.function`` or ``jax.jit``.

    The model's weights are taken anew at each call: a captioner can be kept while its network learns.
    """
    if keras.backend.backend() == "jax":
        import jax

        def pure(values, x):
            with keras.StatelessScope(list(zip(model.weights, values, strict=True))):
                return function(x)

        jitted = jax.jit(pure)
        return lambda x: tree.map_structure(np.asarray, jitted([weight.value for weight in model.weights], x))
    import tensorflow as tf

    use_bfloat16()
    compiled = tf.function(function, jit_compile=False)
    return lambda x: tree.map_structure(lambda y: y.numpy(), compiled(tf.constant(x)))
