"""``pagebeam caption``: captions pictures."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser, positive
from pipelines.cli.run_arguments import RUN_STATUSES, add_run_arguments, check_run, run_and_report
from pipelines.cli.shared_arguments import make_parser
from pipelines.reading.run_options import CaptionOptions


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    parser = _parser()
    arguments, beam_args = parser.parse_known_args(argv)
    check_run(parser, arguments, beam_args, {"caption": arguments.captioner})
    return run_and_report(CaptionOptions, arguments, beam_args, "ocr_models.captioning.captioner", "captioned")


def _parser() -> ArgumentParser:
    parser = make_parser(
        "caption",
        "Captions pictures and writes one Parquet row per page below DIR/captions. What an earlier run has captioned "
        "isn't captioned again.",
        RUN_STATUSES,
        "--runner=DataflowRunner --project=NAME",
    )
    add_run_arguments(parser, has_confidence=False)
    parser.add_argument(
        "--captioner", required=True, metavar="BUNDLE", help="folder of a trained model; none is shipped"
    )
    parser.add_argument(
        "--beam-width",
        type=positive,
        default=3,
        metavar="N",
        help="width of the beam search, and captions per picture; default: %(default)s",
    )
    return parser
