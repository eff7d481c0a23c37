"""What each training task can be told: its options, its arguments on the command line and its own defaults.

Light on purpose: ``pagebeam train --help`` and a refused command load no Keras.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ocr_models.data.training_examples import DataConfig
from ocr_models.errors import UsageError


@dataclass(frozen=True)
class TaskOptions:
    """A task as the command line sees it.

    Attributes:
        help: one line.
        architectures: the values of ``--arch``, the default first.
        add_arguments: adds the task's own arguments to its parser.
        parse: makes the task's options of the parsed arguments; raises UsageError.
        defaults: where this task wants other values than those of ``TrainingConfig``.
    """

    help: str
    architectures: tuple[str, ...]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    parse: Callable[[argparse.Namespace], Any]
    defaults: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DetectionOptions:
    """Options of the detection task.

    Attributes:
        data: where the pages come from.
        window_px: side of a training window, a multiple of 32.
        shrink_ratio: of EAST's score map.
        score_loss: "balanced" or "dice".
        freeze_stem: head-tune: only EAST's merge branch and head learn.
    """

    data: DataConfig
    window_px: int = 384
    shrink_ratio: float = 0.2
    score_loss: str = "balanced"
    freeze_stem: bool = False


@dataclass(frozen=True)
class RecognitionOptions:
    """Options of the recognition task: ``data`` says where the words come from."""

    data: DataConfig


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument("--pdfs", nargs="+", default=(), metavar="DIR", help="folders of born-digital PDFs")
    data.add_argument("--fonts", nargs="+", default=(), metavar="DIR", help="folders of fonts for synthetic text")
    data.add_argument("--lexicons", nargs="+", default=(), metavar="FILE", help="word lists for synthetic text")
    data.add_argument(
        "--synthetic-share",
        type=_share,
        default=DataConfig.synthetic_share,
        metavar="SHARE",
        help="0 to 1, of the examples, where there are PDFs too; default: %(default)s",
    )
    data.add_argument("--hold-out", metavar="FILE", help='lines "NAME.pdf PAGE" or "NAME.pdf" that are never used')


def _parse_data(args: argparse.Namespace) -> DataConfig:
    data = DataConfig(tuple(args.pdfs), tuple(args.fonts), tuple(args.lexicons), args.synthetic_share, args.hold_out)
    data.check()
    return data


def _add_detection_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data_arguments(parser)
    parser.add_argument("--freeze-stem", action="store_true", help="train merge branch and head only")
    parser.add_argument("--score-loss", choices=["balanced", "dice"], default="balanced", help="default: %(default)s")
    parser.add_argument(
        "--window-px", type=int, default=384, metavar="N", help="side of a training window; default: %(default)s"
    )
    parser.add_argument(
        "--shrink-ratio",
        type=_share,
        default=0.2,
        metavar="N",
        help="how far the score map's words are shrunk; default: %(default)s",
    )


def _parse_detection(args: argparse.Namespace) -> DetectionOptions:
    if args.window_px < 32 or args.window_px % 32:
        raise UsageError(f"--window-px {args.window_px}: must be a multiple of 32")
    return DetectionOptions(
        _parse_data(args), args.window_px, args.shrink_ratio, args.score_loss, freeze_stem=args.freeze_stem
    )


def _parse_recognition(args: argparse.Namespace) -> RecognitionOptions:
    return RecognitionOptions(_parse_data(args))


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share


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
        ("crnn-light", "crnn-vgg"),
        _add_data_arguments,
        _parse_recognition,
    ),
}
