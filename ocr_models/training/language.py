"""``pagebeam train language``: counts the language model that a recognizer's bundle may hold."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ocr_models.bundle import find_bundle, set_language
from ocr_models.charset import Charset
from ocr_models.data.text_source import TextSource
from ocr_models.language_model import LanguageModel

HELP = "the n-grams of letters by which a CRNN reads doubtful ones"
_PROSE_SHARE = 0.5  # of the words, how many are as in running text; the others are of all kinds alike
_CAPITALS_SHARE = 1 / 6


def add_language_parser(tasks: argparse._SubParsersAction) -> None:
    """Adds the task's own parser: no network is trained, so that it has none of the other tasks' options."""
    parser = tasks.add_parser(
        "language",
        help=HELP,
        description=f"Count {HELP}, and put them into a recognizer's bundle.",
    )
    parser.add_argument("--output", required=True, metavar="BUNDLE", help="a recognizer's, which is written already")
    parser.add_argument("--lexicons", nargs="+", required=True, metavar="FILE", help="word lists")
    parser.add_argument(
        "--words", type=int, default=1_500_000, metavar="N", help="are drawn from them; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn; default: %(default)s")


def train_language(args: argparse.Namespace) -> int:
    """Runs the task; returns the exit status.

    Raises:
        UsageError: no such recognizer, or a word list that can't be read.
    """
    bundle = find_bundle(args.output, "recognition")
    source = TextSource([Path(lexicon) for lexicon in args.lexicons], Charset.load(bundle.charset_path).characters)
    language = LanguageModel.count(_draw_words(source, args.words, args.seed))
    written = set_language(bundle, language)
    print(f"n-grams: {len(language)}\nbundle: {written.path} is {written.id} now")
    return 0


def _draw_words(source: TextSource, count: int, seed: int) -> Iterator[str]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        word = source.prose(rng) if rng.random() < _PROSE_SHARE else source.word(rng)
        yield word.upper() if rng.random() < _CAPITALS_SHARE else word
