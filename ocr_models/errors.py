"""The errors that a user sees, each with the status that ``pagebeam`` exits with."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitStatus(IntEnum):
    """What ``pagebeam`` exits with, whatever its sub-command."""

    OK = 0  # everything was done
    FAILED = 1  # the run itself failed
    USAGE = 2  # the command was wrong; nothing was done
    SOME_FAILED = 3  # the run finished, but some pages, pictures or labels failed


class Stage(StrEnum):
    """Where a document, page or picture failed."""

    OPEN = "open"  # finding, downloading and parsing the file
    RENDER = "render"  # a page of a PDF
    DECODE = "decode"  # the pixels of an image
    READ = "read"  # the models
    LABEL = "label"  # what a labelled source says of a picture
    SCORE = "score"  # comparing a prediction with the labels


class PagebeamError(Exception):
    """The run itself failed. The message names the input, what was expected and what to do."""

    exit_status: int = ExitStatus.FAILED


class UsageError(PagebeamError):
    """The command or call was wrong before any work began: a pattern without files, a broken model folder."""

    exit_status = ExitStatus.USAGE


class DocumentError(PagebeamError):
    """One document or page can't be read. It becomes one failed row; no other page suffers.

    Attributes:
        stage: where it failed.
    """

    def __init__(self, stage: Stage, message: str) -> None:
        super().__init__(stage, message)  # both, so that the error can be pickled
        self.stage = stage

    def __str__(self) -> str:
        return self.args[1]
