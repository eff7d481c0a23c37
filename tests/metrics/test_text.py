from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.geometry import box_quads
from ocr_models.io.predictions import PredictedPage, PredictedWord
from ocr_models.metrics.matches import MatchCounts
from ocr_models.metrics.recognition import EditCounts
from ocr_models.metrics.text import PageCounts, counted_words, plain_text
from ocr_models.records import Example


def quads(words):
    """Words on one line, 30 pixels wide and 40 apart, unless a box is given."""
    boxes = [word[1] if isinstance(word, tuple) else (40 * i, 0, 40 * i + 30, 10) for i, word in enumerate(words)]
    return box_quads(np.array(boxes, np.float32).reshape(-1, 4))


def texts(words):
    return tuple(word[0] if isinstance(word, tuple) else word for word in words)


def truth(*words, ignore=()):
    ignored = np.array([i in ignore for i in range(len(words))], bool)
    return Example("page", b"", "png", 100, 1000, quads(words), texts(words), ignored)


def read(*words):
    placed = map(PredictedWord, texts(words), quads(words))
    return PredictedPage("page", " ".join(texts(words)), tuple(placed))


def test_words_that_count():
    assert counted_words("  Don’t – “stop”\n№5 ﬁne … R² * a-b ") == ["Don't", '"stop"', "No5", "fine", "R2", "a-b"]
    assert counted_words("Straße ÉTÉ", casefold=True) == ["strasse", "été"]
    assert plain_text("a\u00a0b \t\n c—d−e‐f") == "a b c-d-e-f"


def test_a_page_read():
    counts = PageCounts.of(truth("The", "cat", "sat", "."), read("The", "cat", "Sat", "."))
    # The dot is no word. Of three words two are right, wherever one looks; S for s is one of 13 characters.
    assert counts.bag == counts.boxes == MatchCounts(matched=2, predicted=3, true=3)
    assert counts.characters == EditCounts(edits=1, truth_labels=len("The cat sat ."), words=1, exact_words=0)
    assert counts.cer == 1 / 13
    assert PageCounts.of(truth("The", "cat"), read("the", "CAT"), casefold=True).bag == MatchCounts(2, 2, 2)


def test_order_matters_to_characters_alone_and_place_to_boxes_alone():
    words = [("one", (0, 0, 30, 10)), ("two", (40, 0, 70, 10))]
    swapped = PageCounts.of(truth(*words), read(*words[::-1]))
    assert swapped.bag == swapped.boxes == MatchCounts(2, 2, 2)
    assert swapped.cer == 6 / 7  # from "one two" to "two one": one becomes two letter by letter, and two one
    moved = PageCounts.of(truth(*words), read("two", "one"))
    assert (moved.bag.matched, moved.boxes.matched) == (2, 0)


def test_words_count_as_often_as_they_stand_there():
    # Of three "the" read two are true; "a" stands there once and is read twice.
    assert PageCounts.of(truth("the", "the", "a"), read("the", "the", "the", "a", "a")).bag == MatchCounts(3, 5, 3)


def test_a_word_in_two_pieces_has_neither_place_nor_text():
    whole, halves = ("forward", (0, 0, 60, 10)), [("for", (0, 0, 28, 10)), ("ward", (28, 0, 60, 10))]
    counts = PageCounts.of(truth(whole), read(*halves))
    # The second half has 32 / 60 of the word's area, and so its place, but isn't its text.
    assert counts.bag == counts.boxes == MatchCounts(0, 2, 1)
    assert counts.characters.edits == 1  # the space


def test_ignored_regions_count_nowhere():
    region = ("###", (100, 0, 200, 50))
    page = truth("word", region, ("", (300, 0, 330, 10)), ignore=[1])  # the text of the last isn't known
    on_them = [("junk", (110, 10, 140, 20)), ("what", (300, 0, 330, 10))]
    counts = PageCounts.of(page, read("word", *on_them))
    assert counts == PageCounts.of(truth("word"), read("word"))
    assert counts.bag == counts.boxes == MatchCounts(1, 1, 1) and counts.cer == 0


def test_signs_alone_are_neither_found_nor_missed_by_place():
    # A bullet that is read as a word where there is one isn't wrong by place; in the bag it is.
    counts = PageCounts.of(truth("•", "item"), read("o", "item"))
    assert counts.boxes == MatchCounts(1, 1, 1) and counts.bag == MatchCounts(1, 2, 1)
    assert PageCounts.of(truth("item"), read("item", "•")).boxes == MatchCounts(1, 1, 1)


def test_words_without_a_place_are_at_no_place():
    page = PredictedPage("page", "a b", (PredictedWord("a"), PredictedWord("b")))
    counts = PageCounts.of(truth("a", "b"), page)
    assert counts.bag == MatchCounts(2, 2, 2) and counts.boxes == MatchCounts(0, 2, 2) and counts.cer == 0


@pytest.mark.parametrize(("true", "predicted"), [((), ()), (("word",), ()), ((), ("word",))])
def test_pages_without_words(true, predicted):
    counts = PageCounts.of(truth(*true), read(*predicted))
    assert counts.bag == counts.boxes == MatchCounts(0, len(predicted), len(true))
    assert counts.characters.edits == 4 * (len(true) + len(predicted))


words = st.lists(st.sampled_from(["a", "b", "A", "–", "a b"]), max_size=4)
some_pages = st.lists(st.tuples(words, words, st.sets(st.integers(0, 3))), max_size=5)


@given(some_pages.flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))), st.integers(0, 5), st.booleans())
def test_counts_add_up_over_any_split_and_order(pages, split, casefold):
    in_order, shuffled = (
        [PageCounts.of(truth(*true, ignore=ignore), read(*found), casefold) for true, found, ignore in some]
        for some in pages
    )
    whole = sum(in_order, PageCounts())
    assert sum(shuffled[:split], PageCounts()) + sum(shuffled[split:], PageCounts()) == whole
    assert whole.pages == len(in_order)
    assert whole.bag.matched <= min(whole.bag.predicted, whole.bag.true)
    assert pickle.loads(pickle.dumps(whole)) == whole
