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


def hand_on(text: str, end: str = "\n") -> None:
    """Writes text for another program to stdout, byte for byte; a terminal gets it as ``say`` would print it.

    Args:
        text: any text; undecodable bytes of file names are written as they were.
        end: what follows it.
    """
    if sys.stdout.isatty():
        say(text)
    elif hasattr(sys.stdout, "buffer"):  # not the encoding of the locale, in which the text may have no bytes
        sys.stdout.buffer.write((text + end).encode("utf-8", "surrogateescape"))
    else:
        sys.stdout.write(text + end)


def announce(line: str) -> None:
    """Tells a person at a terminal what takes a while now; in the stderr of scripts there is nothing but errors."""
    if sys.stderr.isatty():
        say(line, file=sys.stderr)


class PrintableFormatter(logging.Formatter):
    """Formats log records as usual, but makes their lines printable."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))
