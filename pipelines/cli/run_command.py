"""``pagebeam run``: reads documents."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser, positive, share
from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.records import MIN_CONFIDENCE
from pipelines.cli.run_arguments import RUN_STATUSES, add_run_arguments, check_run, run_and_report
from pipelines.cli.shared_arguments import add_engine_argument, make_parser
from pipelines.reading.run_options import OcrOptions


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    parser = make_run_parser()
    arguments, beam_args = parser.parse_known_args(argv)
    check_run(parser, arguments, beam_args, models_of(arguments))
    return run_and_report(OcrOptions, arguments, beam_args, "ocr_models.pages.page_reader", "read")


def models_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The name or folder of each model by its task."""
    return {"detection": arguments.detector, "recognition": arguments.recognizer}


def make_run_parser() -> ArgumentParser:
    """The parser of ``pagebeam run``."""
    parser = make_parser(
        "run",
        "Reads documents and writes one Parquet row per page below DIR/pages. What an earlier run has read isn't read "
        "again.",
        RUN_STATUSES,
        "--runner=DataflowRunner --project=NAME",
    )
    add_run_arguments(parser, has_confidence=True)
    bundle_help = "name of a shipped model, or folder of a trained one; default: %(default)s"
    for name, task in (("--detector", "detection"), ("--recognizer", "recognition")):
        parser.add_argument(name, default=DEFAULT_BUNDLES[task], metavar="NAME|BUNDLE", help=bundle_help)
    add_engine_argument(parser)
    beam_help = "above 1, beam search without a lexicon; default: 1, the most likely character of each step"
    parser.add_argument("--beam-width", type=positive, default=1, metavar="N", help=beam_help)
    parser.add_argument(
        "--min-confidence",
        type=share,
        default=MIN_CONFIDENCE,
        metavar="P",
        help="leave words that the network is less sure of (0 to 1) out of the text; rows keep them; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--no-lexicon",
        action="store_false",
        dest="uses_lexicon",
        help="read letters as the network alone does; by default, the recognizer's lexicon decides where it is unsure",
    )
    return parser
