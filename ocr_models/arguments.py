"""The parser of all commands, and types for numbers in their arguments (``type=`` of ``argparse``)."""

from __future__ import annotations

import argparse
import difflib
import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from ocr_models.errors import UsageError
from ocr_models.terminal import say

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ALIKE = 0.6  # difflib's own; two swapped letters of three are 0.67


class _ParserFound(BaseException):
    """Ends a command that is asked for its parser; no handler of errors takes it."""


_is_asked = False


def parser_of(main: Callable[[Sequence[str]], Any]) -> ArgumentParser:
    """The parser of a command, which is the first one that its main function parses arguments with. Nothing is done."""
    global _is_asked
    _is_asked = True
    try:
        main([])
    except _ParserFound as found:
        return found.args[0]
    finally:
        _is_asked = False
    raise TypeError(f"{main.__module__} has no parser")


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose errors are one line, which says what may have been meant.

    Args:
        passes_on: whether unknown arguments may be another program's; else they are errors.
        kwargs: as of ``argparse.ArgumentParser``. Options can't be abbreviated.
    """

    def __init__(self, *, passes_on: bool = False, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)
        self._passes_on = passes_on
        self._given: list[str] = []

    def parse_known_args(self, args=None, namespace=None) -> tuple[Any, list[str]]:  # type: ignore[override]
        if _is_asked:
            raise _ParserFound(self)
        self._given = list(sys.argv[1:] if args is None else args)
        known, unknown = super().parse_known_args(args, namespace)
        if unknown and not self._passes_on:
            self.refuse(unknown)
        return known, unknown

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Raises UsageError for arguments that nobody knows."""
        options = [option_name(argument) for argument in unknown if argument.startswith("-")]
        what = f"unknown option {', '.join(options)}" if options else f"unexpected argument {' '.join(unknown)}"
        raise UsageError(f"{what}{self._hint()} (see {self.prog} --help)")

    def takes_value(self, word: str) -> bool:
        """Whether a word is an option that the next word is the value of."""
        action = self._option_string_actions.get(word)
        return action is not None and action.nargs != 0

    def misspelt(self, arguments: Iterable[str], alike: float = _ALIKE) -> dict[str, str]:
        """The unknown options among arguments that are like options of this parser, each with the option it is like."""
        known = [option.strip("-") for option in self._option_string_actions if option.startswith("--")]
        names = [name for name in map(option_name, arguments) if name.startswith("-")]
        unknown = [name for name in names if name not in self._option_string_actions]
        meant = {name: _most_alike(name.strip("-").replace("_", "-"), known, alike) for name in unknown}
        return {name: f"--{option}" for name, option in meant.items() if option}

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}{self._hint()} (see {self.prog} --help)\n")

    def _hint(self) -> str:
        meant = dict.fromkeys(self.misspelt(self._given).values())
        return f"; did you mean {' and '.join(meant)}?" if meant else ""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        meant = _most_alike(str(value), choices)
        hint = f"; did you mean {meant}?" if meant else ""
        raise argparse.ArgumentError(action, f"invalid choice: {value!r} (choose from {', '.join(choices)}){hint}")

    def _print_message(self, message: str, file: Any = None) -> None:
        say(*message.splitlines(), file=file or sys.stderr)


def option_name(argument: str) -> str:
    """The option in ``--option=value``."""
    return argument.partition("=")[0]


def _most_alike(text: str, choices: Sequence[str], alike: float = _ALIKE) -> str | None:
    return next(iter(difflib.get_close_matches(text, choices, 1, alike)), None)


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def count(text: str) -> int:
    """A whole number of at least 0."""
    return _at_least(0, text)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _at_least(1, text)


def amount(text: str) -> float:
    """A number of at least 0."""
    return _between(0, math.inf, text)


def above_zero(text: str) -> float:
    """A number above 0."""
    if amount(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return float(text)


def share(text: str) -> float:
    """A number from 0 to 1."""
    return _between(0, 1, text)


def percentage(text: str) -> float:
    """A share from 0 to 1, given as one or in percent, such as 0.5%."""
    return share(text) if not text.endswith("%") else _between(0, 100, text.removesuffix("%")) / 100


def dots_per_inch(text: str) -> float:
    """A resolution for rendering PDFs. Less is illegible; more exceeds the pixel limit for a letter page."""
    return _between(36, 1200, text)


def duration(text: str) -> float:
    """Seconds for a time such as "45s", "90m", "6h" or "1d"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not found or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give a number with a unit, such as 90m or 6h")
    return float(found[1]) * _UNITS_S[found[2]]


def _at_least(least: int, text: str) -> int:
    number = whole(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{text} is less than {least}")
    return number


def _between(least: float, most: float, text: str) -> float:
    wanted = f"from {least} to {most}" if most < math.inf else f"of at least {least}"
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; give one {wanted}") from None
    if not least <= number <= most or math.isinf(number):
        raise argparse.ArgumentTypeError(f"{text} is not a number {wanted}")
    return number
