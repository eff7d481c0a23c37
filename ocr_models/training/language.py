"""``pagebeam train language``: counts the language model that a recognizer's bundle may hold."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ocr_models.bundle import find_bundle, set_language
from ocr_models.charset import Charset
from ocr_models.data.text_source import TextSource, read_lexicon
from ocr_models.errors import UsageError
from ocr_models.language_model import LanguageModel
from ocr_models.training.task_options import at_least_one, count

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
    parser.add_argument("--output", required=True, type=Path, metavar="BUNDLE", help="a CRNN's, which is there already")
    parser.add_argument("--lexicons", nargs="+", required=True, metavar="FILE", help="word lists")
    parser.add_argument(
        "--words", type=at_least_one, default=1_500_000, metavar="N", help="are drawn from them; default: %(default)s"
    )
    parser.add_argument("--seed", type=count, default=0, metavar="N", help="of what is drawn; default: %(default)s")


def train_language(args: argparse.Namespace) -> int:
    """Runs the task; returns the exit status.

    Raises:
        UsageError: no such CRNN, or a word list that can't be read or has no words.
    """
    bundle = find_bundle(str(args.output.absolute()), "recognition")  # not one that ships, but for its folder
    if bundle.config["arch"] == "attention":
        raise UsageError(f"{args.output}: an attention recognizer takes no language model; give a CRNN's bundle")
    for lexicon in args.lexicons:
        if not read_lexicon(lexicon):
            raise UsageError(f"{lexicon}: a word list without words; give a file with one a line")
    source = TextSource([Path(lexicon) for lexicon in args.lexicons], Charset.load(bundle.charset_path).characters)
    language = LanguageModel.count(_draw_words(source, args.words, args.seed))
    options = {"lexicons": args.lexicons, "words": args.words, "seed": args.seed}
    written = set_language(bundle, language, options)
    print(f"n-grams: {len(language)}\nbundle: {written.path} is {written.id} now")
    return 0


def _draw_words(source: TextSource, number: int, seed: int) -> Iterator[str]:
    rng = np.random.default_rng(seed)
    for _ in range(number):
        word = source.prose(rng) if rng.random() < _PROSE_SHARE else source.word(rng)
        capitals = word.upper()
        is_capital = rng.random() < _CAPITALS_SHARE and len(capitals) == len(word)  # ß becomes two
        yield capitals if is_capital else word
