"""The Beam pipeline of a run: from a worklist, or inputs, to the rows in the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam

from ocr_models.limits import cores
from pipelines.inputs.page_ranges import PageRange
from pipelines.inputs.transforms import ReadWorklist
from pipelines.inputs.worklist import chunks
from pipelines.output.run_manifest import RunDescription, read_manifest
from pipelines.output.shards import document_paths
from pipelines.reading.caption_reader import read_captions
from pipelines.reading.ocr_reader import OcrPages
from pipelines.reading.plan import Plan
from pipelines.reading.run_options import CaptionOptions, OcrOptions, RunOptions
from pipelines.reading.transforms import ROWS_PER_SHARD, ReadPages, WritePages
from pipelines.runtime import progress
from pipelines.runtime.beam_options import LOCAL_RUNNER
from pipelines.runtime.bundles import absolute_bundle
from pipelines.runtime.runner import make_pipeline, run_pipelines
from pipelines.runtime.stopping import StopFile

_LEAST_PARTS, _WORKERS_PER_PART = 2, 4
"""The parts of the worklist in a chunk of a local run: of 8,192 documents or more, which keep the workers busy for
minutes, as between two chunks they wait some seconds for each other."""


def define_pipeline(
    documents: beam.PCollection[PageRange],
    output: str,
    run: RunDescription,
    read_pages: ReadPages,
    rows_per_shard: int = ROWS_PER_SHARD,
    is_locked: bool = False,
    is_last: bool = True,
) -> beam.PCollection[dict[str, Any]]:
    """Adds the graph from page ranges to rows in the output.

    Args:
        documents: the page ranges.
        output: the output folder.
        run: the run's id and table, and what else its manifest says about it.
        read_pages: reads the pages; its rows must fit the run's table.
        rows_per_shard: number of rows per file.
        is_locked: whether the launcher holds the output's lock for the run.
        is_last: whether these are the last rows of the run, see ``WritePages``.

    Returns:
        A PCollection whose one element is the manifest, when it has been written.
    """
    rows = documents | read_pages
    return rows | WritePages(output, run, documents, rows_per_shard, read_pages.stop, is_locked, is_last)


def read_plan(options: RunOptions, output: str, run: RunDescription, plan: Plan, stop: StopFile) -> dict[str, Any]:
    """Reads the pages of a plan and commits the run, showing progress on stderr; returns the manifest.

    The local runner reads the plan in chunks, which bounds its memory, and has the first rows soon.

    Raises:
        UsageError: the runner isn't available, or doesn't know an option.
        PagebeamError: the run ended without all of its rows.
    """
    is_local = options.runner == LOCAL_RUNNER
    folders = () if is_local else plan.folders  # a local folder that has been emptied since costs its documents alone
    read_pages = replace(make_read_pages(options, run.reader_id, stop), folders=folders)
    length = max(_LEAST_PARTS, (options.workers or cores()) // _WORKERS_PER_PART)
    parts = list(chunks(plan.worklist, length)) if is_local else [plan.worklist]

    def pipelines() -> Iterator[beam.Pipeline]:
        for worklist in parts:
            is_last = worklist is parts[-1]
            if is_last or not stop.is_asked():  # the last one opens nothing then, and commits
                pipeline = make_pipeline(options)
                known = (*plan.known, *document_paths(output, run.run_id))
                of_plan = options.limits, stop, folders, plan.has_remote
                documents = pipeline | ReadWorklist(worklist, known, *of_plan)
                define_pipeline(documents, output, run, read_pages, is_locked=run.part is None, is_last=is_last)
                yield pipeline

    counts = Counter({progress.KNOWN: plan.found.known_pages, progress.LISTED: plan.found.to_open})
    run_pipelines(pipelines(), counts=counts)
    return read_manifest(output, run.run_id)


def make_read_pages(options: RunOptions, reader_id: str | None, stop: StopFile | None) -> ReadPages:
    """The transform that reads pages as a kind of run does."""
    if isinstance(options, OcrOptions):
        ocr_pages = OcrPages(
            absolute_bundle(options.detector),
            absolute_bundle(options.recognizer),
            options.beam_width,
            options.dpi,
            options.min_confidence,
            options.limits,
            options.engine,
            options.uses_lexicon,
            options.text_layer,
        )
        return ocr_pages.read_pages(reader_id, stop)
    assert isinstance(options, CaptionOptions)
    return read_captions(options, reader_id, stop)
