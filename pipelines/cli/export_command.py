"""``pagebeam export``: rows as searchable PDFs, hOCR, ALTO, PAGE XML, tables and text."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser
from ocr_models.errors import ExitStatus
from ocr_models.terminal import LogFormat, announce, configure_log, say
from pipelines.export.export import Export, export
from pipelines.export.export_formats import FORMATS
from pipelines.export.row_filter import parse_filter
from pipelines.output.schemas import PAGES
from pipelines.runtime.storage import absolute_uri

_SHOWN = 10  # failures, as at the end of a run


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    arguments = _parser().parse_args(argv)
    where = None if arguments.where is None else parse_filter(arguments.where, PAGES.schema)
    output, folder = absolute_uri(arguments.rows), absolute_uri(arguments.output)
    configure_log(LogFormat.TEXT, logging.INFO)  # without libraries' warnings about what they repair in originals
    announce(f"pagebeam: exporting {arguments.rows} as {arguments.format}")
    done = export(output, FORMATS[arguments.format], folder, where)
    _tell_failures(done)
    without = (
        f", {done.without_text:,} of them without text, as they failed or were not read" if done.without_text else ""
    )
    left_out = f"; {done.left_out:,} failed pages left out" if done.left_out else ""
    say(f"{done.files:,} files written below {folder}, with {done.pages:,} pages{without}{left_out}")
    return ExitStatus.SOME_FAILED if done.failures else ExitStatus.OK


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="pagebeam export",
        description="Writes the pages of a run's output folder in other formats. Files are named after the documents, "
        "in folders like theirs, and take the place of those of an earlier export.",
        epilog="Exit status: 0; 1 failed; 2 usage error; 3 finished, but some documents couldn't be exported.",
    )
    parser.add_argument("rows", metavar="DIR", help="output folder of pagebeam run")
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        required=True,
        help="pdf: the originals, with the words as invisible text; pdfa: the same as PDF/A-2u, of images and of PDFs "
        "that say they are PDF/A (both need pip install 'pagebeam[export]'); hocr; alto (version 4) and page (PAGE "
        "XML), a file for each page; tsv: Tesseract's columns; txt; md: Markdown; jsonl: all rows in one file",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--where",
        metavar="FILTER",
        help="only pages for which this is true, such as \"status = 'ok' and mean_confidence < 0.8\": columns of the "
        "rows, =, <>, <, <=, >, >=, in ('a', 'b'), is null, contains(text, 'a'), starts_with, ends_with, and, or, not",
    )
    return parser


def _tell_failures(done: Export) -> None:
    for name, why in done.failures[:_SHOWN]:
        say(f"pagebeam: {name}: {why}", file=sys.stderr)
    if (more := len(done.failures) - _SHOWN) > 0:
        say(f"pagebeam: and {more:,} more", file=sys.stderr)
    if done.failures:
        say(f"pagebeam: {len(done.failures):,} documents, pages or files couldn't be exported", file=sys.stderr)
