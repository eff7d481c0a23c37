"""``dataset.json`` and the files written with it, last: they describe a data set and mark it as complete."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2

from ocr_models.data.dataset_files import (
    CHARSET,
    CONTACT_SHEET,
    DATASET_JSON,
    QUARANTINE_LIST,
    SPLITS,
    VOCABULARY,
)
from ocr_models.errors import PagebeamError
from ocr_models.io.sequence_example import parse_example
from ocr_models.records import Task
from ocr_models.reports.visualization import draw_examples
from ocr_models.vocabulary import Vocabulary
from pipelines.datasets.near_duplicates import NearDuplicates
from pipelines.datasets.prepared_picture import SIZE_STEP_PX, DataSetCounts
from pipelines.datasets.shard_files import Problem, ShardFile
from pipelines.datasets.splits import SplitFractions
from pipelines.datasets.staging import iter_staged
from pipelines.inputs.source_files import Fingerprint
from pipelines.runtime.storage import join, write_bytes
from pipelines.runtime.versions import versions

MAX_LISTED = 1000  # duplicates in dataset.json; the quarantine's list has all of them


@dataclass(frozen=True)
class DataSetDescription:
    """What is known about a data set before it is made.

    Attributes:
        output: folder of the data set.
        source: the source as the user gave it.
        format: format of the source.
        task: task that its examples are for.
        options: everything that influences it besides the source's files, as JSON values.
        fingerprint: fingerprint of the source's files.
        splits: the shares of its splits.
        train_shards: number of shards of the training split; None for shards of about 100 MB.
        compressed: whether shards are gzipped.
        min_count: how often a caption token must occur in the training split to get an id of its own.
    """

    output: str
    source: str
    format: str
    task: Task
    options: dict[str, Any]
    fingerprint: Fingerprint
    splits: SplitFractions = field(default_factory=SplitFractions)
    train_shards: int | None = None
    compressed: bool = False
    min_count: int = 4

    def build_vocabulary(self, totals: dict[str, DataSetCounts]) -> Vocabulary | None:
        """The vocabulary of the training split; None if the examples aren't captions."""
        if self.task != Task.CAPTION:
            return None
        return Vocabulary.build([tuple(totals.get("train", DataSetCounts()).tokens.elements())], self.min_count)


def commit_dataset(
    dataset: DataSetDescription,
    totals: dict[str, DataSetCounts],
    shards: Iterable[ShardFile],
    problems: Iterable[Problem],
    near: NearDuplicates,
    samples: Sequence[tuple[str, int]],
) -> dict[str, Any]:
    """Checks that the shards hold what was read and writes all other files, ``dataset.json`` last.

    Args:
        dataset: the data set.
        totals: counts of each split.
        shards: all shards that were written.
        problems: what was left out or repaired.
        near: pictures that look alike.
        samples: staged records for the contact sheet, by file and offset.

    Returns:
        The content of ``dataset.json``.

    Raises:
        PagebeamError: records are missing, or there are none; then ``dataset.json`` is not written.
    """
    problems = sorted(problems)
    lines = "".join(json.dumps(asdict(problem), ensure_ascii=False) + "\n" for problem in problems)
    write_bytes(join(dataset.output, QUARANTINE_LIST), lines.encode("utf-8", "backslashreplace"))
    if not totals:
        raise PagebeamError(
            f"{dataset.source}: none of its pictures can be used; see {join(dataset.output, QUARANTINE_LIST)} for why"
        )
    description = describe_dataset(dataset, totals, sorted(shards, key=lambda shard: shard.path), problems, near)
    name, entries = _labels_file(dataset, totals)
    write_bytes(join(dataset.output, name), "".join(f"{entry}\n" for entry in entries).encode())
    examples = [parse_example(payload) for payload in iter_staged(dataset.output, samples)]
    sheet = cv2.imencode(".png", draw_examples(examples)[..., ::-1])[1].tobytes()
    write_bytes(join(dataset.output, CONTACT_SHEET), sheet)
    write_bytes(join(dataset.output, DATASET_JSON), json.dumps(description, indent=1, ensure_ascii=False).encode())
    return description


def _labels_file(dataset: DataSetDescription, totals: dict[str, DataSetCounts]) -> tuple[str, Sequence[str]]:
    """Name and lines of the file of tokens or characters that the training split's labels have."""
    vocabulary = dataset.build_vocabulary(totals)
    if vocabulary:
        return VOCABULARY, vocabulary.words
    characters = totals.get("train", DataSetCounts()).characters
    return CHARSET, sorted(filter(str.isprintable, characters))  # a line can't hold a line break


def describe_dataset(
    dataset: DataSetDescription,
    totals: dict[str, DataSetCounts],
    shards: list[ShardFile],
    problems: list[Problem],
    near: NearDuplicates,
) -> dict[str, Any]:
    """The content of ``dataset.json``, without times, so that the same source gives the same file."""
    splits = {split: _describe_split(split, totals[split], shards) for split in SPLITS if split in totals}
    for split, described in splits.items():
        written = sum(shard["examples"] for shard in described["shards"])
        if written != described["examples"]:
            raise PagebeamError(
                f"{written} of {described['examples']} examples of {split} were written: the data set is not complete; "
                "run it again"
            )
    everything = DataSetCounts.sum(totals.values())
    duplicates = [problem for problem in problems if problem.kind == "duplicate"]
    return {
        "format": dataset.format,
        "task": str(dataset.task),
        "source": dataset.source,
        "options": dataset.options,
        "sources": {"digest": f"{everything.hash_sum:064x}", "fingerprint": asdict(dataset.fingerprint)},
        "splits": splits,
        "texts": everything.texts,
        "ignored": everything.ignored,
        "histograms": _histograms(everything),
        "quarantined": count_problems(problems),
        "duplicates": {
            "pictures": len(duplicates),
            "with_other_labels": sum(problem.stage == "label" for problem in duplicates),
            "listed": [{"name": problem.name, "reason": problem.reason} for problem in duplicates[:MAX_LISTED]],
        },
        "near_duplicates": {
            "pairs": near.pairs,
            "across_splits": near.across_splits,
            "not_compared": near.not_compared,
            "listed": [{"names": pair.names, "splits": pair.splits, "distance": pair.distance} for pair in near.listed],
        },
        "versions": versions(),
    }


def _describe_split(split: str, counts: DataSetCounts, shards: list[ShardFile]) -> dict[str, Any]:
    return {
        "examples": counts.examples,
        "pictures": counts.pictures,
        "record_bytes": counts.record_bytes,
        "split_hash": f"{counts.hash_sum:064x}",
        "shards": [asdict(shard) for shard in shards if shard.path.startswith(f"{split}-")],
    }


def _histograms(counts: DataSetCounts) -> dict[str, Any]:
    """How often each length, size and character occurs; the keys of sizes are the lower ends of their steps."""
    return {
        "text_length": {"step": 1, "counts": _in_order(counts.text_lengths)},
        "width_px": {"step": SIZE_STEP_PX, "counts": _in_order(counts.widths)},
        "height_px": {"step": SIZE_STEP_PX, "counts": _in_order(counts.heights)},
        "characters": dict(sorted(counts.characters.items())),
    }


def _in_order(counts: Counter[int]) -> dict[str, int]:
    return {str(key): counts[key] for key in sorted(counts)}


def count_problems(problems: Iterable[Problem]) -> dict[str, Any]:
    """Numbers of pictures left out, in all and by stage, of labels left out, and of labels repaired."""
    kinds = Counter(problem.kind for problem in problems)
    stages = Counter(problem.stage for problem in problems if problem.kind == "picture")
    return {
        "pictures": kinds["picture"],
        "pictures_by_stage": dict(sorted(stages.items())),
        "labels": kinds["label"],
        "repairs": kinds["repair"],
    }
