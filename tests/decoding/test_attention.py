"""Attention mechanisms against numbers worked out by hand and against plain NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from ocr_models.decoding.attention import (
    AttentionMechanism,
    BahdanauAttention,
    LuongAttention,
    build_once,
    masked_softmax,
)
from ocr_models.decoding.monotonic import BahdanauMonotonicAttention, LuongMonotonicAttention
from tests.decoding.stepping import compiled, length_mask, normal, numpy

LN2, LN3 = np.log(2), np.log(3)

# Queries are 6 deep in these, memories 5.
MECHANISMS = {
    "dot": lambda: LuongAttention(6),
    "scaled dot": lambda: LuongAttention(6, scale=True),
    "general": lambda: LuongAttention(score="general"),
    "projected general": lambda: LuongAttention(4, score="general", scale=True),
    "additive": lambda: BahdanauAttention(4),
    "normalized additive": lambda: BahdanauAttention(4, normalize=True),
    "monotonic dot": lambda: LuongMonotonicAttention(6, score_bias_init=1.0),
    "monotonic additive": lambda: BahdanauMonotonicAttention(4, normalize=True, mode="recursive"),
    "hard additive": lambda: BahdanauMonotonicAttention(4, mode="hard"),
}
every_mechanism = pytest.mark.parametrize("make", MECHANISMS.values(), ids=MECHANISMS)


def set_weights(layer, **weights):
    """Sets weights by name; a dense layer's is that of its kernel."""
    for name, value in weights.items():
        weight = getattr(layer, name)
        (weight.kernel if isinstance(weight, keras.layers.Dense) else weight).assign(value)


def randomize(layer, seed=0):
    for i, weight in enumerate(layer.trainable_weights):
        weight.assign(normal(seed + i, *weight.shape))


def shape_of(weight):
    return tuple(weight.shape)


def align(mechanism, query, memory, memory_mask=None):
    """The alignments of the first step."""
    memory = mechanism.prepare(np.asarray(memory, np.float32), memory_mask)
    query = np.asarray(query, np.float32)
    return numpy(mechanism(query, memory, mechanism.initial_alignments(memory)))


def built(mechanism, query_depth, memory_depth, **weights):
    build_once(mechanism, (None, query_depth), (None, None, memory_depth))
    set_weights(mechanism, **weights)
    return mechanism


MEMORY = [[[1, 0], [0, 2], [1, 1]]]


def test_dot_by_hand():
    # Scores (ln 2, 0) · m are ln 2, 0, ln 2; their exponentials 2, 1, 2 sum to 5.
    mechanism = built(LuongAttention(), 2, 2)
    np.testing.assert_allclose(align(mechanism, [[LN2, 0]], MEMORY), [[0.4, 0.2, 0.4]], rtol=1e-6)
    # Without the last position: 2 and 1, which sum to 3.
    np.testing.assert_allclose(align(mechanism, [[LN2, 0]], MEMORY, [[1, 1, 0]]), [[2 / 3, 1 / 3, 0]], rtol=1e-6)


def test_scaled_dot_by_hand():
    # Twice the scores above: exponentials 4, 1, 4.
    mechanism = built(LuongAttention(scale=True), 2, 2, g=2.0)
    np.testing.assert_allclose(align(mechanism, [[LN2, 0]], MEMORY), [[4 / 9, 1 / 9, 4 / 9]], rtol=1e-6)


def test_dot_with_projected_memory_by_hand():
    # Keys are the memory with swapped columns, (0, 1), (2, 0), (1, 1): scores 0, 2 ln 2, ln 2, exponentials 1, 4, 2.
    mechanism = built(LuongAttention(2), 2, 2, memory_layer=[[0, 1], [1, 0]])
    np.testing.assert_allclose(align(mechanism, [[LN2, 0]], MEMORY), [[1 / 7, 4 / 7, 2 / 7]], rtol=1e-6)


def test_general_by_hand():
    # The query 3 times (ln 2 / 3, 0) is (ln 2, 0): the dot products above.
    mechanism = built(LuongAttention(score="general"), 1, 2, query_layer=[[LN2 / 3, 0]])
    np.testing.assert_allclose(align(mechanism, [[3]], MEMORY), [[0.4, 0.2, 0.4]], rtol=1e-6)


def test_additive_by_hand():
    # tanh(ln 3 / 2) = (3 - 1) / (3 + 1) = 0.5 and tanh(ln 3) = (9 - 1) / (9 + 1) = 0.8.
    # Query ln 3 / 2 with keys 0 and ln 3 / 2: scores 0.5 v and 0.8 v, ln 2 apart for v = ln 2 / 0.3: 1 to 2.
    mechanism = built(BahdanauAttention(1), 1, 1, query_layer=[[0.5]], memory_layer=[[2]], v=[LN2 / 0.3])
    np.testing.assert_allclose(align(mechanism, [[LN3]], [[[0], [LN3 / 4]]]), [[1 / 3, 2 / 3]], rtol=1e-6)


def test_normalized_additive_by_hand():
    # v / |v| = (3, 4) / 5 = (0.6, 0.8). With the query 0, b = ln 3 / 2 and keys -b and 0 the tanh are (0, 0) and
    # (0.5, 0.5): scores 0 and g (0.6 + 0.8) / 2 = 0.7 g, ln 2 for g = ln 2 / 0.7.
    b = LN3 / 2
    mechanism = built(BahdanauAttention(2, normalize=True), 1, 1, memory_layer=[[-1, -1]], b=[b, b])
    set_weights(mechanism, v=[3, 4], g=LN2 / 0.7)
    np.testing.assert_allclose(align(mechanism, [[0]], [[[b], [0]]]), [[1 / 3, 2 / 3]], rtol=1e-6)


def test_first_scale_of_the_normalized_score():
    mechanism = built(BahdanauAttention(16, normalize=True), 3, 3)
    assert float(mechanism.g) == 0.25  # the square root of 1 / 16
    assert not numpy(mechanism.b).any()


def numpy_alignments(mechanism, query, memory, lengths):
    """The formulas of the papers, row by row and position by position."""
    weights = {weight.path.split("/", 1)[1]: numpy(weight) for weight in mechanism.weights}
    alignments = np.zeros(memory.shape[:2])
    for row, length in enumerate(lengths):
        scores = np.array([numpy_score(mechanism, weights, query[row], memory[row, t]) for t in range(length)])
        alignments[row, :length] = np.exp(scores) / np.exp(scores).sum()
    return alignments


def numpy_score(mechanism, weights, q, m):
    key = m @ weights["memory_layer/kernel"] if "memory_layer/kernel" in weights else m
    q = q @ weights["query_layer/kernel"] if "query_layer/kernel" in weights else q
    if isinstance(mechanism, LuongAttention):
        return weights.get("g", 1) * (q @ key)
    v = weights["v"]
    if mechanism.normalize:
        v = weights["g"] * v / np.sqrt(v @ v)
    return v @ np.tanh(q + key + weights.get("b", 0))


@pytest.mark.parametrize("kind", list(MECHANISMS)[:6])
def test_same_as_plain_numpy(kind):
    mechanism = built(MECHANISMS[kind](), 6, 5)
    randomize(mechanism)
    query, memory, lengths = normal(10, 4, 6), normal(11, 4, 7, 5), [7, 4, 1, 6]
    alignments = align(mechanism, query, memory, length_mask(lengths, 7))
    np.testing.assert_allclose(alignments, numpy_alignments(mechanism, query, memory, lengths), rtol=1e-4, atol=1e-7)


@every_mechanism
def test_alignments_sum_to_one(make):
    mechanism = built(make(), 6, 5)
    randomize(mechanism)
    lengths = [7, 3, 0]
    alignments = align(mechanism, normal(0, 3, 6), normal(1, 3, 7, 5), length_mask(lengths, 7))
    assert (alignments >= 0).all()
    assert not alignments[~length_mask(lengths, 7)].any()  # exactly 0 on padding, and all over an empty memory
    sums = alignments.sum(axis=1)
    if "Monotonic" in type(mechanism).__name__:
        assert (sums <= 1 + 1e-6).all()
        assert sums[0] > 0
    else:
        np.testing.assert_allclose(sums, [1, 1, 0], rtol=1e-6)


@every_mechanism
@pytest.mark.parametrize("padding", [0, 1e6, np.nan])
def test_padding_changes_nothing(make, padding):
    mechanism = built(make(), 6, 5)
    memory, mask = normal(1, 2, 7, 5), length_mask([7, 3], 7)
    other = np.where(mask[:, :, None], memory, padding).astype(np.float32)
    query = normal(0, 2, 6)
    np.testing.assert_array_equal(align(mechanism, query, memory, mask), align(mechanism, query, other, mask))
    for a, b in zip(mechanism.prepare(memory, mask), mechanism.prepare(other, mask), strict=True):
        np.testing.assert_array_equal(numpy(a), numpy(b))


@every_mechanism
def test_padding_is_as_if_it_were_not_there(make):
    mechanism = built(make(), 6, 5)
    query, memory = normal(0, 2, 6), normal(1, 2, 7, 5)
    padded = align(mechanism, query, memory, length_mask([4, 4], 7))
    np.testing.assert_allclose(padded[:, :4], align(mechanism, query, memory[:, :4]), rtol=1e-5, atol=1e-7)


@every_mechanism
def test_config_round_trip(make):
    mechanism = built(make(), 6, 5)
    randomize(mechanism)
    clone = built(keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(mechanism)), 6, 5)
    clone.set_weights(mechanism.get_weights())
    query, memory = normal(0, 2, 6), normal(1, 2, 7, 5)
    assert clone.get_config() == mechanism.get_config()
    np.testing.assert_array_equal(align(mechanism, query, memory), align(clone, query, memory))


@every_mechanism
def test_build_makes_all_weights(make):
    mechanism = built(make(), 6, 5)
    paths = [weight.path for weight in mechanism.weights]
    align(mechanism, normal(0, 2, 6), normal(1, 2, 7, 5))
    assert [weight.path for weight in mechanism.weights] == paths
    # Called without ``build``, it makes the same ones.
    called = make()
    align(called, normal(0, 2, 6), normal(1, 2, 7, 5))
    assert sorted(map(shape_of, called.weights)) == sorted(map(shape_of, mechanism.weights))


@every_mechanism
def test_compiles(make):
    mechanism = built(make(), 6, 5)
    query, memory, mask = normal(0, 2, 6), normal(1, 2, 7, 5), length_mask([7, 3], 7)

    @compiled
    def compiled_align(query, memory, mask):
        memory = mechanism.prepare(memory, mask)
        return mechanism(query, memory, mechanism.initial_alignments(memory))

    expected = align(mechanism, query, memory, mask)
    np.testing.assert_allclose(numpy(compiled_align(query, memory, mask)), expected, rtol=1e-5, atol=1e-7)


@every_mechanism
def test_mixed_precision_keeps_scores_in_float32(make):
    config = make().get_config()
    mechanism = built(type(make()).from_config({**config, "dtype": "mixed_bfloat16"}), 6, 5)
    memory = mechanism.prepare(normal(1, 2, 7, 5))
    query = ops.cast(normal(0, 2, 6), "bfloat16")
    alignments = mechanism(query, memory, mechanism.initial_alignments(memory))
    assert keras.backend.standardize_dtype(memory.keys.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(alignments.dtype) == "float32"
    full = built(make(), 6, 5)
    full.set_weights(mechanism.get_weights())
    if "hard" not in config.get("mode", ""):  # where rounding may move a score over 0
        np.testing.assert_allclose(
            numpy(alignments), align(full, numpy(query), normal(1, 2, 7, 5)), rtol=0.1, atol=0.02
        )


def test_softmax_of_large_scores():
    # Two scores 100 apart, then equal ones; e ** -100 is below what float32 adds to 1.
    weights = masked_softmax(np.array([[1e4, 1e4 - 100], [-1e4, -1e4]], np.float32), np.ones((2, 2), bool))
    np.testing.assert_allclose(numpy(weights), [[1, 0], [0.5, 0.5]], atol=1e-7)


def test_one_s_own_mechanism_adds_only_a_score():
    class Nearest(AttentionMechanism):
        """Scores by nearness: minus the squared distance."""

        def score(self, query, memory):
            return -ops.sum(ops.square(ops.expand_dims(query, 1) - memory.keys), axis=-1)

    # Squared distances 0 and ln 3: weights 1 and 1/3.
    np.testing.assert_allclose(align(Nearest(None), [[1]], [[[1], [1 + LN3**0.5]]]), [[0.75, 0.25]], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: built(LuongAttention(5), 6, 5), "got 6 and 5: pass units=6"),
        (lambda: built(LuongAttention(), 6, 5), "got 6 and 5"),
        (lambda: LuongAttention(4, score="additive"), "'additive'"),
        (lambda: BahdanauAttention(0), "units must be a positive integer, got 0"),
        (lambda: LuongAttention(2.5), "positive integer or None, got 2.5"),
        (lambda: BahdanauMonotonicAttention(4, mode="soft"), "parallel, recursive, hard, got 'soft'"),
        (lambda: BahdanauAttention(4).prepare(normal(0, 7, 5)), r"\(B, T, D\), got \(7, 5\)"),
        (lambda: BahdanauAttention(4).prepare(normal(0, 2, 7, 5), np.ones((2, 6))), r"got \(2, 6\)"),
        (lambda: BahdanauAttention(4).prepare(normal(0, 2, 7, 5), np.ones((2, 7, 1))), r"got \(2, 7, 1\)"),
    ],
)
def test_wrong_use_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
