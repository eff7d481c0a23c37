"""Options of the caption task. This module imports no Keras."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from ocr_models.arguments import above_zero, positive
from ocr_models.data.dataset import ShardConfig, check_task
from ocr_models.errors import UsageError
from ocr_models.records import Task
from ocr_models.training.task_options import (
    TaskOptions,
    add_shard_arguments,
    parse_shards,
    require_tensorflow,
)


@dataclass(frozen=True)
class CaptionOptions:
    """Options of the caption task.

    Attributes:
        data: where the captioned pictures come from; it names no validation shards if ``overfit`` is set.
        overfit: number of pictures to train and validate on; 0 for all, with validation shards.
        backbone_weights: file with the weights of the backbone, or None for a random backbone.
        fine_tune_rate: learning rate of phase two, which trains the backbone, too; 0 for phase one.
        decay_epochs: the staircase schedule halves the learning rate each time this number of epochs has passed.
        cache: folder for the frozen backbone and its features.
    """

    data: ShardConfig
    overfit: int = 0
    backbone_weights: str | None = None
    fine_tune_rate: float = 0.0
    decay_epochs: float = 8.0
    cache: str = ""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data: shards of pagebeam prepare --format captions")
    add_shard_arguments(data)
    data.add_argument(
        "--overfit",
        type=positive,
        default=0,
        metavar="N",
        help="train and validate on the same N pictures of --data, without --validation",
    )
    parser.add_argument("--backbone-weights", metavar="FILE", help="weights of the backbone, in a Keras weights file")
    parser.add_argument(
        "--fine-tune",
        type=above_zero,
        nargs="?",
        const=0.0005,
        default=0.0,
        metavar="RATE",
        help="phase two, from --init: train the backbone, too, at this constant RATE; 0.0005 if none is given",
    )
    parser.add_argument(
        "--decay-epochs",
        type=above_zero,
        default=8.0,
        metavar="N",
        help="with the staircase schedule, halve the learning rate after every N epochs; default: %(default)s",
    )


def _parse(args: argparse.Namespace) -> CaptionOptions:
    if args.init and args.backbone_weights:
        raise UsageError("--init and --backbone-weights: the bundle has its own backbone; give only one of the two")
    if args.fine_tune and not args.init:
        raise UsageError(
            "--fine-tune continues from a captioner that phase one has trained: give its bundle by --init BUNDLE"
        )
    if args.overfit and args.validation:
        raise UsageError(
            "--overfit and --validation: --overfit validates on the training pictures; give only one of the two"
        )
    if args.fine_tune:  # phase one learns from the backbone's features alone
        require_tensorflow()
    return CaptionOptions(
        _overfit_data(args) if args.overfit else parse_shards(args, Task.CAPTION),
        args.overfit,
        args.backbone_weights,
        args.fine_tune,
        args.decay_epochs,
        cache=str(args.output.parent / f"{args.output.name}-run" / "features"),
    )


def _overfit_data(args: argparse.Namespace) -> ShardConfig:
    if not args.data:
        raise UsageError("--overfit N takes N pictures of --data: give --data, too")
    check_task(args.data, Task.CAPTION)
    return ShardConfig(args.data, "")


CAPTION = TaskOptions(
    "Show and Tell, which captions pictures",
    ("show-and-tell", "show-and-tell-light"),
    _add_arguments,
    _parse,
    {"batch_size": 32, "learning_rate": 2.0, "warmup_steps": 0, "weight_decay": 0.0, "validate_every": 200},
    schedules=("staircase", "cosine", "plateau"),
)
