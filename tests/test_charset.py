from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.charset import LATIN, PRINT, Charset, normalize_text
from ocr_models.errors import UsageError


def test_latin_has_every_character_once():
    assert len(set(LATIN)) == len(LATIN) == len(Charset(LATIN))
    text = "The price (½ of it): “£9.99” – naïve Łódź œuvre… §5 © 20 °C • ›10€‹ žluťoučký kůň"
    assert text.replace(" ", "") in Charset(LATIN)
    assert "日" not in Charset(LATIN)


def test_print_has_every_character_once_and_no_two_that_look_alike():
    assert len(set(PRINT)) == len(PRINT) and PRINT.startswith(LATIN)
    assert "α≤0.05,−5→∞✓" in Charset(PRINT) and "Αο" not in Charset(PRINT)
    assert normalize_text(PRINT) == PRINT


def test_numbers_start_after_the_blank():
    charset = Charset("abc")
    assert charset.encode("cab") == [3, 1, 2]
    assert charset.decode([3, 1, 2]) == "cab"


@given(st.text(alphabet=LATIN))
def test_text_comes_back(text):
    charset = Charset(LATIN)
    assert charset.decode(charset.encode(text)) == text


def test_unknown_character_is_an_error():
    with pytest.raises(KeyError):
        Charset("abc").encode("abd")


def test_saved_charset_loads_the_same(tmp_path):
    path = tmp_path / "charset.txt"
    Charset(LATIN).save(path)
    assert Charset.load(path).characters == LATIN
    assert path.read_text(encoding="utf-8").startswith("0\n1\n2\n")


def test_character_named_twice_is_refused():
    with pytest.raises(UsageError, match="of 4 characters has one twice"):
        Charset("abca")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Cafe\u0301", "Caf\u00e9"),  # a letter and its accent become one character
        ("oﬃce ﬁne", "office fine"),
        ("−5 ‑ 3―4", "−5 - 3—4"),
        ("ΑΒΓ ϕ∆ ▪ x⩽1 a∼b 5″", "ABΓ φΔ ■ x≤1 a~b 5′′"),
        ("in\u00advis\u200bible\u00a0", "in-visible "),
        ("10 μm", "10 µm"),
    ],
)
def test_what_looks_alike_becomes_one_character(text, normal):
    assert normalize_text(text) == normal


@given(st.text(max_size=20))
def test_normalizing_twice_changes_nothing_more(text):
    assert normalize_text(normalize_text(text)) == normalize_text(text)
