"""What a run would read, and about how long it would take: nothing is written."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import dataclass, replace

import numpy as np

from ocr_models.limits import cores, use_cores
from pipelines.decoding.pool import shared_pool
from pipelines.inputs.discovery import FoundFile
from pipelines.inputs.documents import open_document
from pipelines.inputs.page_ranges import PageRange
from pipelines.output.run_manifest import Found
from pipelines.reading.page_stream import PageStream
from pipelines.reading.pipeline import make_read_pages
from pipelines.reading.plan import Planner
from pipelines.reading.run_options import RunOptions
from pipelines.runtime.storage import absolute_uri

SAMPLE_DOCUMENTS = 40  # opened, to count their pages
SAMPLE_PAGES = 16  # read, one of a document, in two batches: some seconds
_SEED = 1


@dataclass(frozen=True)
class Estimate:
    """What a run would do.

    Attributes:
        found: what is at the inputs.
        opened: number of documents of the sample.
        pages: estimated number of pages to read. Documents that prove to be copies of known ones aren't read.
        seconds_per_page: of one worker, with reading and decoding; None if no page of the sample could be read.
        seconds: estimated time with the run's workers, without the start.
    """

    found: Found
    opened: int
    pages: int
    seconds_per_page: float | None
    seconds: float | None


def estimate_run(options: RunOptions) -> Estimate:
    """Looks at all files at the inputs, opens a random sample of what would be read, and reads some of its pages.

    Raises:
        UsageError: there are no documents at an input, or a model is broken.
    """
    use_cores(options.limits.cores)
    reader_id = options.reader_id(options.find_models())
    output, listed, part = absolute_uri(options.output), options.input_list, options.part
    planner = Planner(options.inputs, output, options.table, reader_id, options.rereading, listed, part)
    sample: list[FoundFile] = []
    chance = random.Random(_SEED)
    for number, file in enumerate(planner.files_to_open()):  # each file has the same chance, however many there are
        if len(sample) < SAMPLE_DOCUMENTS:
            sample.append(file)
        elif (place := chance.randrange(number + 1)) < SAMPLE_DOCUMENTS:
            sample[place] = file
    found = planner.found()
    if not sample:
        return Estimate(found, 0, 0, None, None)
    pool = shared_pool(options.limits)
    documents = [list(open_document(file, pool)) for file in sample if not file.error]
    pages = float(np.mean([ranges[0].document.expected_rows for ranges in documents] or [1])) * found.to_open
    seconds_per_page = _time_a_page(options, reader_id, [page_range for of in documents for page_range in of[:1]])
    streams = min(options.workers or cores(), cores())
    seconds = None if seconds_per_page is None else pages * seconds_per_page / streams
    return Estimate(found, len(sample), round(pages), seconds_per_page, seconds)


def _time_a_page(options: RunOptions, reader_id: str, ranges: list[PageRange]) -> float | None:
    """The seconds that a page takes in one stream, measured on the first pages of some documents."""
    read_pages = make_read_pages(options, reader_id, None)
    stream = PageStream(read_pages.load_reader(), shared_pool(options.limits), options.dpi)
    rows, start = 0, time.perf_counter()
    for page_range in itertools.islice(ranges, SAMPLE_PAGES):
        first = replace(page_range, stop=min(page_range.stop, page_range.start + 1), records=page_range.records[:1])
        rows += sum(1 for _ in stream.add(first))
    rows += sum(1 for _ in stream.finish())
    return (time.perf_counter() - start) / rows if rows else None
