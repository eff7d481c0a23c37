"""``pagebeam prepare``: labelled pictures in, a data set of TFRecord shards out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsList, AsSingleton

from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import Source, SourceOptions
from pipelines.datasets.dataset_json import DataSetDescription, commit_dataset
from pipelines.datasets.folder import begin_dataset, clear_staging, discard_dataset, is_unchanged
from pipelines.datasets.shard_files import Problem
from pipelines.datasets.splits import SplitFractions
from pipelines.datasets.staging import StagedPicture, read_items, stage_items
from pipelines.datasets.transforms import (
    ChooseSamples,
    FindNearDuplicates,
    ReadPictures,
    RemoveDuplicates,
    SumCounts,
    WriteDataShards,
)
from pipelines.inputs.data_sets import read_description
from pipelines.inputs.source_files import SourceFiles, fingerprint_files, list_items
from pipelines.runtime.beam_options import BeamOptions
from pipelines.runtime.runner import make_pipeline, run_pipelines
from pipelines.runtime.storage import OutputError, absolute_uri


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(BeamOptions):
    """The options of ``pagebeam prepare``.

    Attributes:
        source: folder or file of the labelled pictures, on any Beam file system.
        format: name of its format.
        output: the data set's folder, on any Beam file system.
        source_options: options of the source.
        splits: the shares of the splits.
        shards: number of shards of the training split; None for shards of about 100 MB.
        compressed: whether shards are gzipped.
        min_count: how often a caption token must occur in the training split to get an id of its own.
        overwrite: whether another data set may be replaced.
    """

    source: str
    format: str
    output: str
    source_options: SourceOptions = field(default_factory=SourceOptions)
    splits: SplitFractions = field(default_factory=SplitFractions)
    shards: int | None = None
    compressed: bool = False
    min_count: int = 4
    overwrite: bool = False


@dataclass(frozen=True)
class Prepared:
    """The result of a run: the content of ``dataset.json``, and whether the data set was already there."""

    description: dict[str, Any]
    unchanged: bool


def prepare(options: PrepareOptions) -> Prepared:
    """Makes a data set unless it is already there; shows progress on stderr.

    Raises:
        UsageError: before any work: a wrong source or option, an output that can't be written or holds something else.
        PagebeamError: the run ended without a complete data set.
    """
    output = absolute_uri(options.output)
    pipeline = make_pipeline(options)
    root = absolute_uri(options.source)
    source = open_source(options.format, root, options.source_options)
    return prepare_source(pipeline, source, root, output, options)


def prepare_source(
    pipeline: beam.Pipeline, source: Source, root: str, output: str, options: PrepareOptions
) -> Prepared:
    """Like ``prepare``, with any source and an empty pipeline."""
    files = SourceFiles(excluded=output)
    items = list_items(source, files, options.source)
    told = options.source_options
    used = files.used(items, [root, *told.fonts, *told.lexicons])  # synthetic pictures need nothing but these files
    dataset = DataSetDescription(
        output,
        options.source,
        source.format,
        source.task,
        _describe_options(options),
        fingerprint_files(used, root),
        options.splits,
        options.shards,
        options.compressed,
        options.min_count,
    )
    found = read_description(output)
    if found and is_unchanged(dataset, found):
        clear_staging(output)  # left by a run that was cut off at its very end
        return Prepared(found, unchanged=True)
    begin_dataset(output, options.overwrite)
    try:
        define_pipeline(pipeline, stage_items(output, items), source, dataset)
        run_pipelines([pipeline], "item")
    except BaseException as error:  # Ctrl-C, too
        discard_dataset(output, keep_quarantine=not isinstance(error, (OutputError, KeyboardInterrupt)))
        raise
    description = read_description(output)
    assert description is not None  # without it the run would have failed
    clear_staging(output)
    return Prepared(description, unchanged=False)


def define_pipeline(
    root: beam.Pipeline, item_files: Sequence[str], source: Source, dataset: DataSetDescription
) -> beam.PCollection[dict[str, Any]]:
    """Adds the whole graph to a pipeline, and returns the content of ``dataset.json``.

    Args:
        root: the pipeline.
        item_files: names of the files with the source's items, from ``stage_items``.
        source: reads the items.
        dataset: the data set to make, whose folder holds no part of another one.
    """
    items = root | "ItemFiles" >> beam.Create(item_files) | "ReadItems" >> beam.FlatMap(read_items, dataset.output)
    found = items | "ReadPictures" >> ReadPictures(source, dataset)
    distinct = found | "Staged" >> _only(StagedPicture) | "RemoveDuplicates" >> RemoveDuplicates()
    pictures = distinct | "Pictures" >> _only(StagedPicture)
    problems = (found | "Problems" >> _only(Problem), distinct | "Duplicates" >> _only(Problem)) | beam.Flatten()
    totals = pictures | "SumCounts" >> SumCounts(dataset)
    shards = pictures | "WriteDataShards" >> WriteDataShards(dataset, totals)
    near = pictures | "FindNearDuplicates" >> FindNearDuplicates(dataset)
    samples = pictures | "ChooseSamples" >> ChooseSamples()
    return (
        root
        | "Once" >> beam.Create([dataset])
        | "Commit"
        >> beam.Map(
            commit_dataset,
            AsSingleton(totals),
            AsList(shards),
            AsList(problems),
            AsSingleton(near),
            AsSingleton(samples),
        )
    )


def _only(kind: type) -> beam.PTransform:
    return beam.Filter(lambda value: isinstance(value, kind))


def _describe_options(options: PrepareOptions) -> dict[str, Any]:
    """Everything that influences a data set besides its source's files, as JSON values."""
    told = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(options.source_options).items()
    }
    return {
        **told,
        "splits": list(asdict(options.splits).values()),
        "shards": options.shards,
        "gzip": options.compressed,
        "min_count": options.min_count,
    }
