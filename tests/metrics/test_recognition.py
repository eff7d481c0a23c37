from __future__ import annotations

import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.metrics.recognition import EditCounts, WordCounts, edit_distance

words = st.text(alphabet="abc", max_size=6)


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
        ("œuvre", "oeuvre", 2),  # œ→o, +e
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


@given(st.lists(st.tuples(words, words), max_size=6), st.integers(0, 6))
def test_edit_counts_add_up_over_any_split(pairs, split):
    parts = list(itertools.starmap(EditCounts.of, pairs))
    halves = sum(parts[:split], EditCounts()) + sum(parts[split:], EditCounts())
    assert halves == sum(parts, EditCounts())
    assert halves.edits == sum(edit_distance(*pair) for pair in pairs)


def test_word_scores():
    pairs = [("Don't", "Dont"), ("Cafe", "cafe"), ("two words", "two word"), ("—", "-"), ("MMXX", "MMXX")]
    total = sum(itertools.starmap(WordCounts.of, pairs), WordCounts())
    # Edits: -', C→c, -s, —→-, none: 4 of 5 + 4 + 9 + 1 + 4 = 23 characters. Only MMXX is right to the letter.
    assert (total.words, total.accuracy) == (5, 1 / 5)
    assert total.cer == total.label_error_rate == 4 / 23
    # In lower case, letters and digits alone: dont, cafe and mmxx are right, twowords isn't; of — nothing is left.
    assert total.alphanumeric == EditCounts(edits=1, truth_labels=4 + 4 + 8 + 4, words=4, exact_words=3)
    assert total.alphanumeric_accuracy == 3 / 4
    # By white space there are 1 + 1 + 2 + 1 + 1 = 6 words, of which Don't, Cafe, words and — are read wrong.
    assert total.wer == 4 / 6
    assert total.confusions == Counter({("'", ""): 1, ("C", "c"): 1, ("s", ""): 1, ("—", "-"): 1})


def test_words_from_nowhere_are_errors():
    counts = WordCounts.of("", "ab c")
    assert (counts.characters.edits, counts.tokens.edits, counts.accuracy) == (4, 2, 0)
    assert counts.confusions == Counter({("", char): 1 for char in "ab c"})


def test_commonest_confusions_come_first():
    total = sum(itertools.starmap(WordCounts.of, [("l0l", "101"), ("lie", "1ie"), ("in", "i")]), WordCounts())
    assert total.top_confusions(2) == [("l", "1", 3), ("n", "", 1)]
    assert len(total.top_confusions(9)) == 2


def test_nothing_counted_scores_zero():
    empty = WordCounts()
    assert EditCounts().cer == EditCounts().exact_share == 0
    assert empty.accuracy == empty.alphanumeric_accuracy == empty.cer == empty.wer == empty.words == 0


texts = st.text(alphabet="aB1 é-", max_size=8)


@given(
    st.lists(st.tuples(texts, texts), max_size=6).flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))),
    st.integers(0, 6),
)
def test_word_counts_add_up_over_any_split_and_order(pairs, split):
    in_order, shuffled = ([WordCounts.of(*pair) for pair in some] for some in pairs)
    whole = sum(in_order, WordCounts())
    assert sum(shuffled[:split], WordCounts()) + sum(shuffled[split:], WordCounts()) == whole
    assert whole.confusions.total() == whole.characters.edits
    assert pickle.loads(pickle.dumps(whole)) == whole
