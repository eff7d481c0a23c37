"""Data sets as ``pagebeam prepare`` writes them: shards of examples, and the files beside them.

A data set is named by a glob of its shards (``data/train-*``, or ``data/*/train-*`` for several data sets) or by its
folder, which means the shards of one split. This module imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocr_models.charset import Charset
from ocr_models.data.dataset_files import CHARSET, DATASET_JSON, STARTED, VOCABULARY
from ocr_models.errors import DocumentError, UsageError
from ocr_models.io.sequence_example import parse_example
from ocr_models.io.tfrecord import READ_ERRORS, iter_records, open_tfrecord
from ocr_models.records import Example, Task
from ocr_models.vocabulary import Vocabulary

UNFINISHED = "a data set that isn't finished; run the same pagebeam prepare command again"


@dataclass(frozen=True)
class ShardConfig:
    """Shards to train with, each a glob or folder as for ``find_shards``.

    Attributes:
        training: the examples to learn from.
        validation: the examples by which the best weights are chosen; of a folder, the shards ``validation-*``.
        augment: degrade, crop or recolor training examples at random.
    """

    training: str
    validation: str
    augment: bool = True

    def check(self, task: Task) -> None:
        """Raises UsageError unless both exist and are data sets for ``task``."""
        check_task(self.training, task)
        check_task(self.validation, task, "validation")


def find_shards(pattern: str, split: str = "train") -> list[Path]:
    """The shards that a glob names, or those of ``split`` in a folder, sorted.

    Raises:
        UsageError: there is none, or their data set isn't finished.
    """
    wanted = str(Path(glob.escape(pattern)) / f"{split}-*") if Path(pattern).is_dir() else pattern
    shards = sorted(Path(name) for name in glob.glob(wanted, recursive=True) if Path(name).is_file())
    if not shards:
        raise UsageError(f"{pattern}: no file matches {wanted}; give a glob of TFRecord shards, such as 'data/train-*'")
    for folder in sorted({shard.parent for shard in shards}):
        if (folder / STARTED).exists():
            raise UsageError(f"{folder}: {UNFINISHED}")
    return shards


def read_examples(pattern: str, split: str = "train") -> Iterator[Example]:
    """Yields the examples of all shards in order; every record is compared with its checksums.

    Args:
        pattern: a glob or folder, as for ``find_shards``.
        split: the split to read if ``pattern`` is a folder.

    Raises:
        UsageError: no file matches the pattern, or a shard is damaged.
    """
    for path in find_shards(pattern, split):
        yield from read_shard(path)


def read_shard(path: Path) -> Iterator[Example]:
    """Yields the examples of one shard. Raises UsageError that names the record if it is damaged."""
    for index, payload in enumerate(read_payloads(path)):
        yield parse_record(payload, path, index)


def read_payloads(path: Path) -> Iterator[bytes]:
    """Yields the records of one shard. Raises UsageError that names the record if it is damaged."""
    index = 0
    try:
        with open_tfrecord(path) as file:
            for payload in iter_records(file, verify=True):
                yield payload
                index += 1
    except READ_ERRORS as error:
        raise _damaged(path, index, error) from error


def parse_record(payload: bytes, path: Path, index: int) -> Example:
    """The example in the record of a shard with this index. Raises UsageError if it holds none."""
    try:
        return parse_example(payload)
    except DocumentError as error:
        raise _damaged(path, index, error) from error


def _damaged(path: Path, index: int, error: Exception) -> UsageError:
    return UsageError(
        f"{path}, record {index}: {error}; expected a TFRecord shard of SequenceExamples: copy or prepare it again"
    )


def check_task(pattern: str, task: Task, split: str = "train") -> None:
    """Checks that data sets are for a task, by each ``dataset.json`` beside the shards or, without it, a first record.

    Raises:
        UsageError: a data set is for another task, or no shard has a record.
    """
    for folder, shards in _by_folder(pattern, split).items():
        found = _stated_task(folder) or next(filter(None, map(seen_task, shards)), None)
        if found and found != task:
            remedy = f"; prepare it with --task {task}" if Task.CAPTION not in (found, task) else ""
            raise UsageError(f"{folder}: a data set for {found}, but one for {task} was expected{remedy}")
    if all(next(read_shard(path), None) is None for path in find_shards(pattern, split)):
        raise UsageError(f"{pattern}: no record in any shard for {split}; give other shards, or prepare more pictures")


def read_dataset_json(data: bytes, place: str) -> dict[str, Any]:
    """Parses a ``dataset.json`` of this or an earlier version of pagebeam.

    Args:
        data: the content of the file.
        place: its path or URI, for errors.

    Raises:
        UsageError: pagebeam didn't write it.
    """
    try:
        found = json.loads(data)
        if "flavor" in found:  # the first versions' name for the task
            found["task"] = found.pop("flavor")
            found["options"]["task"] = found["options"].pop("flavor", None)
            found["options"].pop("below", None)
        if Task(found["task"]).labels == found["task"] and {"options", "splits", "sources"} <= found.keys():
            return found
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UsageError(f"{place}: this is not the dataset.json of a data set that pagebeam made; prepare it again")


def find_charset(pattern: str) -> Charset:
    """The characters in ``charset.txt`` beside the shards; if they are in several folders, the sorted union.

    Raises:
        UsageError: a folder has no such file.
    """
    charsets = [Charset.load(_beside(folder, CHARSET)) for folder in _by_folder(pattern, "train")]
    if len(charsets) == 1:
        return charsets[0]
    return Charset(sorted({char for charset in charsets for char in charset.characters}))


def find_vocabulary(pattern: str, split: str = "train") -> Vocabulary:
    """The words in ``vocabulary.txt`` beside the shards.

    Raises:
        UsageError: there is none, or those of several folders differ, so that their shards' ids mean different words.
    """
    paths = [_beside(folder, VOCABULARY) for folder in _by_folder(pattern, split)]
    vocabularies = [Vocabulary.load(path) for path in paths]
    for path, vocabulary in zip(paths, vocabularies, strict=True):
        if vocabulary.words != vocabularies[0].words:
            raise UsageError(f"{path}: its words differ from those in {paths[0]}; prepare both data sets as one")
    return vocabularies[0]


def _by_folder(pattern: str, split: str) -> dict[Path, list[Path]]:
    folders: dict[Path, list[Path]] = {}
    for path in find_shards(pattern, split):
        folders.setdefault(path.parent, []).append(path)
    return folders


def _beside(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise UsageError(f"{folder / name}: no such file; pagebeam prepare writes it beside its shards")
    return folder / name


def _stated_task(folder: Path) -> Task | None:
    """The task stated in ``dataset.json``; None if there is no such file."""
    path = folder / DATASET_JSON
    return Task(read_dataset_json(path.read_bytes(), str(path))["task"]) if path.is_file() else None


def seen_task(shard: Path) -> Task | None:
    """The task that the first record of a shard is an example for; None if the shard is empty."""
    example = next(read_shard(shard), None)
    if example is None:
        return None
    if example.caption or example.caption_ids:
        return Task.CAPTION
    width, height = example.width_px, example.height_px
    edge = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    is_word = len(example.quads) == 1 and np.allclose(example.quads[0], edge, atol=0.5)
    return Task.RECOGNITION if is_word else Task.DETECTION
