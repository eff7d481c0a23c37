"""Arguments that several sub-commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from ocr_models.arguments import ArgumentParser, dots_per_inch, positive, whole
from ocr_models.bundle import find_bundle
from ocr_models.data.sources.source import SourceOptions
from ocr_models.errors import UsageError
from ocr_models.limits import LEAST_MEMORY_BYTES, MEGABYTE, DecodeLimits
from ocr_models.terminal import announce
from pipelines.inputs.discovery import check_inputs, is_glob
from pipelines.runtime.beam_options import LOCAL_RUNNER
from pipelines.runtime.quick_start import import_ahead
from pipelines.runtime.storage import check_file_system, is_remote

# How much an option that Beam doesn't know must be like one of ours to be refused on runners that may know it.
_SURELY_MISSPELT = 0.8


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
        "--workers", type=positive, default=os.cpu_count(), metavar="N", help="number of workers; default: one per core"
    )
    parser.add_argument(
        "--runner", default=LOCAL_RUNNER, metavar="NAME", help="Beam runner; default: %(default)s, local"
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``pipelines.reading.run.RunOptions``."""
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="file, folder or glob, local or on gs://, s3://, hdfs://"
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="output folder; it can hold several runs")
    parser.add_argument(
        "--dpi", type=dots_per_inch, default=200, metavar="N", help="for rendering PDFs; default: %(default)s"
    )
    add_runner_arguments(parser)
    _add_limit_arguments(parser.add_argument_group("limits", "What exceeds one becomes a failed row that names it."))


def _add_limit_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds the options of ``ocr_models.limits.DecodeLimits``."""
    limits = DecodeLimits()
    most = {
        "--max-pages": (limits.pages, "pages of a TIFF or PDF"),
        "--max-document-mb": (limits.document_bytes // MEGABYTE, "size of a document, in MB of 2^20 bytes"),
        "--max-pixels": (limits.page_pixels, "pixels of a page"),
        "--max-seconds": (round(limits.time_s), "time for opening a document and for decoding a page"),
    }
    for option, (default, what) in most.items():
        group.add_argument(option, type=positive, default=default, metavar="N", help=f"{what}; default: %(default)s")
    group.add_argument(
        "--max-memory-mb",
        type=_decoder_megabytes,
        default=limits.memory_bytes // MEGABYTE,
        metavar="N",
        help="memory of a decoder process, of which there is one per core; default: %(default)s",
    )


def pop_limits(values: dict[str, Any]) -> DecodeLimits:
    """Removes the limits from a command's arguments and returns them."""
    return DecodeLimits(
        time_s=values.pop("max_seconds"),
        memory_bytes=values.pop("max_memory_mb") * MEGABYTE,
        document_bytes=values.pop("max_document_mb") * MEGABYTE,
        pages=values.pop("max_pages"),
        page_pixels=values.pop("max_pixels"),
    )


def _decoder_megabytes(text: str) -> int:
    if positive(text) * MEGABYTE < LEAST_MEMORY_BYTES:
        raise argparse.ArgumentTypeError(f"{text} is too little for a decoder to start; give at least 512")
    return int(text)


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


def begin_run(
    parser: ArgumentParser, arguments: argparse.Namespace, beam_args: list[str], models: dict[str, str], reader: str
) -> None:
    """Checks a command that reads documents before Beam and the models are loaded, which takes seconds; then begins.

    Args:
        parser: the command's parser.
        arguments: what it parsed.
        beam_args: what it passes on.
        models: the name or folder of each model by its task.
        reader: the module that needs Keras. It is imported while Beam starts if this process will run the models.

    Raises:
        UsageError: a model is broken, a path has no file system, or there are no documents at a local input. (Whether
            there are at others, Beam can say.)
    """
    check_run(parser, arguments, beam_args, models)
    announce("pagebeam: loading Apache Beam and the models; the first page takes some seconds")
    if arguments.runner == LOCAL_RUNNER and not any("direct_running_mode" in argument for argument in beam_args):
        import_ahead(reader)


def check_run(
    parser: ArgumentParser, arguments: argparse.Namespace, beam_args: list[str], models: dict[str, str]
) -> None:
    """The checks of ``begin_run``, which has the arguments and errors."""
    check_beam_args(parser, arguments.runner, beam_args)
    for task, name in models.items():
        find_bundle(name, task)
    for path in (*arguments.inputs, arguments.output):
        check_file_system(path)
    check_inputs(path for path in arguments.inputs if not is_remote(path))


def begin_on_labels(parser: ArgumentParser, arguments: argparse.Namespace, beam_args: list[str]) -> None:
    """Like ``begin_run``, for a command that reads labelled pictures."""
    check_beam_args(parser, arguments.runner, beam_args)
    for path in (arguments.source, arguments.output):
        check_file_system(path)
    if not is_remote(arguments.source) and not is_glob(arguments.source) and not os.path.lexists(arguments.source):
        raise UsageError(f"{arguments.source}: no such file or folder")
    announce("pagebeam: loading Apache Beam")


def check_beam_args(parser: ArgumentParser, runner: str, beam_args: list[str]) -> None:
    """Raises UsageError for arguments that nobody knows. Loads Beam, which knows its own, if there are any."""
    if not beam_args:
        return
    from pipelines.runtime.runner import unknown_arguments

    unknown: Sequence[str] = unknown_arguments(beam_args)
    if runner != LOCAL_RUNNER:
        unknown = list(parser.misspelt(unknown, _SURELY_MISSPELT))
    if unknown:
        parser.refuse(unknown)
