from __future__ import annotations

import math

import pytest

from ocr_models.language_model import WEIGHT, LanguageModel


@pytest.fixture(scope="module")
def language():
    """Of "ab" three times and "b" once, without leaving any out."""
    return LanguageModel.count(["ab", "ab", "ab", "b"], least=1)


def test_unigrams(language):
    # 3 times "a", 4 times "b", 4 times the edge behind a word: 11 characters of 3 kinds, each with 1/3 to begin with.
    # Where nothing was met before, (count + kinds * 1/3) / (all + kinds) stands.
    assert math.exp(language.log_prob("", "a")) == pytest.approx((3 + 3 / 3) / (11 + 3), rel=1e-3)
    assert math.exp(language.log_prob("", "b")) == pytest.approx((4 + 3 / 3) / (11 + 3), rel=1e-3)


def test_longer_ngrams_lean_on_shorter_ones(language):
    # After the edge: "a" 3 times, "b" once, two kinds; 4/14 and 5/14 are the unigrams'.
    assert math.exp(language.log_prob(" ", "a")) == pytest.approx((3 + 2 * 4 / 14) / (4 + 2), rel=1e-3)
    assert math.exp(language.log_prob(" ", "b")) == pytest.approx((1 + 2 * 5 / 14) / (4 + 2), rel=1e-3)


def test_what_was_never_met_after_something_is_as_likely_as_alone_times_a_share(language):
    # After "a" came "b" alone, three times: 1 / (3 + 1) is left to all others.
    assert math.exp(language.log_prob("a", "a")) == pytest.approx(1 / 4 * 4 / 14, rel=1e-3)


def test_probabilities_of_what_may_follow_add_up(language):
    for before in ("", " ", "a", " a", "b", " ab", "ba"):
        assert sum(math.exp(language.log_prob(before, char)) for char in "ab ") == pytest.approx(1, rel=1e-3)


def test_unknown_characters_are_unlikely_not_impossible(language):
    assert -40 < language.log_prob(" a", "ß") < -10


def test_rare_long_ngrams_are_left_out():
    all_of_them, common = (LanguageModel.count(["the"] * 5 + ["cat"], least=n) for n in (1, 2))
    # "cat" has three of three (" ca", "cat", "at "), two of four and one of five characters.
    assert len(all_of_them) - len(common) == 3 + 2 + 1


def test_choice_is_the_networks_where_it_is_sure(language):
    assert language.choose([[("b", math.log(0.999)), ("a", math.log(0.001))], [("b", 0.0)]]) == "bb"


def test_choice_is_the_languages_where_the_network_is_in_doubt(language):
    assert language.choose([[("b", math.log(0.51)), ("a", math.log(0.49))], [("b", 0.0)]]) == "ab"


def test_choice_weighs_both(language):
    texts = ("ab", "bb")
    by_language = [
        sum(language.log_prob((" " + text + " ")[:i][-4:], (text + " ")[i - 1]) for i in range(1, 4)) for text in texts
    ]
    tie = WEIGHT * (by_language[0] - by_language[1])  # by which the network must prefer "bb" for a draw
    for advantage, chosen in ((tie - 0.01, "ab"), (tie + 0.01, "bb")):
        assert language.choose([[("a", 0.0), ("b", advantage)], [("b", 0.0)]]) == chosen


def test_words_behind_a_space_begin_anew(language):
    alone = language.choose([[("b", math.log(0.51)), ("a", math.log(0.49))], [("b", 0.0)]])
    behind = [[("b", 0.0)], [(" ", 0.0)], [("b", math.log(0.51)), ("a", math.log(0.49))], [("b", 0.0)]]
    assert language.choose(behind) == f"b {alone}"


def test_nothing_to_choose(language):
    assert language.choose([]) == ""


def test_saved_and_loaded_says_the_same(language, tmp_path):
    language.save(tmp_path / "language.npz")
    loaded = LanguageModel.load(tmp_path / "language.npz")
    for before, char in ((" ", "a"), (" a", "b"), ("a", "a"), ("", "ß")):
        assert loaded.log_prob(before, char) == pytest.approx(language.log_prob(before, char), abs=2e-3)
