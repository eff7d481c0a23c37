"""``pagebeam run``: reads documents."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser
from pipelines.cli.run_arguments import RUN_STATUSES, add_run_arguments, check_run, run_and_report
from pipelines.cli.shared_arguments import add_ocr_arguments, make_parser
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
    add_ocr_arguments(parser)
    return parser
