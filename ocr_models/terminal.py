"""Text for terminals and logs. Names of files and what they hold are strangers', and may have control characters."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO


class LogFormat(StrEnum):
    """The form of what commands tell on stderr."""

    TEXT = "text"  # lines for people
    JSON = "json"  # an object per line, for programs that collect logs


_format, _level = LogFormat.TEXT, logging.INFO
_has_reader = True  # stdout


def configure_log(log_format: LogFormat, level: int) -> None:
    """Sets the form of what is told on stderr in this process, and how important it must be.

    Libraries' own warnings are shown at the level DEBUG only; their errors always.

    Args:
        log_format: the form.
        level: of ``logging``.
    """
    global _format, _level
    _format, _level = log_format, level
    root = logging.getLogger()
    root.setLevel(logging.INFO if level <= logging.DEBUG else logging.ERROR)
    if log_format == LogFormat.JSON:
        for handler in root.handlers:
            handler.setFormatter(JsonFormatter())


def log_format() -> LogFormat:
    """The form that ``configure_log`` set."""
    return _format


def tell(message: str, level: int = logging.INFO, event: str = "message", **fields: Any) -> None:
    """Tells on stderr what happens.

    Args:
        message: a line for people.
        level: of ``logging``; less important lines than ``configure_log`` asked for are left out.
        event: what happened, in a word that programs can look for.
        fields: its numbers and names, for programs.
    """
    if level < _level:
        return
    if _format == LogFormat.TEXT:
        say(message, file=sys.stderr)
        return
    print(_as_json(message, level, event, fields), file=sys.stderr, flush=True)


def _as_json(message: str, level: int, event: str, fields: dict[str, Any]) -> str:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps(
        {"time": time, "level": logging.getLevelName(level).lower(), "event": event, "message": message} | fields
    )


def json_line(value: Any) -> str:
    """JSON on one line, in ASCII without control characters, so that a terminal can show it as it is."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def printable(text: str) -> str:
    """Text on one line, with what could control a terminal, or break its encoding, escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def say(*lines: str, file: TextIO | None = None) -> None:
    """Prints lines, each made printable; all that commands tell their user goes through here.

    Args:
        lines: without line breaks, which would be escaped, too.
        file: ``sys.stdout`` if None.
    """
    with _until_nobody_reads(file or sys.stdout):
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
        with _until_nobody_reads(sys.stdout):
            sys.stdout.buffer.write((text + end).encode("utf-8", "surrogateescape"))
    else:
        sys.stdout.write(text + end)


def hand_over() -> bool:
    """Writes out what stdout has buffered. Returns False if the reader of its pipe, such as ``head``, has gone."""
    with _until_nobody_reads(sys.stdout):
        sys.stdout.flush()
    return _has_reader


@contextlib.contextmanager
def _until_nobody_reads(stream: TextIO) -> Iterator[None]:
    """Lets a command go on when the reader of its pipe, such as ``head``, has gone; what it writes then is dropped."""
    global _has_reader
    try:
        yield
    except BrokenPipeError:
        _has_reader = _has_reader and stream is not sys.stdout
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def announce(line: str) -> None:
    """Tells a person at a terminal what takes a while now; in the stderr of scripts there is nothing but errors."""
    if sys.stderr.isatty() or _format == LogFormat.JSON:
        tell(line, event="start")


class PrintableFormatter(logging.Formatter):
    """Formats log records as usual, but makes their lines printable."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))


class JsonFormatter(logging.Formatter):
    """Formats log records of libraries as ``tell`` does in JSON."""

    def format(self, record: logging.LogRecord) -> str:
        return _as_json(super().format(record), record.levelno, "log", {"logger": record.name})
