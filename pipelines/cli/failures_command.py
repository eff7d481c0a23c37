"""``pagebeam failures``: lists failed pages, for people, for programs, and for a run that reads them again."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser
from ocr_models.errors import ExitStatus, Stage
from ocr_models.terminal import hand_on, json_line, say
from pipelines.cli.output_arguments import add_output_argument, add_table_argument, choose_table
from pipelines.cli.text_table import text_table
from pipelines.output.current_view import check_output
from pipelines.output.failed_pages import FailedPage, find_failed_pages, uris_to_retry
from pipelines.output.schemas import Table
from pipelines.runtime.storage import absolute_uri

_STAGES = [Stage.OPEN, Stage.RENDER, Stage.DECODE, Stage.READ]


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    arguments = _parser().parse_args(argv)
    output = absolute_uri(arguments.output)
    check_output(output)
    table = choose_table(output, arguments.table)
    pages = find_failed_pages(output, table, arguments.stage)
    _print(output, table, pages, arguments.format)
    return ExitStatus.OK


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="pagebeam failures",
        description="Lists the pages that failed, each with the stage and the reason. Read them again with: "
        "pagebeam failures DIR --format uris | xargs -r -d '\\n' pagebeam run --output DIR --retry-failed",
        epilog="Exit status: 0, also if none failed; 2 usage error.",
    )
    add_output_argument(parser)
    parser.add_argument(
        "--format",
        choices=["table", "csv", "json", "uris", "uris0"],
        default="table",
        help="table: for people, pages count from 1; csv, and json with an object per line: with the names of columns; "
        "uris: each document once, a line each; uris0: the same with a zero byte after each, for xargs -0; "
        "default: %(default)s",
    )
    parser.add_argument("--stage", choices=[stage.value for stage in _STAGES], help="only pages that failed there")
    add_table_argument(parser)
    return parser


def _print(output: str, table: Table, pages: list[FailedPage], form: str) -> None:
    if form == "json":
        say(*(json_line(page._asdict()) for page in pages))
    elif form == "csv":
        for row in (FailedPage._fields, *pages):
            hand_on(_csv_line(row))
    elif form == "table":
        _print_table(pages)
    else:
        _print_uris(output, table, pages, "\n" if form == "uris" else "\0")


def _csv_line(row: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(row)  # fields with any of these characters are quoted
    return text.getvalue().removesuffix("\r\n")


def _print_table(pages: list[FailedPage]) -> None:
    rows = [
        (
            page.source_uri,
            None if page.page_count is None else page.page_index + 1,
            page.stage,
            page.message,
            page.run_id,
        )
        for page in pages
    ]
    if rows:
        say(*text_table(["document", "page", "failed at", "reason", "run"], rows))
    say(f"{len(rows):,} failed pages", file=sys.stderr)


def _print_uris(output: str, table: Table, pages: list[FailedPage], end: str) -> None:
    uris, gone = uris_to_retry(output, table, pages)
    for uri in uris:
        if end in uri:
            say(f"pagebeam: left out {uri}, which has a line break; --format uris0 has it", file=sys.stderr)
        else:
            hand_on(uri, end)
    if gone:
        say(f"pagebeam: left out {len(gone):,} documents that are gone, such as {gone[0]}", file=sys.stderr)
