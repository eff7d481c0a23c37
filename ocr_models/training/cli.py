"""``pagebeam train``: the command for training. It needs Keras with TensorFlow or JAX, but not Beam."""

from __future__ import annotations

import argparse
import dataclasses
import errno
import os
import shlex
import sys
from pathlib import Path

from ocr_models.arguments import ArgumentParser, amount, count
from ocr_models.bundle import find_bundle
from ocr_models.errors import PagebeamError, UsageError, interrupt_status
from ocr_models.inference.engines import check_keras
from ocr_models.terminal import announce, say
from ocr_models.training.config import TrainingConfig
from ocr_models.training.lexicon_task import add_lexicon_parser, train_lexicon
from ocr_models.training.onnx_task import add_onnx_parser, write_onnx
from ocr_models.training.options import TASK_OPTIONS, TaskOptions

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_AT_LEAST_ONE = ("batch_size", "steps", "validate_every", "keep_checkpoints", "data_workers")
_HELP = {
    "batch_size": "examples per step",
    "steps": "stop after N steps",
    "hours": "stop after N hours of training, with those before a resume",
    "learning_rate": "peak learning rate",
    "warmup_steps": "steps of linear warm-up, but at most a tenth of the run",
    "weight_decay": "weight decay",
    "seed": "seed of weights, data and order",
    "validate_every": "steps between validations",
    "patience": "stop early after N validations without a better score; 0 for never",
    "checkpoint_minutes": "minutes between checkpoints",
    "keep_checkpoints": "number of checkpoints to keep",
    "average": "also validate the mean of the weights at the N newest checkpoints; 0 for never",
    "init_share": "share of the weights of --init, 0 to 1, in that mean",
    "data_workers": "processes that make batches",
}
_SCHEDULES = {
    "cosine": "falls with steps or hours",
    "plateau": "is halved when the score stalls",
    "staircase": "is halved after some epochs",
}


def build_parser() -> ArgumentParser:
    """Makes the parser of ``pagebeam train``."""
    parser = ArgumentParser(
        prog="pagebeam train",
        description="Train a model and write it as a bundle. The same command resumes an interrupted run.",
    )
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    for name, task in TASK_OPTIONS.items():
        of_task = tasks.add_parser(name, help=task.help, description=f"Train {task.help}.")
        of_task.add_argument("--output", required=True, type=Path, metavar="BUNDLE", help="folder for the model")
        of_task.add_argument(
            "--arch", choices=task.architectures, default=task.architectures[0], help="default: %(default)s"
        )
        of_task.add_argument(
            "--init",
            metavar="BUNDLE",
            help="start from the weights of this bundle; if its architecture differs, from those of the shared layers",
        )
        of_task.add_argument(
            "--resume",
            action="store_true",
            help="fail if there is no run to resume; by default, the command then starts one",
        )
        task.add_arguments(of_task)
        _add_numbers(of_task.add_argument_group("training"), task)
    add_lexicon_parser(tasks)
    add_onnx_parser(tasks)
    return parser


def _add_numbers(group: argparse._ArgumentGroup, task: TaskOptions) -> None:
    for field in dataclasses.fields(TrainingConfig):
        if field.name in _HELP:
            default = task.defaults.get(field.name, field.default)
            group.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=count if isinstance(field.default, int) else amount,
                default=default,
                metavar="N",
                help=f"{_HELP[field.name]}; default: {'no limit' if default is None else default}",
            )
    group.add_argument(
        "--schedule",
        choices=task.schedules,
        default=task.schedules[0],
        help=f"the learning rate {', '.join(f'{_SCHEDULES[name]} ({name})' for name in task.schedules)}; "
        "default: %(default)s",
    )

    group.add_argument(
        "--mixed-precision",
        choices=["bfloat16", "float16"],
        help="compute in this type, with weights and loss in float32; faster on GPUs that support it",
    )
    group.add_argument(
        "--deterministic",
        action="store_true",
        help="get the same weights from the same command on the same machine; slower",
    )


def config_of(args: argparse.Namespace) -> TrainingConfig:
    """The configuration given by parsed arguments. Raises UsageError if it can't be trained."""
    for name in _AT_LEAST_ONE:
        if getattr(args, name) == 0:
            raise UsageError(f"--{name.replace('_', '-')} 0: give at least 1")
    if args.init_share and not (args.init_share < 1 and args.init and args.average > 1):
        raise UsageError(
            "--init-share: give a share below 1, and --init and --average 2 or more, whose weights it mixes"
        )
    common = {field.name for field in dataclasses.fields(TrainingConfig)} - {"options"}
    return TrainingConfig(options=TASK_OPTIONS[args.task].parse(args), **{name: getattr(args, name) for name in common})


def main(argv: list[str] | None = None) -> int:
    """Runs ``pagebeam train``; returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    argv = sys.argv[1:] if argv is None else argv
    args = build_parser().parse_args(argv)
    if args.task == "lexicon":
        return train_lexicon(args)
    if args.task == "onnx":
        return write_onnx(args)
    config = config_of(args)
    check_keras("pagebeam train")
    if args.init:
        find_bundle(args.init, args.task)
    announce("pagebeam: loading Keras")
    import keras

    from ocr_models.inference.precision import use_bfloat16
    from ocr_models.training.interrupts import Interrupted
    from ocr_models.training.loop import train

    if keras.backend.backend() == "tensorflow":
        use_bfloat16()
    try:
        scores = train(config, args.output, shlex.join(["pagebeam", "train", *argv]), must_resume=args.resume)
    except Interrupted as interrupted:
        say("", *str(interrupted).splitlines(), file=sys.stderr)
        return interrupted.exit_status
    except KeyboardInterrupt as interrupt:
        say("", "interrupted before the first step: nothing to save", file=sys.stderr)
        return interrupt_status(interrupt)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise PagebeamError(
            f"{error.filename or args.output.parent} can't be written ({error}); make room, then run the same command "
            "again: it goes on from the last checkpoint"
        ) from error
    say(f"best: {' '.join(f'{name}={value:.4f}' for name, value in scores.items())}", f"bundle: {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
