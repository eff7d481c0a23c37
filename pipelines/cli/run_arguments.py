"""The arguments of ``pagebeam run`` and ``pagebeam caption``, and what the two have in common."""

from __future__ import annotations

import argparse
from typing import Any

from ocr_models.arguments import ArgumentParser, dots_per_inch, duration, percentage, positive, share
from ocr_models.bundle import find_bundle
from ocr_models.errors import UsageError
from ocr_models.limits import CORES, LEAST_MEMORY_BYTES, MEGABYTE, DecodeLimits
from ocr_models.terminal import announce, tell
from pipelines.cli.run_summary import report_estimate, report_run
from pipelines.cli.shared_arguments import add_log_arguments, add_runner_arguments, check_beam_args, pop_log_options
from pipelines.inputs.discovery import check_inputs
from pipelines.inputs.input_list import InputList
from pipelines.output.gates import Gates
from pipelines.output.parts import part
from pipelines.reading.run import run
from pipelines.reading.run_options import Rereading, RunOptions
from pipelines.runtime.beam_options import LOCAL_RUNNER
from pipelines.runtime.bundles import local_bundle
from pipelines.runtime.quick_start import import_ahead
from pipelines.runtime.storage import check_file_system, is_remote

RUN_STATUSES = (
    "0 all pages read; 3 finished, some pages failed; 4 finished, but worse than a gate allows; 5 another run writes "
    "to DIR; 6 stopped at the deadline; 130, 143 interrupted"
)


def add_run_arguments(parser: argparse.ArgumentParser, has_confidence: bool) -> None:
    """Adds the options of ``pipelines.reading.run_options.RunOptions``, and the gates.

    Args:
        parser: the command's parser.
        has_confidence: whether its rows have a mean confidence.
    """
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="file, folder or glob, local or on gs://, s3://, hdfs://"
    )
    parser.add_argument(
        "--from-file",
        metavar="LIST",
        help="a text file with a path or URI on each line, a Parquet, .csv or .tsv file, or METS; -: stdin",
    )
    parser.add_argument(
        "--uri-column", metavar="NAME", help="the list's column of paths and URIs; default: uri or source_uri"
    )
    parser.add_argument(
        "--id-column", metavar="NAME", help="the list's column of your ids, which rows have as input_id"
    )
    parser.add_argument(
        "--file-group",
        metavar="USE",
        help="METS: the group of files to read; default: MAX, MASTER, OCR-D-IMG or DEFAULT, or the only one",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="output folder; it grows with each run")
    parser.add_argument(
        "--dpi", type=dots_per_inch, default=200, metavar="N", help="for rendering PDFs; default: %(default)s"
    )
    add_runner_arguments(parser)
    known = parser.add_argument_group("known pages", "A page that was read before isn't read again.")
    _add_rereading_arguments(known, has_confidence)
    _add_production_arguments(parser.add_argument_group("scheduled runs"), has_confidence)
    add_log_arguments(parser)
    _add_limit_arguments(parser.add_argument_group("limits", "What exceeds one becomes a failed row that names it."))


def _add_rereading_arguments(group: argparse._ArgumentGroup, has_confidence: bool) -> None:
    """Adds the options of ``pipelines.reading.run_options.Rereading``."""
    group.add_argument("--retry-failed", action="store_true", help="read failed pages again")
    if has_confidence:
        group.add_argument(
            "--below", type=share, metavar="P", help="read pages again whose mean confidence is below this (0 to 1)"
        )
    else:
        group.set_defaults(below=None)
    group.add_argument(
        "--reread", action="store_true", help="read pages again that other models read, or other options"
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be read, and how long by a sample; write nothing",
    )
    group.add_argument(
        "--hash-all", action="store_true", help="hash all files; else size and times tell which may have changed"
    )


def _add_production_arguments(group: argparse._ArgumentGroup, has_confidence: bool) -> None:
    group.add_argument("--wait", action="store_true", help="wait while another run writes to DIR, instead of failing")
    group.add_argument(
        "--part",
        type=part,
        metavar="I/N",
        help="read the I-th of N parts of the documents; other machines may read the others into DIR at the same time",
    )
    group.add_argument(
        "--deadline", type=duration, metavar="TIME", help="begin no more pages after this time, such as 90m or 6h"
    )
    group.add_argument(
        "--max-failed", type=percentage, metavar="P", help="exit with 4 if more pages failed than this, such as 0.5%%"
    )
    if has_confidence:
        group.add_argument(
            "--min-mean-confidence", type=share, metavar="P", help="exit with 4 if pages have less on average (0 to 1)"
        )
    else:
        group.set_defaults(min_mean_confidence=None)
    group.add_argument(
        "--max-drift",
        type=percentage,
        metavar="P",
        help="exit with 4 if the shares of blank and failed pages, words per page or confidences differ by more than "
        "this from the last good run, such as 20%%",
    )


def _add_limit_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds the options of ``ocr_models.limits.DecodeLimits``."""
    limits = DecodeLimits()
    most = {
        "--max-pages": (limits.pages, "pages of a TIFF or PDF"),
        "--max-document-mb": (limits.document_bytes // MEGABYTE, "size of a document, in MB of 2^20 bytes"),
        "--max-pixels": (limits.page_pixels, "pixels of a page"),
        "--max-seconds": (round(limits.time_s), "time for opening a document and for decoding a page"),
        "--max-read-seconds": (round(limits.read_s), "time for reading a page by the models"),
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
    group.add_argument(
        "--cores",
        type=positive,
        metavar="N",
        help=f"cores that each process uses for decoders and models; default: ${CORES}, else all that it may run on, "
        "shared out among the local runner's processes",
    )


def _decoder_megabytes(text: str) -> int:
    if positive(text) * MEGABYTE < LEAST_MEMORY_BYTES:
        raise argparse.ArgumentTypeError(f"{text} is too little for a decoder to start; give at least 512")
    return int(text)


def check_run(
    parser: ArgumentParser, arguments: argparse.Namespace, beam_args: list[str], models: dict[str, str]
) -> None:
    """Checks a command that reads documents before anything is done.

    Args:
        parser: the command's parser.
        arguments: what it parsed.
        beam_args: what it passes on.
        models: the name or folder of each model by its task.

    Raises:
        UsageError: a model is broken, a path has no file system, or there are no documents at a local input. (Whether
            there are at others, Beam can say.)
    """
    input_list = input_list_of(parser, arguments)
    check_beam_args(parser, arguments, beam_args)
    for task, name in models.items():
        find_bundle(local_bundle(name), task)
    for path in (*arguments.inputs, arguments.output):
        if not path:  # it would mean the current folder
            raise UsageError("an INPUT, or the --output, is empty; is a variable of the shell not set?")
        check_file_system(path)
        if arguments.runner == "DataflowRunner" and not is_remote(path):  # of others, the workers may see it
            raise UsageError(f"{path}: a path of this machine, which Dataflow's workers don't see; give one on gs://")
    check_inputs(path for path in arguments.inputs if not is_remote(path))
    if input_list:
        input_list.check()


def input_list_of(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> InputList | None:
    """The list of inputs that was given, or None. Without inputs it ends the process."""
    if arguments.from_file is None:
        if not arguments.inputs:
            parser.error("give an INPUT, or a list of them by --from-file")
        if arguments.uri_column or arguments.id_column or arguments.file_group:
            parser.error("--uri-column, --id-column and --file-group are of a list; give it by --from-file")
        return None
    return InputList(arguments.from_file, arguments.uri_column, arguments.id_column, arguments.file_group)


def run_and_report(
    kind: type[RunOptions], arguments: argparse.Namespace, beam_args: list[str], reader: str, done: str
) -> int:
    """Runs a kind of run, and prints its summary.

    Args:
        kind: the class of its options.
        arguments: what the command parsed.
        beam_args: what it passes on.
        reader: the module that reads pages. It is imported while Beam starts if this process will run the models.
        done: what is done to pages, such as "read".
    """
    values = dict(vars(arguments))
    is_dry, is_quiet = values.pop("dry_run"), pop_log_options(values)
    gates = Gates(values.pop("max_failed"), values.pop("min_mean_confidence"), values.pop("max_drift"))
    rereading = Rereading(**{name: values.pop(name) for name in ("retry_failed", "below", "reread", "hash_all")})
    listed = [values.pop(name) for name in ("from_file", "uri_column", "id_column", "file_group")]
    input_list = InputList(*listed) if listed[0] is not None else None
    if input_list and (described := input_list.describe()):
        tell(described, event="list")
    limits, deadline_s = _pop_limits(values), values.pop("deadline")
    options = kind(
        **values, input_list=input_list, limits=limits, rereading=rereading, deadline_s=deadline_s, beam_args=beam_args
    )

    if is_dry:
        from pipelines.reading.dry_run import estimate_run  # loads Beam

        announce("pagebeam: opening and reading a sample")
        return report_estimate(estimate_run(options))

    def begin(plan: object) -> None:
        announce("pagebeam: loading Apache Beam and the models; the first page takes some seconds")
        if arguments.runner == LOCAL_RUNNER and not any("direct_running_mode" in argument for argument in beam_args):
            import_ahead(reader)

    return report_run(run(options, begin), options, gates, done, is_quiet)


def _pop_limits(values: dict[str, Any]) -> DecodeLimits:
    """Removes the limits from a command's arguments and returns them."""
    return DecodeLimits(
        time_s=values.pop("max_seconds"),
        read_s=values.pop("max_read_seconds"),
        memory_bytes=values.pop("max_memory_mb") * MEGABYTE,
        document_bytes=values.pop("max_document_mb") * MEGABYTE,
        pages=values.pop("max_pages"),
        page_pixels=values.pop("max_pixels"),
        cores=values.pop("cores"),
    )
