"""The decode loop, with scripted steps and with a real cell."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops, tree

from ocr_models.decoding.decode import decode
from ocr_models.decoding.strategies import Greedy, ScheduledSampling, Strategy, TeacherForcing
from tests.decoding.scripted import counted, random_logits, script_state, scripted_step, uncompiled
from tests.decoding.stepping import compiled

START, END, PAD = 1, 2, 0
# The ids that greedy decoding of SCRIPT must choose; the second row ends at once, the third never.
CHOICES = [[3, 4, END, 5], [END, 3, 3, 3], [4, 4, 5, 3]]
SCRIPT = 3.0 * np.eye(6, dtype=np.float32)[CHOICES]  # (3, 4, 6)


def numpy(values):
    return tree.map_structure(ops.convert_to_numpy, values)


def greedy(step, max_length=4, batch_size=3, **options):
    return decode(step, script_state(batch_size), Greedy(START, END, PAD), max_length, **options)


def test_greedy_follows_the_script():
    decoded = greedy(scripted_step(SCRIPT), history=lambda state: state.fed)

    np.testing.assert_array_equal(decoded.ids, [[3, 4, END, PAD], [END, PAD, PAD, PAD], [4, 4, 5, 3]])
    np.testing.assert_array_equal(decoded.lengths, [3, 1, 4])
    np.testing.assert_array_equal(decoded.finished, [True, True, False])
    # What is fed is the start and then the choice before; nothing is seen after the end.
    np.testing.assert_array_equal(decoded.history, [[START, 3, 4, 0], [START, 0, 0, 0], [START, 4, 4, 5]])


def test_finished_rows_are_frozen_and_masked():
    decoded = greedy(scripted_step(SCRIPT))

    np.testing.assert_array_equal(decoded.state.time, [3, 1, 4])
    np.testing.assert_array_equal(decoded.state.fed, [4, START, 5])
    after_end = np.arange(4) >= np.array([[3], [1], [4]])
    np.testing.assert_array_equal(decoded.outputs, np.where(after_end[:, :, None], 0, SCRIPT))


def test_what_finished_rows_compute_does_not_matter():
    broken = SCRIPT.copy()
    broken[1, 1:] = np.nan
    for result, expected in zip(greedy(scripted_step(broken)), greedy(scripted_step(SCRIPT)), strict=True):
        tree.map_structure(np.testing.assert_array_equal, numpy(result), numpy(expected))


def test_pads_have_the_id_that_is_asked_for():
    decoded = decode(scripted_step(SCRIPT), script_state(3), Greedy(START, END, pad_id=-1), 4)
    np.testing.assert_array_equal(decoded.ids[:2], [[3, 4, END, -1], [END, -1, -1, -1]])


def test_loop_stops_when_all_rows_have_ended():
    step, calls = counted(scripted_step(SCRIPT[:2]))
    with uncompiled():
        decoded = greedy(step, max_length=1000, batch_size=2)
    assert len(calls) == 3  # the longer row's length
    assert decoded.ids.shape == (2, 1000)
    assert not np.any(decoded.ids[:, 3:])


def test_max_length_cuts_off():
    decoded = greedy(scripted_step(SCRIPT), max_length=2)
    np.testing.assert_array_equal(decoded.ids, [[3, 4], [END, PAD], [4, 4]])
    np.testing.assert_array_equal(decoded.lengths, [2, 1, 2])
    np.testing.assert_array_equal(decoded.finished, [False, True, False])
    np.testing.assert_array_equal(greedy(scripted_step(SCRIPT), max_length=1).ids, [[3], [END], [4]])


def test_compiled_loop_gives_the_same():
    run = compiled(lambda logits: greedy(_script_of(logits), history=lambda state: {"fed": state.fed}))
    expected = greedy(scripted_step(SCRIPT), history=lambda state: {"fed": state.fed})
    tree.map_structure(np.testing.assert_array_equal, numpy(run(SCRIPT)), numpy(expected))


def _script_of(logits):
    """Like ``scripted_step``, for a tensor."""

    def step(ids, state):
        chosen = ops.take(ops.reshape(logits, (-1, 6)), state.row * 4 + state.time, axis=0)
        return chosen, state._replace(time=state.time + 1, fed=ids)

    return step


class Decoder(keras.layers.Layer):
    """A GRU over embedded ids with logits, all inside the step."""

    def __init__(self, loop):
        super().__init__()
        self.embedding = keras.layers.Embedding(7, 5)
        self.cell = keras.layers.GRUCell(6)
        self.dense = keras.layers.Dense(7)
        self.loop = loop

    def build(self, input_shape):
        self.embedding.build(input_shape)
        self.cell.build((None, 5))
        self.dense.build((None, 6))

    def step(self, ids, state):
        hidden, (state,) = self.cell(self.embedding(ids), [state])
        return self.dense(hidden), state

    def start(self, batch_size):
        return ops.zeros((batch_size, 6))

    def call(self, token_ids):
        return self.loop(self.step, self.start(ops.shape(token_ids)[0]), token_ids)


def forced(step, state, token_ids):
    return decode(step, state, TeacherForcing(token_ids)).outputs


def forced_to_the_end(step, state, token_ids):
    lengths = ops.full(ops.shape(token_ids)[:1], 5)
    return decode(step, state, TeacherForcing(token_ids, lengths)).outputs


def unrolled(step, state, token_ids):
    outputs = []
    for time in range(token_ids.shape[1]):
        logits, state = step(token_ids[:, time], state)
        outputs.append(logits)
    return ops.stack(outputs, axis=1)


TOKEN_IDS = np.random.default_rng(0).integers(0, 7, (4, 5)).astype(np.int32)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_teacher_forcing_equals_a_python_loop(length):
    decoder = Decoder(forced)
    token_ids = TOKEN_IDS[:, :length]
    logits = decoder(token_ids)
    expected = unrolled(decoder.step, decoder.start(4), token_ids)
    assert logits.shape == (4, length, 7)
    np.testing.assert_allclose(logits, expected, atol=1e-6)


@pytest.mark.parametrize(
    "loop",
    [
        forced,
        forced_to_the_end,
        lambda step, state, token_ids: decode(step, state, ScheduledSampling(token_ids, 0.0)).outputs,
    ],
    ids=["forced", "forced with lengths", "scheduled"],
)
def test_gradients_equal_those_of_a_python_loop(loop):
    trained = []
    for each in (loop, unrolled):
        keras.utils.set_random_seed(1)
        token_ids = keras.Input((5,), dtype="int32")
        model = keras.Model(token_ids, Decoder(each)(token_ids))
        model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        before = model.get_weights()
        model.train_on_batch(TOKEN_IDS, np.roll(TOKEN_IDS, -1, axis=1))
        trained.append(model.get_weights())
        assert all(np.abs(new - old).max() > 1e-4 for new, old in zip(trained[-1], before, strict=True))
    for weights, expected in zip(*trained, strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_forced_rows_end_at_their_lengths():
    decoder = Decoder(forced)
    decoder(TOKEN_IDS)
    lengths = np.array([2, 5, 1, 3])
    decoded = decode(decoder.step, decoder.start(4), TeacherForcing(TOKEN_IDS, lengths))

    np.testing.assert_array_equal(decoded.lengths, lengths)
    np.testing.assert_array_equal(decoded.finished, [True] * 4)
    assert decoded.ids is None
    for row, length in enumerate(lengths):
        alone = decode(decoder.step, decoder.start(1), TeacherForcing(TOKEN_IDS[row : row + 1, :length]))
        np.testing.assert_allclose(decoded.state[row], alone.state[0], atol=1e-6)
        np.testing.assert_allclose(decoded.outputs[row, :length], alone.outputs[0], atol=1e-6)
        assert not np.any(decoded.outputs[row, length:])


def test_max_length_cuts_teacher_forcing():
    decoder = Decoder(forced)
    whole = decoder(TOKEN_IDS)
    cut = decode(decoder.step, decoder.start(4), TeacherForcing(TOKEN_IDS), max_length=3)
    np.testing.assert_allclose(cut.outputs, whole[:, :3], atol=1e-6)
    np.testing.assert_array_equal(cut.lengths, [3] * 4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has shapes unknown at trace time")
@pytest.mark.parametrize("strategy", [TeacherForcing, lambda ids: ScheduledSampling(ids, 0.0)])
def test_unknown_batch_and_length(strategy):
    import tensorflow as tf

    decoder = Decoder(lambda step, state, token_ids: decode(step, state, strategy(token_ids)).outputs)
    decoder(TOKEN_IDS)

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)])
    def logits_and_gradient(token_ids):
        with tf.GradientTape() as tape:
            logits = decoder(token_ids)
            loss = tf.reduce_sum(logits**2)
        return logits, tape.gradient(loss, decoder.dense.kernel.value)

    for length in (1, 2, 5):
        logits, gradient = logits_and_gradient(TOKEN_IDS[:, :length])
        np.testing.assert_allclose(logits, unrolled(decoder.step, decoder.start(4), TOKEN_IDS[:, :length]), atol=1e-6)
        assert np.isfinite(gradient).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has shapes unknown at trace time")
def test_unknown_batch_and_max_length():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 6)), tf.TensorSpec((), tf.int32)])
    def ids(logits, max_length):
        rows = tf.range(tf.shape(logits)[0])
        state = script_state(1)._replace(row=rows, time=tf.zeros_like(rows), fed=tf.zeros_like(rows))
        return decode(_script_of(logits), state, Greedy(START, END, PAD), max_length).ids

    np.testing.assert_array_equal(ids(SCRIPT, 4), greedy(scripted_step(SCRIPT)).ids)
    np.testing.assert_array_equal(ids(SCRIPT[:2], 2), [[3, 4], [END, PAD]])


def test_states_and_outputs_are_any_trees():
    def step(inputs, state):
        count, (total, _) = state["count"], state["sums"]
        total = total + inputs[:, None]
        return {"frames": ops.stack([total, -total], axis=1), "stop": total[:, 0] >= 6}, {
            "count": count + 1,
            "sums": (total, [total * 2]),
        }

    class FeedCounts(Strategy):
        """Feeds 1, 2, 3 ... until the step says stop."""

        def plan(self, batch_size, max_length):
            return np.tile(np.arange(1.0, max_length + 1, dtype=np.float32)[:, None], (1, 2))

        def first_inputs(self, batch_size, planned):
            return planned

        def next_inputs(self, outputs, ids, planned):
            return planned

        def ends(self, outputs, ids, planned):
            return outputs["stop"]

    first = np.array([[0.0], [3.0]], np.float32)
    state = {"count": np.zeros(2, np.int32), "sums": (first, [first])}
    decoded = decode(step, state, FeedCounts(), 5, history=lambda state: state["sums"][1][0])

    # 0 + 1 + 2 + 3 and 3 + 1 + 2 reach 6.
    np.testing.assert_array_equal(decoded.lengths, [3, 2])
    np.testing.assert_array_equal(decoded.state["count"], [3, 2])
    np.testing.assert_array_equal(decoded.outputs["frames"][:, :, 1, 0], [[-1, -3, -6, 0, 0], [-4, -6, 0, 0, 0]])
    np.testing.assert_array_equal(decoded.history[:, :, 0], [[2, 6, 12, 0, 0], [8, 12, 0, 0, 0]])
    assert decoded.ids is None


def test_loop_without_an_end_is_refused():
    with pytest.raises(ValueError, match="Greedy needs a max_length"):
        decode(scripted_step(SCRIPT), script_state(3), Greedy(START, END))
    with pytest.raises(ValueError, match="max_length is 0"):
        greedy(scripted_step(SCRIPT), max_length=0)


def test_state_without_a_tensor_is_refused():
    with pytest.raises(ValueError, match="batch size is unknown"):
        decode(lambda ids, state: (ids, state), (), Greedy(START, END), 4)


def test_strategy_without_inputs_is_refused():
    class Forgetful(Strategy):
        pass

    with pytest.raises(NotImplementedError, match="Forgetful must define first_inputs"):
        decode(scripted_step(random_logits(0, 3, 4, 6)), script_state(3), Forgetful(), 4)
