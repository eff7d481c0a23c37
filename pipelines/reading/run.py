"""Runs: documents in, one Parquet row per page out, whatever is read from the pages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import apache_beam as beam

from ocr_models.bundle import Bundle
from ocr_models.limits import DecodeLimits
from pipelines.inputs.discovery import check_inputs
from pipelines.inputs.transforms import ReadDocuments
from pipelines.reading.run_manifest import RunDescription, discard_run, read_manifest
from pipelines.reading.schemas import Table
from pipelines.reading.transforms import ReadPages, WritePages
from pipelines.runtime.beam_options import BeamOptions
from pipelines.runtime.runner import make_pipeline, run_pipeline
from pipelines.runtime.storage import absolute_uri, check_writable


@dataclass(frozen=True, kw_only=True)
class RunOptions(BeamOptions):
    """The options of all kinds of runs.

    Attributes:
        inputs: files, folders and globs, on any Beam file system.
        output: the output folder, on any Beam file system.
        dpi: resolution for rendering PDFs.
        limits: what a document may cost.
    """

    inputs: list[str]
    output: str
    dpi: float = 200
    limits: DecodeLimits = field(default_factory=DecodeLimits)


def define_pipeline(
    root: beam.Pipeline, output: str, run: RunDescription, read_pages: ReadPages, rows_per_shard: int = 1000
) -> beam.PCollection[dict[str, Any]]:
    """Adds the whole graph to a pipeline.

    Args:
        root: the pipeline.
        output: the output folder.
        run: the run's id, inputs and table, and what else its manifest says about it.
        read_pages: reads the pages; its rows must fit the run's table.
        rows_per_shard: approximate number of rows per file.

    Returns:
        A PCollection whose one element is the manifest, when it has been written.
    """
    documents = root | ReadDocuments(run.inputs, read_pages.limits)
    rows = documents | read_pages
    return rows | WritePages(output, run, documents, rows_per_shard)


def read_all(options: RunOptions, table: Table, models: dict[str, Bundle], read_pages: ReadPages) -> dict[str, Any]:
    """Reads all pages at the inputs, showing progress on stderr.

    Args:
        options: the options of the run; all of them, with those that a kind of run adds, go into the manifest.
        table: the schema of the rows.
        models: the checked bundles by role, for the manifest.
        read_pages: reads the pages.

    Returns:
        The run's manifest.

    Raises:
        UsageError: before any work: no documents at an input, an output that can't be written, an unknown option.
        PagebeamError: the run ended without all of its rows.
    """
    output = absolute_uri(options.output)
    pipeline = make_pipeline(options)
    run = describe_run(options, table, models)
    check_inputs(options.inputs)
    check_writable(output)
    define_pipeline(pipeline, output, run, read_pages)
    try:
        run_pipeline(pipeline)
        return read_manifest(output, run.run_id)
    except BaseException:  # Ctrl-C, too
        discard_run(output, run)
        raise


def describe_run(options: RunOptions, table: Table, models: dict[str, Bundle]) -> RunDescription:
    """Describes a run for its manifest, and gives it an id."""
    return RunDescription(
        inputs=options.inputs,
        table=table,
        options={name: value for name, value in asdict(options).items() if name != "inputs"},
        models={role: {"id": bundle.id, "digest": bundle.digest} for role, bundle in models.items()},
    )
