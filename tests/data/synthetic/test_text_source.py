from __future__ import annotations

import re

import numpy as np
import pytest

from ocr_models.charset import LATIN, PRINT
from ocr_models.data.synthetic.text_source import MAX_TOKEN_LENGTH, TextSource, read_lexicon
from ocr_models.errors import UsageError


def test_same_seed_gives_the_same_tokens(text_source):
    first, second = ([text_source.word(np.random.default_rng(5)) for _ in range(3)] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("charset", [LATIN, "0123456789", "abc", "é "])
def test_tokens_are_of_the_charset_and_never_empty(charset):
    source, rng = TextSource([], charset), np.random.default_rng(1)
    tokens = [source.word(rng) for _ in range(2000)]
    assert all(tokens) and max(map(len, tokens)) <= MAX_TOKEN_LENGTH
    assert set("".join(tokens)) <= set(charset.replace(" ", ""))


def test_every_character_of_the_charset_is_seen(text_source):
    rng = np.random.default_rng(2)
    assert set(LATIN) == set("".join(text_source.word(rng) for _ in range(30_000)))
    source = TextSource([], PRINT)
    assert set(PRINT) - set(LATIN) <= set("".join(source.token(rng, "sign") for _ in range(5000)))


def test_lexicon_words_are_used(tmp_path):
    (tmp_path / "words").write_text("zebra\nquagga\n", encoding="utf-8")
    source, rng = TextSource([tmp_path / "words"], LATIN), np.random.default_rng(3)
    tokens = {source.token(rng, "plain").lower() for _ in range(50)}
    assert tokens == {"zebra", "quagga"}


def test_long_lexicon_is_sampled_over_its_whole_length(tmp_path):
    (tmp_path / "words").write_text("".join(f"word{i:07d}\n" for i in range(20_000)), encoding="utf-8")
    words = read_lexicon(tmp_path / "words", limit=100)
    numbers = [int(word[4:]) for word in words]
    assert len(words) == 100 and min(numbers) < 500 and max(numbers) > 19_500


def test_latin_1_lexicon_is_read(tmp_path):
    (tmp_path / "words").write_bytes("smörgås\n".encode("latin-1"))
    assert read_lexicon(tmp_path / "words") == ["smörgås"]


def test_missing_lexicon_and_empty_charset_are_refused():
    with pytest.raises(UsageError, match="no/such/list"):
        TextSource(["no/such/list"], LATIN)
    with pytest.raises(UsageError, match="charset"):
        TextSource([], " ")


def test_words_with_an_apostrophe_or_other_marks_inside_are_drawn(text_source):
    rng = np.random.default_rng(6)
    possessives = [text_source.token(rng, "possessive") for _ in range(200)]
    assert all(set(text) & set("'’") for text in possessives)
    assert any(text.startswith(("l’", "d’", "qu’")) for text in possessives)
    knotted = " ".join(text_source.token(rng, "knotted") for _ in range(400))
    for form in (r"\d+–\d+", r"[^\W\d]+—[^\W\d]+", r"\d\.\d+r\d", r"\d\.\d+e\d+", r"[A-Z]:\d+", r"\d\.\d\+\w+"):
        assert re.search(rf"(?<!\S){form}(?!\S)", knotted), form
