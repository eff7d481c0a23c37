"""Monotonic attention against walks worked out by hand, and its modes against each other."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ocr_models.decoding.monotonic import (
    BahdanauMonotonicAttention,
    LuongMonotonicAttention,
    hard_alignments,
    parallel_alignments,
    recursive_alignments,
)
from tests.decoding.stepping import compiled, normal, numpy

EXPECTATIONS = [compiled(parallel_alignments), compiled(recursive_alignments)]
both_modes = pytest.mark.parametrize("align", EXPECTATIONS, ids=["parallel", "recursive"])


def tensor(x):
    return ops.convert_to_tensor(np.asarray(x, np.float32))


def expected_alignments(stop_probs, previous):
    """The walk's definition in float64: for every beginning k and end j, all of k to j - 1 passed, and a stop at j."""
    stop_probs, previous = np.asarray(stop_probs, np.float64), np.asarray(previous, np.float64)
    alignments = np.zeros_like(stop_probs)
    for k in range(stop_probs.shape[1]):
        for j in range(k, stop_probs.shape[1]):
            alignments[:, j] += previous[:, k] * np.prod(1 - stop_probs[:, k:j], axis=1) * stop_probs[:, j]
    return alignments


@both_modes
def test_expected_walks_by_hand(align):
    # Fair coins. From position 0: stop there 1/2, pass and stop 1/4, pass twice and stop 1/8.
    coins = tensor([[0.5, 0.5, 0.5]])
    first = align(coins, tensor([[1, 0, 0]]))
    np.testing.assert_allclose(numpy(first), [[0.5, 0.25, 0.125]])
    # From there position 0 is reached with 1/2, 1 with 1/2 * 1/2 + 1/4 = 1/2, 2 with 1/2 * 1/2 + 1/8 = 3/8.
    np.testing.assert_allclose(numpy(align(coins, first)), [[0.25, 0.25, 0.1875]])


@pytest.mark.parametrize("mode", ["parallel", "recursive"])
def test_walk_goes_on_behind_padding(mode):
    # Scores are 0, fair coins; position 1 is padding, which is passed for sure: 1/2, nothing, 1/2 * 1/2.
    mechanism = LuongMonotonicAttention(mode=mode)
    memory = mechanism.prepare(np.zeros((1, 3, 2), np.float32), [[True, False, True]])
    alignments = mechanism(np.ones((1, 2), np.float32), memory, mechanism.initial_alignments(memory))
    np.testing.assert_allclose(numpy(alignments), [[0.5, 0, 0.25]])


def test_score_bias_by_hand():
    # sigmoid(ln 3) = 3 / (3 + 1): stops are 3/4 likely.
    mechanism = LuongMonotonicAttention(score_bias_init=np.log(3))
    memory = mechanism.prepare(np.zeros((1, 2, 2), np.float32))
    alignments = mechanism(np.ones((1, 2), np.float32), memory, mechanism.initial_alignments(memory))
    np.testing.assert_allclose(numpy(alignments), [[3 / 4, 1 / 4 * 3 / 4]], rtol=1e-6)


def test_hard_walk_by_hand():
    # The memory is one number a position, and the query makes scores of it by its sign.
    mechanism = LuongMonotonicAttention(mode="hard")
    memory = mechanism.prepare(np.array([[[-1], [1], [-1], [1]]], np.float32))
    plus, minus = np.array([[1]], np.float32), np.array([[-1]], np.float32)
    alignments = mechanism.initial_alignments(memory)
    walk = []
    for query in (plus, plus, minus, plus, minus, plus):
        alignments = mechanism(query, memory, alignments)
        walk.append(numpy(alignments)[0].tolist())
    # First positive: 1. It may stay. Positives of the minus query at or after 1: 2. Then 3. Then none: it walks off the
    # end, and doesn't come back.
    assert walk == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_hard_is_what_certain_probabilities_expect():
    rng = np.random.default_rng(0)
    stops = tensor(rng.integers(0, 2, (50, 9)))
    previous = tensor(np.eye(9)[rng.integers(0, 9, 50)])
    np.testing.assert_array_equal(numpy(hard_alignments(stops, previous)), numpy(EXPECTATIONS[0](stops, previous)))


@both_modes
@pytest.mark.parametrize("length", [1, 2, 13, 64])
def test_expectation_is_the_sum_over_all_walks(align, length):
    rng = np.random.default_rng(length)
    stop_probs, previous = rng.uniform(size=(4, length)), rng.dirichlet(np.ones(length), 4)
    stop_probs[1] = rng.integers(0, 2, length)  # certain walks
    stop_probs[2] = 1 - 1e-3  # for which a product over 64 positions is 1e-192, far below float32
    previous[2] = np.eye(length)[-1]
    alignments = numpy(align(tensor(stop_probs), tensor(previous)))
    np.testing.assert_allclose(alignments, expected_alignments(stop_probs, previous), rtol=1e-4, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0.1, 1.0, 10.0, 100.0]))
def test_parallel_equals_recursive(seed, spread):
    """Over several steps, however certain the probabilities are."""
    alignments = [tensor(np.eye(11)[[0, 0, 0]])] * 2
    for step in range(3):
        stop_probs = ops.sigmoid(spread * normal(seed + step, 3, 11))
        alignments = [align(stop_probs, a) for align, a in zip(EXPECTATIONS, alignments, strict=True)]
        parallel, recursive = map(numpy, alignments)
        np.testing.assert_allclose(parallel, recursive, atol=1e-6)
        assert (parallel.sum(axis=1) <= 1 + 1e-5).all()


def test_gradients_of_both_modes_agree_and_are_finite():
    class Scores(keras.layers.Layer):
        """Scores as weights, so that a training step on any backend moves them along the gradient."""

        def __init__(self, align):
            super().__init__()
            self.align = align
            # Two certain scores among them: sigmoid(100) is 1 in float32.
            self.scores = self.add_weight(shape=(1, 5), initializer=lambda *_, **__: tensor([[0.5, -1, 100, 1, -100]]))

        def call(self, previous):
            return self.align(ops.sigmoid(self.scores), previous)

    moved = []
    for align in (parallel_alignments, recursive_alignments):
        model = keras.Sequential([Scores(align)])
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.train_on_batch(np.array([[0.5, 0.25, 0.1, 0.1, 0.05]], np.float32), np.full((1, 5), 0.2, np.float32))
        moved.append(numpy(model.layers[0].scores))
    assert np.isfinite(moved).all()
    assert moved[0][0, 0] != 0.5
    np.testing.assert_allclose(moved[0], moved[1], rtol=1e-5)


def test_unknown_length_compiles():
    """A memory whose length isn't known when compiling; JAX always knows it, and compiles anew for another."""
    align = EXPECTATIONS[0]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        unknown = tf.TensorSpec((None, None), tf.float32)
        align = tf.function(parallel_alignments, [unknown, unknown])
    for length in (1, 13, 21):
        stop_probs, previous = np.full((4, length), 0.3), np.eye(length)[[0] * 4]
        alignments = numpy(align(tensor(stop_probs), tensor(previous)))
        np.testing.assert_allclose(alignments, expected_alignments(stop_probs, previous), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [LuongMonotonicAttention, BahdanauMonotonicAttention])
def test_noise_is_drawn_in_training_only(kind):
    mechanism = kind(4, sigmoid_noise=1.0, seed=1)
    memory = mechanism.prepare(normal(0, 2, 6, 3))
    start, queries = mechanism.initial_alignments(memory), normal(1, 2, 2, 4)
    still = [numpy(mechanism(queries[0], memory, start)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    noisy = numpy(mechanism(queries[0], memory, start, training=True))
    assert np.abs(noisy - still[0]).max() > 0.01
    again = kind(4, sigmoid_noise=1.0, seed=1)  # the same seed gives the same noise
    again.build((None, 4), (None, None, 3))
    again.set_weights(mechanism.get_weights())
    np.testing.assert_array_equal(noisy, numpy(again(queries[0], memory, start, training=True)))


def test_noise_has_its_standard_deviation():
    # Scores are 0, so that what the sigmoid is taken of is the noise alone; the first position's alignment is its
    # probability of stopping.
    mechanism = LuongMonotonicAttention(sigmoid_noise=2.0, seed=0)
    memory = mechanism.prepare(np.zeros((4000, 1, 1), np.float32))
    start = mechanism.initial_alignments(memory)
    p = numpy(mechanism(np.ones((4000, 1), np.float32), memory, start, training=True))
    noise = np.log(p / (1 - p))
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 2], atol=0.1)
