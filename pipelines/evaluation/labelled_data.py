"""What is evaluated against: the items of a labelled source, or the shards of a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ocr_models.data.dataset import find_flavor
from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import Source, SourceItem, SourceOptions
from ocr_models.errors import UsageError
from ocr_models.records import Flavor
from pipelines.datasets.folder import check_finished
from pipelines.evaluation.scores import Task
from pipelines.inputs.documents import absolute_uri, find_documents, local_copy
from pipelines.inputs.source_files import SourceFiles, list_items

SHARDS = "shards"  # the format that isn't a source's
_SHARD_NAME = re.compile(r"-\d{5}-of-\d{5}|\.tfrecords?(\.gz)?$")
_TEST_SHARD = re.compile(r"test-\d{5}-of-\d{5}")
_DEFAULT_TASKS = {
    Flavor.DETECTION: Task.OCR,
    Flavor.RECOGNITION: Task.RECOGNITION,
    Flavor.CAPTION: Task.CAPTION,
}


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
        options: what a source is told; its flavor is the task's.
        task: what is scored; None for what the data are labelled for.
        output: folder of the evaluation, whose files are no data.

    Raises:
        UsageError: there are none, they aren't of the format, or they have no labels for the task.
    """
    root = absolute_uri(place)
    if format_name == SHARDS:
        shards = find_shards(root)
        return LabelledData(_task_of(place, task, _flavor_of(shards)), shards=shards)
    source = open_source(format_name, root, replace(options, flavor=task.flavor if task else None))
    items = tuple(list_items(source, SourceFiles(excluded=output), place))
    return LabelledData(_task_of(place, task, source.flavor), source, items)


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


def _flavor_of(shards: tuple[str, ...]) -> Flavor:
    for uri in shards:
        flavor = find_flavor(Path(local_copy(uri, None).name))
        if flavor:
            return flavor
    raise UsageError(f"{shards[0]}: no records, in any of {len(shards)} shards; prepare the data set anew")


def _task_of(place: str, asked: Task | None, flavor: Flavor) -> Task:
    task = asked or _DEFAULT_TASKS[flavor]
    if task.flavor != flavor:
        raise UsageError(f"{place}: data for {flavor}, but --task {task} needs {task.flavor}")
    return task
