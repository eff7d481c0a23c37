"""The sequence loss against numbers worked out by hand, and its averages against NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from ocr_models.decoding.losses import cross_entropy, sequence_loss
from tests.decoding.scripted import log_softmax, random_logits

# With the logits (ln 3, 0) class 0 has the probability 3/4, and the loss is ln(4/3) for it and ln 4 for the other.
LOGITS = np.full((2, 3, 2), [np.log(3), 0], np.float32)
TARGETS = np.array([[0, 1, 0], [1, -1, -1]])
WEIGHTS = np.array([[1, 1, 0], [2, 0, 0]])
LIKELY, UNLIKELY = np.log(4 / 3), np.log(4)


@pytest.mark.parametrize(
    ("average", "expected"),
    [
        ("token", (LIKELY + UNLIKELY + 2 * UNLIKELY) / 4),
        ("sequence", [(LIKELY + UNLIKELY) / 2, 2 * UNLIKELY / 2]),
        ("batch", [(LIKELY + 2 * UNLIKELY) / 3, UNLIKELY, 0]),
        (None, [[LIKELY, UNLIKELY, 0], [2 * UNLIKELY, 0, 0]]),
    ],
)
def test_averages(average, expected):
    np.testing.assert_allclose(sequence_loss(LOGITS, TARGETS, WEIGHTS, average), expected, rtol=1e-6)


def test_all_tokens_count_if_there_are_no_weights():
    loss = sequence_loss(LOGITS, np.array([[0, 1, 0], [1, 1, 0]]))
    np.testing.assert_allclose(loss, (LIKELY + UNLIKELY) / 2, rtol=1e-6)


def test_label_smoothing_mixes_the_truth_with_all_classes():
    # The truth is 0.8 + 0.1 for class 0 and 0.1 for class 1: 0.9 ln(4/3) + 0.1 ln 4.
    losses = cross_entropy(LOGITS, np.zeros((2, 3), np.int32), label_smoothing=0.2)
    np.testing.assert_allclose(losses, np.full((2, 3), 0.9 * LIKELY + 0.1 * UNLIKELY), rtol=1e-6)
    loss = sequence_loss(LOGITS, TARGETS, WEIGHTS, "sequence", label_smoothing=0.2)
    other = 0.9 * UNLIKELY + 0.1 * LIKELY
    np.testing.assert_allclose(loss, [(0.9 * LIKELY + 0.1 * UNLIKELY + other) / 2, other], rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_against_its_definition(smoothing):
    logits = random_logits(0, 3, 4, 5)
    targets = np.random.default_rng(1).integers(0, 5, (3, 4))
    truth = (1 - smoothing) * np.eye(5)[targets] + smoothing / 5
    expected = -(truth * log_softmax(logits)).sum(axis=-1)
    np.testing.assert_allclose(cross_entropy(logits, targets, smoothing), expected, rtol=1e-4)


@pytest.mark.parametrize("average", ["token", "sequence", "batch"])
def test_padding_does_not_matter(average):
    other_logits, other_targets = LOGITS.copy(), TARGETS.copy()
    other_logits[WEIGHTS == 0] = [-5, 80]
    other_targets[WEIGHTS == 0] = 0
    loss = sequence_loss(LOGITS, TARGETS, WEIGHTS, average)
    np.testing.assert_array_equal(sequence_loss(other_logits, other_targets, WEIGHTS, average), loss)


def test_no_weight_no_loss():
    assert float(sequence_loss(LOGITS, TARGETS, np.zeros((2, 3)))) == 0
    np.testing.assert_array_equal(sequence_loss(LOGITS, TARGETS, np.zeros((2, 3)), "sequence"), [0, 0])


def test_losses_are_float32():
    logits = ops.cast(1000 * LOGITS, "bfloat16")
    loss = sequence_loss(logits, TARGETS, WEIGHTS, None, label_smoothing=0.1)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert np.isfinite(np.asarray(loss)).all()


class Logits(keras.layers.Layer):
    """Logits as weights, so that a training step on any backend moves them along the gradient."""

    def build(self, _):
        self.logits = self.add_weight(shape=(2, 3, 2), initializer="zeros", name="logits")

    def call(self, _):
        return ops.convert_to_tensor(self.logits)


@pytest.mark.parametrize(("weights", "moves"), [(WEIGHTS, WEIGHTS > 0), (0 * WEIGHTS, 0 * WEIGHTS > 0)])
def test_gradient_moves_weighted_tokens_only(weights, moves):
    nothing = keras.Input((1,))
    model = keras.Model(nothing, Logits()(nothing))
    model.compile(keras.optimizers.SGD(1.0), lambda _, logits: sequence_loss(logits, TARGETS, weights))
    model.train_on_batch(np.zeros((2, 1)), np.zeros((2, 1)))
    moved = ops.convert_to_numpy(model.weights[0])
    np.testing.assert_array_equal((moved != 0).all(axis=-1), moves)
    for row, time in zip(*np.nonzero(moves), strict=True):
        assert moved[row, time].argmax() == TARGETS[row, time]


def test_unknown_average_is_refused():
    with pytest.raises(ValueError, match="average is 'word'"):
        sequence_loss(LOGITS, TARGETS, WEIGHTS, "word")
