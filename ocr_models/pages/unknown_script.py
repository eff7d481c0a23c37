"""Finds the words of a page that are in a script which the recognizer doesn't know.

A recognizer of Latin letters reads "Можно" as "MoжHo" or "MOKHO", and is fairly sure of it, since many letters look
alike. Three signs together tell it from Latin text, in bad print, too: how sure the network is of the words, how many
characters it is unsure of, and how many capitals follow small letters or Greek letters stand beside Latin ones. No sign
tells for a single word, so words are marked in runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from ocr_models.charset import GREEK
from ocr_models.pages.readings import own_confidence
from ocr_models.records import Transcript

# A logistic regression on spans of 120 characters, read in lines by crnn-fast. Latin spans: half of the development
# pages, clean and degraded, old books, receipts and papers. Others: pages drawn with random words of Cyrillic, Greek,
# Hebrew, Armenian and Georgian letters. Confidence counts for another script because noise has far less of it.
_OFFSET, _CONFIDENCE, _DOUBTFUL, _CAPITALS = -73.2, 66.4, 56.6, 70.0
_SPAN_CHARS = 120
_MOST_EVIDENCE = 8.0  # of a word, in log odds of a span: one blotted word doesn't tell, and most spans have less
_DOUBT = 0.9  # a character with a lower confidence is doubtful
_SURE = 0.97  # capitals in words with a higher confidence are those of code, such as getName
_LEAST_GREEK = 5  # characters that a word with Greek letters has, to count; "λδ" and "χ2n" are of formulas
_LEAST_CHARS = 2  # different letters and digits that a word has, to count; dots of leaders are read as "eeee"
_MAX_CHARS = 30  # of a word count: a line without spaces is read as one
# The least evidence for marking anything on a page, and for each end of a run within it. Chosen on the same pages, so
# that no run is marked on a page that a person can read easily.
_PAGE_COST, _RUN_COST = 1.0, 2.0
_TEXTURE = 0.31  # mean confidence; pages in the other scripts have 0.36 and more, those of noise and grids 0.17 to 0.27


def find_unknown_script(words: Sequence[Transcript]) -> list[bool]:
    """Tells for each word of a page, in reading order, whether it is in a run of words in an unknown script."""
    suspect = [
        word for word in words if own_confidence(word) < _SURE or min(word.char_confidences, default=1.0) < _DOUBT
    ]
    # All other words, such as those of a text layer, are evidence for Latin text.
    if max(map(_evidence, suspect), default=0.0) <= 0 or fmean(map(own_confidence, words)) < _TEXTURE:
        return [False] * len(words)
    return _best_runs([_evidence(word) for word in words])


def _evidence(word: Transcript) -> float:
    """The share of a word in the log odds that its surroundings are in an unknown script."""
    text = word.text
    letters = text if text.isalnum() else filter(str.isalnum, text)
    if len(set(letters)) < _LEAST_CHARS:  # marks, numbers of lists and leaders
        return 0.0
    if len(text) < _LEAST_GREEK and not text.isascii() and any(char in GREEK for char in text):
        return 0.0
    confidence = own_confidence(word)
    of_chars = word.char_confidences or (confidence,)
    doubtful = 0.0
    if min(of_chars) < _DOUBT:
        doubtful = sum(of_char < _DOUBT for of_char in of_chars) / len(of_chars)
    capitals = 0
    if confidence < _SURE:
        capitals = sum(_is_odd(a, b) for a, b in pairwise(text))
    log_odds = _OFFSET + _CONFIDENCE * confidence + _DOUBTFUL * doubtful + _CAPITALS * capitals / len(text)
    return min(log_odds, _MOST_EVIDENCE) * min(len(text), _MAX_CHARS) / _SPAN_CHARS


def _is_odd(before: str, after: str) -> bool:
    """Whether two characters in a row are rare in a Latin word: a small letter and a capital, or Latin and Greek."""
    if before.islower() and after.isupper():
        return True
    return (before in GREEK) != (after in GREEK) and before.isalpha() and after.isalpha()


def _best_runs(evidence: Sequence[float]) -> list[bool]:
    """The runs with the most evidence, less what each run costs (Viterbi's algorithm with two states)."""
    known, unknown = 0.0, -_PAGE_COST
    switches = []
    for of_word in evidence:
        switches.append((unknown - _RUN_COST > known, known - _RUN_COST > unknown))
        known, unknown = max(known, unknown - _RUN_COST), max(unknown, known - _RUN_COST) + of_word
    is_unknown = unknown > known
    runs = []
    for to_known, to_unknown in reversed(switches):
        runs.append(is_unknown)
        is_unknown ^= to_unknown if is_unknown else to_known
    return runs[::-1]
