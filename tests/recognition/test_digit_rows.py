"""The small recognizers, and why one of them can't count."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from ocr_models.recognition.digit_rows import MemorylessGRUCell, StrictlyMonotonicAttention, build_digit_reader
from tests.decoding.stepping import normal

CLASSES = 11


def canvas(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (2, 32, 160, 1), np.uint8)


@pytest.fixture(scope="module", params=["attention", "attention-srn"])
def network(request):
    keras.utils.set_random_seed(1)
    return request.param, build_digit_reader(CLASSES, request.param)


def walk(mode, score_bias, steps):
    """The alignments of so many steps over four positions that all have the score ``score_bias``."""
    mechanism = StrictlyMonotonicAttention(3, mode=mode, score_bias_init=score_bias)
    mechanism.build((None, 2), (None, None, 5))
    mechanism.v.assign(np.zeros(3))
    memory = mechanism.prepare(normal(0, 1, 4, 5))
    alignments, walked = mechanism.initial_alignments(memory), []
    for _ in range(steps):
        alignments = mechanism(normal(1, 1, 2), memory, alignments)
        walked.append(ops.convert_to_numpy(alignments)[0].tolist())
    return walked


@pytest.mark.parametrize("mode", ["parallel", "recursive"])
def test_walk_begins_behind_the_last_stop(mode):
    # A score of 0 stops half of the walks. The first begins at position 1: 1/2, half of the rest, half of that rest.
    # Of those that stopped at 1 the next walk begins at 2, and half stop there; at 3 arrive the other half of these and
    # all that had stopped at 2: (1/4 + 1/4) / 2. Those that had stopped at 3, or nowhere, have left the memory.
    assert walk(mode, 0.0, 2) == [[0, 0.5, 0.25, 0.125], [0, 0, 0.25, 0.25]]


def test_hard_walk_visits_each_place_once_and_leaves():
    assert walk("hard", 1.0, 4) == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_memoryless_cell_is_a_gru_cell_that_has_seen_nothing():
    inputs, state = normal(0, 2, 3), normal(1, 2, 4)
    cell, gru = MemorylessGRUCell(4), keras.layers.GRUCell(4)
    cell.build((None, 3))
    gru.build((None, 3))
    gru.set_weights(cell.get_weights())
    outputs, (new_state,) = cell(inputs, [state])
    expected, _ = gru(inputs, [np.zeros_like(state)])
    np.testing.assert_array_equal(ops.convert_to_numpy(outputs), ops.convert_to_numpy(expected))
    np.testing.assert_array_equal(ops.convert_to_numpy(new_state), ops.convert_to_numpy(expected))
    assert np.abs(ops.convert_to_numpy(gru(inputs, [state])[0]) - ops.convert_to_numpy(expected)).max() > 0.01


def test_what_went_before_is_forgotten_by_one_decoder_and_remembered_by_the_other(network):
    arch, model = network
    decoder = model.get_layer("decoder")
    memory = decoder.prepare(normal(0, 2, 40, model.get_layer("decoder").input[0].shape[-1]), np.array([40, 40]))
    state = decoder.wrapper.get_initial_state(memory)
    counted = state._replace(cell=keras.tree.map_structure(lambda x: x + 1, state.cell))
    after_nothing, after_something = (decoder.step(np.array([3, 3]), s, memory)[0] for s in (state, counted))
    difference = np.abs(ops.convert_to_numpy(after_nothing) - ops.convert_to_numpy(after_something)).max()
    assert difference == 0 if arch == "attention" else difference > 0.01


def test_one_memory_is_local_and_the_other_knows_the_whole_row(network):
    arch, model = network
    encoder = keras.Model(model.input["image"], model.get_layer("decoder").input[0])
    other = canvas()
    other[:, :, 100:] = canvas(seed=1)[:, :, 100:]
    change = np.abs(ops.convert_to_numpy(encoder(canvas())) - ops.convert_to_numpy(encoder(other))).max(axis=(0, 2))
    # The convolutions of one position see 51 columns: 5 + 2 * 2 (3x3 behind a stride of 2) + 2 (pooling), then
    # 5 * 2 * 4 (3x3 behind a stride of 4). So position 17, at columns 68 to 71, sees nothing beyond column 96.
    assert change[26:].min() > 0
    assert change[:18].max() == 0 if arch == "attention" else change[:18].min() > 0


@pytest.mark.parametrize("arch", ["crnn", "attention", "attention-srn"])
def test_saved_model_is_the_same(arch, tmp_path):
    keras.utils.set_random_seed(1)
    model = build_digit_reader(CLASSES, arch)
    inputs = canvas()
    if arch != "crnn":
        inputs = {"image": inputs, "logit_length": np.array([40, 40]), "token_ids": np.array([[11, 4, 2], [11, 7, 0]])}
    model.save(tmp_path / "model.keras")
    logits, again = (m(inputs) for m in (model, keras.saving.load_model(tmp_path / "model.keras")))
    assert tuple(logits.shape) == (2, 40 if arch == "crnn" else 3, CLASSES)
    np.testing.assert_allclose(ops.convert_to_numpy(again), ops.convert_to_numpy(logits), atol=1e-6)
