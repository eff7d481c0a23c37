"""The labelled data of an evaluation: the items of a labelled source, or the shards of a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ocr_models.data.dataset import seen_task
from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import Source, SourceItem, SourceOptions
from ocr_models.errors import DocumentError, UsageError
from ocr_models.records import Task
from pipelines.inputs.data_sets import find_shards, read_description
from pipelines.inputs.discovery import is_glob
from pipelines.inputs.local_copies import local_copy
from pipelines.inputs.source_files import SourceFiles, list_items
from pipelines.runtime.storage import absolute_uri

SHARDS = "shards"  # the one format that isn't a source's


@dataclass(frozen=True)
class LabelledData:
    """What predictions are scored against: the items of a source, or the shards of a data set.

    Attributes:
        task: the task that is scored.
        source: the source; None if there are shards.
        items: items of the source.
        shards: URIs of the shards.
    """

    task: Task
    source: Source | None = None
    items: tuple[SourceItem, ...] = ()
    shards: tuple[str, ...] = ()


def open_data(place: str, format_name: str, options: SourceOptions, task: Task | None, output: str) -> LabelledData:
    """Lists the labelled data.

    Args:
        place: folder, file or glob, on any Beam file system.
        format_name: format of a source, or "shards".
        options: options of a source; ``task`` replaces the task in them.
        task: the task that is scored; None for the one that the data are labelled for.
        output: folder of the evaluation, whose files don't belong to the data.

    Raises:
        UsageError: there are no such data, they have another format, or they have no labels for the task.
    """
    root = absolute_uri(place)
    if format_name == SHARDS:
        shards = find_scored_shards(root)
        return LabelledData(_scored_task(place, task, _task_of(shards)), shards=tuple(shards))
    source = open_source(format_name, root, replace(options, task=task.labels if task else None))
    items = tuple(list_items(source, SourceFiles(excluded=output), place))
    return LabelledData(_scored_task(place, task, source.task), source, items)


def find_scored_shards(place: str) -> list[str]:
    """The shards that a glob, file or folder names; for a folder its test split, or all shards if it has none."""
    shards = find_shards(place)
    test = [uri for uri in shards if uri.rpartition("/")[2].startswith("test-")]
    is_folder = not is_glob(place) and shards != [place]
    return test if is_folder and test else shards


def _task_of(shards: list[str]) -> Task:
    """What shards are labelled for, by the ``dataset.json`` beside each, or else by its first record."""
    for uri in shards:
        description = read_description(uri.rpartition("/")[0])
        task = Task(description["task"]) if description else _seen_task(uri)
        if task:
            return task
    raise UsageError(f"{shards[0]}: no readable record in any of {len(shards)} shards; prepare the data set again")


def _seen_task(uri: str) -> Task | None:
    """The task of a shard's first record; None if it has none that can be read: another shard may have one."""
    try:
        return seen_task(Path(local_copy(uri, None).name))
    except (UsageError, DocumentError):
        return None


def _scored_task(place: str, asked: Task | None, labelled: Task) -> Task:
    task = asked or (Task.OCR if labelled == Task.DETECTION else labelled)
    if task.labels != labelled:
        raise UsageError(f"{place}: labelled for {labelled}, but --task {task} needs labels for {task.labels}")
    return task
