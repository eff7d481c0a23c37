"""The ``pagebeam`` command.

Exit status: 0, all pages were read; 1, the run itself failed; 2, the command was wrong; 3, the run finished and some
pages failed.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import ocr_models
from ocr_models.arguments import positive
from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.errors import PagebeamError
from pipelines import LOCAL_RUNNER
from pipelines.runtime import quick_start

if TYPE_CHECKING:
    from pipelines.reading.schemas import Table

EXIT_OK = 0
EXIT_SOME_PAGES_FAILED = 3

# Commands with a parser of their own: the module whose main(argv) returns the exit status, and what the command does.
_OWN_PARSERS = {
    "train": ("ocr_models.training.cli", "train a model"),
    "prepare": (
        "pipelines.cli.prepare_command",
        "make a data set: TFRecord shards from labelled pictures, PDFs or output rows",
    ),
    "inspect": ("pipelines.cli.inspect_command", "check, describe and draw TFRecord shards"),
    "evaluate": ("pipelines.cli.evaluate_command", "score models, or any tool's output, against labelled data"),
}

SHOWN_LINES = 12  # of the first page, to see at once whether it was read well


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; the arguments default to the command line's."""
    argv = list(sys.argv[1:] if argv is None else argv)
    _silence_libraries()
    try:
        if argv and argv[0] in _OWN_PARSERS:
            return importlib.import_module(_OWN_PARSERS[argv[0]][0]).main(argv[1:])
        arguments, beam_args = _parser().parse_known_args(argv)
        command = vars(arguments).pop("command")
        return command(arguments, beam_args)
    except PagebeamError as error:
        print(f"pagebeam: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("pagebeam: interrupted; what was written isn't complete and doesn't count", file=sys.stderr)
        return PagebeamError.exit_status


def command() -> NoReturn:
    """Runs the command and ends the process. What is registered to be done at exit is done; but Python's own tidying
    up, which takes TensorFlow down object by object, would be 2 seconds for nothing."""
    status = main()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError):  # "| head" has seen enough
            stream.flush()
    os._exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pagebeam", description="Bulk OCR: documents in, one Parquet row a page out.")
    parser.add_argument("--version", action="version", version=f"pagebeam {ocr_models.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _add_command(commands, "run", "read documents", "Reads documents", "pages")
    run.set_defaults(command=_run)
    bundle_help = "shipped model, or folder of a trained one; default: %(default)s"
    for name, task in (("--detector", "detection"), ("--recognizer", "recognition")):
        run.add_argument(name, default=DEFAULT_BUNDLES[task], metavar="NAME|BUNDLE", help=bundle_help)
    beam_help = "above 1, words are searched for, without a lexicon; default: 1, each step's likeliest character"
    run.add_argument("--beam-width", type=positive, default=1, metavar="N", help=beam_help)
    caption = _add_command(commands, "caption", "caption pictures", "Captions pictures", "captions")
    caption.set_defaults(command=_caption)
    caption.add_argument("--captioner", required=True, metavar="BUNDLE", help="folder of a trained model; none ships")
    caption.add_argument(
        "--beam-width", type=positive, default=3, metavar="N", help="captions a picture; default: %(default)s"
    )
    for name, (_, help_) in _OWN_PARSERS.items():
        commands.add_parser(name, help=f"{help_}; see pagebeam {name} --help")
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_: str, what: str, folder: str
) -> argparse.ArgumentParser:
    """Adds a command with the arguments that all runs have."""
    command = commands.add_parser(
        name,
        allow_abbrev=False,
        help=help_,
        description=f"{what} and writes one Parquet row a page below DIR/{folder}.",
        epilog="All other options go to Beam, such as --runner=DataflowRunner --project=NAME. "
        "Exit status: 0 all pages read; 3 finished, some pages failed; 1 the run failed; 2 usage.",
    )
    command.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="file, folder or glob, local or on gs://, s3://, hdfs://"
    )
    command.add_argument("--output", required=True, metavar="DIR", help="folder of the data set; runs add up in it")
    command.add_argument("--dpi", type=_dots_per_inch, default=200, metavar="N", help="for PDFs; default: %(default)s")
    command.add_argument("--workers", type=positive, default=os.cpu_count(), metavar="N", help="default: one a core")
    command.add_argument("--runner", default=LOCAL_RUNNER, metavar="NAME", help="Beam's; default: %(default)s, local")
    return command


def _dots_per_inch(text: str) -> float:
    dpi = float(text)
    if not 36 <= dpi <= 1200:
        raise argparse.ArgumentTypeError(f"{text} is not between 36 and 1200")
    return dpi


def _run(arguments: argparse.Namespace, beam_args: list[str]) -> int:
    _import_ahead("ocr_models.pages.page_reader", arguments, beam_args)
    from pipelines.reading.ocr_reader import OcrOptions, run_ocr  # loads Beam: not for --help and usage errors
    from pipelines.reading.schemas import PAGES

    manifest = run_ocr(OcrOptions(**vars(arguments), beam_args=beam_args))
    return _report(manifest, arguments.output, PAGES, "read")


def _caption(arguments: argparse.Namespace, beam_args: list[str]) -> int:
    _import_ahead("ocr_models.captioning.captioner", arguments, beam_args)
    from pipelines.reading.caption_reader import CaptionOptions, run_captioner
    from pipelines.reading.schemas import CAPTIONS

    manifest = run_captioner(CaptionOptions(**vars(arguments), beam_args=beam_args))
    return _report(manifest, arguments.output, CAPTIONS, "captioned")


def _import_ahead(module: str, arguments: argparse.Namespace, beam_args: list[str]) -> None:
    """Loads what models need while Beam starts, where this process is going to run them."""
    if arguments.runner == LOCAL_RUNNER and not any("direct_running_mode" in argument for argument in beam_args):
        quick_start.import_ahead(module)


def _report(manifest: dict[str, Any], output: str, table: Table, done: str) -> int:
    """Prints what became of a run, whose pages were "read", say; returns the exit status."""
    _print_first_page(manifest, output, table)
    _print_summary(manifest, output, table, done)
    return EXIT_SOME_PAGES_FAILED if manifest["pages"]["failed"] else EXIT_OK


def _print_first_page(manifest: dict[str, Any], output: str, table: Table) -> None:
    from pipelines.reading.shards import first_headline

    page = first_headline(output, table, (shard["path"] for shard in manifest["shards"]))
    if page:
        lines = page[table.headline].splitlines()
        shown = lines[:SHOWN_LINES] + ["…"] * (len(lines) > SHOWN_LINES)
        print(f"{page['source_uri']}, page {page['page_index'] + 1}:", *shown, sep="\n  ", end="\n\n")


def _print_summary(manifest: dict[str, Any], output: str, table: Table, done: str) -> None:
    pages = manifest["pages"]
    rate = pages["expected"] / manifest["elapsed_s"]
    folder = f"{output.rstrip('/')}/{table.folder}"
    others = ", ".join(f"{pages[status]} {status}" for status in table.statuses if status != "ok")
    print(f"{pages['ok']} pages {done}, {others}; {rate:.2f} pages/s")
    print(f"rows:     {folder}/run={manifest['run_id']}")
    print(f"manifest: {output.rstrip('/')}/runs/{manifest['run_id']}.json")
    look = f"import pyarrow.parquet as pq; print(pq.read_table('{folder}')['{table.headline}'][0])"
    print(f'look:     python -c "{look}"')


def _silence_libraries() -> None:
    """Turns off the chatter of TensorFlow and Beam, unless the environment asks for it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # its errors come back as exceptions


if __name__ == "__main__":
    command()
