"""How likely letters follow each other: n-grams of characters, by which a doubtful letter in a word is chosen.

A network that reads "erowding" in worn type saw that it might as well be "crowding"; the language tells. An n-gram's
probability is interpolated with that of the shorter ones by Witten and Bell's rule (1991), and adding it to the
network's own, weighted, is known as shallow fusion (Gülçehre et al. 2015).
"""

from __future__ import annotations

import heapq
import math
import zlib
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

ORDER = 5
WEIGHT = 0.3  # of the language against the network; with more, names and abbreviations become words
_BEAM = 6
_LEAST = 6  # n-grams of three and more characters that were met less often are left out
_UNKNOWN = math.log(1e-6)  # of a character that was never met
_EDGE = " "  # stands before a word and behind it


class LanguageModel:
    """Character n-grams up to ``ORDER``.

    Args:
        keys: uint32 (N,), rising: the n-grams' CRC-32 in UTF-8. The few that share one are no harm.
        log_probs: (N,), of an n-gram's last character after those before it.
        backoffs: (N,), what is added for what follows an n-gram and was never met there, before the shorter is asked.
    """

    def __init__(self, keys: np.ndarray, log_probs: np.ndarray, backoffs: np.ndarray):
        # Single lookups in an array cost a quarter of those in NumPy's.
        self._keys = array("I", keys.astype(np.uint32).tobytes())
        self._log_probs = array("f", log_probs.astype(np.float32).tobytes())
        self._backoffs = array("f", backoffs.astype(np.float32).tobytes())
        self.log_prob = lru_cache(1 << 18)(self._log_prob)

    @classmethod
    def count(cls, words: Iterable[str], least: int = _LEAST) -> LanguageModel:
        """The model of these words, at least one; words that stand there more often count for more."""
        counts: Counter[str] = Counter()
        for word, number in Counter(words).items():
            text = _EDGE + word + _EDGE
            for stop in range(2, len(text) + 1):
                for start in range(max(0, stop - ORDER), stop):
                    counts[text[start:stop]] += number
        kept = {gram: number for gram, number in counts.items() if len(gram) < 3 or number >= least}
        return cls._of_counts(kept)

    @classmethod
    def _of_counts(cls, counts: dict[str, int]) -> LanguageModel:
        totals: dict[str, int] = defaultdict(int)
        kinds: dict[str, int] = defaultdict(int)
        for gram, number in counts.items():
            totals[gram[:-1]] += number
            kinds[gram[:-1]] += 1
        probabilities: dict[str, float] = {}
        for gram in sorted(counts, key=len):
            before = gram[:-1]
            shorter = probabilities.get(gram[1:], 0.0) if len(gram) > 1 else 1 / kinds[""]
            probabilities[gram] = (counts[gram] + kinds[before] * shorter) / (totals[before] + kinds[before])
        grams = sorted(counts, key=_key)
        log_probs = np.log([probabilities[gram] for gram in grams])
        backoffs = np.log([kinds[g] / (totals[g] + kinds[g]) if g in totals else 1.0 for g in grams])
        return cls(np.array(list(map(_key, grams)), np.uint32), log_probs, backoffs)

    @classmethod
    def load(cls, path: Path) -> LanguageModel:
        with np.load(path) as arrays:
            return cls(arrays["keys"], arrays["log_probs"], arrays["backoffs"])

    def save(self, path: Path) -> None:
        """Writes a NumPy archive of the three arrays; probabilities in half precision."""
        log_probs, backoffs = (np.array(values, np.float16) for values in (self._log_probs, self._backoffs))
        np.savez_compressed(path, keys=np.array(self._keys), log_probs=log_probs, backoffs=backoffs)

    def __len__(self) -> int:
        return len(self._keys)

    def _log_prob(self, before: str, char: str) -> float:
        """The log probability of a character after the last ``ORDER - 1`` or fewer characters of a word."""
        gram, given_up = before + char, 0.0
        while (place := self._find(gram)) is None:
            if len(gram) == 1:
                return given_up + _UNKNOWN
            if (context := self._find(gram[:-1])) is not None:
                given_up += self._backoffs[context]
            gram = gram[1:]
        return given_up + self._log_probs[place]

    def _find(self, gram: str) -> int | None:
        key = _key(gram)
        place = bisect_left(self._keys, key)
        return place if place < len(self._keys) and self._keys[place] == key else None

    def choose(self, choices: Sequence[Sequence[tuple[str, float]]]) -> str:
        """The likeliest text, by the network and the language together, as far as a beam of ``_BEAM`` texts finds it.

        Args:
            choices: for each character of a text those that may stand there, each with its log probability.
        """
        hypotheses = [(0.0, _EDGE)]
        for of_char in choices:
            extended = [
                (score + own + WEIGHT * self.log_prob(_context(text), char), text + char)
                for score, text in hypotheses
                for char, own in of_char
            ]
            hypotheses = heapq.nlargest(_BEAM, extended)
        ended = ((score + WEIGHT * self.log_prob(_context(text), _EDGE), text) for score, text in hypotheses)
        return max(ended)[1][len(_EDGE) :]


def _key(gram: str) -> int:
    return zlib.crc32(gram.encode())


def _context(text: str) -> str:
    """What tells the next character: the end of the last word, with its beginning's edge if that is near enough."""
    return text[text.rfind(_EDGE) :][1 - ORDER :]
