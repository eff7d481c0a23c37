"""What is evaluated against: the items of a labelled source, or the shards of a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ocr_models.data.dataset import find_task
from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import Source, SourceItem, SourceOptions
from ocr_models.errors import UsageError
from ocr_models.records import Task
from pipelines.datasets.folder import check_finished
from pipelines.inputs.documents import absolute_uri, find_documents, local_copy
from pipelines.inputs.source_files import SourceFiles, list_items

SHARDS = "shards"  # the format that isn't a source's
_SHARD_NAME = re.compile(r"-\d{5}-of-\d{5}|\.tfrecords?(\.gz)?$")
_TEST_SHARD = re.compile(r"test-\d{5}-of-\d{5}")


@dataclass(frozen=True)
class LabelledData:
    """What is to be scored against: the items of a source, or the shards of a data set.

    Attributes:
        task: what they are scored for.
        source: None where there are shards.
        items: of the source.
        shards: URIs.
    """

    task: Task
    source: Source | None = None
    items: tuple[SourceItem, ...] = ()
    shards: tuple[str, ...] = ()


def open_data(place: str, format_name: str, options: SourceOptions, task: Task | None, output: str) -> LabelledData:
    """Lists the labelled data.

    Args:
        place: folder, file or glob, on any Beam file system.
        format_name: a source's, or "shards".
        options: what a source is told; its task is replaced by this one.
        task: what is scored; None for what the data are labelled for.
        output: folder of the evaluation, whose files are no data.

    Raises:
        UsageError: there are none, they aren't of the format, or they have no labels for the task.
    """
    root = absolute_uri(place)
    if format_name == SHARDS:
        shards = find_shards(root)
        return LabelledData(_scored_task(place, task, _task_of(shards)), shards=shards)
    source = open_source(format_name, root, replace(options, task=task.labels if task else None))
    items = tuple(list_items(source, SourceFiles(excluded=output), place))
    return LabelledData(_scored_task(place, task, source.task), source, items)


def find_shards(root: str) -> tuple[str, ...]:
    """The shards that a glob, a file or a folder names: of a folder its test split, or all where it has none.

    Raises:
        UsageError: there are none, or their data set isn't finished.
    """
    found = sorted(uri for uri in find_documents(root) if uri == root or _SHARD_NAME.search(uri.rpartition("/")[2]))
    test = [uri for uri in found if _TEST_SHARD.match(uri.rpartition("/")[2])]
    is_folder = not any(character in root for character in "*?[") and root not in found
    shards = test if is_folder and test else found
    if not shards:
        raise UsageError(f"{root}: no TFRecord shards there; give a folder of pagebeam prepare, or a glob of them")
    check_finished(shards)
    return tuple(shards)


def _task_of(shards: tuple[str, ...]) -> Task:
    for uri in shards:
        task = find_task(Path(local_copy(uri, None).name))
        if task:
            return task
    raise UsageError(f"{shards[0]}: no records, in any of {len(shards)} shards; prepare the data set anew")


def _scored_task(place: str, asked: Task | None, labelled: Task) -> Task:
    task = asked or (Task.OCR if labelled == Task.DETECTION else labelled)
    if task.labels != labelled:
        raise UsageError(f"{place}: labelled for {labelled}, but --task {task} needs labels for {task.labels}")
    return task
