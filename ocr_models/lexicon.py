"""Known words, which decide between letters that a network is unsure of.

A network that reads "erowding" in worn type gives "crowding" nearly the same probability, and only that is a word.
Millions of words take a few megabytes as a Bloom filter (Bloom 1970), which contains every word that was added and
wrongly accepts one in a hundred other strings.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

LETTERS = re.compile(r"[^\W\d_]+")
"""Runs of letters: two in "it's", one in "page 2"."""

_BITS_A_WORD, _HASHES = 10, 7  # about 1 % false positives
_BEAM = 12  # spellings that are kept at each letter
_MARGIN = 5.0  # words that are more than e^5 times less likely than what was read are not chosen


class Lexicon:
    """Words in lower case; ``word in lexicon`` holds for "word", "Word" and "WORD", but not for "WoRd".

    Args:
        bits: of the filter, at least one byte, the lowest bit of each byte first.
    """

    def __init__(self, bits: bytes) -> None:
        self._bits = bits
        self._size = 8 * len(bits)

    @classmethod
    def of(cls, words: Iterable[str]) -> Lexicon:
        """Makes a lexicon of words."""
        folded = {word.casefold() for word in words}
        size = 8 * max(8, len(folded) * _BITS_A_WORD // 8)
        bits = np.zeros(size, bool)
        for word in folded:
            bits[_places(word, size)] = True
        return cls(np.packbits(bits, bitorder="little").tobytes())

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        return cls(path.read_bytes())

    def save(self, path: Path) -> None:
        """Writes the filter's bits."""
        path.write_bytes(self._bits)

    def __contains__(self, word: str) -> bool:
        if not (word.islower() or word.isupper() or word.istitle()):
            return False
        bits = self._bits
        return all(bits[place >> 3] >> (place & 7) & 1 for place in _places(word.casefold(), self._size))

    def choose(self, choices: Sequence[Sequence[tuple[str, float]]]) -> str | None:
        """The likeliest word of the lexicon; see ``likeliest``."""
        return likeliest(choices, self.__contains__)


def likeliest(choices: Sequence[Sequence[tuple[str, float]]], accepts: Callable[[str], bool]) -> str | None:
    """The likeliest accepted text that a beam search over spellings finds.

    Args:
        choices: for each position the possible characters with their log probabilities, the one that was read first.
        accepts: whether a text is one.

    Returns:
        The text; None if there is none, or none is likely enough compared with what was read.
    """
    hypotheses = [(0.0, "")]
    for chars in choices:
        read = chars[0][1]
        extended = [(score + own - read, text + char) for score, text in hypotheses for char, own in chars]
        hypotheses = heapq.nlargest(_BEAM, extended)
    return next((text for score, text in hypotheses if score > -_MARGIN and accepts(text)), None)


def _places(word: str, size: int) -> list[int]:
    """The places of a word's bits, all derived from two hashes (Kirsch and Mitzenmacher 2006)."""
    digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1
    return [(first + i * step) % size for i in range(_HASHES)]
