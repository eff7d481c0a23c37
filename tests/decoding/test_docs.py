"""The code of ``docs/decoding.md`` is run as it stands there, and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from ocr_models.decoding.cells import ResidualCell
from ocr_models.decoding.decode import decode
from tests.decoding.stepping import compiled

PAGE = Path(__file__).parents[2] / "docs" / "decoding.md"


@pytest.fixture(scope="module")
def docs():
    """The names that the page's code blocks define, run in their order."""
    keras.utils.set_random_seed(0)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_shapes_are_those_on_the_page(docs):
    read, beams = docs["read"], docs["beams"]
    assert read.ids.shape == docs["drawn"].ids.shape == (4, 15)
    assert read.history.shape == beams.history.shape == (4, 15, 10)
    assert beams.ids.shape == beams.token_log_probs.shape == (4, 3, 15)
    assert beams.log_probs.shape == beams.scores.shape == (4, 3)
    assert docs["forced"].outputs.shape == docs["mixed"].outputs.shape == (4, 3, 12)


def test_loss_of_random_weights_is_near_chance(docs):
    # Twelve classes that are about equally likely cost ln 12 = 2.48 a token.
    assert abs(float(docs["loss"]) - np.log(12)) < 0.5


def scripted_frames(frame, state):
    """Frames 1, 2, 3, then 4, 5, 6, and so on, whatever comes in, which the state keeps. The third step stops."""
    (steps, _) = state
    frames = ops.reshape(3 * steps, (-1, 1, 1)) + ops.reshape(ops.arange(1.0, 4.0), (1, 3, 1))
    return {"frames": frames, "stop": ops.where(steps == 2, 1.0, -1.0)}, (steps + 1, frame)


@pytest.mark.parametrize("wrap", [lambda run: run, compiled], ids=["eager", "compiled"])
def test_frame_strategy_feeds_back_the_last_frame(docs, wrap):
    strategy = docs["FrameFeeding"](frame_size=1, reduction=3)
    run = wrap(lambda state: decode(scripted_frames, state, strategy, 5, history=lambda state: state[1]))
    decoded = run((ops.zeros((2,)), ops.zeros((2, 1))))
    np.testing.assert_array_equal(decoded.history[0, :, 0], [0, 3, 6, 0, 0])
    np.testing.assert_array_equal(np.reshape(decoded.outputs["frames"], (2, 15))[1], [*range(1, 10), *[0] * 6])
    np.testing.assert_array_equal(decoded.lengths, [3, 3])


def test_frame_strategy_feeds_the_true_last_frame_in_training(docs):
    truth = 10 * np.arange(1, 13, dtype=np.float32)[None, :, None]  # 10, 20 ... 120
    strategy = docs["FrameFeeding"](1, 3, truth)
    state = (ops.zeros((1,)), ops.zeros((1, 1)))
    decoded = decode(scripted_frames, state, strategy, history=lambda state: state[1])
    np.testing.assert_array_equal(decoded.history[0, :, 0], [0, 30, 60, 90])
    np.testing.assert_array_equal(np.reshape(decoded.outputs["frames"], -1), np.arange(1, 13))
    assert not decoded.finished[0]


def test_frame_strategy_trains(docs):
    """With the true frames, gradients reach the cell through the loop."""

    class Speaker(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = [docs["frame_cell"], docs["to_frames"], docs["to_stop"]]
            self.built = True

        def call(self, frames):
            state = [ops.zeros((ops.shape(frames)[0], 32))]
            decoded = decode(docs["frame_step"], state, docs["FrameFeeding"](8, 3, frames))
            return ops.reshape(decoded.outputs["frames"], (-1, 12, 8))

    model = Speaker()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    frames = docs["true_frames"]
    losses = model.fit(frames, frames, batch_size=4, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


def test_residual_wrapper_does_what_the_kits_does(docs):
    keras.utils.set_random_seed(3)
    inputs = np.random.default_rng(3).standard_normal((2, 5, 6)).astype(np.float32)
    cell = keras.layers.GRUCell(6)
    mine, kits = keras.layers.RNN(docs["MyResidualCell"](cell), True), keras.layers.RNN(ResidualCell(cell), True)
    np.testing.assert_allclose(mine(inputs), kits(inputs), rtol=1e-6)
    np.testing.assert_allclose(mine(inputs) - inputs, keras.layers.RNN(cell, True)(inputs), atol=1e-6)


def test_wrapped_cells_attend(docs):
    attention = docs["attention"]
    attention.build((None, 6), memory_shape=(None, None, 20))
    memory = attention.prepare(docs["encoded"])
    outputs, state = attention(np.ones((4, 6), np.float32), attention.get_initial_state(memory), memory)
    assert outputs.shape == (4, 20)
    np.testing.assert_allclose(np.sum(state.alignments, axis=-1), [1] * 4, rtol=1e-5)
