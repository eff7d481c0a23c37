from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_models.geometry import box_quads
from ocr_models.metrics import BleuCounts, DetectionCounts, EditCounts, edit_distance

words = st.text(alphabet="abc", max_size=6)


def quads(*boxes):
    return box_quads(np.array(boxes, np.float32).reshape(-1, 4))


def counts(true, predicted, ignore=None):
    ignore = np.zeros(len(true), bool) if ignore is None else np.array(ignore)
    return DetectionCounts.of(quads(*true), ignore, quads(*predicted))


@pytest.mark.parametrize(
    ("truth", "prediction", "edits"),
    [
        ("", "", 0),
        ("word", "word", 0),
        ("word", "", 4),
        ("", "word", 4),
        ("kitten", "sitting", 3),  # k→s, e→i, +g
        ("Saturday", "Sunday", 3),  # -a, -t, r→n
        ("rn", "m", 2),  # r→m, -n
        ("ab", "ba", 2),  # two neighbors swapped count twice
    ],
)
def test_edit_distance(truth, prediction, edits):
    assert edit_distance(truth, prediction) == edits


@given(words, words, words)
def test_edit_distance_is_a_metric(first, second, third):
    distance = edit_distance(first, second)
    assert distance == edit_distance(second, first)
    assert (distance == 0) == (first == second)
    assert edit_distance(first, third) <= distance + edit_distance(second, third)


def test_cer_and_exact_share():
    pairs = [("kitten", "sitting"), ("word", "word"), ("rn", "m"), ("four", "four")]
    total = sum(itertools.starmap(EditCounts.of, pairs), EditCounts())
    assert total == EditCounts(edits=5, truth_labels=16, words=4, exact_words=2)
    assert total.cer == total.label_error_rate == 5 / 16
    assert total.exact_share == 0.5


@given(words, words)
def test_ids_count_as_characters_do(truth, prediction):
    ids = EditCounts.of(list(map(ord, truth)), np.array([ord(char) for char in prediction], np.int32))
    assert ids == EditCounts.of(truth, prediction)


def test_nothing_counted_scores_zero():
    assert EditCounts().cer == EditCounts().exact_share == 0
    assert DetectionCounts().precision == DetectionCounts().recall == DetectionCounts().f_score == 0


def test_a_pair_matches_from_half_of_the_union_on():
    word = (0, 0, 30, 10)
    # Moved by 10 of 30: 20 / 40 = 0.5 matches. By 11: 19 / 41 = 0.46 doesn't.
    assert counts([word], [(10, 0, 40, 10)]) == DetectionCounts(matched=1, predicted=1, true=1)
    assert counts([word], [(11, 0, 41, 10)]) == DetectionCounts(matched=0, predicted=1, true=1)


def test_scores_of_a_page():
    true = [(0, 0, 30, 10), (40, 0, 70, 10), (80, 0, 110, 10)]
    predicted = [(0, 0, 30, 10), (41, 0, 71, 10), (200, 0, 230, 10), (0, 50, 30, 60)]
    page = counts(true, predicted)
    assert page == DetectionCounts(matched=2, predicted=4, true=3)
    assert page.precision == 2 / 4
    assert page.recall == 2 / 3
    assert page.f_score == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))


def test_a_word_found_twice_matches_once():
    assert counts([(0, 0, 30, 10)], [(0, 0, 30, 10), (1, 0, 31, 10)]) == DetectionCounts(1, 2, 1)


def test_two_words_found_as_one_match_once():
    # The joined box has 60 of its 100 pixels of length on the first word, 40 on the second.
    assert counts([(0, 0, 60, 10), (60, 0, 100, 10)], [(0, 0, 100, 10)]) == DetectionCounts(1, 1, 2)


def test_the_best_pair_is_matched_first():
    # Of the predictions, b overlaps both words by IoU >= 0.5 and is the better one for the second.
    true = [(0, 0, 30, 10), (8, 0, 38, 10)]
    a, b = (0, 0, 24, 10), (7, 0, 37, 10)
    assert counts(true, [b, a]) == counts(true, [a, b]) == DetectionCounts(2, 2, 2)


def test_ignored_regions_count_neither_way():
    true, ignore = [(0, 0, 30, 10), (100, 0, 200, 50)], [False, True]
    in_region, half_in_region, found = (110, 10, 140, 20), (90, 0, 110, 10), (0, 0, 30, 10)
    # In the region a detection is dropped; with just half of it there it stays, as a false one.
    assert counts(true, [found, in_region], ignore) == DetectionCounts(1, 1, 1)
    assert counts(true, [found, half_in_region], ignore) == DetectionCounts(1, 2, 1)
    assert counts(true, [(100, 0, 200, 50)], ignore) == DetectionCounts(0, 0, 1)


def test_a_match_counts_even_on_an_ignored_region():
    assert counts([(0, 0, 30, 10), (0, 0, 50, 50)], [(0, 0, 30, 10)], [False, True]) == DetectionCounts(1, 1, 1)


@pytest.mark.parametrize(("true", "predicted"), [(0, 0), (0, 2), (2, 0)])
def test_pages_without_words_or_detections(true, predicted):
    word = (0, 0, 30, 10)
    assert counts([word] * true, [word] * predicted) == DetectionCounts(0, predicted, true)


pages = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4),
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4),
        st.integers(0, 4),
    ),
    max_size=5,
)


@settings(max_examples=50, deadline=None)
@given(pages, st.integers(0, 5))
def test_counts_add_up_over_any_split_of_the_pages(pages, split):
    def count(true, predicted, ignored):
        boxes = [[(x, y, x + 20, y + 10) for x, y in corners] for corners in (true, predicted)]
        return counts(*boxes, ignore=np.arange(len(true)) < ignored)

    parts = [count(*page) for page in pages]
    whole = sum(parts, DetectionCounts())
    assert sum(parts[:split], DetectionCounts()) + sum(parts[split:], DetectionCounts()) == whole
    assert sum(reversed(parts), DetectionCounts()) == whole
    assert whole.matched <= min(whole.predicted, whole.true)
    assert 0 <= whole.precision <= 1 and 0 <= whole.recall <= 1


@given(st.lists(st.tuples(words, words), max_size=6), st.integers(0, 6))
def test_edit_counts_add_up_over_any_split(pairs, split):
    parts = list(itertools.starmap(EditCounts.of, pairs))
    halves = sum(parts[:split], EditCounts()) + sum(parts[split:], EditCounts())
    assert halves == sum(parts, EditCounts())
    assert halves.edits == sum(edit_distance(*pair) for pair in pairs)


def bleu_counts(references, prediction):
    return BleuCounts.of([reference.split() for reference in references], prediction.split())


def test_ngrams_count_as_often_as_the_richest_reference_has_them():
    # Papineni et al., section 2.1: of seven "the" two count, as the first reference has two and the second one.
    counts = bleu_counts(["the cat is on the mat", "there is a cat on the mat"], "the the the the the the the")
    assert counts == BleuCounts(matches=(2, 0, 0, 0), totals=(7, 6, 5, 4), predicted_words=7, true_words=7)


def test_bleu_of_a_sentence():
    counts = bleu_counts(["a b c d x f"], "a b c d e f")
    # 5 of 6 words, ab bc cd of 5 pairs, abc bcd of 4 triples, abcd of 3: 5/6 * 3/5 * 2/4 * 1/3 = 1/12
    assert counts == BleuCounts((5, 3, 2, 1), (6, 5, 4, 3), 6, 6)
    assert counts.bleu == pytest.approx((1 / 12) ** 0.25)


def test_short_predictions_are_penalized():
    # All n-grams are right, but 4 words stand against 6: exp(1 - 6/4). Of several references the nearest in length
    # counts, and of two equally near ones, of 5 and of 3 words, the shorter.
    assert bleu_counts(["a b c d e f"], "a b c d").bleu == pytest.approx(math.exp(-0.5))
    assert bleu_counts(["a b c d e f", "a b c d e", "a b c"], "a b c d").true_words == 3
    assert bleu_counts(["a b c d"], "a b c d").bleu == 1


@pytest.mark.parametrize("prediction", ["", "a", "a b c"])
def test_bleu_without_four_words_in_a_row_is_zero(prediction):
    assert bleu_counts(["a b c d"], prediction).bleu == BleuCounts().bleu == 0


sentences = st.text(alphabet="ab ", min_size=1, max_size=12)


@given(st.lists(st.tuples(sentences, sentences), max_size=5), st.integers(0, 5))
def test_bleu_counts_add_up_over_any_split(pairs, at):
    each = [bleu_counts([truth, truth[::-1]], prediction) for truth, prediction in pairs]
    whole = sum(each, BleuCounts())
    assert sum(each[:at], BleuCounts()) + sum(each[at:], BleuCounts()) == whole
    assert 0 <= whole.bleu <= 1
    assert all(match <= total for match, total in zip(whole.matches, whole.totals, strict=True))
