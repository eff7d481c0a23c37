from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.metrics.bleu import BleuCounts


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
    assert counts.bleu() == counts.bleu(4) == pytest.approx((1 / 12) ** 0.25)
    # The shorter orders leave the later factors out.
    assert counts.bleu(1) == pytest.approx(5 / 6)
    assert counts.bleu(2) == pytest.approx((5 / 6 * 3 / 5) ** 0.5)
    assert counts.bleu(3) == pytest.approx((5 / 6 * 3 / 5 * 2 / 4) ** (1 / 3))


def test_short_predictions_are_penalized():
    # All n-grams are right, but 4 words stand against 6: exp(1 - 6/4). Of several references the nearest in length
    # counts, and of two equally near ones, of 5 and of 3 words, the shorter.
    assert bleu_counts(["a b c d e f"], "a b c d").bleu() == pytest.approx(math.exp(-0.5))
    assert bleu_counts(["a b c d e f", "a b c d e", "a b c"], "a b c d").true_words == 3
    assert bleu_counts(["a b c d"], "a b c d").bleu() == 1


@pytest.mark.parametrize("prediction", ["", "a", "a b c"])
def test_bleu_without_four_words_in_a_row_is_zero(prediction):
    assert bleu_counts(["a b c d"], prediction).bleu() == BleuCounts().bleu() == 0


def test_orders_without_a_match_do_not_hurt_the_shorter_ones():
    counts = bleu_counts(["a b c d"], "b a d c")  # all words, no pair
    assert [counts.bleu(order) for order in (1, 2, 3, 4)] == [1, 0, 0, 0]


sentences = st.text(alphabet="ab ", min_size=1, max_size=12)


@given(
    st.lists(st.tuples(sentences, sentences), max_size=5).flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))),
    st.integers(0, 5),
)
def test_bleu_counts_add_up_over_any_split_and_order(pairs, at):
    in_order, shuffled = (
        [bleu_counts([truth, truth[::-1]], prediction) for truth, prediction in some] for some in pairs
    )
    whole = sum(in_order, BleuCounts())
    assert sum(shuffled[:at], BleuCounts()) + sum(shuffled[at:], BleuCounts()) == whole
    assert all(0 <= whole.bleu(order) <= 1 for order in (1, 2, 3, 4))
    assert pickle.loads(pickle.dumps(whole)) == whole
    assert all(match <= total for match, total in zip(whole.matches, whole.totals, strict=True))
