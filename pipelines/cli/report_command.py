"""``pagebeam report``: a folder of HTML about an output folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser, count
from ocr_models.errors import ExitStatus
from ocr_models.terminal import say, tell
from pipelines.cli.output_arguments import add_output_argument, add_table_argument, choose_table
from pipelines.output.current_view import check_output
from pipelines.report.write_report import write_report
from pipelines.runtime.storage import absolute_uri, check_writable, join

_DEFAULT_PICTURES = 200
_SHOWN = 5


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    arguments = _parser().parse_args(argv)
    output = absolute_uri(arguments.output_folder)
    check_output(output)
    table = choose_table(output, arguments.table)
    report = absolute_uri(arguments.output) if arguments.output else join(output, "report")
    check_writable(report)
    written = write_report(output, report, table, arguments.pictures)
    for why in list(dict.fromkeys(written.missing.values()))[:_SHOWN]:
        pages = sum(reason == why for reason in written.missing.values())
        tell(f"pagebeam: {pages:,} pages have no picture: {why}", logging.WARNING, "no_picture", pages=pages)
    say(f"{written.pages:,} {table.folder}, {written.pictures:,} with a picture", f"open: {join(report, 'index.html')}")
    return ExitStatus.OK


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="pagebeam report",
        description="Writes a folder of HTML about an output folder, which a browser opens from disk, without a "
        "network: totals, speed, failures, confidences, runs, a search over all pages, and each page with its words.",
        epilog="Exit status: 0; 2 usage error.",
    )
    add_output_argument(parser, "output_folder")
    parser.add_argument("--output", metavar="FOLDER", help="folder of the report; default: DIR/report")
    parser.add_argument(
        "--pictures",
        type=_number_or_all,
        default=_DEFAULT_PICTURES,
        metavar="N|all",
        help="pages that are shown with their picture, drawn again from the documents, some 100 kB each: the slowest "
        "and least confident ones; the others show their words alone; default: %(default)s",
    )
    add_table_argument(parser)
    return parser


def _number_or_all(text: str) -> int | None:
    return None if text == "all" else count(text)
