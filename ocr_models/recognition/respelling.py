"""Decides between characters that a network is unsure of by what makes a word or a number.

The letters of a word are decided by a lexicon. In a number, or in a word among whose letters a figure was read, what
looks alike decides: the network gives "O" and "0", "l" and "1" nearly the same probability, and in "RMO.08" or "0ver"
only one of them makes sense.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ocr_models.charset import BLANK_ID, Charset
from ocr_models.lexicon import LETTERS, Lexicon, likeliest
from ocr_models.recognition.ctc import log_softmax

# Words are looked at that have a character with a probability below _SURE. Each may be replaced by one of the _CHOICES
# likeliest ones whose log probability is above _LEAST_LIKELY.
_SURE, _CHOICES, _LEAST_LIKELY = 0.98, 4, math.log(0.0005)
_TELLING = 4  # letters; among millions of words, nearly all shorter strings are known
_TOKEN = re.compile(r"\S+")
# An amount, perhaps with the sign or code of its currency; an integer; and what is none of them but looks like one.
# Codes of letters and figures, such as "B019" and "NO.1", formulas, and "1l" of a liter are left alone.
_AMOUNT = r"[(+−-]?(?:[A-Z]{2,3}|[$£€¥]?)-?\d+(?:,\d{3})*[.,]\d{2}[).,:;]*"
_NUMBER = re.compile(rf"{_AMOUNT}|−?\d{{2,}}[.),:;]*|1[.)]")
_DECIMALS = re.compile(r"[.,„‚][^\W_]{2}[).,:;]*$")
_LIKE_NUMBER = re.compile(r".*\d.*(?<!\dl)|l{1,2}[.)]")
_LIKE_FIGURES = {"O": "0", "o": "0", "l": "1", "|": "1"}
_LIKE_IN_AMOUNTS = _LIKE_FIGURES | {"S": "5$", "s": "5$", "B": "8", "D": "0", "g": "9", "„": ".,", "‚": ".,"}
_LIKE_LETTERS = {"0": "Oo", "1": "lI", "5": "Ss", "6": "G", "8": "B"}
_MIXED = re.compile(r"[^\W\d_]*\d[^\W\d_]+")  # a figure at the end of a name counts, as in "phi1"
_ORDINAL = re.compile(r"\d(?:st|nd|rd|th)", re.I)
# A semicolon stands within a sentence, and the word after it begins with a small letter; after a label stands a colon.
_LABEL_END = re.compile(r";(?= [^a-z]|$)")
_AS_LIKELY = -2.0  # log probability of the colon
# Loose kerning, as in "A rtificial", and wide commas in fixed pitch, as in "1, 962.77", look like a space. Two known
# words are left: among millions, "had a", "and a" and "but as" are known as one, too.
_PARTED_WORD = re.compile(r"([^\W\d_]+) (?=([^\W\d_]+))")
_PARTED_NUMBER = re.compile(r"(?<![\w.,])(?:\d{1,3},)+ (?=\d{3}(?:[.)]|\s|$))")


class Reading(NamedTuple):
    """What was read in a crop.

    Attributes:
        ids: class numbers of the characters.
        confidences: probabilities of the characters; an attention recognizer adds that of the end.
        steps: positions of the characters, in time steps.
        alignments: (L, T), the attention weights for each character; None from a CRNN.
    """

    ids: list[int]
    confidences: tuple[float, ...]
    steps: Sequence[int]
    alignments: np.ndarray | None = None


def respell(reading: Reading, logits: np.ndarray, charset: Charset, lexicon: Lexicon) -> Reading:
    """Replaces characters that the network is unsure of by others that make known words, or numbers.

    The confidences stay, which are those of the network. The alternatives of a character are taken at its first time
    step, where the network is less decided.
    """
    if not reading.ids or min(reading.confidences) >= _SURE:
        return reading
    text = charset.decode(reading.ids)
    is_known = _may_be_known(text, reading.confidences, lexicon)
    if false := _false_spaces(text, reading.confidences, lexicon if is_known else None):
        kept = [i for i in range(len(text)) if i not in false]
        ids, steps = [reading.ids[i] for i in kept], [reading.steps[i] for i in kept]
        reading = Reading(ids, tuple(reading.confidences[i] for i in kept), steps)
        text = charset.decode(ids)
    ids = list(reading.ids)
    for mark in _LABEL_END.finditer(text):
        i = mark.start()
        if reading.confidences[i] < _SURE:
            alternatives = dict(_choices(charset, ids[i], log_softmax(logits[reading.steps[i : i + 1]])[0]))
            if alternatives.get(":", -math.inf) > _AS_LIKELY:
                ids[i] = charset.encode(":")[0]
    text = charset.decode(ids)
    for token in _TOKEN.finditer(text):
        start, stop = token.span()
        if min(reading.confidences[start:stop]) < _SURE:
            log_probs = log_softmax(logits[reading.steps[start:stop]])
            choices = [_choices(charset, i, row) for i, row in zip(ids[start:stop], log_probs, strict=True)]
            spelled = _as_number(token[0], choices)
            if spelled is None and is_known:
                spelled = _as_words(token[0], choices, reading.confidences[start:stop], lexicon)
            if spelled is not None:
                ids[start:stop] = charset.encode(spelled)
    return reading._replace(ids=ids)


def _false_spaces(text: str, confidences: Sequence[float], lexicon: Lexicon | None) -> set[int]:
    """Places of the spaces in doubt that part a number, or, given a lexicon, a known word."""
    found = {m.end() - 1 for m in _PARTED_NUMBER.finditer(text) if confidences[m.end() - 1] < _SURE}
    if lexicon is None:
        return found
    for parts in _PARTED_WORD.finditer(text):
        space, joined = parts.end() - 1, parts[1] + parts[2]
        are_known = parts[1] in lexicon and parts[2] in lexicon
        if confidences[space] < _SURE and not are_known and len(joined) >= _TELLING and joined in lexicon:
            found.add(space)
    return found


_Choices = Sequence[Sequence[tuple[str, float]]]
"""For each character its alternatives with their log probabilities, the one that was read first."""


def _as_number(token: str, choices: _Choices) -> str | None:
    """The number that a token is when letters are read as the figures that look like them."""
    if _NUMBER.fullmatch(token) or not _LIKE_NUMBER.fullmatch(token):
        return None
    alike = _only(choices, _LIKE_IN_AMOUNTS if _DECIMALS.search(token) else _LIKE_FIGURES)
    return likeliest(alike, lambda text: _NUMBER.fullmatch(text) is not None)


def _as_words(token: str, choices: _Choices, confidences: Sequence[float], lexicon: Lexicon) -> str | None:
    """The token with known words in place of unknown ones of which a character is in doubt."""
    spelled = token
    for run in _MIXED.finditer(token):
        start, stop = run.span()
        if stop - start >= _TELLING and not _ORDINAL.fullmatch(run[0]):
            alike = _only(choices[start:stop], _LIKE_LETTERS)
            known = likeliest(alike, lambda text: text.isalpha() and text in lexicon)
            spelled = spelled[:start] + (known or run[0]) + spelled[stop:]
    for word in LETTERS.finditer(spelled):
        start, stop = word.span()
        is_word = stop - start > 1  # a single letter may be anything
        if is_word and min(confidences[start:stop]) < _SURE and word[0] not in lexicon:
            letters = [[of[0], *((char, own) for char, own in of[1:] if char.isalpha())] for of in choices[start:stop]]
            known = lexicon.choose(letters)
            spelled = spelled[:start] + (known or spelled[start:stop]) + spelled[stop:]
    return spelled


def _only(choices: _Choices, allowed: dict[str, str]) -> _Choices:
    """The choices of each character that may stand for it."""
    return [[of[0], *((char, own) for char, own in of[1:] if char in allowed.get(of[0][0], ""))] for of in choices]


def _may_be_known(text: str, confidences: Sequence[float], lexicon: Lexicon) -> bool:
    """Whether a text may be in a language of the lexicon: it knows half of the words or more that were read surely."""
    sure = [
        word[0] in lexicon
        for word in LETTERS.finditer(text)
        if word.end() - word.start() >= _TELLING and min(confidences[word.start() : word.end()]) >= _SURE
    ]
    return 2 * sum(sure) >= len(sure)


def _choices(charset: Charset, read: int, log_probs: np.ndarray) -> list[tuple[str, float]]:
    """The character that was read and its likeliest alternatives, with their log probabilities."""
    likely = [i for i in np.argsort(-log_probs)[:_CHOICES].tolist() if i not in (BLANK_ID, read)]
    others = [i for i in likely if log_probs[i] > _LEAST_LIKELY]
    return [(charset.characters[i - 1], float(log_probs[i])) for i in (read, *others)]
