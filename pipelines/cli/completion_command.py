"""``pagebeam completion``: the script by which a shell completes the command."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser, parser_of
from ocr_models.errors import ExitStatus
from ocr_models.terminal import hand_on
from pipelines.cli.main import COMMANDS, DESCRIPTION

_SHELLS = ("bash", "zsh", "fish")
_FOLDERS = ("DIR", "FOLDER")
_FILES = ("INPUT", "FILE", "LIST", "BUNDLE", "SHARDS", "SOURCE", "PATH")


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    parser = ArgumentParser(
        prog="pagebeam completion",
        description="Prints the script by which a shell completes commands, options, their choices, and files.",
        epilog="bash: pagebeam completion bash > ~/.local/share/bash-completion/completions/pagebeam; zsh: pagebeam "
        "completion zsh > a folder of $fpath, as _pagebeam; fish: pagebeam completion fish > "
        "~/.config/fish/completions/pagebeam.fish. Print it again after an update.",
    )
    parser.add_argument("shell", choices=_SHELLS)
    shell = parser.parse_args(argv).shell
    import shtab

    whole = whole_parser()
    _complete_files(whole)
    hand_on(shtab.complete(whole, shell))
    return ExitStatus.OK


def parsers() -> dict[str, ArgumentParser]:
    """The parser of each command, by its name."""
    return {name: parser_of(importlib.import_module(module).main) for name, (module, _) in COMMANDS.items()}


def whole_parser() -> argparse.ArgumentParser:
    """A parser of all commands with their options."""
    whole = argparse.ArgumentParser(prog="pagebeam", description=DESCRIPTION)
    whole.add_argument("--version", action="store_true", help="show the versions of Pagebeam and what it uses")
    commands = whole.add_subparsers(metavar="COMMAND")
    for name, parser in parsers().items():
        commands.add_parser(
            name,
            help=COMMANDS[name][1],
            description=parser.description,
            epilog=parser.epilog,
            parents=[parser],
            add_help=False,
        )
    return whole


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Marks the arguments, of sub-commands, too, that are files or folders, as shtab wants it."""
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _complete_files(below)
        elif any(word in str(action.metavar) for word in _FOLDERS):
            vars(action)["complete"] = shtab.DIRECTORY
        elif any(word in str(action.metavar) for word in _FILES):
            vars(action)["complete"] = shtab.FILE
