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
        schedules: the values of ``--schedule``, the default first.
    """

    help: str
    architectures: tuple[str, ...]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    parse: Callable[[argparse.Namespace], Any]
    defaults: dict[str, Any] = field(default_factory=dict)
    schedules: tuple[str, ...] = ("cosine", "plateau")


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
    """Options of the recognition task.

    Attributes:
        data: where the words come from.
        attention: kinds of the attention recognizer's parts that were chosen, by the fields of its ``AttentionSize``.
    """

    data: DataConfig
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


@dataclass(frozen=True)
class CaptionOptions:
    """Options of the caption task.

    Attributes:
        images: folder of the pictures; empty with ``records``.
        captions: CSV file with the columns image,caption; empty with ``records``.
        records: TFRecord files of captioned pictures, instead of both.
        vocabulary: file of words, one a line, which the records' ids stand for; empty to take them from the captions.
        min_count: words that stand less often in the training captions become ``<UNK>``.
        overfit: train on so many pictures only and validate on the same ones; 0 for a split by picture.
        stem_weights: file of the stem's weights, or None for a stem from scratch.
        fine_tune_rate: phase two: train the stem, too, at this learning rate; 0 for phase one.
        decay_epochs: the staircase schedule halves the learning rate after every so many epochs.
        cache: folder for the frozen stem and its features.
    """

    images: str = ""
    captions: str = ""
    records: tuple[str, ...] = ()
    vocabulary: str = ""
    min_count: int = 4
    overfit: int = 0
    stem_weights: str | None = None
    fine_tune_rate: float = 0.0
    decay_epochs: float = 8.0
    cache: str = ""


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


def _add_recognition_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data_arguments(parser)
    group = parser.add_argument_group("of --arch attention")
    for part, kinds in _ATTENTION_PARTS.items():
        group.add_argument(f"--{part}", choices=kinds, help=f"default: {kinds[0]}")


def _parse_recognition(args: argparse.Namespace) -> RecognitionOptions:
    chosen = {part: getattr(args, part) for part in _ATTENTION_PARTS if getattr(args, part)}
    if chosen and args.arch != "attention":
        raise UsageError(f"--{next(iter(chosen))} is for --arch attention; {args.arch} has no such part")
    return RecognitionOptions(_parse_data(args), chosen)


def _add_mnist_rows_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mnist", required=True, metavar="DIR", help="folder of MNIST's idx files, gzipped or not")


def _parse_mnist_rows(args: argparse.Namespace) -> MnistRowsOptions:
    return MnistRowsOptions(args.mnist)


def _add_caption_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data: --images and --captions, or --records and --vocabulary")
    data.add_argument("--images", default="", metavar="DIR", help="folder of pictures")
    data.add_argument("--captions", default="", metavar="FILE", help="CSV file with the columns image,caption")
    data.add_argument("--records", nargs="+", default=(), metavar="FILE", help="TFRecord files of captioned pictures")
    data.add_argument("--vocabulary", default="", metavar="FILE", help="words, one a line; those of the records' ids")
    data.add_argument(
        "--min-count",
        type=_at_least_one,
        default=4,
        metavar="N",
        help="words less frequent become <UNK>; default: %(default)s",
    )
    data.add_argument(
        "--overfit", type=_at_least_one, default=0, metavar="N", help="train and validate on the same N pictures"
    )
    parser.add_argument("--stem-weights", metavar="FILE", help="weights of the stem, as Keras publishes them")
    parser.add_argument(
        "--fine-tune",
        type=_positive,
        nargs="?",
        const=0.0005,
        default=0.0,
        metavar="RATE",
        help="phase two, from --init: train the stem, too, at this learning rate throughout; without a number: 0.0005",
    )
    parser.add_argument(
        "--decay-epochs",
        type=_positive,
        default=8.0,
        metavar="N",
        help="the learning rate is halved after every N epochs; default: %(default)s",
    )


def _parse_caption(args: argparse.Namespace) -> CaptionOptions:
    if bool(args.records) == bool(args.images and args.captions):
        raise UsageError("give either --images DIR and --captions FILE, or --records FILE... and --vocabulary FILE")
    if args.records and not args.vocabulary:
        raise UsageError("--records: give --vocabulary FILE, too, the words that their ids stand for")
    if args.init and args.stem_weights:
        raise UsageError("--init and --stem-weights: the bundle has a stem of its own; give one of both")
    if args.fine_tune and not args.init:
        raise UsageError("--fine-tune trains on what phase one has trained: give its bundle by --init BUNDLE")
    return CaptionOptions(
        args.images,
        args.captions,
        tuple(args.records),
        args.vocabulary,
        args.min_count,
        args.overfit,
        args.stem_weights,
        args.fine_tune,
        args.decay_epochs,
        cache=str(args.output.parent / f"{args.output.name}-run" / "features"),
    )


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return number


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
        ("crnn-light", "crnn-vgg", "attention"),
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
    "caption": TaskOptions(
        "Show and Tell, which captions pictures",
        ("show-and-tell", "show-and-tell-light"),
        _add_caption_arguments,
        _parse_caption,
        {
            "batch_size": 32,
            "learning_rate": 2.0,
            "warmup_steps": 0,
            "weight_decay": 0.0,
            "validate_every": 200,
            "keep_checkpoints": 5,
        },
        schedules=("staircase", "cosine", "plateau"),
    ),
}
