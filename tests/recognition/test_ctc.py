"""CTC against its definition: a word's probability is the sum over all paths that merge into it."""

from __future__ import annotations

import itertools
from collections import defaultdict

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ocr_models.recognition.ctc import greedy_decode, log_softmax, prefix_beam_decode
from ocr_models.recognition.ctc_loss import ctc_loss
from tests.decoding.scripted import random_logits


def merge(path):
    """The labels of a path: repeats merged, then blanks (0) dropped."""
    return tuple(label for label, _ in itertools.groupby(path) if label)


def word_probabilities(log_probs):
    """The probability of every word, by going through all C ** T paths."""
    steps, classes = log_probs.shape
    words = defaultdict(float)
    for path in itertools.product(range(classes), repeat=steps):
        words[merge(path)] += float(np.exp(log_probs[range(steps), path].sum()))
    return words


def loss_of(words, logits, logit_length):
    """``ctc_loss`` of a batch of words, padded."""
    labels = np.zeros((len(words), max(4, *map(len, words))), np.int32)
    for row, word in enumerate(words):
        labels[row, : len(word)] = word
    label_length = np.array([len(word) for word in words], np.int32)
    return float(ctc_loss(labels, logits, label_length, np.array(logit_length, np.int32)))


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("classes", [2, 3])
def test_loss_is_the_sum_over_all_paths(steps, classes):
    logits = random_logits(steps, 1, steps, classes)
    for word, probability in word_probabilities(log_softmax(logits[0])).items():
        if word:
            np.testing.assert_allclose(loss_of([word], logits, [steps]), -np.log(probability), rtol=1e-4)


def test_loss_of_a_padded_batch_is_the_mean_of_its_words():
    words, lengths = [(1,), (2, 1, 2), (1, 1), (2, 2)], [2, 4, 3, 4]
    logits = random_logits(5, 4, 4, 3)
    expected = [
        -np.log(word_probabilities(log_softmax(row[:length]))[word])
        for word, row, length in zip(words, logits, lengths, strict=True)
    ]
    np.testing.assert_allclose(loss_of(words, logits, lengths), np.mean(expected), rtol=1e-4)


def test_repeat_needs_a_blank():
    # Two steps with three equally likely classes: of the 9 paths "ab" has one, of 3 steps' 27 "aa" has one, a-blank-a.
    np.testing.assert_allclose(loss_of([(1, 2)], np.zeros((1, 2, 3), np.float32), [2]), np.log(9), rtol=1e-5)
    np.testing.assert_allclose(loss_of([(1, 1)], np.zeros((1, 3, 3), np.float32), [3]), np.log(27), rtol=1e-5)


@pytest.mark.parametrize(
    ("word", "steps"), [((1, 2, 1), 2), ((1, 1), 2), ((2, 2, 2), 4), ((), 4)], ids=["long", "aa", "bbb", "empty"]
)
def test_word_without_a_path_is_left_out_of_the_mean(word, steps):
    logits = random_logits(6, 2, 4, 3)
    alone = loss_of([(1, 2)], logits[:1], [4])
    np.testing.assert_allclose(loss_of([(1, 2), word], logits, [4, steps]), alone, rtol=1e-5)


def test_batch_without_a_word_to_learn_costs_nothing():
    assert loss_of([(1, 1), ()], random_logits(7, 2, 2, 3), [2, 2]) == 0


class Logits(keras.layers.Layer):
    """Logits as weights, so that a training step on any backend moves them along the gradient."""

    def build(self, _):
        self.logits = self.add_weight(shape=(5, 4, 3), initializer="zeros", name="logits")

    def call(self, _):
        return ops.convert_to_tensor(self.logits)


def test_gradient_is_finite_and_lowers_the_loss():
    """Whatever words are in the batch: usual, repeated, too long, empty."""
    words, lengths = np.array([[1, 2], [1, 1], [2, 0], [1, 1], [0, 0]]), np.array([2, 2, 1, 2, 0])
    logit_length = np.array([4, 4, 2, 2, 4])
    image = keras.Input((1,))
    model = keras.Model(image, Logits()(image))
    model.compile(keras.optimizers.SGD(1.0), lambda truth, logits: ctc_loss(words, logits, lengths, logit_length))
    losses = [float(model.train_on_batch(np.zeros((5, 1)), np.zeros((5, 1)))) for _ in range(3)]
    moved = ops.convert_to_numpy(model.weights[0])
    assert np.isfinite(moved).all()
    assert losses[0] > losses[1] > losses[2] > 0
    assert (np.abs(moved[:3]).max(axis=(1, 2)) > 0).all()
    assert not moved[3:].any()  # words without a path teach nothing
    assert not moved[2, 2:].any()  # nor do steps beyond the crop


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 5), classes=st.integers(2, 4))
def test_wide_beam_finds_what_exhaustive_search_finds(seed, steps, classes):
    log_probs = log_softmax(random_logits(seed, steps, classes))
    words = word_probabilities(log_probs)
    ids, log_prob = prefix_beam_decode(log_probs, beam_width=1000)
    assert tuple(ids) == max(words, key=words.__getitem__)
    np.testing.assert_allclose(np.exp(log_prob), words[tuple(ids)], rtol=1e-4)


def test_beam_wins_where_greedy_loses():
    # The best path is blank, blank with 0.6 * 0.6 = 0.36. But "a" has three paths, a-blank, blank-a and a-a:
    # 0.4 * 0.6 + 0.6 * 0.4 + 0.4 * 0.4 = 0.64.
    log_probs = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert greedy_decode(log_probs[None], np.array([2])) == [([], [], [])]
    ids, log_prob = prefix_beam_decode(log_probs, beam_width=2)
    assert ids == [1]
    np.testing.assert_allclose(np.exp(log_prob), 0.64)


def test_narrow_beam_forgets():
    # After the first step only the blank's prefix is left, and "a" is found by one path alone, 0.6 * 0.4 = 0.24,
    # less than the 0.36 of nothing.
    ids, log_prob = prefix_beam_decode(np.log([[0.6, 0.4], [0.6, 0.4]]), beam_width=1)
    assert ids == []
    np.testing.assert_allclose(np.exp(log_prob), 0.36)


def test_greedy_merges_repeats_and_drops_blanks():
    # a a _ a b b _ : "a" twice, for the blank between, and "b" once; each as sure as its surest step.
    path, peaks = [1, 1, 0, 1, 2, 2, 0], [0.6, 0.9, 0.8, 0.5, 0.7, 0.6, 0.9]
    probabilities = np.zeros((7, 3))
    for step, (label, peak) in enumerate(zip(path, peaks, strict=True)):
        probabilities[step] = (1 - peak) / 2
        probabilities[step, label] = peak
    # The same crop again, of which only the first two steps are its own: one "a".
    logits = np.log(np.stack([probabilities, probabilities])) + 3  # unnormalized
    (ids, confidences, steps), (short_ids, short_confidences, _) = greedy_decode(logits, np.array([7, 2]))
    assert ids == [1, 1, 2] and short_ids == [1]
    assert steps == [0, 3, 4]
    np.testing.assert_allclose(confidences, [0.9, 0.5, 0.7], rtol=1e-6)
    np.testing.assert_allclose(short_confidences, [0.9], rtol=1e-6)


def test_log_softmax_of_large_logits():
    # Of two classes 100 apart the lesser has the log probability -100.
    log_probs = log_softmax(np.array([[1000.0, 900.0], [0.0, 0.0]]))
    np.testing.assert_allclose(log_probs, [[0, -100], [np.log(0.5), np.log(0.5)]], atol=1e-6)
    assert log_probs.dtype == np.float32
