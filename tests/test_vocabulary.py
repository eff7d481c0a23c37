from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.errors import UsageError
from ocr_models.vocabulary import Vocabulary, join_tokens, tokenize, without_punctuation

CAPTIONS = [("a", "dog", "runs"), ("a", "cat", "sits"), ("a", "dog", "sits")]


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("A dog's tri-colored, wet.", ["a", "dog's", "tri-colored", ",", "wet", "."]),
        ('Says " Hello ! "', ["says", '"', "hello", "!", '"']),
        ("Ünï—12 dogs", ["ünï", "—", "12", "dogs"]),
        ("the dogs' - well", ["the", "dogs", "'", "-", "well"]),
        (" \t", []),
    ],
)
def test_words_and_punctuation_are_tokens(caption, tokens):
    assert list(tokenize(caption)) == tokens


@given(st.text())
def test_tokens_hold_all_but_space(caption):
    assert "".join(tokenize(caption)) == "".join(caption.lower().split())


def test_text_of_tokens_has_punctuation_set_close():
    assert join_tokens(["a", "dog", ",", "wet", "."]) == "a dog, wet."
    assert without_punctuation(["a", "dog's", ",", "12", "<UNK>", "."]) == ("a", "dog's", "12", "<UNK>")


def test_frequent_words_come_first_and_rare_ones_not_at_all():
    # a 3, dog 2, sits 2, cat 1, runs 1: equally frequent ones by the alphabet
    assert Vocabulary.build(CAPTIONS, 2).words == ("<S>", "</S>", "<UNK>", "a", "dog", "sits")
    assert Vocabulary.build(CAPTIONS, 1).words[6:] == ("cat", "runs")
    assert len(Vocabulary.build(CAPTIONS, 2)) == 6


def test_ids_of_a_caption():
    vocabulary = Vocabulary.build(CAPTIONS, 2)
    assert vocabulary.encode(("a", "dog", "runs")) == [0, 3, 4, 2, 1]
    assert vocabulary.decode([0, 3, 4, 2, 1, 5, 5]) == ("a", "dog", "<UNK>")
    assert vocabulary.decode([3, 4]) == ("a", "dog")


@given(st.lists(st.sampled_from(["a", "dog", "cat", "runs", "sits"])))
def test_known_words_come_back(words):
    vocabulary = Vocabulary.build(CAPTIONS, 1)
    assert list(vocabulary.decode(vocabulary.encode(words))) == words


def test_saved_one_word_a_line(tmp_path):
    vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "ünï", ","])
    vocabulary.save(tmp_path / "vocabulary.txt")
    assert (tmp_path / "vocabulary.txt").read_text(encoding="utf-8") == "<S>\n</S>\n<UNK>\nünï\n,\n"
    assert Vocabulary.load(tmp_path / "vocabulary.txt").words == vocabulary.words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\ndog\n", "begins with"),
        (b"<S>\n</S>\n<UNK>\na\na\n", "has one twice"),
        (b"\xff\xfe", "no readable vocabulary"),
        (None, "no readable vocabulary"),
    ],
)
def test_file_that_is_no_vocabulary_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "vocabulary.txt").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        Vocabulary.load(tmp_path / "vocabulary.txt")
