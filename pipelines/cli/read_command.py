"""``pagebeam read``: reads one file at once, to the terminal. It doesn't use Beam."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO

import cv2
import numpy as np
import pyarrow as pa
from tqdm import tqdm

from ocr_models.arguments import ArgumentParser, dots_per_inch, positive
from ocr_models.bundle import find_bundle
from ocr_models.errors import DocumentError, ExitStatus, Stage, UsageError
from ocr_models.io.images import ColorMode
from ocr_models.terminal import announce, hand_on, hand_over, json_line, say, tell
from pipelines.cli.run_command import models_of
from pipelines.cli.shared_arguments import add_ocr_arguments
from pipelines.decoding.pool import shared_pool
from pipelines.inputs.discovery import FoundFile
from pipelines.inputs.documents import open_document, page_requests
from pipelines.inputs.page_ranges import PageRange
from pipelines.output.schemas import PAGES, Row
from pipelines.reading.ocr_rows import load_reader
from pipelines.reading.page_stream import PageStream
from pipelines.runtime.storage import absolute_uri, check_file_system, is_remote, write_bytes

_BATCH = 2  # pages read together: what is read is seen soon
_STDIN = "-"


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    arguments = _parser().parse_args(argv)
    for task, name in models_of(arguments).items():
        find_bundle(name, task)
    pool = shared_pool()  # its processes start while the models are loaded
    with contextlib.ExitStack() as files:
        ranges = _open(files.enter_context(_standard_input()).name if arguments.file == _STDIN else arguments.file)
        wanted = _choose(arguments.file, ranges, arguments.pages)
        announce("pagebeam: loading the models")
        reader = load_reader(
            arguments.detector,
            arguments.recognizer,
            arguments.beam_width,
            arguments.min_confidence,
            arguments.engine,
            arguments.uses_lexicon,
            arguments.text_layer,
        )
        stream = PageStream(reader, pool, arguments.dpi, _BATCH)
        read = (row for page_range in wanted for row in stream.add(page_range))
        rows = (_all_columns(row) for row in _in_order(itertools.chain(read, _finish(stream)), wanted))
        is_quiet = len(wanted) == 1 or sys.stdout.isatty() or not sys.stderr.isatty()  # the text is progress enough
        failed = 0
        for number, row in enumerate(tqdm(rows, "pages", len(wanted), unit="page", disable=is_quiet, leave=False)):
            failed += row["status"] == "failed"
            _print(arguments.file, row, arguments.json, is_first=number == 0)
            if arguments.draw and row["words"] is not None:
                path = _numbered(arguments.draw, row["page_index"]) if len(wanted) > 1 else arguments.draw
                _draw(path, wanted[number], row, arguments.dpi)
            if not hand_over() and not arguments.draw:  # whoever wanted the text, such as head, has enough of it
                break
    return ExitStatus.SOME_FAILED if failed else ExitStatus.OK


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="pagebeam read",
        description="Reads one file and prints its text, pages separated by a form feed (a blank line at a terminal). "
        "Nothing is kept; pagebeam run reads many files into Parquet.",
        epilog="Exit status: 0; 1 the file can't be opened; 2 usage error; 3 some pages failed.",
    )
    parser.add_argument(
        "file", metavar="FILE", help="image, TIFF, PDF or TFRecord file, also on gs:// and others; -: stdin"
    )
    parser.add_argument(
        "--page",
        type=positive,
        action="append",
        dest="pages",
        metavar="N",
        help="read only this page, from 1; repeatable",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print each page as a JSON object on a line, with the columns of pagebeam run",
    )
    parser.add_argument(
        "--draw",
        metavar="FILE.png",
        help="draw the words on the page, and what was read beside it; of several pages, FILE-1.png and so on",
    )
    parser.add_argument(
        "--dpi", type=dots_per_inch, default=200, metavar="N", help="for rendering PDFs; default: %(default)s"
    )
    add_ocr_arguments(parser)
    return parser


def _standard_input() -> IO[bytes]:
    """A temporary file with what comes from stdin."""
    file = tempfile.NamedTemporaryFile(prefix="pagebeam-")  # noqa: SIM115  the caller closes it
    shutil.copyfileobj(sys.stdin.buffer, file)
    file.flush()
    return file


def _open(file: str) -> list[PageRange]:
    """The pages of a file. Raises UsageError if it isn't there, DocumentError if it can't be opened."""
    uri = absolute_uri(file)
    check_file_system(uri)
    if not is_remote(uri) and not os.path.lexists(uri):
        raise UsageError(f"{file}: no such file")
    if os.path.isdir(uri):
        raise UsageError(f"{file} is a folder; give a file, or read the folder with pagebeam run {file} --output DIR")
    ranges = list(open_document(FoundFile(uri), shared_pool()))
    if ranges[0].document.error:
        raise DocumentError(Stage.OPEN, f"{file}: {ranges[0].document.error}")
    return ranges


def _choose(file: str, ranges: list[PageRange], numbers: list[int] | None) -> list[PageRange]:
    """The pages that were asked for, each a range of its own, in the order of the document."""
    pages = [
        replace(of, start=index, stop=index + 1, records=of.records[index - of.start : index - of.start + 1])
        for of in ranges
        for index in range(of.start, of.stop)
    ]
    if beyond := [number for number in numbers or () if number > len(pages)]:
        raise UsageError(f"{file} has no page {beyond[0]}; it has {len(pages):,} pages")
    return [page for page in pages if numbers is None or page.start + 1 in numbers]


def _finish(stream: PageStream) -> Iterator[Row]:
    yield from stream.finish()  # begins only when it is asked for the first row


def _in_order(rows: Iterable[Row], wanted: Sequence[PageRange]) -> Iterator[Row]:
    """The rows in the order of their pages; those of text layers, and of failures, come before pages being read."""
    waiting: dict[int, Row] = {}
    places = (page.start for page in wanted)
    place = next(places, None)
    for row in rows:
        waiting[row["page_index"]] = row
        while place in waiting:
            yield waiting.pop(place)
            place = next(places, None)


def _all_columns(row: Row) -> Row:
    """The row as it would be read back; what a failed one doesn't have is None."""
    return pa.RecordBatch.from_pylist([row], schema=PAGES.schema).to_pylist()[0]


def _print(file: str, row: Row, as_json: bool, is_first: bool) -> None:
    if row["status"] == "failed":
        failure = row["failure"]
        where = f"{file}, page {row['page_index'] + 1}"
        what = f"failed at {failure['stage']}: {failure['message']}"
        tell(f"pagebeam: {where}: {what}", logging.ERROR, "failed", stage=failure["stage"])
    if as_json:
        known = {name: value for name, value in row.items() if name not in ("run_id", "reader_id")}
        say(json_line(known | {"source_uri": file} if file == _STDIN else known))
        return
    if not is_first:
        say("") if sys.stdout.isatty() else hand_on("\f", end="")
    for line in (row["text"] or "").splitlines():
        hand_on(line)


def _numbered(path: str, page_index: int) -> str:
    stem, extension = os.path.splitext(path)
    return f"{stem}-{page_index + 1}{extension}"


def _draw(path: str, page_range: PageRange, row: Row, dpi: float) -> None:
    """Draws a page's words; it is decoded once more, so that no page waits in memory until it is read."""
    from ocr_models.reports.visualization import draw_words

    [(_, request, _)] = page_requests(page_range, dpi, ColorMode.RGB)
    pixels = shared_pool().call(request).value.pixels
    words = row["words"]
    quads = np.array([word["quad"] for word in words], np.float32)
    picture = draw_words(
        pixels,
        quads,
        [word["text"] for word in words],
        [1.0 if word["confidence"] is None else word["confidence"] for word in words],
    )
    write_bytes(absolute_uri(path), cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    tell(f"drawn: {path}", event="drawn")
