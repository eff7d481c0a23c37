"""Decoding strategies: the inputs of a step, the ids chosen from its outputs, and the end of a row.

Strategies and models are independent of each other; ``ocr_models.decoding.decode.decode`` combines them.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Strategy:
    """The base of all strategies; subclasses override what they need (``docs/decoding.md`` has an example).

    Whatever is known before the first step (true ids, frames, random numbers) is the ``plan``. The loop passes one
    slice of it per step to the other methods, as ``planned``. A strategy therefore has no state and can be used for any
    number of batches.

    Attributes:
        num_steps: int or scalar tensor, the exact number of steps of the loop, through which gradients flow; or None,
            and the loop runs, without gradients, until all rows have ended or ``max_length`` is reached.
        pad_id: the id of the steps after the end of a row.
    """

    num_steps: Any = None
    pad_id = 0

    def plan(self, batch_size, max_length) -> Any:
        """A tree of tensors (max_length, B, ...), or longer ones."""
        return ()

    def first_inputs(self, batch_size, planned) -> Any:
        """The inputs (B, ...) of the first step; ``planned`` is the first slice (B, ...) of the plan."""
        raise NotImplementedError(f"{type(self).__name__} must define first_inputs.")

    def next_inputs(self, outputs, ids, planned) -> Any:
        """The inputs (B, ...) of a later step, from its ``planned`` and the outputs and ids of the previous step."""
        raise NotImplementedError(f"{type(self).__name__} must define next_inputs.")

    def sample(self, outputs, planned) -> Any:
        """The ids (B,) chosen from the outputs of a step, or None if this strategy chooses none."""
        return None

    def ends(self, outputs, ids, planned) -> Any:
        """Whether each row ends with this step, bool (B,); None if rows never end before the loop does."""
        return None


class TeacherForcing(Strategy):
    """Feeds the truth whatever the outputs, for training. Chooses no ids.

    Args:
        inputs: (B, L, ...), the inputs of the L steps: token ids (the truth shifted by one, start id first), or other
            inputs of a step, such as embedded tokens or frames.
        lengths: int (B,), at least 1: number of steps after which a row ends and keeps its state; optional.
    """

    def __init__(self, inputs, lengths=None) -> None:
        self.inputs = inputs
        self.lengths = lengths
        self.num_steps = ops.shape(inputs)[1]

    def plan(self, batch_size, max_length) -> Any:
        inputs = _time_major(self.inputs)  # (L, B, ...)
        if self.lengths is None:
            return inputs, ()
        return inputs, ops.arange(1, self.num_steps + 1)[:, None] >= ops.cast(self.lengths, "int32")[None]

    def first_inputs(self, batch_size, planned) -> Any:
        return planned[0]

    def next_inputs(self, outputs, ids, planned) -> Any:
        return planned[0]

    def ends(self, outputs, ids, planned) -> Any:
        return None if self.lengths is None else planned[1]


class Greedy(Strategy):
    """Feeds back the likeliest id of each step, the lowest among equally likely ones, until the end id.

    Args:
        start_id: the input of the first step.
        end_id: the id that ends a row.
        pad_id: the id of the steps after the end.
    """

    def __init__(self, start_id: int, end_id: int, pad_id: int = 0) -> None:
        self.start_id = start_id
        self.end_id = end_id
        self.pad_id = pad_id

    def first_inputs(self, batch_size, planned) -> Any:
        return ops.full((batch_size,), self.start_id, dtype="int32")

    def next_inputs(self, outputs, ids, planned) -> Any:
        return ids

    def sample(self, outputs, planned) -> Any:
        return ops.cast(ops.argmax(outputs, axis=-1), "int32")

    def ends(self, outputs, ids, planned) -> Any:
        return ids == self.end_id


class Sampling(Greedy):
    """Feeds back an id drawn from the softmax of each step's logits, until the end id.

    Args:
        start_id: the input of the first step.
        end_id: the id that ends a row.
        temperature: divisor of the logits; below 1, likely ids become likelier.
        top_k: draw from the ``top_k`` likeliest ids only.
        seed: an int gives the same ids at each call; a ``keras.random.SeedGenerator`` gives new ones.
        pad_id: the id of the steps after the end.

    Raises:
        ValueError: ``temperature`` is not above 0, or ``top_k`` below 1.
    """

    def __init__(
        self, start_id: int, end_id: int, temperature=1.0, top_k: int | None = None, seed=0, pad_id: int = 0
    ) -> None:
        super().__init__(start_id, end_id, pad_id)
        if isinstance(temperature, int | float) and temperature <= 0:
            raise ValueError(f"temperature is {temperature}, but must be above 0; Greedy is the limit at 0.")
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k is {top_k}, but must be at least 1, or None for all ids.")
        self.temperature = temperature
        self.top_k = top_k
        self.seed = seed

    def plan(self, batch_size, max_length) -> Any:
        return _uniforms((max_length, batch_size), self.seed)

    def sample(self, outputs, planned) -> Any:
        return sample_ids(outputs, planned, self.temperature, self.top_k)


class ScheduledSampling(Strategy):
    """Feeds the truth or, at random, an id drawn from the previous outputs (Bengio et al. 2015, arXiv 1506.03099).

    The chosen ids are those drawn at each step, whether they are fed back or not.

    Args:
        token_ids: int (B, L), the true inputs of the L steps, start id first.
        sampling_probability: of feeding a drawn id instead of the true one; a float, or a scalar that a schedule sets.
        seed: an int gives the same ids at each call; for training use a ``keras.random.SeedGenerator``, which gives new
            ones.

    Raises:
        ValueError: ``sampling_probability`` is a number outside 0 to 1.
    """

    def __init__(self, token_ids, sampling_probability, seed=0) -> None:
        if isinstance(sampling_probability, int | float) and not 0 <= sampling_probability <= 1:
            raise ValueError(f"sampling_probability is {sampling_probability}, but must be from 0 to 1.")
        self.token_ids = ops.cast(token_ids, "int32")
        self.sampling_probability = sampling_probability
        self.seed = seed
        self.num_steps = ops.shape(token_ids)[1]

    def plan(self, batch_size, max_length) -> Any:
        token_ids = _time_major(self.token_ids)
        return token_ids, _uniforms((self.num_steps, batch_size, 2), self.seed)  # for the choice, and for the id

    def first_inputs(self, batch_size, planned) -> Any:
        return planned[0]

    def next_inputs(self, outputs, ids, planned) -> Any:
        token_ids, uniforms = planned
        return ops.where(uniforms[:, 0] < self.sampling_probability, ids, token_ids)

    def sample(self, outputs, planned) -> Any:
        return sample_ids(outputs, planned[1][:, 1])


def sample_ids(logits, uniforms, temperature=1.0, top_k: int | None = None) -> Any:
    """Draws ids from the softmax of logits, by inverting its cumulative distribution.

    Args:
        logits: (B, V).
        uniforms: float (B,), random numbers from 0 to just below 1.
        temperature: divisor of the logits.
        top_k: draw from the ``top_k`` likeliest ids only.

    Returns:
        int32 (B,). An id of probability 0 is never drawn.
    """
    logits = ops.cast(logits, "float32") / temperature
    if top_k is None:
        return _invert(logits, uniforms)
    logits, candidates = ops.top_k(logits, min(top_k, logits.shape[-1]))  # (B, K)
    chosen = _invert(logits, uniforms)
    return ops.cast(ops.take_along_axis(candidates, chosen[:, None], axis=-1)[:, 0], "int32")


def _invert(logits, uniforms) -> Any:
    """For each row the first class whose cumulative probability is above the row's random number: (B,)."""
    cumulative = ops.cumsum(ops.exp(logits - ops.max(logits, axis=-1, keepdims=True)), axis=-1)
    thresholds = uniforms[:, None] * cumulative[:, -1:]
    return ops.sum(ops.cast(cumulative <= thresholds, "int32"), axis=-1)


def _uniforms(shape, seed) -> Any:
    """Random numbers from 0 to a millionth below 1: so far below that, times a sum, they stay below that sum."""
    return keras.random.uniform(shape, maxval=1 - 1e-6, dtype="float32", seed=seed)


def _time_major(x) -> Any:
    """(B, L, ...) -> (L, B, ...)"""
    return ops.moveaxis(x, 1, 0)
