"""Cell wrappers: alone, in ``keras.layers.RNN``, in stacks and in compiled training."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops, tree

from ocr_models.decoding.cells import (
    CellWrapper,
    DropoutCell,
    InputProjectionCell,
    OutputProjectionCell,
    ResidualCell,
)
from tests.decoding.stepping import normal, numpy

INPUTS = normal(0, 3, 5, 4)  # (B, T, D)
WRAPPERS = {
    "residual": lambda cell: ResidualCell(cell),
    "dropout": lambda cell: DropoutCell(cell, 0.3, 0.3),
    "input projection": lambda cell: InputProjectionCell(cell, 7, "relu"),
    "output projection": lambda cell: OutputProjectionCell(cell, 3, "tanh"),
    "all": lambda cell: DropoutCell(ResidualCell(OutputProjectionCell(InputProjectionCell(cell, 7), 4)), 0.3),
}
every_wrapper = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)


@keras.saving.register_keras_serializable(package="pagebeam_tests")
class EchoCell(layers.Layer):
    """Puts out its inputs and counts its steps. Without ``get_initial_state``, which Keras doesn't require."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = self.output_size = units

    def call(self, inputs, states):
        return inputs, [states[0] + 1]


def run(cell, inputs=INPUTS, **kwargs):
    """Outputs (B, T, D) of a cell in ``keras.layers.RNN``."""
    return numpy(layers.RNN(cell, return_sequences=True)(inputs, **kwargs))


def test_residual_adds_inputs():
    cell = layers.GRUCell(4)
    plain = run(cell)
    np.testing.assert_allclose(run(ResidualCell(cell)), plain + INPUTS, rtol=1e-5, atol=1e-6)


def test_projections_by_hand():
    # An echo between the two dense layers: (1, 2) times ((1, 0, 2), (0, 1, 1)) is (1, 2, 4), of which (1, 1, -1) makes
    # -1, and relu 0; (2, 2) becomes (2, 2, 6) and -2; (-1, -1) becomes (-1, -1, -3) and 1.
    cell = OutputProjectionCell(InputProjectionCell(EchoCell(3), 3), 1, "relu")
    cell.build((None, 2))
    cell.cell.projection.kernel.assign([[1, 0, 2], [0, 1, 1]])
    cell.projection.kernel.assign([[1], [1], [-1]])
    inputs = np.array([[[1, 2], [2, 2], [-1, -1]]], np.float32)
    np.testing.assert_allclose(run(cell, inputs), [[[0], [0], [1]]])
    cell.projection.bias.assign([3])
    np.testing.assert_allclose(run(cell, inputs), [[[2], [1], [4]]])


@every_wrapper
def test_rnn_takes_the_steps_of_the_cell(wrap):
    cell = wrap(layers.LSTMCell(4))
    outputs = run(cell)
    state = cell.get_initial_state(batch_size=3)
    for t in range(INPUTS.shape[1]):
        expected, state = cell(INPUTS[:, t], state)
        np.testing.assert_allclose(outputs[:, t], numpy(expected), rtol=1e-4, atol=1e-5)
    assert outputs.shape[-1] == cell.output_size
    assert [x.shape[-1] for x in tree.flatten(state)] == tree.flatten(cell.state_size)


@every_wrapper
def test_config_round_trip(wrap):
    cell = wrap(layers.GRUCell(4))
    expected = run(cell)
    clone = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert all(getattr(clone, name) == getattr(cell, name) for name in ("state_size", "output_size", "name"))
    clone.set_weights(cell.get_weights())
    np.testing.assert_allclose(run(clone), expected, rtol=1e-6)


def stacked_model():
    """All wrappers, in a stack with a plain cell."""
    stack = layers.StackedRNNCells([WRAPPERS["all"](layers.LSTMCell(4)), layers.GRUCell(8)])
    model = keras.Sequential([keras.Input((5, 4)), layers.RNN(stack, return_sequences=True), layers.Dense(4)])
    model.compile(keras.optimizers.Adam(0.03), "mse")
    return model


def test_training_lowers_the_loss_and_the_model_can_be_saved(tmp_path):
    model = stacked_model()
    losses = [float(model.train_on_batch(INPUTS, INPUTS)) for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.7 * losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(INPUTS, verbose=0), model.predict(INPUTS, verbose=0), rtol=1e-6)


def dropped(cell, inputs, **kwargs):
    """bool (B, T, D): where the outputs are 0."""
    return run(cell, inputs, **kwargs) == 0


@pytest.mark.parametrize("rates", [{"input_rate": 0.25}, {"output_rate": 0.25}], ids=["input", "output"])
def test_dropout_is_for_training_only_and_keeps_the_mean(rates):
    inputs = np.ones((50, 8, 40), np.float32)
    cell = DropoutCell(EchoCell(40), **rates, seed=0)
    np.testing.assert_array_equal(run(cell, inputs), inputs)
    outputs = run(cell, inputs, training=True)
    # What is kept is divided by 3/4. Of 16,000 numbers a quarter is 0, give or take 3 * sqrt(3/16 / 16,000) = 0.01.
    kept = outputs != 0
    np.testing.assert_allclose(outputs[kept], 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(kept.mean(), 0.75, atol=0.011)


@pytest.mark.parametrize("rates", [{"input_rate": 0.5}, {"output_rate": 0.5}], ids=["input", "output"])
def test_dropout_differs_by_row_step_and_call(rates):
    inputs = np.ones((4, 6, 32), np.float32)
    cell = DropoutCell(EchoCell(32), **rates)
    first, second = dropped(cell, inputs, training=True), dropped(cell, inputs, training=True)
    masks = np.concatenate([first, second], axis=1).reshape(-1, 32)  # of each row, step and call
    assert len(np.unique(masks, axis=0)) == len(masks)


def test_inputs_and_outputs_have_different_masks():
    outputs = run(DropoutCell(EchoCell(1000), 0.5, 0.5), np.ones((1, 1, 1000), np.float32), training=True)
    # A quarter passes both, at four times its value: 3 standard deviations of the share are 0.04.
    np.testing.assert_allclose((outputs == 4).mean(), 0.25, atol=0.045)


def test_dropout_never_drops_states():
    cell = DropoutCell(EchoCell(8), 0.5, 0.5)
    _, state = cell(np.ones((2, 8), np.float32), [np.ones((2, 8), np.float32)], training=True)
    np.testing.assert_array_equal(numpy(state), [np.full((2, 8), 2)])


def test_seed_gives_the_same_masks_again():
    inputs = np.ones((2, 3, 16), np.float32)
    one, same, other = (dropped(DropoutCell(EchoCell(16), 0.5, seed=s), inputs, training=True) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_dropout_in_compiled_training_differs_by_call():
    """With a rate of learning of 0, losses differ by their masks alone."""
    model = keras.Sequential([layers.RNN(DropoutCell(layers.GRUCell(8), 0.5, 0.5))])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    truth = np.zeros((3, 8), np.float32)
    losses = {float(model.train_on_batch(INPUTS, truth)) for _ in range(4)}
    assert len(losses) == 4
    assert len({float(model.test_on_batch(INPUTS, truth)) for _ in range(3)}) == 1


def test_dropout_with_a_given_state():
    """The loop doesn't begin at the cell's own state then, and yet steps and batches have masks of their own."""
    cell, state = DropoutCell(EchoCell(32), 0.5), np.zeros((1, 32), np.float32)
    inputs = np.ones((1, 6, 32), np.float32)
    masks = [dropped(cell, x, initial_state=[state], training=True)[0] for x in (inputs, 2 * inputs)]
    assert len(np.unique(np.concatenate(masks), axis=0)) == 12


def test_output_projection_with_a_mask():
    cell = OutputProjectionCell(layers.GRUCell(4), 3)
    rnn = layers.RNN(cell, return_sequences=True, zero_output_for_mask=True)
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], bool)
    outputs = numpy(rnn(INPUTS, mask=mask))
    np.testing.assert_allclose(outputs, run(cell) * mask[:, :, None], rtol=1e-5, atol=1e-6)


def test_mixed_precision():
    policy = "mixed_bfloat16"
    cell = DropoutCell(OutputProjectionCell(layers.LSTMCell(4, dtype=policy), 6, dtype=policy), 0.5, dtype=policy)
    outputs = layers.RNN(cell, return_sequences=True, dtype=policy)(INPUTS, training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert np.isfinite(numpy(outputs)).all()


def test_one_s_own_wrapper_is_one_short_class():
    class GateCell(CellWrapper):
        """Multiplies the cell's outputs by a learned number."""

        def build(self, input_shape):
            super().build(input_shape)
            self.gate = self.add_weight(shape=(), initializer=keras.initializers.Constant(3))

        def call(self, inputs, states, training=None):
            outputs, states = self.cell(inputs, states, training=training)
            return self.gate * outputs, states

    cell = layers.GRUCell(4)
    plain = run(cell)
    np.testing.assert_allclose(run(GateCell(cell)), 3 * plain, rtol=1e-5)
    # The outer wrapper is applied last.
    np.testing.assert_allclose(run(GateCell(ResidualCell(cell))), 3 * (plain + INPUTS), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run(ResidualCell(GateCell(cell))), 3 * plain + INPUTS, rtol=1e-4, atol=1e-5)


def test_wrapper_passes_all_on():
    cell = CellWrapper(layers.LSTMCell(4))
    assert (cell.state_size, cell.output_size) == ([4, 4], 4)
    np.testing.assert_array_equal(run(cell), run(cell.cell))
    assert [tuple(ops.shape(x)) for x in cell.get_initial_state(batch_size=2)] == [(2, 4), (2, 4)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: run(ResidualCell(layers.GRUCell(6))), "got 4 and 6: wrap the cell in OutputProjectionCell"),
        (lambda: DropoutCell(layers.GRUCell(6), 1.0), "input_rate must be at least 0 and below 1, got 1.0"),
        (lambda: DropoutCell(layers.GRUCell(6), 0, -0.1), "output_rate must be at least 0 and below 1, got -0.1"),
        (lambda: ResidualCell(layers.GRU(6)), "must be a recurrent cell"),
        (lambda: ResidualCell(layers.LSTMCell(6, dropout=0.2)), "wrap the cell in DropoutCell"),
    ],
)
def test_wrong_use_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
