"""Words as crnn-fast reads them in lines, with their mean confidences; tests/test_samples.py reads a picture."""

from __future__ import annotations

import pytest

from ocr_models.pages.unknown_script import find_unknown_script
from ocr_models.records import Transcript


def words_of(text, confidence, doubtful=0.0):
    """The words of a text, all as sure, with a share of characters that the network is unsure of."""
    return [
        Transcript(
            word, confidence, (0.5,) * round(doubtful * len(word)) + (1.0,) * (len(word) - round(doubtful * len(word)))
        )
        for word in text.split()
    ]


LATIN = words_of(
    "The harbor master kept three ledgers and each ship was entered when it arrived with its cargo " * 2, 0.99
)
CYRILLIC = words_of(
    "pa3BepHyTb OKHO, OHO IIpocTpaHCTBO paőouero croma, BOCCTaHOBHTE pa3mep OKHa. TaroKe " * 2, 0.76, 0.43
)
WORN = words_of(
    "‘he harbar mastet kept threc ledgers and eacb shlp was entexed whcn it arriued with lts carga " * 2, 0.75, 0.2
)
CODE = words_of(
    "getElementById(nodeName) innerHTML toUpperCase() isInstanceOf parseFloat(textContent) JavaScript " * 2, 0.99
)
FORMULAS = words_of("Ax αβ λδω γµν Σax βγ/δ ηλ χ2n ψn σθ τxy αT ΔH ρgh " * 4, 0.8, 0.5)
TEXTURE = words_of("Bnl wL Ii5 lXl 4TH oL1 HHb " * 20, 0.25, 1.0)


@pytest.mark.parametrize(
    "words",
    [LATIN, WORN, CODE, [], words_of("1 2 . : 3", 0.3), words_of("eeee oo HH " * 20, 0.4, 1.0), FORMULAS, TEXTURE],
    ids=["print", "worn", "code", "none", "marks", "leaders", "formulas", "texture"],
)
def test_text_in_a_known_script_is_not_marked(words):
    assert find_unknown_script(words) == [False] * len(words)


def test_page_in_an_unknown_script_is_marked_as_a_whole():
    assert all(find_unknown_script([*CYRILLIC, *words_of("7 —", 0.9), *CYRILLIC]))


def test_paragraph_in_an_unknown_script_is_marked_alone():
    marks = find_unknown_script([*LATIN, *CYRILLIC, *LATIN])
    assert marks == [False] * len(LATIN) + [True] * len(CYRILLIC) + [False] * len(LATIN)


def test_single_word_is_not_enough():
    words = [*LATIN, *CYRILLIC[:1], *LATIN]
    assert not any(find_unknown_script(words))


def test_confidence_is_that_of_the_network():
    """A temperature changes no mark."""
    calibrated = [
        Transcript(w.text, 0.2, w.char_confidences, network_confidence=w.confidence) for w in LATIN + CYRILLIC
    ]
    assert find_unknown_script(calibrated) == find_unknown_script(LATIN + CYRILLIC)
