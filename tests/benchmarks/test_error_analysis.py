"""Handmade pages with boxes 20 pixels high, so that 0.15 of a height is 3 pixels."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.error_analysis import Cause, FoundWord, TrueWord, explain_errors, misreading


def true(text, x0, x1, y0=100):
    return TrueWord(text, np.array([x0, y0, x1, y0 + 20.0]))


def found(text, x0, x1, y0=100, height=20.0, **rest):
    return FoundWord(text, np.array([x0, y0, x1, y0 + height]), **rest)


def causes(words, boxes, **rest):
    return [error.cause for error in explain_errors(words, boxes, **rest)]


def test_words_read_exactly_have_no_error_wherever_they_stand():
    words = [true("one", 0, 30), true("two", 50, 80), true("–", 90, 100)]  # a dash alone isn't counted

    assert causes(words, [found("two", 300, 330), found("one", 0, 30)]) == []


@pytest.mark.parametrize(
    ("word", "boxes", "cause"),
    [
        (true("words", 0, 50), [], Cause.MISSED),
        (true("words", 0, 50), [found("words", 0, 50, y0=130)], None),  # a line below: as a bag it is there
        (true("words", 0, 50), [found("wrods", 0, 50, is_kept=False)], Cause.DROPPED),
        (true("words", 0, 50), [found("wo", 0, 20), found("rds", 22, 50)], Cause.SPLIT),
        (true("words", 0, 50), [found("ords", 4, 50)], Cause.CUT_LEFT),
        (true("words", 0, 50), [found("word", 0, 46)], Cause.CUT_RIGHT),
        (true("words", 0, 50), [found("wordsl", 0, 57)], Cause.REACHES_OUT),
        (true("words", 0, 50), [found("wurds", 0, 50, y0=90, height=36)], Cause.WRONG_HEIGHT),
        (true("words", 0, 50), [found("wurds", 2, 51)], Cause.LETTER),
    ],
)
def test_a_word_has_the_cause_that_its_box_shows(word, boxes, cause):
    errors = [error for error in explain_errors([word], boxes) if not error.cause.is_surplus]

    assert [error.cause for error in errors] == ([] if cause is None else [cause])


def test_words_in_one_box_are_run_together_and_what_was_said_stands_in_their_place():
    words = [true("run", 0, 30), true("together", 35, 100)]  # 5 px of white: a quarter of the height

    assert causes(words, [found("runtogether", 0, 100)]) == [Cause.JOINED, Cause.JOINED, Cause.REMAINS]


def test_words_that_no_white_parts_are_torn_by_the_truth():
    words = [true("(", 0, 6), true("cmd", 6, 36), true(")", 36, 42)]

    assert causes(words, [found("(cmd)", 0, 42)]) == [Cause.TORN, Cause.REMAINS]


def test_letters_set_wide_are_torn_by_the_truth():
    words = [true(letter, 20 * i, 20 * i + 10) for i, letter in enumerate("TEXT")]

    assert causes(words, [found("TEXT", 0, 70)]) == 4 * [Cause.TORN] + [Cause.REMAINS]


def test_characters_that_the_recognizer_does_not_know_and_formulas_are_no_misreadings():
    words = [true("x", 0, 10), true("≤", 20, 30), true("α2", 40, 55)]
    boxes = [found("z", 0, 10), found("s", 20, 30), found("a2", 40, 55)]

    assert causes(words, boxes, is_known=str.isascii) == [
        Cause.FORMULA,
        Cause.CHARSET,
        Cause.REMAINS,
        Cause.NOTHING,  # of the sign, which isn't counted as a word
        Cause.REMAINS,
    ]


def test_what_is_said_too_much_has_a_cause():
    words = [true("word", 0, 40)]
    boxes = [found("word", 0, 40), found("wor", 0, 30), found("----1", 0, 200, y0=200), found("tree", 0, 40, y0=300)]

    assert causes(words, boxes) == [Cause.DOUBLED, Cause.RULE, Cause.NOTHING]


def test_words_without_boxes_are_aligned_by_their_characters():
    words = [TrueWord(text) for text in ["the", "quick", "brown", "fox", "jumped"]]
    boxes = [found("the", 0, 30), found("qui", 40, 60), found("ck", 62, 80), found("brownfox", 90, 160)]
    errors = explain_errors(words, [*boxes, found("umped", 170, 210)])

    assert [(error.cause, error.true, error.read) for error in errors if error.true] == [
        (Cause.SPLIT, "quick", "qui ck"),
        (Cause.JOINED, "brown", "brownfox"),
        (Cause.JOINED, "fox", "brownfox"),
        (Cause.CUT_LEFT, "jumped", "umped"),
    ]


def test_a_word_that_the_truth_joins_over_the_end_of_a_line_is_no_split():
    boxes = [found("exam-", 200, 240), found("ple", 0, 20, y0=130)]

    assert causes([TrueWord("example")], boxes)[0] == Cause.LINE_END


def test_found_words_are_told_by_their_number_also_behind_one_with_a_space():
    words = [true("a", 0, 10), true("fox", 50, 80)]

    [error] = explain_errors(words, [found("a b", 0, 20), found("tox", 50, 80)])[:1]

    assert (error.true, error.read, error.found) == ("fox", "tox", (1,))


def test_words_of_a_line_are_looked_for_in_their_line_only():
    words = [TrueWord("total", line=0), TrueWord("cash", line=1)]

    errors = explain_errors(words, [found("tofal", 0, 40, line=1), found("cash", 50, 80, line=1)])

    assert [(error.cause, error.true) for error in errors] == [(Cause.MISSED, "total"), (Cause.NOTHING, "")]


def test_case_is_compared_or_not():
    assert causes([true("Total", 0, 40)], [found("TOTAL", 0, 40)])[0] == Cause.CASE
    assert causes([true("Total", 0, 40)], [found("TOTAL", 0, 40)], casefold=True) == []


@pytest.mark.parametrize(
    ("word", "read", "kind"),
    [
        ("CHAPTER", "CHapteR", Cause.CASE),
        ("end.", "end", Cause.PUNCTUATION),
        ("Über", "Uber", Cause.ACCENT),
        ("Ian", "lan", Cause.LOOK_ALIKE),
        ("modern", "modem", Cause.LOOK_ALIKE),
        ("office", "oflice", Cause.LIGATURE),
        ("1974", "1924", Cause.DIGIT),
        ("eat", "cat", Cause.LETTER),
        ("highwaymen", "higluvaymen", Cause.SEVERAL),
    ],
)
def test_misreadings_by_kind(word, read, kind):
    assert misreading(word, read) == kind
