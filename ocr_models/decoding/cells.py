"""Wrappers around recurrent cells that are cells themselves, for ``keras.layers.RNN``, stacks and ``AttentionWrapper``.

A cell takes ``(inputs, states)`` of one step, (B, D) and a tree of (B, units), and returns ``(outputs, new states)``.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops, tree

from ocr_models.decoding.attention import build_once
from ocr_models.decoding.loop_random import LoopRandom


class CellWrapper(keras.layers.Layer):
    """The base of wrappers, which passes everything on to the wrapped cell; subclasses override ``call``.

    A subclass with arguments stores them in ``__init__`` and adds them to ``get_config``; one with weights makes them
    in ``build``; one whose outputs have another depth than those of the cell overrides ``output_size``. The states are
    those of the cell.

    Args:
        cell: a recurrent cell that is a Keras layer, wrapped or not. Its own ``dropout`` must be 0, because only
            ``keras.layers.RNN`` draws its masks; ``DropoutCell`` works everywhere.
    """

    def __init__(self, cell: keras.layers.Layer, **kwargs) -> None:
        super().__init__(**kwargs)
        check_cell(cell)
        self.cell = cell

    @property
    def state_size(self) -> Any:
        return self.cell.state_size

    @property
    def output_size(self) -> int:
        return cell_output_size(self.cell)

    def get_initial_state(self, batch_size=None) -> Any:
        return initial_cell_state(self.cell, batch_size)

    def build(self, input_shape) -> None:
        build_once(self.cell, input_shape)

    def call(self, inputs, states, training=None) -> tuple[Any, Any]:
        return self.cell(inputs, states, training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cell": keras.saving.serialize_keras_object(self.cell)}

    @classmethod
    def from_config(cls, config) -> CellWrapper:
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})


@keras.saving.register_keras_serializable(package="pagebeam")
class ResidualCell(CellWrapper):
    """Adds the inputs to the outputs of the cell, which must have the same depth."""

    def build(self, input_shape) -> None:
        super().build(input_shape)
        if input_shape[-1] != self.output_size:
            raise ValueError(
                f"ResidualCell adds inputs and outputs, which must have the same depth, got {input_shape[-1]} and "
                f"{self.output_size}: wrap the cell in OutputProjectionCell(cell, {input_shape[-1]}) first"
            )

    def call(self, inputs, states, training=None) -> tuple[Any, Any]:
        outputs, states = self.cell(inputs, states, training=training)
        return inputs + outputs, states


@keras.saving.register_keras_serializable(package="pagebeam")
class DropoutCell(CellWrapper):
    """Dropout on the inputs and outputs of the cell, in training only (Zaremba et al. 2014, arXiv 1409.2329).

    Each step has its own masks; recurrent states are never dropped. Masks are drawn inside the loop, on TensorFlow and
    on JAX (see ``LoopRandom``). They also differ between calls with equal weights and data, if the loop begins with
    this cell's ``get_initial_state`` within a Keras call with ``training=True``: ``keras.layers.RNN`` calls it unless
    it is given a state, and ``AttentionWrapper.get_initial_state`` always does.

    Args:
        cell: the cell to wrap.
        input_rate: share of the inputs that are set to zero, at least 0 and below 1.
        output_rate: share of the outputs that are set to zero, at least 0 and below 1.
        seed: of the masks.
    """

    def __init__(
        self, cell, input_rate: float = 0.0, output_rate: float = 0.0, seed: int | None = None, **kwargs
    ) -> None:
        super().__init__(cell, **kwargs)
        for name, rate in {"input_rate": input_rate, "output_rate": output_rate}.items():
            if not 0 <= rate < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {rate}")
        self.input_rate = input_rate
        self.output_rate = output_rate
        self.random = LoopRandom(seed)

    def get_initial_state(self, batch_size=None) -> Any:
        return self.random(super().get_initial_state(batch_size))

    def call(self, inputs, states, training=None) -> tuple[Any, Any]:
        inputs = self._drop(inputs, self.input_rate, states, training)
        outputs, new_states = self.cell(inputs, states, training=training)
        return self._drop(outputs, self.output_rate, states, training), new_states

    def _drop(self, x, rate, states, training) -> Any:
        if not training or rate == 0:
            return x
        return keras.random.dropout(x, rate, seed=self.random.step_seed(x, *tree.flatten(states)))

    def get_config(self) -> dict[str, Any]:
        own = {"input_rate": self.input_rate, "output_rate": self.output_rate, "seed": self.random.seed}
        return {**super().get_config(), **own}


class _ProjectionCell(CellWrapper):
    """A cell with a dense layer to ``units``."""

    def __init__(self, cell, units: int, activation=None, **kwargs) -> None:
        super().__init__(cell, **kwargs)
        self.projection = keras.layers.Dense(units, activation, dtype=self.dtype_policy, name="projection")

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.projection.activation)
        return {**super().get_config(), "units": self.projection.units, "activation": activation}


@keras.saving.register_keras_serializable(package="pagebeam")
class InputProjectionCell(_ProjectionCell):
    """A dense layer before the cell.

    Args:
        cell: the cell to wrap.
        units: depth of the projection, which is the input of the cell.
        activation: of the projection, a name or function; linear if None.
    """

    def build(self, input_shape) -> None:
        build_once(self.projection, input_shape)
        super().build((*input_shape[:-1], self.projection.units))

    def call(self, inputs, states, training=None) -> tuple[Any, Any]:
        return self.cell(self.projection(inputs), states, training=training)


@keras.saving.register_keras_serializable(package="pagebeam")
class OutputProjectionCell(_ProjectionCell):
    """A dense layer after the cell, such as the one to logits.

    With a mask, ``keras.layers.RNN`` needs ``zero_output_for_mask=True``: otherwise it takes the first state of a cell
    for its last output, but here their depths differ.

    Args:
        cell: the cell to wrap.
        units: depth of the projection, which is the output.
        activation: of the projection, a name or function; linear if None.
    """

    @property
    def output_size(self) -> int:
        return self.projection.units

    def build(self, input_shape) -> None:
        super().build(input_shape)
        build_once(self.projection, (*input_shape[:-1], cell_output_size(self.cell)))

    def call(self, inputs, states, training=None) -> tuple[Any, Any]:
        outputs, states = self.cell(inputs, states, training=training)
        return self.projection(outputs), states


def cell_output_size(cell) -> int:
    """Depth of the outputs of a cell: its ``output_size`` or, if it has none, the depth of its first state."""
    size = getattr(cell, "output_size", None)
    return tree.flatten(cell.state_size)[0] if size is None else size


def initial_cell_state(cell, batch_size) -> Any:
    """The initial state (B, units) of a cell, from its ``get_initial_state``; zeros if it has none."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch_size)
    return tree.map_structure(lambda size: ops.zeros((batch_size, size), cell.compute_dtype), cell.state_size)


def check_cell(cell) -> None:
    """Raises ValueError unless the cell can run inside a compiled loop."""
    is_layer = isinstance(cell, keras.layers.Layer) and not isinstance(cell, keras.layers.RNN)
    if not is_layer or not hasattr(cell, "state_size"):
        raise ValueError(f"cell must be a recurrent cell, such as keras.layers.GRUCell(64), got {cell!r}")
    for inner in getattr(cell, "cells", []):
        check_cell(inner)
    if getattr(cell, "dropout", 0) or getattr(cell, "recurrent_dropout", 0):
        raise ValueError(
            f"{cell.name} has its own dropout or recurrent_dropout, whose masks only keras.layers.RNN can draw: set "
            "both to 0 and wrap the cell in DropoutCell"
        )
