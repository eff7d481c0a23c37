"""Arguments that several sub-commands share."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from typing import Any

from ocr_models.arguments import ArgumentParser, dots_per_inch, positive, share, whole
from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.data.sources.source import SourceOptions
from ocr_models.errors import UsageError
from ocr_models.inference.engines import AUTO, ENGINES
from ocr_models.records import MIN_CONFIDENCE, TextLayerUse
from ocr_models.terminal import LogFormat, announce, configure_log
from pipelines.inputs.discovery import is_glob
from pipelines.runtime.beam_options import LOCAL_RUNNER
from pipelines.runtime.storage import check_file_system, is_remote

# How much an option that Beam doesn't know must be like one of ours to be refused on runners that may know it.
_SURELY_MISSPELT = 0.8
_LOG_LEVELS = ("debug", "info", "warning", "error")


def make_parser(name: str, description: str, exit_statuses: str, beam_example: str) -> ArgumentParser:
    """The parser of a sub-command that passes unknown options on to Beam.

    Args:
        name: name of the sub-command.
        description: a sentence about what it does.
        exit_statuses: what 0 and 3 mean, such as "0 all pages read; 3 finished, some pages failed".
        beam_example: examples of Beam's options, for the help.
    """
    return ArgumentParser(
        prog=f"pagebeam {name}",
        passes_on=True,
        description=description,
        epilog=f"All other options go to Beam, such as {beam_example}. Exit status: {exit_statuses}; 1 the run failed; "
        "2 usage error.",
    )


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``pipelines.runtime.beam_options.BeamOptions``."""
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="workers of the local runner; default: one per core"
    )
    parser.add_argument(
        "--runner", default=LOCAL_RUNNER, metavar="NAME", help="Beam runner; default: %(default)s, local"
    )


def add_log_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of what a command says and how."""
    group = parser.add_argument_group("messages")
    group.add_argument("--quiet", action="store_true", help="print nothing but errors")
    group.add_argument(
        "--log-level",
        choices=_LOG_LEVELS,
        default="info",
        help="how important messages on stderr must be; debug: those of libraries, too; default: %(default)s",
    )
    group.add_argument(
        "--log-format",
        choices=[str(form) for form in LogFormat],
        default=str(LogFormat.TEXT),
        help="json: an object per line on stderr, and one for the summary on stdout; default: %(default)s",
    )


def pop_log_options(values: dict[str, Any]) -> bool:
    """Removes the options of ``add_log_arguments`` from a command's arguments and heeds them.

    Returns:
        Whether nothing but errors is to be printed, which the command itself has to see to for its summary.
    """
    is_quiet, level = values.pop("quiet"), values.pop("log_level")
    configure_log(LogFormat(values.pop("log_format")), logging.ERROR if is_quiet else getattr(logging, level.upper()))
    return is_quiet


def add_engine_argument(parser: argparse._ActionsContainer) -> None:
    """Adds the option of the engine that computes detectors and recognizers."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=AUTO,
        help="what computes the models; default: auto, which is TensorFlow or JAX where it and a GPU are there, "
        "and else OpenVINO",
    )


def add_ocr_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the models that find and read words."""
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
        "--text-layer",
        choices=[str(choice) for choice in TextLayerUse],
        default=str(TextLayerUse.AUTO),
        help="auto: take the words of a PDF page from its own text where that is seen, maps to characters and covers "
        "the ink of the page; hidden: also take hidden text, as another OCR lays it under a scan, where it covers most "
        "of the ink; never: read all pages; default: %(default)s",
    )
    parser.add_argument(
        "--no-lexicon",
        action="store_false",
        dest="uses_lexicon",
        help="read letters as the network alone does; by default, the recognizer's lexicon decides where it is unsure",
    )


def add_rendering_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds the options of sources that draw or render pictures."""
    defaults = SourceOptions()
    group.add_argument(
        "--dpi", type=dots_per_inch, default=defaults.dpi, metavar="N", help="for rendering PDFs; default: %(default)s"
    )
    group.add_argument("--degrade", action="store_true", help="degrade clean renderings as a scanner would")
    group.add_argument(
        "--count", type=positive, default=defaults.count, metavar="N", help="number of synthetic pictures"
    )
    group.add_argument(
        "--seed", type=whole, default=defaults.seed, metavar="N", help="for synthetic pictures; default: %(default)s"
    )
    group.add_argument(
        "--fonts", nargs="+", default=(), metavar="DIR", help="more folders of fonts, for synthetic pictures"
    )
    group.add_argument(
        "--lexicons",
        nargs="+",
        default=(),
        metavar="FILE",
        help="word lists, one word per line, for synthetic pictures",
    )


def pop_source_options(values: dict[str, Any]) -> SourceOptions:
    """Removes the options of sources from a command's arguments and returns them."""
    told = {name: values.pop(name) for name in ("dpi", "degrade", "count", "seed")}
    return SourceOptions(**told, fonts=tuple(values.pop("fonts")), lexicons=tuple(values.pop("lexicons")))


def begin_on_labels(parser: ArgumentParser, arguments: argparse.Namespace, beam_args: list[str]) -> None:
    """Checks a command that reads labelled pictures before Beam is loaded, which takes seconds."""
    check_beam_args(parser, arguments, beam_args)
    for path in (arguments.source, arguments.output):
        check_file_system(path)
    if not is_remote(arguments.source) and not is_glob(arguments.source) and not os.path.lexists(arguments.source):
        raise UsageError(f"{arguments.source}: no such file or folder")
    announce("pagebeam: loading Apache Beam")


def check_beam_args(parser: ArgumentParser, arguments: argparse.Namespace, beam_args: list[str]) -> None:
    """Raises UsageError for arguments that nobody knows. Loads Beam, which knows its own, if there are any."""
    if arguments.runner != LOCAL_RUNNER and arguments.workers:
        raise UsageError(
            f"--workers {arguments.workers}: of the local runner only; other runners have options of their own: "
            "--num_workers and --max_num_workers (Dataflow), --parallelism (Flink), --sdk_worker_parallelism (others)"
        )
    if not beam_args:
        return
    from pipelines.runtime.runner import unknown_arguments

    unknown: Sequence[str] = unknown_arguments(beam_args)
    if arguments.runner != LOCAL_RUNNER:
        unknown = list(parser.misspelt(unknown, _SURELY_MISSPELT))
    if unknown:
        parser.refuse(unknown)
