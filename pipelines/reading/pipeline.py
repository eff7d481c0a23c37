"""The Beam pipeline of a run: from a worklist, or inputs, to the rows in the output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import apache_beam as beam

from pipelines.inputs.page_ranges import PageRange
from pipelines.inputs.transforms import ReadWorklist
from pipelines.output.run_manifest import RunDescription, read_manifest
from pipelines.reading.caption_reader import read_captions
from pipelines.reading.ocr_reader import OcrPages
from pipelines.reading.plan import Plan
from pipelines.reading.run_options import CaptionOptions, OcrOptions, RunOptions
from pipelines.reading.transforms import ROWS_PER_SHARD, ReadPages, WritePages
from pipelines.runtime.bundles import absolute_bundle
from pipelines.runtime.runner import make_pipeline, run_pipeline
from pipelines.runtime.stopping import StopFile


def define_pipeline(
    documents: beam.PCollection[PageRange],
    output: str,
    run: RunDescription,
    read_pages: ReadPages,
    rows_per_shard: int = ROWS_PER_SHARD,
    is_locked: bool = False,
) -> beam.PCollection[dict[str, Any]]:
    """Adds the graph from page ranges to rows in the output.

    Args:
        documents: the page ranges.
        output: the output folder.
        run: the run's id and table, and what else its manifest says about it.
        read_pages: reads the pages; its rows must fit the run's table.
        rows_per_shard: number of rows per file.
        is_locked: whether the launcher holds the output's lock for the run.

    Returns:
        A PCollection whose one element is the manifest, when it has been written.
    """
    rows = documents | read_pages
    return rows | WritePages(output, run, documents, rows_per_shard, read_pages.stop, is_locked)


def read_plan(options: RunOptions, output: str, run: RunDescription, plan: Plan, stop: StopFile) -> dict[str, Any]:
    """Reads the pages of a plan and commits the run, showing progress on stderr; returns the manifest.

    Raises:
        UsageError: the runner isn't available, or doesn't know an option.
        PagebeamError: the run ended without all of its rows.
    """
    pipeline = make_pipeline(options)
    read_pages = replace(make_read_pages(options, run.reader_id, stop), folders=plan.folders)
    documents = pipeline | ReadWorklist(plan.worklist, plan.known, options.limits, stop, plan.folders, plan.has_remote)
    define_pipeline(documents, output, run, read_pages, is_locked=run.part is None)
    run_pipeline(pipeline, known=plan.found.known_pages)
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
