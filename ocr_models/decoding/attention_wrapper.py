"""A recurrent cell that attends to a memory at every step."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops, tree

from ocr_models.decoding.attention import AttentionMechanism, AttentionMemory, build_once, memory_depth
from ocr_models.decoding.cells import cell_output_size, check_cell, initial_cell_state

_OUTPUTS = ("attention", "cell", "both")


class AttentionState(NamedTuple):
    """The state of an ``AttentionWrapper`` between steps, a tree of tensors.

    Attributes:
        cell: the state of the wrapped cell, a tree of (B, units).
        attention: (B, A), the attention vector of the last step, which is an input of the next one.
        alignments: float32 (B, T), of the last step; a decoding loop can collect their history.
    """

    cell: Any
    attention: Any
    alignments: Any


@keras.saving.register_keras_serializable(package="pagebeam")
class AttentionWrapper(keras.layers.Layer):
    """Wraps a recurrent cell with attention and input feeding (Luong et al. 2015, arXiv 1508.04025, section 3.3).

    In one step, the cell takes the inputs together with the last attention vector. Its outputs h are the query. The
    context c is the sum of the memory's values weighted by the alignments. The attention vector is the context itself
    or, with ``attention_layer_size``, a dense layer without bias on [h; c].

    To use it, ``prepare`` the memory once, take ``get_initial_state``, then call the layer step by step. If the steps
    are in a compiled loop, where no weights can be made, build the layer before: ``wrapper.build((None, depth of
    inputs), memory_shape=(None, None, D))``.

    Args:
        cell: a recurrent cell of Keras, a stack of cells, or one from ``cells.py``. Its own ``dropout`` must be 0.
        mechanism: an ``AttentionMechanism``.
        attention_layer_size: depth A of the attention vector; None for the context itself, whose depth is D.
        attention_activation: of that dense layer: tanh as in the paper, or None as in TensorFlow Addons.
        output: the output of a step: "attention" (B, A), "cell" (B, units), or "both", cell first.
        cell_input: a layer that computes the inputs of the cell from [inputs, attention]; concatenation if None.

    Call with:
        inputs: (B, depth).
        state: the ``AttentionState`` before this step.
        memory: the ``AttentionMemory``.

    Returns:
        (outputs, state): the outputs of this step and the ``AttentionState`` after it.
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        mechanism: AttentionMechanism,
        attention_layer_size: int | None = None,
        attention_activation="tanh",
        output: str = "attention",
        cell_input: keras.layers.Layer | None = None,
        **kwargs,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # the alignments in the state stay float32
        check_cell(cell)
        if output not in _OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(_OUTPUTS)}, got {output!r}")
        self.cell = cell
        self.mechanism = mechanism
        self.attention_layer_size = attention_layer_size
        self.attention_activation = keras.activations.get(attention_activation)
        self.output_kind = output
        self.cell_input = cell_input or keras.layers.Concatenate(name="cell_input", dtype=self.dtype_policy)
        self.attention_layer = self._make_attention_layer() if attention_layer_size else None

    def _make_attention_layer(self) -> keras.layers.Dense:
        return keras.layers.Dense(
            self.attention_layer_size,
            self.attention_activation,
            use_bias=False,
            dtype=self.dtype_policy,
            name="attention_layer",
        )

    def build(self, inputs_shape, state_shape=None, memory_shape=None) -> None:
        """Makes all weights. ``memory_shape`` is (B, T, D), or an ``AttentionMemory`` of shapes."""
        if memory_shape is None:
            raise ValueError("build needs memory_shape, the shape (B, T, D) of the memory")
        depth, query_depth = memory_depth(memory_shape), cell_output_size(self.cell)
        attention_shape = (*inputs_shape[:-1], self.attention_layer_size or depth)
        build_once(self.cell_input, [inputs_shape, attention_shape])
        build_once(self.cell, tuple(self.cell_input.compute_output_shape([inputs_shape, attention_shape])))
        build_once(self.mechanism, (None, query_depth), memory_shape)
        if self.attention_layer is not None:
            build_once(self.attention_layer, (None, query_depth + depth))

    def prepare(self, memory, memory_mask=None) -> AttentionMemory:
        """Projects the memory (B, T, D) once for all steps; its mask (B, T) is zero for padding."""
        return self.mechanism.prepare(memory, memory_mask)

    def get_initial_state(self, memory: AttentionMemory, cell_state=None) -> AttentionState:
        """The state before the first step.

        Args:
            memory: the prepared memory.
            cell_state: the initial state of the cell, such as the last one of an encoder, with one tensor (B, units)
                for each state of the cell; zeros if None.
        """
        batch_size = ops.shape(memory.values)[0]
        # Called even if a state is given, because it makes DropoutCell draw new masks.
        zero_state = initial_cell_state(self.cell, batch_size)
        if cell_state is not None:
            cell_state = _like(cell_state, zero_state)
        attention_depth = self.attention_layer_size or memory.values.shape[-1]
        return AttentionState(
            zero_state if cell_state is None else cell_state,
            ops.zeros((batch_size, attention_depth), self.compute_dtype),
            self.mechanism.initial_alignments(memory),
        )

    def call(self, inputs, state, memory, training=None) -> tuple[Any, AttentionState]:
        cell_inputs = self.cell_input([ops.cast(inputs, self.compute_dtype), state.attention])
        cell_outputs, cell_state = self.cell(cell_inputs, state.cell, training=training)
        # Some cells (a stack of one) return their state in another structure, which loops don't accept.
        cell_state = tree.pack_sequence_as(state.cell, tree.flatten(cell_state))
        alignments = self.mechanism(cell_outputs, memory, state.alignments, training=training)
        context = ops.einsum("bt,btd->bd", ops.cast(alignments, memory.values.dtype), memory.values)
        attention = context
        if self.attention_layer is not None:
            attention = self.attention_layer(ops.concatenate([cell_outputs, context], axis=-1))
        return self._outputs(cell_outputs, attention), AttentionState(cell_state, attention, alignments)

    def _outputs(self, cell_outputs, attention) -> Any:
        if self.output_kind == "both":
            return ops.concatenate([cell_outputs, attention], axis=-1)
        return attention if self.output_kind == "attention" else cell_outputs

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        own = {
            "cell": serialize(self.cell),
            "mechanism": serialize(self.mechanism),
            "attention_layer_size": self.attention_layer_size,
            "attention_activation": keras.activations.serialize(self.attention_activation),
            "output": self.output_kind,
            "cell_input": serialize(self.cell_input),
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config) -> AttentionWrapper:
        layers = {
            name: keras.saving.deserialize_keras_object(config[name]) for name in ("cell", "mechanism", "cell_input")
        }
        return cls(**{**config, **layers})


def _like(given, zero_state) -> Any:
    """The given state in the structure and precision of the cell's state; ValueError if its tensors differ."""
    flat, expected = tree.flatten(given), tree.flatten(zero_state)
    depths, expected_depths = ([x.shape[-1] for x in tensors] for tensors in (flat, expected))
    if depths != expected_depths:
        raise ValueError(f"cell_state must have tensors of depth {expected_depths}, as the cell has, got {depths}")
    flat = [ops.cast(x, zero.dtype) for x, zero in zip(flat, expected, strict=True)]
    return tree.pack_sequence_as(zero_state, flat)
