"""The ``pagebeam`` command. It exits with an ``ocr_models.errors.ExitStatus``."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from ocr_models.arguments import ArgumentParser
from ocr_models.errors import ExitStatus, PagebeamError, Terminated, interrupt_status
from ocr_models.io.files import local_path
from ocr_models.terminal import say, tell
from pipelines.runtime.quick_start import claim_process, leave_out_unused, uncollected

# For each sub-command, the module whose main(argv) runs it and returns the exit status, and its help text. Only the
# module of the sub-command that is called is imported, so that help and usage errors are quick.
COMMANDS = {
    "run": ("pipelines.cli.run_command", "read documents"),
    "read": ("pipelines.cli.read_command", "read one file, to the terminal"),
    "schedule": ("pipelines.cli.schedule_command", "print units that start run every night: systemd, cron, …"),
    "caption": ("pipelines.cli.caption_command", "caption pictures"),
    "status": ("pipelines.cli.status_command", "say what an output folder holds, and how its runs went"),
    "failures": ("pipelines.cli.failures_command", "list failed pages, for people and for a retry"),
    "export": ("pipelines.cli.export_command", "write searchable PDFs, hOCR, ALTO, PAGE XML, TSV, JSON or text"),
    "report": ("pipelines.cli.report_command", "write a folder of HTML to look at an output folder"),
    "doctor": ("pipelines.cli.doctor_command", "check an output folder"),
    "compact": ("pipelines.cli.compact_command", "merge small files of an output folder, remove replaced rows"),
    "train": ("ocr_models.training.cli", "train a model"),
    "prepare": (
        "pipelines.cli.prepare_command",
        "make a data set: TFRecord shards from labelled pictures, PDFs or output rows",
    ),
    "models": ("pipelines.cli.models_command", "list the models that ship with the package"),
    "inspect": ("pipelines.cli.inspect_command", "check, describe and draw TFRecord shards"),
    "evaluate": ("pipelines.cli.evaluate_command", "score models, or any tool's output, against labelled data"),
    "completion": ("pipelines.cli.completion_command", "print a script by which bash, zsh or fish completes commands"),
}

DESCRIPTION = "Bulk OCR: documents in, one Parquet row per page out."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; the arguments default to the command line's."""
    argv = [_with_local_path(argument) for argument in (sys.argv[1:] if argv is None else argv)]
    claim_process()
    try:
        if argv and argv[0] in COMMANDS:
            with uncollected():
                module = importlib.import_module(COMMANDS[argv[0]][0])
            return module.main(argv[1:])
        _parser().parse_args(argv)
        return ExitStatus.OK
    except PagebeamError as error:
        tell(
            f"pagebeam: {error}", logging.ERROR, "error", error_type=type(error).__name__, status=int(error.exit_status)
        )
        return error.exit_status
    except KeyboardInterrupt as interrupt:
        what = "terminated" if isinstance(interrupt, Terminated) else "interrupted"
        said = f"pagebeam: {what}; what was read is kept, and the same command goes on"
        tell(said, logging.ERROR, "interrupted")
        return interrupt_status(interrupt)


def command() -> NoReturn:
    """Runs the command and ends the process.

    Functions registered with ``atexit`` run, but not Python's own clean-up, which would spend 2 seconds on freeing
    TensorFlow's objects one by one.
    """
    signal.signal(signal.SIGTERM, _terminate)
    leave_out_unused()
    status = main()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)  # the clean-up is quick
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError):  # the reader of a pipe, such as "| head", has gone
            stream.flush()
    os._exit(status)


def _with_local_path(argument: str) -> str:
    """An argument in which a ``file:`` URI is a path, so that all options of all commands accept both."""
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    return f"{option}{equals}{local_path(value)}"


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


class _Version(argparse.Action):
    """Prints what a bug report needs: the versions of Pagebeam, Python, the system, and the packages that matter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, nargs=0, default=argparse.SUPPRESS)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from pipelines.runtime.versions import system_versions

        say(*(f"{name} {version}" for name, version in system_versions().items()))
        parser.exit()


def _parser() -> ArgumentParser:
    """The parser for help, the version, and errors in the sub-command's name."""
    parser = ArgumentParser(
        prog="pagebeam", description=DESCRIPTION, epilog="pagebeam COMMAND --help shows the options of a command."
    )
    parser.add_argument("--version", action=_Version, help="show the versions of Pagebeam and what it uses, and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (_, help_) in COMMANDS.items():
        commands.add_parser(name, help=help_)
    return parser


if __name__ == "__main__":
    command()
