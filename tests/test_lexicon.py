from __future__ import annotations

import math

import numpy as np
import pytest

from ocr_models.lexicon import Lexicon

WORDS = ("crowding", "Straße", "it", "été")


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon.of(WORDS)


@pytest.mark.parametrize("word", [*WORDS, "Crowding", "CROWDING", "STRASSE", "Été", "It"])
def test_words_are_known_in_small_letters_capitals_and_capitalized(lexicon, word):
    assert word in lexicon


@pytest.mark.parametrize("word", ["erowding", "CrowDing", "cROWDING", "iT", "", "12", "crowdin"])
def test_other_words_and_mixtures_are_not(lexicon, word):
    assert word not in lexicon


def test_one_in_a_hundred_others_is_taken_for_a_word():
    rng = np.random.default_rng(0)
    words = {"".join(letters) for letters in rng.choice(list("abcdefghij"), (4000, 9))}
    lexicon = Lexicon.of(sorted(words)[::2])
    others = sorted(words)[1::2]
    # 10 bits a word and 7 hashes: (1 - exp(-7 / 10)) ** 7 = 0.8 %.
    assert sum(word in lexicon for word in others) / len(others) == pytest.approx(0.008, abs=0.006)


def test_a_lexicon_of_nothing_knows_nothing():
    assert "word" not in Lexicon.of([])


def test_choice_is_the_likeliest_known_word():
    lexicon = Lexicon.of(["cat", "eat", "bat"])
    first = [("o", math.log(0.5)), ("e", math.log(0.2)), ("c", math.log(0.3))]
    assert lexicon.choose([first, [("a", 0.0)], [("t", 0.0)]]) == "cat"


def test_capitals_are_chosen_as_a_word_has_them(lexicon):
    choices = [[("i", math.log(0.6)), ("I", math.log(0.4))], [("T", math.log(0.9)), ("t", math.log(0.1))]]
    # "iT" is no word; of "IT" (0.36), "it" (0.06) and "It" (0.04) the first is the likeliest.
    assert lexicon.choose(choices) == "IT"


def test_what_is_far_less_likely_is_not_chosen(lexicon):
    for factor, chosen in ((4.9, "it"), (5.1, None)):
        assert lexicon.choose([[("l", 0.0), ("i", -factor)], [("t", 0.0)]]) == chosen


def test_no_word_is_no_choice(lexicon):
    assert lexicon.choose([[("x", 0.0), ("y", -1.0)], [("z", 0.0)]]) is None


def test_saved_and_loaded_knows_the_same(lexicon, tmp_path):
    lexicon.save(tmp_path / "lexicon.bloom")
    loaded = Lexicon.load(tmp_path / "lexicon.bloom")
    assert all(word in loaded for word in WORDS) and "erowding" not in loaded
