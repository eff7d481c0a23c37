"""What the strategies feed and choose: samples against their distribution, the rest with scripted steps."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ocr_models.decoding.decode import decode
from ocr_models.decoding.strategies import Greedy, Sampling, ScheduledSampling, TeacherForcing, sample_ids
from tests.decoding.scripted import markov_step, random_logits, script_state, scripted_step
from tests.decoding.stepping import compiled

START, END = 1, 2
LOGITS = np.array([0.5, -1.0, -np.inf, 2.0, 1.5], np.float32)  # END can't be drawn


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum()


def same_logits_step(ids, state):
    return ops.broadcast_to(ops.convert_to_tensor(LOGITS), (ids.shape[0], 5)), state


def samples(rows, length, **options):
    """Ids (rows, length), each drawn from LOGITS."""
    run = compiled(lambda state: decode(same_logits_step, state, Sampling(START, END, **options), length).ids)
    return np.asarray(run(np.zeros(rows, np.int32)))


def assert_drawn_from(probabilities, ids):
    """The share of each id is within 4 standard deviations of its probability."""
    shares = np.bincount(ids.ravel(), minlength=len(probabilities)) / ids.size
    deviations = np.sqrt(probabilities * (1 - probabilities) / ids.size)
    assert (np.abs(shares - probabilities) <= 4 * deviations).all(), (shares, probabilities)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_samples_follow_the_softmax(temperature):
    probabilities = softmax(LOGITS / temperature)
    ids = samples(4000, 5, temperature=temperature, seed=1)
    assert_drawn_from(probabilities, ids)
    # Steps and rows are independent of each other: pairs have the products of their probabilities.
    pairs = np.outer(probabilities, probabilities).ravel()
    assert_drawn_from(pairs, 5 * ids[:, 0] + ids[:, 1])
    assert_drawn_from(pairs, 5 * ids[1::2] + ids[::2])


def test_top_k_draws_from_the_likeliest_ids_alone():
    # Of 2.0 and 1.5 the first has the probability 1 / (1 + exp(-0.5)) = 0.622.
    ids = samples(4000, 5, top_k=2, seed=2)
    assert set(np.unique(ids)) == {3, 4}
    assert_drawn_from(np.array([0, 0, 0, 0.6225, 0.3775]), ids)


def test_top_1_is_greedy_and_top_k_may_pass_the_number_of_ids():
    assert set(np.unique(samples(50, 4, top_k=1))) == {3}
    np.testing.assert_array_equal(np.unique(samples(4000, 1, top_k=9)), [0, 1, 3, 4])


def test_same_seed_same_samples():
    np.testing.assert_array_equal(samples(50, 6, seed=7), samples(50, 6, seed=7))
    assert (samples(50, 6, seed=7) != samples(50, 6, seed=8)).any()


def test_seed_generator_draws_anew():
    def draw(generator):
        return decode(same_logits_step, np.zeros(50, np.int32), Sampling(START, END, seed=generator), 6).ids

    generator = keras.random.SeedGenerator(3)
    first, second = draw(generator), draw(generator)
    assert np.any(first != second)
    np.testing.assert_array_equal(first, draw(keras.random.SeedGenerator(3)))


def test_samples_are_fed_back_until_the_end():
    logits = random_logits(0, 30, 5, 5)
    decoded = decode(
        markov_step(logits), script_state(30), Sampling(START, END, seed=4), 8, history=lambda state: state.fed
    )
    ids, lengths = np.asarray(decoded.ids), np.asarray(decoded.lengths)
    assert 1 in lengths
    assert 8 in lengths
    for row, length in enumerate(lengths):
        assert (ids[row, : length - 1] != END).all()
        assert not ids[row, length:].any()
        assert bool(decoded.finished[row]) == (ids[row, length - 1] == END)
        np.testing.assert_array_equal(decoded.history[row, :length], [START, *ids[row, : length - 1]])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.25, 0.5, 1 - 1e-6]), st.sampled_from([None, 1, 2, 6]))
def test_sample_inverts_the_cumulative_distribution(seed, uniform, top_k):
    logits = random_logits(seed, 6)
    logits[seed % 6] = logits[(seed // 6) % 6] = -np.inf
    order = range(6) if top_k is None else np.argsort(-logits, kind="stable")[:top_k]
    left = uniform * sum(float(np.exp(logits[i])) for i in order)
    for expected in order:
        left -= float(np.exp(logits[expected]))
        if left < 0:
            break
    (drawn,) = np.asarray(sample_ids(logits[None], np.array([uniform], np.float32), top_k=top_k))
    assert np.isfinite(logits[drawn])
    assert drawn == expected or abs(left) < 1e-4  # at a boundary rounding decides


def test_greedy_takes_the_lowest_of_equal_ids():
    logits = np.array([[[1, 3, 0, 3, 3], [2, 2, 2, 2, 2], [0, 0, 1, 0, 1]]], np.float32)
    decoded = decode(scripted_step(logits), script_state(1), Greedy(START, END), 5)
    np.testing.assert_array_equal(decoded.ids, [[1, 0, END, 0, 0]])


TRUTH = np.random.default_rng(1).integers(0, 5, (40, 6)).astype(np.int32)


def scheduled(sampling_probability, truth=TRUTH, seed=0):
    strategy = ScheduledSampling(truth, sampling_probability, seed)
    logits = random_logits(2, len(truth), 10, 5)
    decoded = decode(markov_step(logits), script_state(len(truth)), strategy, history=lambda state: state.fed)
    return decoded, np.asarray(decoded.history), np.asarray(decoded.ids)


def test_scheduled_sampling_with_probability_0_is_teacher_forcing():
    decoded, fed, _ = scheduled(0.0)
    np.testing.assert_array_equal(fed, TRUTH)
    forced = decode(markov_step(random_logits(2, 40, 10, 5)), script_state(40), TeacherForcing(TRUTH))
    np.testing.assert_array_equal(decoded.outputs, forced.outputs)


def test_scheduled_sampling_with_probability_1_feeds_its_own_samples():
    _, fed, ids = scheduled(1.0)
    np.testing.assert_array_equal(fed[:, 0], TRUTH[:, 0])
    np.testing.assert_array_equal(fed[:, 1:], ids[:, :-1])
    assert (fed[:, 1:] != TRUTH[:, 1:]).any()


def test_scheduled_sampling_mixes_truth_and_samples():
    truth = np.full((500, 9), 9, np.int32)  # no sample is a 9
    _, fed, ids = scheduled(0.3, truth)
    is_sample = fed[:, 1:] != 9
    np.testing.assert_array_equal(fed[:, 1:][is_sample], ids[:, :-1][is_sample])
    assert_drawn_from(np.array([0.7, 0.3]), is_sample.astype(int))
    np.testing.assert_array_equal(fed, scheduled(0.3, truth)[1])
    assert (fed != scheduled(0.3, truth, seed=1)[1]).any()


def test_scheduled_samples_follow_the_softmax():
    truth = np.zeros((4000, 4), np.int32)
    decoded = decode(same_logits_step, np.zeros(4000, np.int32), ScheduledSampling(truth, 0.5, seed=5))
    assert_drawn_from(softmax(LOGITS), np.asarray(decoded.ids))


def test_sampling_probability_may_be_a_schedule():
    truth = np.full((20, 4), 9, np.int32)
    run = compiled(lambda probability: _fed(ScheduledSampling(truth, probability)))
    assert (np.asarray(run(np.float32(0)))[:, 1:] == 9).all()
    assert (np.asarray(run(np.float32(1)))[:, 1:] != 9).all()


def _fed(strategy):
    step = markov_step(random_logits(3, 20, 10, 5))
    return decode(step, script_state(20), strategy, history=lambda state: state.fed).history


def test_teacher_forcing_feeds_anything():
    frames = np.random.default_rng(4).standard_normal((3, 4, 2)).astype(np.float32)
    decoded = decode(
        lambda frame, state: (2 * frame, state + frame), np.zeros((3, 2), np.float32), TeacherForcing(frames)
    )
    np.testing.assert_allclose(decoded.outputs, 2 * frames, rtol=1e-6)
    np.testing.assert_allclose(decoded.state, frames.sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sampling(START, END, temperature=0.0), "temperature is 0.0"),
        (lambda: Sampling(START, END, top_k=0), "top_k is 0"),
        (lambda: ScheduledSampling(TRUTH, 1.5), "sampling_probability is 1.5"),
    ],
)
def test_numbers_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
