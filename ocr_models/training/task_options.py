"""Training tasks on the command line, and the arguments of all tasks with shards. This module imports no Keras."""

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
    """A training task on the command line.

    Attributes:
        help: one line of help text.
        architectures: the values of ``--arch``, the default first.
        add_arguments: adds the arguments of the task to its parser.
        parse: makes the options of the task from parsed arguments; raises UsageError.
        defaults: values that differ from the defaults of ``TrainingConfig``.
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
        "--data", metavar="GLOB", help="shards of pagebeam prepare to train on, or their folder for its train-*"
    )
    data.add_argument(
        "--validation",
        metavar="GLOB",
        help="shards to select the best weights with, or their folder for its validation-*",
    )


def parse_shards(args: argparse.Namespace, task: Task) -> ShardConfig:
    """The shards given by the arguments; raises UsageError if one is missing or for another task."""
    if not args.data or not args.validation:
        raise UsageError("--data and --validation go together: give shards to train on, and others to validate on")
    shards = ShardConfig(args.data, args.validation, getattr(args, "augment", True))
    shards.check(task)
    return shards


def require_tensorflow() -> None:
    """Raises UsageError if TensorFlow, which reads the shards, isn't installed."""
    if importlib.util.find_spec("tensorflow") is None:
        raise UsageError("--data: shards are read by TensorFlow, which isn't installed; pip install tensorflow")
