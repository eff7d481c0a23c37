"""``pagebeam train lexicon``: puts the words by which a CRNN chooses among doubtful letters into its bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ocr_models.bundle import find_bundle, set_lexicon
from ocr_models.data.synthetic.text_source import read_lexicon
from ocr_models.errors import UsageError
from ocr_models.lexicon import LETTERS, Lexicon

HELP = "the words by which a CRNN chooses among letters that it isn't sure of"


def add_lexicon_parser(tasks: argparse._SubParsersAction) -> None:
    """Adds the task's own parser: no network is trained, so that it has none of the other tasks' options."""
    parser = tasks.add_parser("lexicon", help=HELP, description=f"Put {HELP} into its bundle.")
    parser.add_argument("--output", required=True, type=Path, metavar="BUNDLE", help="a CRNN's, which is there already")
    parser.add_argument("--lexicons", nargs="+", required=True, metavar="FILE", help="word lists")


def train_lexicon(args: argparse.Namespace) -> int:
    """Runs the task; returns the exit status.

    Raises:
        UsageError: no such CRNN, or a word list that can't be read or has no words.
    """
    bundle = find_bundle(str(args.output.absolute()), "recognition")  # a path, never a shipped name
    if bundle.config["arch"] == "attention":
        raise UsageError(f"{args.output}: an attention recognizer takes no lexicon; give a CRNN's bundle")
    words = {word for path in args.lexicons for word in _read_words(path)}
    written = set_lexicon(bundle, Lexicon.of(words), args.lexicons)
    print(f"words: {len(words)}\nbundle: {written.path} is {written.id} now")
    return 0


def _read_words(path: str) -> Iterator[str]:
    """The words of a list, in lower case; of "it's" and "e-mail" the parts."""
    lines = read_lexicon(path, limit=sys.maxsize)
    if not any(map(LETTERS.search, lines)):
        raise UsageError(f"{path}: a word list without words; give a file with one a line")
    return (word.casefold() for line in lines for word in LETTERS.findall(line))
