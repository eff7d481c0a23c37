"""The options of each training task, with its command-line arguments and its defaults.

This module imports no Keras, so that ``pagebeam train --help`` and the refusal of a wrong command are quick.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

from ocr_models.arguments import share, whole
from ocr_models.data.dataset import ShardConfig
from ocr_models.data.loading.training_examples import DataConfig
from ocr_models.errors import UsageError
from ocr_models.records import Task
from ocr_models.training.caption_options import CAPTION
from ocr_models.training.task_options import TaskOptions, add_shard_arguments, parse_shards, require_tensorflow


@dataclass(frozen=True)
class DetectionOptions:
    """Options of the detection task.

    Attributes:
        data: where the pages come from.
        window_px: side of a training window, a multiple of 32.
        shrink_ratio: of EAST's score map.
        score_loss: "balanced" or "dice".
        freeze_backbone: whether only the merge branch and the head of EAST are trained (head-tuning).
    """

    data: DataConfig | ShardConfig
    window_px: int = 384
    shrink_ratio: float = 0.2
    score_loss: str = "balanced"
    freeze_backbone: bool = False


@dataclass(frozen=True)
class RecognitionOptions:
    """Options of the recognition task.

    Attributes:
        data: where the words come from.
        attention: chosen kinds of parts of the attention recognizer, by field of its ``AttentionSize``.
    """

    data: DataConfig | ShardConfig
    attention: dict[str, str] = field(default_factory=dict)


_ATTENTION_PARTS = {
    "encoder": ("bilstm", "dense"),
    "cell": ("gru", "lstm"),
    "mechanism": ("bahdanau", "luong"),
}


@dataclass(frozen=True)
class MnistRowsOptions:
    """Options of the MNIST rows task: ``mnist`` is the folder of MNIST's idx files."""

    mnist: str


def _add_data_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the arguments of a task's data; returns their group for rendered and synthesized data."""
    shards = parser.add_argument_group("data: shards")
    add_shard_arguments(shards)
    shards.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="degrade examples of the shards as print, scanner, fax or camera do; default: yes",
    )
    data = parser.add_argument_group("data: rendered or synthesized during training")
    data.add_argument("--pdfs", nargs="+", default=(), metavar="DIR", help="folders of born-digital PDFs")
    data.add_argument("--fonts", nargs="+", default=(), metavar="DIR", help="folders of fonts for synthetic text")
    data.add_argument("--lexicons", nargs="+", default=(), metavar="FILE", help="word lists for synthetic text")
    data.add_argument(
        "--synthetic-share",
        type=share,
        default=DataConfig.synthetic_share,
        metavar="SHARE",
        help="share of synthetic examples, 0 to 1, if there are PDFs, too; default: %(default)s",
    )
    data.add_argument(
        "--hold-out", metavar="FILE", help='file with lines "NAME.pdf PAGE" or "NAME.pdf" that are never used'
    )
    return data


def _parse_data(args: argparse.Namespace, task: Task) -> DataConfig | ShardConfig:
    if args.data or args.validation:
        if args.pdfs or args.fonts:
            raise UsageError(
                "--data and --pdfs or --fonts: give only one of the two; pagebeam prepare makes shards of all of them"
            )
        require_tensorflow()
        return parse_shards(args, task)
    data = DataConfig(
        tuple(args.pdfs),
        tuple(args.fonts),
        tuple(args.lexicons),
        args.synthetic_share,
        args.hold_out,
        getattr(args, "line_share", 0.0),
    )
    data.check()
    return data


def _add_detection_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data_arguments(parser)
    parser.add_argument("--freeze-backbone", action="store_true", help="train only the merge branch and the head")
    parser.add_argument("--score-loss", choices=["balanced", "dice"], default="balanced", help="default: %(default)s")
    parser.add_argument(
        "--window-px", type=whole, default=384, metavar="N", help="side of a training window; default: %(default)s"
    )
    parser.add_argument(
        "--shrink-ratio",
        type=share,
        default=0.2,
        metavar="N",
        help="share by which words are shrunk in the score map; default: %(default)s",
    )


def _parse_detection(args: argparse.Namespace) -> DetectionOptions:
    if args.window_px < 32 or args.window_px % 32:
        raise UsageError(f"--window-px {args.window_px}: must be a multiple of 32")
    return DetectionOptions(
        _parse_data(args, Task.DETECTION),
        args.window_px,
        args.shrink_ratio,
        args.score_loss,
        freeze_backbone=args.freeze_backbone,
    )


def _add_recognition_arguments(parser: argparse.ArgumentParser) -> None:
    data = _add_data_arguments(parser)
    data.add_argument(
        "--line-share",
        type=share,
        default=DataConfig.line_share,
        metavar="SHARE",
        help="share of examples, 0 to 1, that are pieces of lines of up to 15 words; the others are words; "
        "default: %(default)s",
    )
    group = parser.add_argument_group("of --arch attention")
    for part, kinds in _ATTENTION_PARTS.items():
        group.add_argument(f"--{part}", choices=kinds, help=f"default: {kinds[0]}")


def _parse_recognition(args: argparse.Namespace) -> RecognitionOptions:
    chosen = {part: getattr(args, part) for part in _ATTENTION_PARTS if getattr(args, part)}
    if chosen and args.arch != "attention":
        raise UsageError(f"--{next(iter(chosen))} is for --arch attention; {args.arch} has no such part")
    return RecognitionOptions(_parse_data(args, Task.RECOGNITION), chosen)


def _add_mnist_rows_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mnist", required=True, metavar="DIR", help="folder of MNIST's idx files, gzipped or not")


def _parse_mnist_rows(args: argparse.Namespace) -> MnistRowsOptions:
    return MnistRowsOptions(args.mnist)


TASK_OPTIONS = {
    "detection": TaskOptions(
        "EAST, which finds words on pages",
        ("east-fast", "east-vgg16"),
        _add_detection_arguments,
        _parse_detection,
        {"batch_size": 8, "validate_every": 500},
    ),
    "recognition": TaskOptions(
        "CRNN or the attention recognizer, which read words",
        ("crnn-fast", "crnn-light", "crnn-vgg", "attention"),
        _add_recognition_arguments,
        _parse_recognition,
    ),
    "mnist-rows": TaskOptions(
        "small recognizers, which read rows of MNIST digits",
        ("crnn", "attention", "attention-srn"),
        _add_mnist_rows_arguments,
        _parse_mnist_rows,
        {"steps": 4000, "learning_rate": 0.003, "validate_every": 250},
    ),
    "caption": CAPTION,
}
