"""Runs: documents in, one Parquet row a page out, whatever is read off the pages."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam

from ocr_models.bundle import Bundle
from pipelines.inputs.discovery import check_inputs
from pipelines.inputs.transforms import ReadDocuments
from pipelines.reading.run_manifest import RunDescription, read_manifest
from pipelines.reading.schemas import Table
from pipelines.reading.transforms import ReadPages, WritePages
from pipelines.runtime.beam_options import BeamOptions
from pipelines.runtime.runner import make_pipeline, run_pipeline
from pipelines.runtime.storage import absolute_uri, check_writable


@dataclass(frozen=True, kw_only=True)
class RunOptions(BeamOptions):
    """The options that all kinds of runs have.

    Attributes:
        inputs: files, folders and globs, on any Beam file system.
        output: the data set's folder, on any Beam file system.
        dpi: for rendering PDFs.
    """

    inputs: list[str]
    output: str
    dpi: float = 200


def define_pipeline(
    root: beam.Pipeline, output: str, run: RunDescription, read_pages: ReadPages, rows_per_shard: int = 1000
) -> beam.PCollection[dict[str, Any]]:
    """Adds the whole graph to a pipeline.

    Args:
        root: the pipeline.
        output: the data set's folder.
        run: the run's name, inputs and table, and what its manifest says of it.
        read_pages: reads them; its rows must be those of the run's table.
        rows_per_shard: about how many pages go into one file.

    Returns:
        The manifest, as the one element of a PCollection, when it is written.
    """
    documents = root | ReadDocuments(run.inputs)
    rows = documents | read_pages
    return rows | WritePages(output, run, documents, rows_per_shard)


def read_all(options: RunOptions, table: Table, models: dict[str, Bundle], read_pages: ReadPages) -> dict[str, Any]:
    """Reads all pages at the inputs, showing progress on stderr.

    Args:
        options: the inputs and the output. All of them, with those that a kind of run adds, go into the manifest.
        table: the schema of the rows.
        models: the checked bundles, by their role in the run; for the manifest.
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
    run_pipeline(pipeline)
    return read_manifest(output, run.run_id)


def describe_run(options: RunOptions, table: Table, models: dict[str, Bundle]) -> RunDescription:
    """Names a run and notes what it is made with."""
    return RunDescription(
        inputs=options.inputs,
        table=table,
        options={name: value for name, value in asdict(options).items() if name != "inputs"},
        models={role: {"id": bundle.id, "digest": bundle.digest} for role, bundle in models.items()},
    )
