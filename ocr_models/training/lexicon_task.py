"""``pagebeam train lexicon``: puts known words into the bundle of a CRNN, which decide between doubtful letters."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ocr_models.bundle import find_bundle, set_lexicon
from ocr_models.data.synthetic.text_source import read_lexicon
from ocr_models.errors import UsageError
from ocr_models.lexicon import LETTERS, Lexicon
from ocr_models.terminal import say

HELP = "known words, which decide between letters that a CRNN is unsure of"


def add_lexicon_parser(tasks: argparse._SubParsersAction) -> None:
    """Adds the parser of this task, which has none of the options of other tasks, because no network is trained."""
    parser = tasks.add_parser("lexicon", help=HELP, description=f"Put {HELP}, into its bundle.")
    parser.add_argument("--output", required=True, type=Path, metavar="BUNDLE", help="an existing bundle of a CRNN")
    parser.add_argument("--lexicons", nargs="+", required=True, metavar="FILE", help="word lists")


def train_lexicon(args: argparse.Namespace) -> int:
    """Runs the task; returns the exit status.

    Raises:
        UsageError: there is no such CRNN, it is a shipped one, or a word list can't be read or has no words.
    """
    bundle = find_bundle(str(args.output.absolute()), "recognition")  # a path, never a shipped name
    if bundle.config["arch"] == "attention":
        raise UsageError(f"{args.output}: an attention recognizer takes no lexicon; give the bundle of a CRNN")
    words = {word for path in args.lexicons for word in _read_words(path)}
    written = set_lexicon(bundle, Lexicon.of(words), args.lexicons)
    say(f"words: {len(words)}", f"bundle: {written.path} is now {written.id}")
    return 0


def _read_words(path: str) -> Iterator[str]:
    """The words of a list, in lower case; "it's" and "e-mail" are split into their parts."""
    lines = read_lexicon(path, limit=sys.maxsize)
    if not any(map(LETTERS.search, lines)):
        raise UsageError(f"{path}: a word list without words; give a file with one word per line")
    return (word.casefold() for line in lines for word in LETTERS.findall(line))
