"""Runs: documents in, one Parquet row a page out, whatever it is that is read off the pages."""

from __future__ import annotations

import itertools
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, worker_handlers

from ocr_models.bundle import Bundle
from ocr_models.errors import PagebeamError, UsageError
from pipelines import LOCAL_RUNNER
from pipelines.inputs.documents import absolute_uri, check_inputs
from pipelines.inputs.transforms import FindDocuments, OpenDocuments
from pipelines.reading.page_stream import Reader
from pipelines.reading.page_transforms import ReadPages
from pipelines.reading.run_manifest import RunDescription, read_manifest
from pipelines.reading.schemas import Table
from pipelines.reading.shards import check_output
from pipelines.reading.transforms import SumDocuments, WriteManifest, WriteShards
from pipelines.runtime import progress


@dataclass(frozen=True, kw_only=True)
class BeamOptions:
    """On what a pipeline runs.

    Attributes:
        workers: threads of the local runner, or processes where ``beam_args`` ask for these.
        runner: Beam's name for a runner.
        beam_args: all other options, for Beam.
    """

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    runner: str = LOCAL_RUNNER
    beam_args: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class RunOptions(BeamOptions):
    """What all kinds of runs need to know.

    Attributes:
        inputs: files, folders and globs, on any Beam file system.
        output: the data set's folder, on any Beam file system.
        dpi: for rendering PDFs.
    """

    inputs: list[str]
    output: str
    dpi: float = 200


def define_pipeline(
    root: beam.Pipeline,
    output: str,
    run: RunDescription,
    load_reader: Callable[[], Reader],
    dpi: float = 200,
    rows_per_shard: int = 1000,
) -> beam.PCollection[dict[str, Any]]:
    """Adds the whole graph to a pipeline.

    Args:
        root: the pipeline.
        output: the data set's folder.
        run: the run's name, inputs and table, and what its manifest says about it.
        load_reader: loads the models, on the workers; what it reads must go into the run's table.
        dpi: for rendering PDFs.
        rows_per_shard: about how many pages go into one file.

    Returns:
        The manifest, as the one element of a PCollection, when it is written.
    """
    page_ranges = root | FindDocuments(run.inputs) | OpenDocuments()
    totals = page_ranges | SumDocuments()
    shards = (
        page_ranges
        | "SpreadPages" >> beam.Reshuffle()
        | ReadPages(load_reader, run.run_id, dpi)
        | WriteShards(output, run.table, run.run_id, totals, rows_per_shard)
    )
    return shards | WriteManifest(output, run, totals)


def read_all(
    options: RunOptions, table: Table, models: dict[str, Bundle], load_reader: Callable[[], Reader]
) -> dict[str, Any]:
    """Reads all pages at the inputs, showing progress on stderr.

    Args:
        options: where from and where to; with what a kind of run adds to them, they go into the manifest.
        table: what the rows are like.
        models: the checked bundles, by what they do in the run; for the manifest.
        load_reader: loads them, on the workers.

    Returns:
        The run's manifest.

    Raises:
        UsageError: before any work: no documents at an input, an output that can't be written, an unknown option.
        PagebeamError: where the run ended without all of its rows.
    """
    output = absolute_uri(options.output)
    pipeline = make_pipeline(options)
    run = describe_run(options, table, models)
    check_inputs(options.inputs)
    check_output(output)
    define_pipeline(pipeline, output, run, load_reader, options.dpi)
    run_pipeline(pipeline)
    return read_manifest(output, run.run_id)


def describe_run(options: RunOptions, table: Table, models: dict[str, Bundle]) -> RunDescription:
    """Names a run and notes what it is made with."""
    return RunDescription(
        run_id=time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + secrets.token_hex(3),
        inputs=options.inputs,
        table=table,
        options={name: value for name, value in asdict(options).items() if name != "inputs"},
        models={role: {"id": bundle.id, "digest": bundle.digest} for role, bundle in models.items()},
    )


def make_pipeline(options: BeamOptions) -> beam.Pipeline:
    """An empty pipeline for the runner that was asked for.

    The local runner is named, as Beam's plain DirectRunner picks one of three engines by what is in the graph. Its
    workers are threads, which share one copy of the models, unless ``--direct_running_mode`` says otherwise.
    """
    if options.runner != LOCAL_RUNNER:
        try:
            return beam.Pipeline(options.runner, PipelineOptions(options.beam_args))
        except (ValueError, ImportError) as error:  # Beam says what is missing
            raise UsageError(f"can't run on {options.runner}: {error}") from error
    _check_local_args(options.beam_args)
    # Beam 2.77 flushes its workers' buffers from a timer, too, without waiting for an element that is being written to
    # them: elements got lost, or broke, in stages that give many for more than a second. 0: by size alone.
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0
    threads = ["--direct_running_mode=multi_threading", f"--direct_num_workers={options.workers}"]
    return beam.Pipeline(FnApiRunner(), options=PipelineOptions([*threads, *options.beam_args]))


def _check_local_args(beam_args: list[str]) -> None:
    """Raises UsageError for what Beam doesn't know and would pass over. Other runners may know more than Beam does."""
    known = PipelineOptions(beam_args).get_all_options()
    given = PipelineOptions(beam_args).get_all_options(retain_unknown_options=True)
    unknown = [f"--{name}" for name in given if name not in known]
    strays = [text for before, text in itertools.pairwise(["", *beam_args]) if not (before + text).startswith("-")]
    if unknown or strays:
        raise UsageError(f"unknown option {', '.join(unknown + strays)}; see the command's --help")


def run_pipeline(pipeline: beam.Pipeline, unit: str = "page") -> None:
    """Runs a pipeline to its end, showing progress.

    Args:
        pipeline: the pipeline.
        unit: what it counts as it goes.

    Raises:
        PagebeamError: where it failed.
    """
    try:
        if isinstance(pipeline.runner, FnApiRunner):  # returns when all is done
            progress.start_counting()
            with progress.ProgressBar(progress.local_counts, unit):
                pipeline.run()
            return
        result = pipeline.run()
        with progress.ProgressBar(lambda: progress.metric_counts(result), unit):
            result.wait_until_finish()
    except Exception as error:  # a runner passes a worker's error on as text, its traceback first
        raise PagebeamError(f"the run failed: {(str(error).strip() or repr(error)).splitlines()[-1]}") from error
