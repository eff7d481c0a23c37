"""The detector on a real network without training: what it finds is nonsense, but always the same nonsense."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ocr_models.detection.east import build_east
from ocr_models.detection.text_detector import TextDetector
from ocr_models.inference.keras_engine import compile_forward


def detector(score_bias):
    """A fresh EAST whose logit for text is a bias and nearly nothing else: 0 finds words about everywhere."""
    keras.utils.set_random_seed(3)
    east = build_east()
    kernel, bias = east.get_layer("score_logits").get_weights()
    east.get_layer("score_logits").set_weights([0.01 * kernel, 0 * bias + score_bias])
    return TextDetector(compile_forward(east))


@pytest.fixture(scope="module")
def eager_detector():
    return detector(score_bias=0)


def test_blank_page_has_no_words():
    assert detector(score_bias=-3).detect_at(np.full((200, 150), 255, np.uint8), scale=1.0) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 333), (97, 1), (64, 64), (65, 63)])
@pytest.mark.parametrize("scale", [0.3, 1.0, 1.7])
def test_pages_of_any_size(eager_detector, shape, scale):
    page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for box in eager_detector.detect_at(page, scale):
        assert box.quad.shape == (4, 2) and box.quad.dtype == np.float32 and np.isfinite(box.quad).all()
        assert 0 <= box.confidence <= 1


def test_quads_are_in_pixels_of_the_page_given(eager_detector):
    """What stands on the page's four times larger twin is found, seen at a quarter, at four times the place."""
    page = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)
    twin = np.kron(page, np.ones((4, 4), np.uint8))
    small, large = eager_detector.detect_at(page, 1.0), eager_detector.detect_at(twin, 0.25)
    assert small
    np.testing.assert_allclose([box.quad for box in large], [4 * box.quad for box in small], atol=1e-2)
