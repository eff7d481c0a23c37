"""A training task as the command line sees it, and the arguments that all tasks with shards share. Light: no Keras."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ocr_models.data.dataset import ShardConfig
from ocr_models.errors import UsageError
from ocr_models.records import Task


@dataclass(frozen=True)
class TaskOptions:
    """A task as the command line sees it.

    Attributes:
        help: one line.
        architectures: the values of ``--arch``, the default first.
        add_arguments: adds the task's own arguments to its parser.
        parse: makes the task's options of the parsed arguments; raises UsageError.
        defaults: where this task wants other values than those of ``TrainingConfig``.
        schedules: the values of ``--schedule``, the default first.
    """

    help: str
    architectures: tuple[str, ...]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    parse: Callable[[argparse.Namespace], Any]
    defaults: dict[str, Any] = field(default_factory=dict)
    schedules: tuple[str, ...] = ("cosine", "plateau")


def add_shard_arguments(data: argparse._ArgumentGroup) -> None:
    data.add_argument(
        "--data", metavar="GLOB", help="shards of pagebeam prepare to learn from, or their folder for its train-*"
    )
    data.add_argument(
        "--validation", metavar="GLOB", help="shards to choose the best weights by, or their folder: its validation-*"
    )


def parse_shards(args: argparse.Namespace, task: Task) -> ShardConfig:
    """The shards that the arguments name; raises UsageError where one is missing or teaches something else."""
    if not args.data or not args.validation:
        raise UsageError("--data and --validation go together: give shards to learn from, and others to validate on")
    shards = ShardConfig(args.data, args.validation, getattr(args, "augment", True))
    shards.check(task)
    return shards


def require_tensorflow() -> None:
    """Raises UsageError where batches can't be made from shards."""
    if importlib.util.find_spec("tensorflow") is None:
        raise UsageError("--data: shards are read by TensorFlow's tf.data, which isn't here; pip install tensorflow")
