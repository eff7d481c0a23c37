"""The errors that a user sees, each with the status that ``pagebeam`` exits with."""

from __future__ import annotations

import signal
from enum import IntEnum, StrEnum


class ExitStatus(IntEnum):
    """What ``pagebeam`` exits with, whatever its sub-command."""

    OK = 0  # everything was done
    FAILED = 1  # the run itself failed
    USAGE = 2  # the command was wrong; nothing was done
    SOME_FAILED = 3  # the run finished, but some pages, pictures or labels failed
    GATE = 4  # the run finished, but what it read is worse than the command allows
    LOCKED = 5  # another run writes to the output
    DEADLINE = 6  # the run stopped at its deadline, and pages are left


class Stage(StrEnum):
    """Where a document, page or picture failed."""

    OPEN = "open"  # finding, downloading and parsing the file
    RENDER = "render"  # a page of a PDF
    DECODE = "decode"  # the pixels of an image
    READ = "read"  # the models
    LABEL = "label"  # what a labelled source says of a picture
    SCORE = "score"  # comparing a prediction with the labels


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised as Ctrl-C is, so that both end a command in the same way."""


def interrupt_status(interrupt: KeyboardInterrupt) -> int:
    """What a command that was interrupted exits with: 128 plus the number of the signal, as shells have it."""
    return 128 + (signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)


class PagebeamError(Exception):
    """The run itself failed. The message names the input, what was expected and what to do."""

    exit_status: int = ExitStatus.FAILED


class UsageError(PagebeamError):
    """The command or call was wrong before any work began: a pattern without files, a broken model folder."""

    exit_status = ExitStatus.USAGE


class LockedError(PagebeamError):
    """Another run writes to the output."""

    exit_status = ExitStatus.LOCKED


class DocumentError(PagebeamError):
    """One document or page can't be read. It becomes one failed row; no other page suffers.

    Attributes:
        stage: where it failed.
        elapsed_ms: milliseconds that were spent on it; 0 if they weren't measured.
    """

    def __init__(self, stage: Stage, message: str) -> None:
        super().__init__(stage, message)  # both, so that the error can be pickled
        self.stage = stage
        self.elapsed_ms = 0.0

    def __str__(self) -> str:
        return self.args[1]
