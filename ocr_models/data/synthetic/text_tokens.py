"""Generators of tokens that need no lexicon: numbers, dates, references, codes, punctuation around words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from numpy.random import Generator

from ocr_models.data.synthetic.text_tables import MATH, MONTHS, UNITS

T = TypeVar("T")
ROMAN = ("I", "II", "III", "IV", "VI", "ix", "xii", "(iii)", "iv.")


def pick(rng: Generator, items: Sequence[T]) -> T:
    """Draws one of ``items``, all equally likely. ``rng.choice`` takes thirty times as long."""
    return items[int(rng.random() * len(items))]


def digits(rng: Generator, count: int) -> str:
    """``count`` random digits."""
    return f"{int(rng.random() * 10**count):0{count}d}"


def wrap(rng: Generator, word: str) -> str:
    """A word followed by punctuation, or in quotes or brackets."""
    u = rng.random()
    if u < 0.62:
        return word + pick(rng, ",,,,....:;;!?")
    pair = pick(rng, ("()", "()", "[]", '""', "“”", "‘’", "„“", "«»", "''", "{}", "‹›"))
    opening, closing = pair[0], pair[1]
    if u < 0.74:
        return opening + word
    if u < 0.86:
        return word + closing + pick(rng, ("", "", ",", ".", ";"))
    return (
        f"{opening}{word}{closing}{pick(rng, ('', '', '.', ','))}"
        if u < 0.97
        else word + pick(rng, ("*", "†", "…", "®", "™", "¹"))
    )


def number(rng: Generator) -> str:
    """Integers, decimals, thousands, percentages, years, ordinals."""
    u, n = rng.random(), 1 + int(4 * rng.random() ** 1.6)
    body = str(int(rng.random() * 10**n))
    if u < 0.4:
        return body
    if u < 0.58:
        sign, mark = pick(rng, ("", "", "", "-", "–", "+", "±")), pick(rng, "..,")
        return f"{sign}{body}{mark}{digits(rng, 1 + int(3 * rng.random()))}"
    if u < 0.66:
        return f"{1 + int(999 * rng.random())}{pick(rng, (',', ',', '.', '’'))}{digits(rng, 3)}"
    if u < 0.74:
        return f"{body}{pick(rng, ('', '.' + digits(rng, 1)))}%"
    if u < 0.9:
        return str(1800 + int(230 * rng.random()))
    return body + pick(rng, (",", ".", ";", ")", ":", "th", "st", "nd", "a", "x", "°"))


def money(rng: Generator) -> str:
    """Amounts, with or without a currency."""
    whole = str(int(rng.random() * 10 ** (1 + int(4 * rng.random()))))
    if rng.random() < 0.25:
        whole = f"{whole[:3]},{digits(rng, 3)}"
    amount = whole + pick(rng, (".", ".", ",")) + digits(rng, 2)
    u = rng.random()
    if u < 0.4:
        return amount
    if u < 0.47:
        return pick(rng, ("RM", "RM", "USD", "EUR", "@", "@$", "-", "x")) + amount
    return pick(rng, "€$£$¥") + (amount if u < 0.6 else whole) if u < 0.88 else amount + pick(rng, "€%$-*")


def date(rng: Generator) -> str:
    """Dates, times, months, spans of years."""
    day, month, year = 1 + int(31 * rng.random()), 1 + int(12 * rng.random()), 1900 + int(130 * rng.random())
    hour, minute = int(24 * rng.random()), digits(rng, 2)
    forms = (
        f"{day:02d}.{month:02d}.{year}", f"{month}/{day}/{year}", f"{year}-{month:02d}-{day:02d}",
        f"{day}/{month}/{year % 100:02d}",
        f"{hour}:{minute}", f"{hour:02d}:{minute}:{digits(rng, 2)}", f"{hour % 12}:{minute}pm", f"{day}.", f"{day}th,",
        f"{pick(rng, MONTHS)}", f"{pick(rng, MONTHS)[:3]}.", f"{year}–{(year + 7) % 100:02d}", f"{year - 3}–{year}",
        f"({year})",
    )  # fmt: skip
    return pick(rng, forms)


def reference(rng: Generator) -> str:
    """Citations, section numbers, ranges, Roman numerals."""
    a, b = 1 + int(60 * rng.random()), 1 + int(9 * rng.random())
    forms = (
        f"[{a}]", f"[{a}].", f"[{a},", f"({a})", f"({b})", f"[{b}]", f"{b}.{a}", f"{b}.{a % 10}.{b}", f"{b}.{b}.",
        f"({a}.{b})",
        f"§{a}", f"{a}–{a + b}", f"{a}-{a + b},", f"No.{a}", f"#{a}", f"pp.{a}", f"({1900 + a}),", f"{b})",
        f"({chr(96 + b)})",
        f"{chr(64 + b)}.{b}", f"{a}({b}):{a + 70}–{a + 79}", f"S{b}", f"Q{b % 4 + 1}", pick(rng, ROMAN),
    )  # fmt: skip
    return pick(rng, forms)


def identifier(rng: Generator) -> str:
    """Telephone numbers, ISBNs, codes."""

    def letters() -> str:
        return "".join(chr(65 + int(26 * rng.random())) for _ in range(1 + int(3 * rng.random())))

    forms = (
        f"+{digits(rng, 2)}", f"({digits(rng, 3)})", f"{digits(rng, 3)}-{digits(rng, 4)}",
        f"{digits(rng, 3)}-{digits(rng, 3)}-{digits(rng, 4)}",
        f"978-{digits(rng, 1)}-{digits(rng, 4)}-{digits(rng, 4)}-{digits(rng, 1)}", f"{letters()}{digits(rng, 4)}",
        f"{letters()}-{digits(rng, 3)}",
        digits(rng, 8), digits(rng, 5), f"{letters()}{digits(rng, 2)}{letters()}",
        letters(), f"v{digits(rng, 1)}.{digits(rng, 2)}", f"{digits(rng, 4)}/{digits(rng, 2)}",
    )  # fmt: skip
    return pick(rng, forms)


def leaders(rng: Generator) -> str:
    """A row of dots or dashes."""
    return pick(rng, "....·_-") * (3 + int(18 * rng.random()))


def table(items: Sequence[str]) -> Callable[[Generator], str]:
    """Makes a generator that draws from a list."""

    def draw(rng: Generator) -> str:
        return pick(rng, items)

    return draw


def unit(rng: Generator) -> str:
    """A unit, alone or after a number."""
    unit = pick(rng, UNITS)
    return unit if rng.random() < 0.5 else str(int(rng.random() * 500)) + unit


def math(rng: Generator) -> str:
    """A part of a formula in plain characters."""
    a, b, n = pick(rng, "abcdefghijkmnpqrstuvxyzABCFGHLMNPRSTXYZ"), pick(rng, "ijklmnxyzt0123"), int(rng.random() * 20)
    forms = (
        f"{a}({b})",
        f"{a}={n}",
        f"{a}+{b}",
        f"|{a}|",
        f"{a}<{b}",
        f"{n}×{n + 2}",
        f"{a}²",
        f"{a}/{b}",
        f"({a},{b})",
        f"{n}{a}",
        f"{a}{b}",
    )
    return pick(rng, MATH) if rng.random() < 0.35 else pick(rng, forms)
