"""Arguments that several sub-commands have."""

from __future__ import annotations

import argparse
import os
from typing import Any

from ocr_models.arguments import positive
from ocr_models.data.sources.source import SourceOptions
from pipelines.runtime.beam_options import LOCAL_RUNNER


def make_parser(name: str, description: str, exit_statuses: str, beam_example: str) -> argparse.ArgumentParser:
    """The parser of a sub-command, whose unknown options go to Beam.

    Args:
        name: of the sub-command.
        description: what it does, a sentence.
        exit_statuses: what 0 and 3 mean, such as "0 all pages read; 3 finished, some pages failed".
        beam_example: options of Beam's for the help.
    """
    return argparse.ArgumentParser(
        prog=f"pagebeam {name}",
        allow_abbrev=False,
        description=description,
        epilog=f"All other options go to Beam, such as {beam_example}. Exit status: {exit_statuses}; 1 the run failed; "
        "2 usage.",
    )


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what ``pipelines.runtime.beam_options.BeamOptions`` has."""
    parser.add_argument("--workers", type=positive, default=os.cpu_count(), metavar="N", help="default: one a core")
    parser.add_argument("--runner", default=LOCAL_RUNNER, metavar="NAME", help="Beam's; default: %(default)s, local")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what ``pipelines.reading.run.RunOptions`` has."""
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="file, folder or glob, local or on gs://, s3://, hdfs://"
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of the data set; runs add up in it")
    parser.add_argument("--dpi", type=_dots_per_inch, default=200, metavar="N", help="for PDFs; default: %(default)s")
    add_runner_arguments(parser)


def _dots_per_inch(text: str) -> float:
    dpi = float(text)
    if not 36 <= dpi <= 1200:  # less can't be read; more is beyond the limit of pixels for a letter page
        raise argparse.ArgumentTypeError(f"{text} is not between 36 and 1200")
    return dpi


def add_rendering_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds the options of sources that draw or render their pictures."""
    defaults = SourceOptions()
    group.add_argument("--dpi", type=float, default=defaults.dpi, metavar="N", help="for PDFs; default: %(default)s")
    group.add_argument("--degrade", action="store_true", help="degrade clean renderings as a scanner would")
    group.add_argument("--count", type=positive, default=defaults.count, metavar="N", help="of synthetic pictures")
    group.add_argument("--seed", type=int, default=defaults.seed, metavar="N", help="of these; default: %(default)s")
    group.add_argument("--fonts", nargs="+", default=(), metavar="DIR", help="more folders of fonts for these")
    group.add_argument("--lexicons", nargs="+", default=(), metavar="FILE", help="word lists for these, one a line")


def pop_source_options(values: dict[str, Any]) -> SourceOptions:
    """Takes the options of sources out of a command's arguments."""
    told = {name: values.pop(name) for name in ("dpi", "degrade", "count", "seed")}
    return SourceOptions(**told, fonts=tuple(values.pop("fonts")), lexicons=tuple(values.pop("lexicons")))
