"""``pagebeam caption``: captions pictures."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser, positive
from ocr_models.errors import ExitStatus
from pipelines.cli.shared_arguments import add_run_arguments, begin_run, make_parser, pop_limits


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    parser = _parser()
    arguments, beam_args = parser.parse_known_args(argv)
    models = {"caption": arguments.captioner}
    begin_run(parser, arguments, beam_args, models, "ocr_models.captioning.captioner")
    from pipelines.cli.run_summary import report_run  # loads Beam, which help and usage errors don't need
    from pipelines.reading.caption_reader import CaptionOptions, run_captioner
    from pipelines.reading.schemas import CAPTIONS

    values = dict(vars(arguments))
    limits = pop_limits(values)
    manifest = run_captioner(CaptionOptions(**values, limits=limits, beam_args=beam_args))
    return report_run(manifest, arguments.output, CAPTIONS, "captioned")


def _parser() -> ArgumentParser:
    parser = make_parser(
        "caption",
        "Captions pictures and writes one Parquet row per page below DIR/captions.",
        "0 all pages read; 3 finished, some pages failed",
        "--runner=DataflowRunner --project=NAME",
    )
    add_run_arguments(parser)
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
