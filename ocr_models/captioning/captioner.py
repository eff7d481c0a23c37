"""Show and Tell in use: n-best captions for pictures of any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import tree

from ocr_models.bundle import Bundle
from ocr_models.captioning.show_and_tell import ShowAndTell
from ocr_models.captioning.views import center_view
from ocr_models.decoding.beam_search import beam_search
from ocr_models.inference.keras_engine import load_keras_model
from ocr_models.inference.precision import use_bfloat16
from ocr_models.vocabulary import Vocabulary, join_tokens


@dataclass(frozen=True)
class Caption:
    """A caption of a picture.

    Attributes:
        text: words and punctuation.
        probability: of the whole caption, 0 to 1.
        log_prob: its natural logarithm.
        tokens: the words and marks as the model gave them.
    """

    text: str
    probability: float
    log_prob: float
    tokens: tuple[str, ...] = ()


class Captioner:
    """Captions pictures, with the weights that the network has at the time of each call.

    Pictures are computed one at a time. Within a batch, results can differ in their last bits from place to place (they
    do with AVX2 alone), and where hypotheses of a beam are nearly equal, such a bit changes the caption. One at a time,
    the captions of a picture depend on nothing but the picture. Compared with batches of 8, this takes 2.2 to 2.5 times
    the processor time for "show-and-tell", and 4 to 4.5 times for "show-and-tell-light" (AVX-512, vocabularies of 2,500
    and 10,000 words).

    Args:
        network: the model.
        vocabulary: its words.
        captioner_id: names the model in results.
        beam_width: number of captions that beam search keeps, and that each picture gets.
        max_length: the largest number of words in a caption; its end counts as one.
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
    ) -> None:
        self.captioner_id = captioner_id
        self._size = network.size
        self._vocabulary = vocabulary

        def search(features: Any) -> tuple[Any, Any, Any]:
            start_id, end_id = vocabulary.start_id, vocabulary.end_id
            state = network.encode(features)
            beams = beam_search(
                network.step, state, beam_width, start_id, end_id, max_length, length_normalization=length_normalization
            )
            return beams.ids, beams.log_probs, beams.lengths

        self._see = _compiled(lambda images: network.backbone(images, training=False), network.backbone)
        self._tell = _compiled(search, network.decoder)

    @classmethod
    def load(cls, bundle: Bundle, beam_width: int = 3, max_length: int = 20) -> Captioner:
        """Loads the captioner of a bundle, which ``find_bundle(name_or_path, "caption")`` returns.

        On TensorFlow this sets its bfloat16 option for the whole process, where the processor has bfloat16.
        """
        vocabulary = Vocabulary.load(bundle.vocabulary_path)
        return cls(load_keras_model(bundle), vocabulary, bundle.id, beam_width, max_length)

    def caption(self, images: Sequence[np.ndarray]) -> list[list[Caption]]:
        """Captions of pictures, uint8 (H, W, 3) RGB of any size: ``beam_width`` for each, the likeliest first."""
        return self.caption_features(self.features(images)) if len(images) else []

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The backbone's features (N, F) of the middles of at least one picture, uint8 (H, W, 3) RGB."""
        views = (center_view(image, self._size.resized_px, self._size.image_px) for image in images)
        return np.concatenate([self._see(view[None]) for view in views])

    def caption_features(self, features: np.ndarray) -> list[list[Caption]]:
        """Captions of pictures, given their features (N, F)."""
        told = (self._tell(of_picture[None]) for of_picture in features)
        return [self._n_best(*(x[0].tolist() for x in beams)) for beams in told]

    def _n_best(self, ids: list[list[int]], log_probs: list[float], lengths: list[int]) -> list[Caption]:
        """The captions of one picture; empty places of its beam are left out."""
        found = zip(map(self._vocabulary.decode, ids), log_probs, lengths, strict=True)
        return [Caption(join_tokens(words), math.exp(x), x, words) for words, x, length in found if length]


def _compiled(function: Callable[[Any], Any], model: keras.Model) -> Callable[[np.ndarray], Any]:
    """Compiles a function of one array that computes with the model's layers (``tf.function`` or ``jax.jit``).

    Each call uses the weights that the model has then, so that a captioner can be kept while its network learns.
    """
    if keras.backend.backend() == "jax":
        import jax

        def pure(values: list[Any], x: Any) -> Any:
            with keras.StatelessScope(list(zip(model.weights, values, strict=True))):
                return function(x)

        jitted = jax.jit(pure)
        return lambda x: tree.map_structure(np.asarray, jitted([weight.value for weight in model.weights], x))
    import tensorflow as tf

    use_bfloat16()
    compiled = tf.function(function, jit_compile=False)
    return lambda x: tree.map_structure(lambda y: y.numpy(), compiled(tf.constant(x)))
