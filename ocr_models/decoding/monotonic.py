"""Monotonic attention (Raffel et al. 2017, arXiv 1704.00784): the attended position only ever moves forward.

At each step, the decoder walks along the memory from its last stop, and stops at position j with probability p_j, the
sigmoid of the score. In training, the alignments are the expectation over all such walks. In inference, a single walk
can be made, which no longer needs the positions behind the pointer.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ocr_models.decoding.attention import AttentionMechanism, AttentionMemory, BahdanauAttention, LuongAttention
from ocr_models.decoding.loop_random import LoopRandom

_MAX_DOUBLINGS = 16  # for memories of unknown length at compile time: up to 2 ** 16 positions


class MonotonicMechanism(AttentionMechanism):
    """Makes a mechanism monotonic: ``class Mine(MonotonicMechanism, MyMechanism)``.

    Args:
        mode: how alignments are computed from stopping probabilities. "parallel" and "recursive" compute the same
            expectation, for all positions at once or one after the other (less work, more steps). "hard" stops at the
            first position with a positive score; it is for inference (set ``mechanism.mode`` after training), because
            it has no gradient. Its alignments are 1 at one position, or 0 everywhere once the walk has left the memory.
        sigmoid_noise: standard deviation of normal noise that is added to the scores in training, which pushes
            probabilities to 0 and 1, as hard mode needs them (see ``LoopRandom``).
        score_bias_init: initial value of a learned scalar that is added to all scores. A negative value, which the
            paper suggests, makes the first walks long.
        seed: of the noise.

    The alignments of a row sum to at most 1; the rest is the probability that the walk has left the memory.
    """

    def __init__(
        self,
        units: int | None,
        mode: str = "parallel",
        sigmoid_noise: float = 0.0,
        score_bias_init: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(units, **kwargs)
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {', '.join(_MODES)}, got {mode!r}")
        self.mode = mode
        self.sigmoid_noise = sigmoid_noise
        self.score_bias_init = score_bias_init
        self.random = LoopRandom(seed)

    def build(self, query_shape, memory_shape) -> None:
        super().build(query_shape, memory_shape)
        initial_bias = keras.initializers.Constant(self.score_bias_init)
        self.score_bias = self.add_weight(shape=(), initializer=initial_bias, name="score_bias")

    def prepare(self, memory, memory_mask=None) -> AttentionMemory:
        return super().prepare(self.random(memory), memory_mask)

    def initial_alignments(self, memory: AttentionMemory) -> Any:
        """The alignments (B, T) before the first step: 1 at position 0, where the first walk begins."""
        at_start = ops.arange(ops.shape(memory.mask)[1]) == 0
        return ops.cast(ops.broadcast_to(at_start[None], ops.shape(memory.mask)), "float32")

    def call(self, query, memory, previous_alignments, training=None) -> Any:
        scores = self.score(query, memory) + ops.cast(self.score_bias, "float32")
        if training and self.sigmoid_noise:
            seed = self.random.step_seed(scores, previous_alignments)
            scores = scores + self.sigmoid_noise * keras.random.normal(ops.shape(scores), dtype="float32", seed=seed)
        # The walk never stops on padding.
        stop_probs = ops.cast(scores > 0, "float32") if self.mode == "hard" else ops.sigmoid(scores)
        stop_probs = stop_probs * ops.cast(memory.mask, "float32")
        return _MODES[self.mode](stop_probs, ops.cast(previous_alignments, "float32"))

    def get_config(self) -> dict[str, Any]:
        own = {"mode": self.mode, "sigmoid_noise": self.sigmoid_noise, "score_bias_init": self.score_bias_init}
        return {**super().get_config(), **own, "seed": self.random.seed}


@keras.saving.register_keras_serializable(package="pagebeam")
class LuongMonotonicAttention(MonotonicMechanism, LuongAttention):
    """``LuongAttention``, monotonic. Takes the arguments of it and of ``MonotonicMechanism``."""

    def __init__(self, units: int | None = None, **kwargs) -> None:
        super().__init__(units, **kwargs)


@keras.saving.register_keras_serializable(package="pagebeam")
class BahdanauMonotonicAttention(MonotonicMechanism, BahdanauAttention):
    """``BahdanauAttention``, monotonic. Takes the arguments of it and of ``MonotonicMechanism``.

    The paper trains with ``normalize=True``, which keeps the scores from saturating the sigmoid early.
    """

    def __init__(self, units: int, **kwargs) -> None:
        super().__init__(units, **kwargs)


def parallel_alignments(stop_probs, previous_alignments) -> Any:
    """The expected alignments (B, T), all positions at once.

    The walk reaches position j with probability r_j = (1 - p_{j-1}) r_{j-1} + a_j, where a are the previous alignments,
    and stops there with probability p_j r_j. The paper solves this with a division by a cumulative product, which fails
    when the product underflows. Doubling needs no division: each round joins every range of positions with the equally
    long range before it, until the ranges reach the beginning.

    Args:
        stop_probs: float32 (B, T), the probability p of stopping at each position that is reached.
        previous_alignments: float32 (B, T).
    """
    survive = _shifted(1 - stop_probs, 1)  # (B, T): from the beginning of the range to j without a stop
    reach = previous_alignments  # (B, T): from a beginning within the range
    length = previous_alignments.shape[1]
    doublings = _MAX_DOUBLINGS if length is None else (length - 1).bit_length()
    for shift in (2**k for k in range(doublings)):
        reach = reach + survive * _shifted(reach, shift)
        survive = survive * _shifted(survive, shift)
    return stop_probs * reach


def recursive_alignments(stop_probs, previous_alignments) -> Any:
    """The result of ``parallel_alignments``, computed one position after the other."""

    def step(reach, at_position) -> tuple[Any, Any]:
        survive, previous = at_position
        reach = survive * reach + previous
        return reach, reach

    by_position = (ops.transpose(_shifted(1 - stop_probs, 1)), ops.transpose(previous_alignments))  # (T, B)
    _, reach = ops.scan(step, ops.zeros_like(stop_probs[:, 0]), by_position)
    return stop_probs * ops.reshape(ops.transpose(reach), ops.shape(stop_probs))


def hard_alignments(stops, previous_alignments) -> Any:
    """1 at the first stop (stops are 0 or 1) at or after the previous one of each row, and 0 elsewhere."""
    open_stops = stops * ops.cumsum(previous_alignments, axis=1)  # none before the pointer
    return open_stops * ops.cast(ops.cumsum(open_stops, axis=1) == 1, "float32")


_MODES = {"parallel": parallel_alignments, "recursive": recursive_alignments, "hard": hard_alignments}


def _shifted(x, shift: int) -> Any:
    """Each row shifted to the right by ``shift``, with zeros on the left."""
    return ops.where(ops.arange(ops.shape(x)[1]) < shift, 0.0, ops.roll(x, shift, axis=1))
