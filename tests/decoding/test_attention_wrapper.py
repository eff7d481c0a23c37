"""``AttentionWrapper``: steps worked out by hand, any cell, compiled loops, training, saving."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops, tree

from ocr_models.decoding.attention import BahdanauAttention, LuongAttention
from ocr_models.decoding.attention_wrapper import AttentionWrapper
from ocr_models.decoding.cells import DropoutCell, InputProjectionCell, OutputProjectionCell, ResidualCell
from ocr_models.decoding.monotonic import BahdanauMonotonicAttention, LuongMonotonicAttention
from tests.decoding.stepping import Scanner, compiled, length_mask, normal, numpy, scan_steps

LN3 = np.log(3)
layers = keras.layers

CELLS = {
    "simple": lambda: layers.SimpleRNNCell(6),
    "gru": lambda: layers.GRUCell(6),
    "lstm": lambda: layers.LSTMCell(6),
    "stack of one": lambda: layers.StackedRNNCells([layers.LSTMCell(6)]),
    "stack of wrapped": lambda: layers.StackedRNNCells(
        [
            DropoutCell(ResidualCell(InputProjectionCell(OutputProjectionCell(layers.LSTMCell(4), 7), 5)), 0.5),
            layers.GRUCell(6),
        ]
    ),
}
INPUTS, MEMORY, MASK = normal(0, 3, 4, 4), normal(1, 3, 7, 5), length_mask([7, 3, 5], 7)


def wrap(cell, mechanism=None, **kwargs):
    wrapper = AttentionWrapper(cell, mechanism or BahdanauAttention(8), **kwargs)
    wrapper.build((None, 4), memory_shape=(None, None, 5))
    return wrapper


def steps_one_by_one(wrapper, *arrays):
    """The states after each step, without a loop in the graph."""

    @compiled
    def run(inputs, memory, memory_mask=None):
        memory = wrapper.prepare(memory, memory_mask)
        states = [wrapper.get_initial_state(memory)]
        for t in range(inputs.shape[1]):
            states.append(wrapper(inputs[:, t], states[-1], memory)[1])
        return states[1:]

    return run(*arrays)


def adding_wrapper(**kwargs):
    """A cell that adds its inputs and the attention vector, and attention to the numbers 0 and ln 3."""
    cell = layers.SimpleRNNCell(1, activation=None, use_bias=False)
    wrapper = AttentionWrapper(cell, LuongAttention(), **kwargs)
    wrapper.build((None, 1), memory_shape=(None, None, 1))
    cell.kernel.assign([[1], [1]])
    cell.recurrent_kernel.assign([[0]])
    memory = wrapper.prepare(np.array([[[0], [LN3]]], np.float32))
    return wrapper, memory


def test_attention_is_fed_to_the_next_step():
    wrapper, memory = adding_wrapper()
    state = wrapper.get_initial_state(memory)
    # Query 1 + 0: scores 0 and ln 3, weights 1/4 and 3/4, context 3/4 ln 3.
    outputs, state = wrapper(np.array([[1]], np.float32), state, memory)
    np.testing.assert_allclose(numpy(state.alignments), [[0.25, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(numpy(outputs), [[0.75 * LN3]], rtol=1e-6)
    # Query -3/4 ln 3 + 3/4 ln 3 = 0: equal scores, context ln 3 / 2.
    outputs, state = wrapper(np.array([[-0.75 * LN3]], np.float32), state, memory)
    np.testing.assert_allclose(numpy(state.cell), [[[0]]], atol=1e-6)
    np.testing.assert_allclose(numpy(outputs), [[0.5 * LN3]], rtol=1e-6)
    np.testing.assert_allclose(numpy(state.attention), [[0.5 * LN3]], rtol=1e-6)


@pytest.mark.parametrize(("output", "expected"), [("attention", [0.5]), ("cell", [0]), ("both", [0, 0.5])])
def test_outputs_by_hand(output, expected):
    # Query 0: context ln 3 / 2; attention tanh(5 * 0 + 1 * ln 3 / 2) = (3 - 1) / (3 + 1).
    wrapper, memory = adding_wrapper(attention_layer_size=1, output=output)
    wrapper.attention_layer.kernel.assign([[5], [1]])
    outputs, state = wrapper(np.zeros((1, 1), np.float32), wrapper.get_initial_state(memory), memory)
    np.testing.assert_allclose(numpy(outputs), [expected], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(numpy(state.attention), [[0.5]], rtol=1e-6)


def test_one_s_own_cell_input():
    # The cell's inputs are the sum, 1 + 0, of inputs and attention, to which the kernel 2 belongs.
    cell = layers.SimpleRNNCell(1, activation=None, use_bias=False)
    wrapper = AttentionWrapper(cell, LuongAttention(), cell_input=layers.Add(), output="cell")
    wrapper.build((None, 1), memory_shape=(None, None, 1))
    cell.kernel.assign([[2]])
    memory = wrapper.prepare(np.zeros((1, 2, 1), np.float32))
    outputs, _ = wrapper(np.ones((1, 1), np.float32), wrapper.get_initial_state(memory), memory)
    np.testing.assert_allclose(numpy(outputs), [[2]])


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_compiled_scan_takes_the_same_steps(cell):
    wrapper = wrap(cell(), attention_layer_size=3)
    one_by_one = steps_one_by_one(wrapper, INPUTS, MEMORY, MASK)
    scanned = compiled(lambda *arrays: scan_steps(wrapper, *arrays))(INPUTS, MEMORY, MASK)
    for t, state in enumerate(one_by_one):
        for a, b in zip(tree.flatten(state), tree.flatten(scanned), strict=True):
            np.testing.assert_allclose(numpy(a), numpy(b[t]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numpy(scanned.alignments).sum(axis=2), 1, rtol=1e-5)


def test_compilation_leaves_nothing_behind():
    """Random generators are variables; on JAX one must not keep what it had while a function was compiled."""
    wrapper = wrap(DropoutCell(layers.SimpleRNNCell(6), 0.5), BahdanauMonotonicAttention(8, sigmoid_noise=1.0))
    compiled(lambda *arrays: scan_steps(wrapper, *arrays, training=True))(INPUTS, MEMORY, MASK)
    memory = wrapper.prepare(MEMORY, MASK)
    outputs, _ = wrapper(INPUTS[:, 0], wrapper.get_initial_state(memory), memory, training=True)
    assert np.isfinite(numpy(outputs)).all()


@pytest.mark.parametrize("mode", ["parallel", "recursive", "hard"])
def test_monotonic_attention_in_a_while_loop(mode):
    wrapper = wrap(layers.GRUCell(6), LuongMonotonicAttention(6, mode=mode))
    expected = steps_one_by_one(wrapper, INPUTS, MEMORY, MASK)[-1]

    @compiled
    def run(inputs, memory, mask):
        memory = wrapper.prepare(memory, mask)
        steps = ops.transpose(inputs, (1, 0, 2))

        def body(t, state):
            return t + 1, wrapper(ops.take(steps, t, axis=0), state, memory)[1]

        return ops.while_loop(lambda t, _: t < 4, body, (0, wrapper.get_initial_state(memory)))[1]

    state = run(INPUTS, MEMORY, MASK)
    np.testing.assert_allclose(numpy(state.alignments), numpy(expected.alignments), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(numpy(state.attention), numpy(expected.attention), rtol=1e-4, atol=1e-6)


def test_padding_and_neighbors_change_nothing():
    wrapper = wrap(layers.GRUCell(6), attention_layer_size=3)
    expected = numpy(steps_one_by_one(wrapper, INPUTS, MEMORY, MASK)[-1].attention)
    other_padding = np.where(MASK[:, :, None], MEMORY, 1e3).astype(np.float32)
    np.testing.assert_array_equal(numpy(steps_one_by_one(wrapper, INPUTS, other_padding, MASK)[-1].attention), expected)
    alone = steps_one_by_one(wrapper, INPUTS[1:2], MEMORY[1:2, :3])  # the second row, without its padding
    np.testing.assert_allclose(numpy(alone[-1].attention), expected[1:2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("given", ["list", "tuple"])
def test_a_given_cell_state_is_what_the_first_step_sees(given):
    wrapper = wrap(layers.LSTMCell(6))
    memory = wrapper.prepare(MEMORY)
    h, c = normal(2, 3, 6), normal(3, 3, 6)
    state = wrapper.get_initial_state(memory, cell_state=[h, c] if given == "list" else (h, c))
    np.testing.assert_array_equal(numpy(state.cell), [h, c])
    zero = wrapper.get_initial_state(memory)
    assert not any(numpy(x).any() for x in tree.flatten(zero))
    tree.assert_same_structure(state, zero)
    after_given, after_zero = (wrapper(INPUTS[:, 0], s, memory)[1] for s in (state, zero))
    expected = wrapper.cell(np.concatenate([INPUTS[:, 0], np.zeros((3, 5), np.float32)], axis=1), [h, c])[1]
    np.testing.assert_allclose(numpy(after_given.cell), numpy(expected), rtol=1e-5)
    assert np.abs(numpy(after_given.attention) - numpy(after_zero.attention)).max() > 1e-3


def test_a_tensor_is_the_state_of_a_cell_with_one():
    wrapper = wrap(layers.GRUCell(6))
    h = normal(2, 3, 6)
    state = wrapper.get_initial_state(wrapper.prepare(MEMORY), cell_state=h)
    np.testing.assert_array_equal(numpy(state.cell), [h])


MECHANISMS = {
    "general": lambda: LuongAttention(score="general", scale=True),
    "additive": lambda: BahdanauAttention(8, normalize=True),
    "monotonic": lambda: BahdanauMonotonicAttention(8, normalize=True, sigmoid_noise=0.5),
}


@pytest.mark.parametrize("mechanism", MECHANISMS.values(), ids=MECHANISMS)
def test_training_lowers_the_loss(mechanism):
    """Keras's compiled training, with noise and dropout inside the scan; the task: attend to position t at step t."""
    keras.utils.set_random_seed(0)
    wrapper = wrap(DropoutCell(layers.GRUCell(6), output_rate=0.1), mechanism())
    model = Scanner(wrapper)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    inputs = [np.repeat(np.eye(4, dtype=np.float32)[None], 3, axis=0), MEMORY]  # (B, L, L) and (B, T, D)
    before, weights = model.test_on_batch(inputs, MEMORY[:, :4]), [numpy(w) for w in model.trainable_weights]
    for _ in range(60):
        model.train_on_batch(inputs, MEMORY[:, :4])
    assert model.test_on_batch(inputs, MEMORY[:, :4]) < 0.6 * before
    assert all((numpy(w) != old).any() for w, old in zip(model.trainable_weights, weights, strict=True))


def test_saved_model_gives_the_same(tmp_path):
    cell = layers.StackedRNNCells([ResidualCell(InputProjectionCell(layers.GRUCell(7), 3)), layers.LSTMCell(6)])
    wrapper = wrap(cell, BahdanauMonotonicAttention(8, normalize=True), attention_layer_size=7, cell_input=Gate())
    model = Scanner(wrapper)
    expected = model.predict([INPUTS, MEMORY], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict([INPUTS, MEMORY], verbose=0), expected)


@keras.saving.register_keras_serializable(package="pagebeam_tests")
class Gate(layers.Layer):
    """Inputs and attention in one, 7 deep."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(7)

    def build(self, shapes):
        self.dense.build(shapes[0])

    def compute_output_shape(self, shapes):
        return (*shapes[0][:-1], 7)

    def call(self, tensors):
        return self.dense(tensors[0]) * ops.sigmoid(tensors[1])


@pytest.mark.parametrize("mechanism", [BahdanauAttention, BahdanauMonotonicAttention])
def test_mixed_precision_keeps_types_from_step_to_step(mechanism):
    policy = "mixed_bfloat16"
    cell = DropoutCell(layers.LSTMCell(6, dtype=policy), 0.5, dtype=policy)
    wrapper = wrap(cell, mechanism(8, dtype=policy), attention_layer_size=3, dtype=policy)
    memory = wrapper.prepare(MEMORY)
    state = wrapper.get_initial_state(memory, cell_state=[normal(2, 3, 6), normal(3, 3, 6)])
    outputs, after = wrapper(INPUTS[:, 0], state, memory, training=True)
    types = [keras.backend.standardize_dtype(x.dtype) for x in tree.flatten(state)]
    assert types == ["bfloat16", "bfloat16", "bfloat16", "float32"]
    assert [keras.backend.standardize_dtype(x.dtype) for x in tree.flatten(after)] == types
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    scanned = compiled(lambda *arrays: scan_steps(wrapper, *arrays, training=True))
    assert np.isfinite(numpy(scanned(INPUTS, MEMORY, MASK).attention)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wrap(layers.GRUCell(6), output="context"), "attention, cell, both, got 'context'"),
        (lambda: wrap(layers.Dense(6)), "must be a recurrent cell"),
        (lambda: wrap(layers.GRUCell(6, dropout=0.1)), "wrap the cell in DropoutCell"),
        (lambda: wrap(layers.StackedRNNCells([layers.LSTMCell(6, recurrent_dropout=0.1)])), "DropoutCell"),
        (lambda: wrap(layers.GRUCell(6), LuongAttention(8)), "got 6 and 8: pass units=6"),
        (lambda: AttentionWrapper(layers.GRUCell(6), LuongAttention(6)).build((None, 4)), "needs memory_shape"),
        (
            lambda: wrap(layers.LSTMCell(6)).get_initial_state(
                BahdanauAttention(8).prepare(MEMORY), cell_state=normal(0, 3, 6)
            ),
            r"depth \[6, 6\], as the cell has, got \[6\]",
        ),
    ],
)
def test_wrong_use_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
