"""Attention mechanisms: weights, summing to 1, that say how well each position of a memory matches a query.

A mechanism works in two steps: ``prepare`` projects the memory once for a whole sequence, then each decoding step
computes the alignments of its query. This module has the two classic scores; ``monotonic.py`` has mechanisms that only
move forward.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

_MASKED_SCORE = -1e9  # finite, so that a row without real positions gives no NaN


class AttentionMemory(NamedTuple):
    """A prepared memory, to which a decoder attends. A tree of tensors, which can pass through loops and ``jax.jit``.

    Attributes:
        values: (B, T, D), the memory, zero where it is padding; contexts are weighted sums of it.
        keys: (B, T, units), with which queries are compared.
        mask: bool (B, T), False for padding.
    """

    values: Any
    keys: Any
    mask: Any


class AttentionMechanism(keras.layers.Layer):
    """The base of mechanisms; a subclass defines ``score`` and, for its weights, ``build``.

    Args:
        units: depth of the keys, which a dense layer without bias computes from the memory; None to use the memory.

    Call with:
        query: (B, Q).
        memory: the ``AttentionMemory`` from ``prepare``.
        previous_alignments: (B, T), of the previous step; for the first step, ``initial_alignments(memory)``.

    Returns:
        alignments: float32 (B, T), whatever the precision of the layer. They sum to 1 and are exactly 0 where
        ``memory.mask`` is False; a row without real positions has only zeros.

    ``build`` makes all weights, with those of ``prepare``. A mechanism, or the layer that contains it, must be built
    before it is used inside a compiled loop: ``mechanism.build((None, Q), (None, None, D))``.
    """

    def __init__(self, units: int | None, **kwargs) -> None:
        # Without autocasting, alignments stay float32 in mixed precision; scores are computed in float32, too.
        super().__init__(autocast=False, **kwargs)
        _check_units(units, optional=True)
        self.units = units
        self.memory_layer = self._projection(units, "memory_layer") if units else None

    def _projection(self, units: int, name: str) -> keras.layers.Dense:
        return keras.layers.Dense(units, use_bias=False, dtype=self.dtype_policy, name=name)

    def build(self, query_shape, memory_shape) -> None:
        """Makes all weights. ``memory_shape`` is (B, T, D), or an ``AttentionMemory`` of shapes."""
        if self.memory_layer is not None:
            build_once(self.memory_layer, (None, None, memory_depth(memory_shape)))

    def keys_depth(self, memory_shape) -> int:
        """The depth of the keys of a memory of this shape."""
        return self.units or memory_depth(memory_shape)

    def prepare(self, memory, memory_mask=None) -> AttentionMemory:
        """Projects the memory once for all steps of a sequence.

        Args:
            memory: (B, T, D).
            memory_mask: (B, T), zero for padding; None if there is no padding.
        """
        memory = ops.cast(memory, self.compute_dtype)
        if len(memory.shape) != 3:
            raise ValueError(f"memory must have the shape (B, T, D), got {tuple(memory.shape)}")
        mask = _checked_mask(memory, memory_mask)
        values = ops.where(mask[:, :, None], memory, ops.zeros_like(memory))
        return AttentionMemory(values, values if self.memory_layer is None else self.memory_layer(values), mask)

    def initial_alignments(self, memory: AttentionMemory) -> Any:
        """The alignments (B, T) before the first step: zeros."""
        return ops.zeros(ops.shape(memory.mask), "float32")

    def call(self, query, memory, previous_alignments, training=None) -> Any:
        return masked_softmax(self.score(query, memory), memory.mask)

    def score(self, query, memory: AttentionMemory) -> Any:
        """Scores, float32 (B, T), of a query (B, Q); those of padding are ignored."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="pagebeam")
class LuongAttention(AttentionMechanism):
    """Multiplicative attention (Luong, Pham and Manning 2015, arXiv 1508.04025).

    The score "dot" is q · k, for queries of the same depth as the keys; "general" is (W q) · k, for queries of any
    depth. With ``units``, the keys k are the projected memory; without, they are the memory itself. The paper's dot and
    general (q W m) have no ``units``; LuongAttention of TensorFlow Addons is "dot" with ``units``.

    Args:
        units: depth of the keys; None to use the memory as keys.
        score: "dot" or "general".
        scale: whether the scores are multiplied by a learned scalar g, which starts at 1.

    For shapes see ``AttentionMechanism``.
    """

    def __init__(self, units: int | None = None, score: str = "dot", scale: bool = False, **kwargs) -> None:
        super().__init__(units, **kwargs)
        if score not in ("dot", "general"):
            raise ValueError(f'score must be "dot" or "general", got {score!r}')
        self.score_kind = score
        self.scale = scale
        self.query_layer: keras.layers.Dense | None = None

    def build(self, query_shape, memory_shape) -> None:
        super().build(query_shape, memory_shape)
        depth = self.keys_depth(memory_shape)
        if self.score_kind == "general":
            self.query_layer = self._projection(depth, "query_layer")
            self.query_layer.build(query_shape)
        elif query_shape[-1] != depth:
            raise ValueError(
                f"the dot score compares a query with keys of the same depth, got {query_shape[-1]} and {depth}: "
                f'pass units={query_shape[-1]}, or score="general", which projects the query'
            )
        self.g = self.add_weight(shape=(), initializer="ones", name="g") if self.scale else None

    def score(self, query, memory) -> Any:
        query = query if self.query_layer is None else self.query_layer(query)
        scores = ops.einsum("bu,btu->bt", ops.cast(query, "float32"), ops.cast(memory.keys, "float32"))
        return scores if self.g is None else scores * ops.cast(self.g, "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "score": self.score_kind, "scale": self.scale}


@keras.saving.register_keras_serializable(package="pagebeam")
class BahdanauAttention(AttentionMechanism):
    """Additive attention (Bahdanau, Cho and Bengio 2014, arXiv 1409.0473).

    The score of a position with the key k = U m is v · tanh(W q + k). With ``normalize``, it is
    g (v / |v|) · tanh(W q + k + b), where g starts at sqrt(1 / units) and b at zero (Salimans and Kingma 2016, arXiv
    1602.07868).

    Args:
        units: depth of the keys and of the projected query.
        normalize: whether the direction and the length of v are learned separately, with a bias.

    For shapes see ``AttentionMechanism``.
    """

    def __init__(self, units: int, normalize: bool = False, **kwargs) -> None:
        _check_units(units)
        super().__init__(units, **kwargs)
        self.normalize = normalize
        self.query_layer = self._projection(units, "query_layer")

    def build(self, query_shape, memory_shape) -> None:
        super().build(query_shape, memory_shape)
        build_once(self.query_layer, query_shape)
        units = self.keys_depth(memory_shape)
        self.v = self.add_weight(shape=(units,), initializer="glorot_uniform", name="v")
        if self.normalize:
            self.g = self.add_weight(shape=(), initializer=keras.initializers.Constant(units**-0.5), name="g")
            self.b = self.add_weight(shape=(units,), initializer="zeros", name="b")

    def score(self, query, memory) -> Any:
        query = ops.expand_dims(self.query_layer(query), 1)  # (B, 1, units)
        hidden = ops.cast(query, "float32") + ops.cast(memory.keys, "float32")  # (B, T, units)
        v = ops.cast(self.v, "float32")
        if self.normalize:
            hidden = hidden + ops.cast(self.b, "float32")
            v = ops.cast(self.g, "float32") * v / ops.norm(v)
        return ops.sum(v * ops.tanh(hidden), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "normalize": self.normalize}


def masked_softmax(scores, mask) -> Any:
    """Softmax over the last axis in float32, exactly 0 where ``mask`` is False, even if it is False everywhere."""
    scores = ops.where(mask, ops.cast(scores, "float32"), _MASKED_SCORE)
    return ops.softmax(scores, axis=-1) * ops.cast(mask, "float32")


def memory_depth(memory_shape) -> int:
    """D, from the shape (B, T, D) of a memory or an ``AttentionMemory`` of shapes (a plain list in saved models)."""
    values_shape = memory_shape[0] if isinstance(memory_shape[0], tuple | list) else memory_shape
    return values_shape[-1]


def build_once(layer: keras.layers.Layer, *shapes) -> None:
    """Builds a layer unless it has been built already, by a call or by another layer that shares it."""
    if not layer.built:
        layer.build(*shapes)


def _checked_mask(memory, memory_mask) -> Any:
    """The mask as bool (B, T); all True if None."""
    if memory_mask is None:
        return ops.ones(ops.shape(memory)[:2], "bool")
    memory_mask = ops.cast(memory_mask, "bool")
    if len(memory_mask.shape) != 2 or _differ(memory_mask.shape[1], memory.shape[1]):
        raise ValueError(
            f"memory_mask must have the shape (B, T) of its memory {tuple(memory.shape)}, "
            f"got {tuple(memory_mask.shape)}"
        )
    return memory_mask


def _differ(a: int | None, b: int | None) -> bool:
    return a is not None and b is not None and a != b


def _check_units(units: int | None, optional: bool = False) -> None:
    if not (optional and units is None) and not (isinstance(units, int) and units > 0):
        raise ValueError(f"units must be a positive integer{' or None' if optional else ''}, got {units!r}")
