"""Text for terminals and logs. Names of files and what they hold are strangers', and may have control characters."""

from __future__ import annotations

import logging
import sys
from typing import TextIO


def printable(text: str) -> str:
    """Text on one line, with what could control a terminal, or break its encoding, escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def say(*lines: str, file: TextIO | None = None) -> None:
    """Prints lines, each made printable; all that commands tell their user goes through here.

    Args:
        lines: without line breaks, which would be escaped, too.
        file: ``sys.stdout`` if None.
    """
    for line in lines:
        print(printable(line), file=file)


def announce(line: str) -> None:
    """Tells a person at a terminal what takes a while now; in the stderr of scripts there is nothing but errors."""
    if sys.stderr.isatty():
        say(line, file=sys.stderr)


class PrintableFormatter(logging.Formatter):
    """Formats log records as usual, but makes their lines printable."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))
