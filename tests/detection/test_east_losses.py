import math

import numpy as np
import pytest
from keras import ops

from ocr_models.detection.east_losses import angle_loss, box_loss, east_loss

SHAPE = (1, 2, 2, 1)


def maps(score, geometry=(1, 1, 1, 1, 0), mask=1.0):
    score_map = np.reshape(np.array(score, np.float32), SHAPE)
    geometry_map = np.broadcast_to(np.array(geometry, np.float32), (1, 2, 2, 5))
    return score_map, geometry_map, np.full(SHAPE, mask, np.float32)


def number(value):
    return float(ops.convert_to_numpy(value))


def test_box_loss_is_minus_log_iou():
    # 10 x 20 against 10 x 10 within it: IoU = (100 + 1) / (200 + 1) with the guarding pixel.
    truth = np.array([5, 10, 5, 10, 0], np.float32)
    prediction = np.array([5, 5, 5, 5, 0], np.float32)
    assert number(box_loss(truth, prediction)[0]) == pytest.approx(-math.log(101 / 201), rel=1e-5)
    assert number(box_loss(truth, truth)[0]) == pytest.approx(0)


def test_angle_loss_is_one_minus_cosine():
    truth, prediction = np.array([1, 1, 1, 1, 0.2], np.float32), np.array([9, 9, 9, 9, -0.1], np.float32)
    assert number(angle_loss(truth, prediction)[0]) == pytest.approx(1 - math.cos(0.3), rel=1e-4)


def test_total_of_a_page_a_hand_can_check():
    score_map, geometry_map, mask = maps([1, 0, 0, 0])
    predicted = np.broadcast_to(np.array([1, 1, 1, 1, 0.5], np.float32), (1, 2, 2, 5))
    total, parts = east_loss(score_map, geometry_map, mask, np.zeros(SHAPE), predicted)
    # All probabilities are 0.5: the mean over the positive is log 2, the mean over the negatives is log 2.
    assert number(parts["score"]) == pytest.approx(2 * math.log(2), rel=1e-5)
    assert number(parts["box"]) == pytest.approx(0, abs=1e-6)
    assert number(parts["angle"]) == pytest.approx(1 - math.cos(0.5), rel=1e-5)
    assert number(total) == pytest.approx(2 * math.log(2) + 10 * (1 - math.cos(0.5)), rel=1e-5)


def test_dice_of_a_page_a_hand_can_check():
    score_map, geometry_map, mask = maps([1, 1, 0, 0])
    _, parts = east_loss(score_map, geometry_map, mask, np.zeros(SHAPE), geometry_map, score_loss="dice")
    # overlap = 2 * 0.5 = 1; sums 4 * 0.5 = 2 and 2: 1 - (2 * 1 + 1) / (2 + 2 + 1) = 0.4
    assert number(parts["score"]) == pytest.approx(0.4, rel=1e-5)


@pytest.mark.parametrize("score_loss", ["balanced", "dice"])
@pytest.mark.parametrize("logit", [-1e4, 0.0, 1e4])
def test_page_without_text_and_extreme_logits_are_finite(score_loss, logit):
    score_map, geometry_map, mask = maps([0, 0, 0, 0], geometry=(0, 0, 0, 0, 0))
    total, parts = east_loss(score_map, geometry_map, mask, np.full(SHAPE, logit), geometry_map, score_loss)
    assert np.isfinite(number(total))
    assert number(parts["box"]) == number(parts["angle"]) == 0


def test_page_masked_as_a_whole_costs_nothing():
    score_map, geometry_map, mask = maps([1, 0, 0, 0], mask=0.0)
    total, _ = east_loss(score_map, geometry_map, mask, np.full(SHAPE, 3.0), geometry_map + 5)
    assert number(total) == 0


@pytest.mark.parametrize("score_loss", ["balanced", "dice"])
def test_ignored_cells_do_not_change_the_loss(score_loss):
    rng = np.random.default_rng(0)
    score_map = (rng.random((2, 8, 8, 1)) > 0.7).astype(np.float32)
    geometry_map = rng.uniform(1, 30, (2, 8, 8, 5)).astype(np.float32)
    mask = np.ones_like(score_map)
    mask[:, 2:5, 1:6] = 0
    logits, predicted = rng.normal(size=score_map.shape), rng.uniform(1, 30, geometry_map.shape)
    before, _ = east_loss(score_map, geometry_map, mask, logits, predicted, score_loss)
    ignored = mask[..., 0] == 0
    logits[ignored], predicted[ignored], score_map[ignored], geometry_map[ignored] = 50.0, 400.0, 1.0, 3.0
    after, _ = east_loss(score_map, geometry_map, mask, logits, predicted, score_loss)
    assert number(before) == pytest.approx(number(after))


def test_unknown_score_loss_names_the_choices():
    with pytest.raises(ValueError, match="balanced"):
        east_loss(*maps([0] * 4), np.zeros(SHAPE), np.zeros((1, 2, 2, 5)), score_loss="focal")
