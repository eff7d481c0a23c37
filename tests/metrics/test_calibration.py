from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.metrics.calibration import CalibrationCounts, CurvePoint, apply_temperature, fit_temperature


def count(*items):
    return sum(itertools.starmap(CalibrationCounts.of, items), CalibrationCounts())


def test_curve_and_expected_calibration_error():
    # Two bins of fifteenths: 0.875 is in [13/15, 14/15), and 0.5 in [7/15, 8/15). All are sums of powers of two.
    counts = count((0.875, True), (0.875, True), (0.875, True), (0.875, False), (0.5, True))
    assert counts.curve == [CurvePoint(0.5, 1.0, 1), CurvePoint(0.875, 0.75, 4)]
    # (4 * |0.75 - 0.875| + 1 * |1 - 0.5|) / 5 = (0.5 + 0.5) / 5
    assert counts.expected_calibration_error == pytest.approx(0.2)


def test_both_ends_have_a_bin():
    counts = count((0.0, False), (1.0, True))
    assert counts.curve == [CurvePoint(0.0, 0.0, 1), CurvePoint(1.0, 1.0, 1)]
    assert counts.expected_calibration_error == 0


def test_nothing_counted():
    assert CalibrationCounts().curve == [] and CalibrationCounts().expected_calibration_error == 0


items = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=8)


@given(items.flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))), st.integers(0, 8))
def test_counts_add_up_over_any_split_and_order(some, split):
    in_order, shuffled = some
    whole = count(*in_order)
    assert count(*shuffled[:split]) + count(*shuffled[split:]) == whole
    assert sum(whole.counts) == len(in_order) and sum(whole.correct) == sum(right for _, right in in_order)
    assert 0 <= whole.expected_calibration_error <= 1
    assert pickle.loads(pickle.dumps(whole)) == whole


@pytest.mark.parametrize(
    ("probability", "temperature", "confidence"),
    [
        (0.9, 1, 0.9),
        (0.9, 2, 0.75),  # odds of 9 become sqrt(9) = 3, which is 3 / 4
        (0.1, 2, 0.25),
        (0.75, 0.5, 0.9),  # and back
        (0.5, 7, 0.5),
        (1.0, 1, 1 - 1e-6),
        (0.0, 1, 1e-6),
    ],
)
def test_temperature_is_a_root_of_the_odds(probability, temperature, confidence):
    assert apply_temperature(probability, temperature) == pytest.approx(confidence)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 20))
def test_temperature_keeps_the_order(first, second, temperature):
    low, high = (apply_temperature(p, temperature) for p in sorted((first, second)))
    assert 0 <= low <= high <= 1


def test_temperature_that_fits():
    # Said to be right with 0.9, right three times in four: odds of 9 must become 3, their square root.
    assert fit_temperature([0.9] * 4, [True, True, True, False]) == pytest.approx(2, rel=1e-3)
    assert fit_temperature([0.75] * 10, [True] * 9 + [False]) == pytest.approx(0.5, rel=1e-3)
    assert fit_temperature([0.75, 0.25] * 4, [True, False] * 3 + [False, True]) == pytest.approx(1, rel=1e-3)


def test_temperature_is_found_again():
    rng = np.random.default_rng(0)
    true = rng.beta(4, 1, 20000)
    said = [apply_temperature(p, 1 / 1.7) for p in true]  # surer than it should be
    assert fit_temperature(said, rng.random(20000) < true) == pytest.approx(1.7, rel=0.05)


@pytest.mark.parametrize("probabilities", [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
@pytest.mark.parametrize("correct", [[True, True], [False, False], [True, False]])
def test_probabilities_that_say_all_or_nothing_have_a_temperature(probabilities, correct):
    temperature = fit_temperature(probabilities, correct)
    assert math.exp(-3) <= temperature <= math.exp(3)
