"""The labelled data of an evaluation: the items of a labelled source, or the shards of a data set."""

from __future__ import annotations

import re
from collections import defaultdict
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
# How splits are called in the names of shards and their folders, also by other tools: "validation-00000-of-00002",
# "mnist-test.tfrecord-00000-of-00001", "val/part-3".
_SPLIT = re.compile(
    r"(?<![a-z0-9])(?:(?P<train>train(ing)?)|(?P<validation>val(id(ation)?)?|dev|eval)|(?P<test>test(ing)?))(?![a-z0-9])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LabelledData:
    """What predictions are scored against: the items of a source, or the shards of a data set.

    Attributes:
        task: the task that is scored.
        source: the source; None if there are shards.
        items: items of the source.
        shards: URIs of the shards.
        splits: the splits that the shards belong to by their names, sorted; none if their names say nothing.
    """

    task: Task
    source: Source | None = None
    items: tuple[SourceItem, ...] = ()
    shards: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()


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
        splits = sorted({split for uri in shards if (split := split_of(uri, root))})
        scored = _scored_task(place, task, _task_of(shards))
        return LabelledData(scored, shards=tuple(shards), splits=tuple(splits))
    source = open_source(format_name, root, replace(options, task=task.labels if task else None))
    items = tuple(list_items(source, SourceFiles(excluded=output), place))
    return LabelledData(_scored_task(place, task, source.task), source, items)


def find_scored_shards(place: str) -> list[str]:
    """The shards that a glob or file names; of a folder its test split, or all shards if their names tell no splits.

    Raises:
        UsageError: there are none, or the folder has other splits but no test split.
    """
    shards = find_shards(place)
    if is_glob(place) or shards == [place]:
        return shards
    by_split: dict[str | None, list[str]] = defaultdict(list)
    for uri in shards:
        by_split[split_of(uri, place)].append(uri)
    if set(by_split) == {None}:
        return shards
    if "test" not in by_split:
        choices = [f"{split} ({_glob_of(uris[0])!r})" for split, uris in by_split.items() if split]
        choices.sort()
        raise UsageError(
            f"{place}: no test split; scores of what a model was trained on mean little. To score another split, give "
            f"it as a glob: {' or '.join(choices)}"
        )
    return by_split["test"]


def split_of(uri: str, place: str) -> str | None:
    """The split that a shard belongs to by its name or else by that of a folder below ``place``; None if unknown."""
    fixed = place if not is_glob(place) else re.split(r"[*?[]", place)[0].rpartition("/")[0]
    below = uri.removeprefix(fixed) if uri != place else uri.rpartition("/")[2]
    for part in reversed(below.split("/")):
        if found := _SPLIT.search(part):
            return next(split for split, name in found.groupdict().items() if name)
    return None


def _glob_of(uri: str) -> str:
    """A glob of the shards of a split, from one of them."""
    numbered = re.sub(r"\d{5}-of-\d{5}[^/]*$", "*", uri)
    return numbered if numbered != uri else f"{uri.rpartition('/')[0]}/*"


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
