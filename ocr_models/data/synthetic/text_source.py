"""Draws text as on real pages, token by token: words, numbers, code, addresses, citations, bullets, rare letters.

A token has no white space and only characters of the charset. Lexicons (plain lists, one word per line) are optional:
without them, words are composed of syllables.
"""

from __future__ import annotations

import os
import unicodedata
from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from numpy.random import Generator

from ocr_models.data.synthetic.fonts import SIGNS
from ocr_models.data.synthetic.text_tables import (
    ABBREVIATIONS,
    COMMON,
    CONTRACTIONS,
    ELIDED,
    ONSETS,
    RIMES,
    SINGLES,
    SYMBOL_CODE,
)
from ocr_models.data.synthetic.text_tokens import (
    date,
    digits,
    identifier,
    leaders,
    math,
    money,
    number,
    pick,
    reference,
    table,
    unit,
    wrap,
)
from ocr_models.errors import UsageError

MAX_LEXICON_WORDS = 40_000
MAX_TOKEN_LENGTH = 32


def read_lexicon(path: str | Path, limit: int = MAX_LEXICON_WORDS) -> list[str]:
    """At most ``limit`` words, spread evenly over a list with one word per line, in UTF-8 or Latin-1."""
    try:
        size = os.stat(path).st_size
        with open(path, "rb") as file:
            lines = file.readlines() if size < 20 * limit else _spread_lines(file, size, limit)
    except OSError as error:
        raise UsageError(
            f"lexicon {path} can't be read ({error.strerror}); give a text file with one word per line"
        ) from None
    lines = lines[:: max(1, len(lines) // limit)]
    words = (unicodedata.normalize("NFC", _decode(line)).strip() for line in lines)
    return [word for word in words if word and len(word) <= 24 and not any(char.isspace() for char in word)]


def _spread_lines(file: BinaryIO, size: int, limit: int) -> list[bytes]:
    lines = []
    for i in range(limit):  # seeking avoids reading all of a list of millions of words
        file.seek(i * size // limit)
        file.readline()
        lines.append(file.readline())
    return lines


def _decode(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


class TextSource:
    """Draws tokens.

    Args:
        lexicons: paths of word lists, all equally likely; a path given twice counts twice.
        charset: the characters that may occur; others are left out of the tokens.
    """

    def __init__(self, lexicons: Sequence[str | Path], charset: str) -> None:
        self.charset = "".join(char for char in charset if not char.isspace())
        if not self.charset:
            raise UsageError("the charset for synthetic text is empty; it needs at least one visible character")
        self.allowed = frozenset(self.charset)
        self._lexicons = [words for words in map(read_lexicon, lexicons) if words]
        self._accented = _accents_by_letter(self.charset)
        self._letters = "".join(char for char in self.charset if char not in SIGNS) or self.charset
        self._signs = "".join(char for char in self.charset if char in SIGNS)
        self._rare = [char for char in self._letters if not char.isascii()] or list(self._letters)
        kinds = _WEIGHTS if self._signs else {kind: weight for kind, weight in _WEIGHTS.items() if kind != "sign"}
        self._names, weights = zip(*kinds.items(), strict=True)
        self._bounds = list(accumulate(weights))

    def word(self, rng: Generator) -> str:
        """Draws a token of any kind; kinds are about as frequent as on real pages."""
        return self.token(rng, self._names[bisect(self._bounds, rng.random() * self._bounds[-1])])

    def token(self, rng: Generator, kind: str) -> str:
        """Draws a token of one kind, a key of ``_WEIGHTS``."""
        for _ in range(8):
            text = self._clean(_FREE_KINDS[kind](rng) if kind in _FREE_KINDS else _KINDS[kind](self, rng))
            if text:
                return text
        return pick(rng, self.charset)

    def prose(self, rng: Generator) -> str:
        """Draws a token of running text: mostly words, some with punctuation, a few numbers and citations."""
        u = rng.random()
        if u < 0.47:
            return self.token(rng, "common")
        if u < 0.8:
            return self.token(rng, "short")
        if u < 0.92:
            return self.token(rng, "punctuated")
        return self.word(rng) if u < 0.97 else self.token(rng, "possessive" if u < 0.985 else "knotted")

    def _clean(self, text: str) -> str:
        if not self.allowed.issuperset(text):
            text = "".join(char for char in text if char in self.allowed)
        return text[:MAX_TOKEN_LENGTH]

    def stem(self, rng: Generator) -> str:
        """A word as it is in a lexicon."""
        if self._lexicons:
            return pick(rng, pick(rng, self._lexicons))
        return "".join(pick(rng, ONSETS) + pick(rng, RIMES) for _ in range(1 + int(3.2 * rng.random())))

    def _short(self, rng: Generator) -> str:
        """The shorter of two words, since frequent words are short; mostly not capitalized."""
        word, u = min(self.stem(rng), self.stem(rng), key=len), rng.random()
        return word if u < 0.85 else word[:1].upper() + word[1:]

    def _cased(self, rng: Generator) -> str:
        word, u = self.stem(rng), rng.random()
        if u < 0.60:
            return word
        if u < 0.81:
            return word[:1].upper() + word[1:]
        return word.upper() if "ß" not in word else word

    def _common(self, rng: Generator) -> str:
        word, u = pick(rng, COMMON), rng.random()
        return word if u < 0.84 else word.capitalize() if u < 0.96 else word.upper()

    def _punctuated(self, rng: Generator) -> str:
        word = self._cased(rng) if rng.random() < 0.75 else self._common(rng)
        return wrap(rng, word)

    def _joined(self, rng: Generator) -> str:
        first, second, u = self._cased(rng), self._common(rng) if rng.random() < 0.4 else self.stem(rng), rng.random()
        if u < 0.4:
            return f"{first}-{second}"
        return first + "-" if u < 0.8 else f"{first}/{second}" if u < 0.92 else f"{first}—{second}"

    def _possessive(self, rng: Generator) -> str:
        """A word with an apostrophe: a genitive, a contraction or an elision."""
        mark, u = pick(rng, "'’’"), rng.random()
        if u < 0.4:
            elided = pick(rng, ELIDED) + mark + self._short(rng).lower()
            return elided[:1].upper() + elided[1:] if u < 0.1 else elided
        if u < 0.6:
            return pick(rng, CONTRACTIONS).replace("'", mark)
        ending = pick(rng, ("s", "s", "s", "t", "re", "ll", "ve", "d", "m", "s.", "s,"))
        return f"{self._cased(rng)}{mark}{ending}"

    def _knotted(self, rng: Generator) -> str:
        """A word with digits, points, colons or dashes inside."""
        a, b, one = self._short(rng), self._short(rng), pick(rng, "01112345678")
        n, u = digits(rng, 1 + int(3 * rng.random())), 1 + int(9 * rng.random())
        forms = (
            f"{a}{n}", f"{a}{u}{one}", f"{one}{a.capitalize()}", f"{u}.{n}r{one}", f"{u}.{n}e{one}{u}",
            f"{u}.{one}-{u}", f"{a[:1].upper()}:{n}", f"{u}.{one}+{a[:3]}{one}", f"{n}–{int(n) + u}",
            f"{u}{n}–{one}{u}", f"{a}—{b}", f"{a}–{b}", f"{a}:{b}", f"{a}.{b}", f"{u}:{n}", f"{one}.{one}.{u}",
            f"{u}.{n}", f"{one}{n}:{one}1", f"{a}.{one}", f"1{one}{n}",
        )  # fmt: skip
        return pick(rng, forms)

    def _code(self, rng: Generator) -> str:
        a, b, u = self.stem(rng).lower(), pick(rng, COMMON), int(rng.random() * 16)
        n = int(rng.random() * 100)
        forms = (
            f"{a}_{b}", f"{a}{b.capitalize()}()", f"{b}_{a}(", f"--{a}-{b}", f"-{a[:1]}", f"/usr/{b}/{a}", f"{b}={n}",
            f"{b}[{a[:1]}]", f"self.{a}", f"{a}.{b}(", f"{b.upper()}_{a.upper()}", f'"{a}"', f"'{b}'", f"{a}:",
            f"{b});",
            f"${a}",
        )  # fmt: skip
        if u >= 14:
            return f"0x{int(rng.random() * 65536):x}" if rng.random() < 0.3 else forms[u]
        return pick(rng, SYMBOL_CODE) if rng.random() < 0.3 else forms[u]

    def _address(self, rng: Generator) -> str:
        a, b, u = self.stem(rng).lower(), self.stem(rng).lower(), rng.random()
        host = f"{a}.{pick(rng, ('com', 'org', 'net', 'de', 'fr', 'edu', 'co.uk', 'io', 'eu'))}"
        if u < 0.3:
            return f"{b}@{host}"
        start = pick(rng, ("http://", "https://", "www.", "https://www.", "", "doi:10."))
        return f"{start}{host}/{b}" if u < 0.6 else f"{start}{host}/{digits(rng, 4)}" if u < 0.8 else start + host

    def _random(self, rng: Generator) -> str:
        length, u = 1 + int(7 * rng.random() ** 1.5), rng.random()
        if u < 0.55:
            return "".join(pick(rng, self._letters) for _ in range(length))
        if u < 0.7:
            return wrap(rng, "".join(pick(rng, self._rare) for _ in range(min(length, 3))))
        word = list(self._cased(rng))
        for i, char in enumerate(
            word
        ):  # accents at any letter, so that all occur whatever the languages of the lexicons
            if rng.random() < 0.35 and char in self._accented:
                word[i] = pick(rng, self._accented[char])
        return "".join(word)

    def _sign(self, rng: Generator) -> str:
        """A sign that few fonts have, alone or beside a number; Greek letters also in twos."""
        sign, u = pick(rng, self._signs), rng.random()
        if u < 0.45:
            return sign
        if u < 0.7:
            return sign + (digits(rng, 1 + int(2 * rng.random())) if u < 0.6 else pick(rng, ",.;:)"))
        return (
            f"({sign})" if u < 0.8 else f"{sign}{pick(rng, 'xyztn012')}" if u < 0.9 else f"−{int(100 * rng.random())}"
        )


def _accents_by_letter(charset: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for char in charset:
        base = unicodedata.normalize("NFD", char)[0]
        if base != char and base.isascii():
            table[base] = table.get(base, "") + char
    return table


_FREE_KINDS = {
    "number": number, "money": money, "date": date, "reference": reference, "identifier": identifier,
    "leaders": leaders, "single": table(SINGLES), "unit": unit, "abbreviation": table(ABBREVIATIONS), "math": math,
}  # fmt: skip
_KINDS: dict[str, Callable[[TextSource, Generator], str]] = {
    "plain": TextSource._cased, "short": TextSource._short, "common": TextSource._common,
    "punctuated": TextSource._punctuated, "joined": TextSource._joined, "possessive": TextSource._possessive,
    "knotted": TextSource._knotted,
    "code": TextSource._code, "address": TextSource._address, "random": TextSource._random, "sign": TextSource._sign,
}  # fmt: skip
_WEIGHTS = {
    "plain": 22, "short": 8, "common": 15, "punctuated": 14, "joined": 3.5, "possessive": 2.5, "knotted": 2.5,
    "code": 4, "address": 1.5, "random": 7,
    "number": 7, "money": 2, "date": 2.5, "reference": 3, "identifier": 2, "leaders": 0.7, "single": 3, "unit": 1,
    "abbreviation": 1.5, "math": 1.8, "sign": 2.5,
}  # fmt: skip
