"""Known words, by which letters that a network isn't sure of are chosen.

A network that reads "erowding" in worn type saw that it might as well be "crowding", and only one of the two is a word.
Millions of words are kept in some megabytes as a Bloom filter (Bloom 1970): it knows every word that was put into it,
and takes one in a hundred others for one.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

LETTERS = re.compile(r"[^\W\d_]+")
"""What words are made of: of "it's" it finds two, of "page 2" one."""

_BITS_A_WORD, _HASHES = 10, 7
_BEAM = 12
_MARGIN = 5.0  # a word that is e^5 times less likely than what was read isn't what stands there


class Lexicon:
    """Words in lower case; ``word in lexicon`` holds for "word", "Word" and "WORD", but not for "WoRd".

    Args:
        bits: the filter's, the lowest of each byte first; at least one byte.
    """

    def __init__(self, bits: bytes):
        self._bits = bits
        self._size = 8 * len(bits)

    @classmethod
    def of(cls, words: Iterable[str]) -> Lexicon:
        """The lexicon of these words."""
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
        """The likeliest word of the lexicon, as far as a beam of ``_BEAM`` texts finds one.

        Args:
            choices: for each letter those that may stand there, first the one that was read, each with its log
                probability.

        Returns:
            The word; None if none is nearly as likely as what was read.
        """
        hypotheses = [(0.0, "")]
        for letters in choices:
            read = letters[0][1]
            extended = [(score + own - read, text + char) for score, text in hypotheses for char, own in letters]
            hypotheses = heapq.nlargest(_BEAM, extended)
        return next((text for score, text in hypotheses if score > -_MARGIN and text in self), None)


def _places(word: str, size: int) -> list[int]:
    """A word's bits, of which two hashes make any number (Kirsch and Mitzenmacher 2006)."""
    digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1
    return [(first + i * step) % size for i in range(_HASHES)]
