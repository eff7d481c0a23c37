"""``pagebeam train``: the separate entrypoint for training; needs Keras with TensorFlow or JAX, and no Beam."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.data.training_examples import DataConfig
from ocr_models.errors import UsageError
from ocr_models.training.config import TrainingConfig

# Where the two tasks want different values from those of TrainingConfig.
_TASK_DEFAULTS = {"detection": {"batch_size": 8, "validate_every": 500}, "recognition": {}}
_AT_LEAST_ONE = ("batch_size", "steps", "validate_every", "data_workers", "window_px")
_HELP = {
    "batch_size": "words or windows a step",
    "steps": "stop after so many steps",
    "hours": "stop after so many hours of training; the learning rate falls along them",
    "learning_rate": "at its peak",
    "warmup_steps": "steps of linear warm-up",
    "weight_decay": "of AdamW",
    "seed": "of weights, data and order",
    "validate_every": "steps between validations",
    "patience": "validations without a better score before an early stop; 0 for never",
    "checkpoint_minutes": "minutes between checkpoints",
    "data_workers": "processes that make batches",
    "window_px": "detection: side of a training window",
    "shrink_ratio": "detection: how far the score map's words are shrunk",
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``pagebeam train``."""
    parser = argparse.ArgumentParser(
        prog="pagebeam train",
        description="Train a model and write it as a bundle. The same command resumes a run that was cut off.",
    )
    parser.add_argument("task", choices=sorted(DEFAULT_BUNDLES))
    parser.add_argument("--output", required=True, type=Path, metavar="BUNDLE", help="folder for the trained model")
    parser.add_argument(
        "--arch", metavar="NAME", help="east-fast (default), east-vgg16; crnn-light (default), crnn-vgg"
    )
    parser.add_argument("--init", metavar="BUNDLE", help="start from the weights of this bundle (fine-tune)")
    parser.add_argument("--freeze-stem", action="store_true", help="detection: train merge branch and head only")
    parser.add_argument(
        "--score-loss", choices=["balanced", "dice"], default="balanced", help="detection; default: %(default)s"
    )
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
    numbers = parser.add_argument_group("training")
    for field in dataclasses.fields(TrainingConfig):
        if field.name in _HELP:
            kind = _count if isinstance(field.default, int) else float
            shown = f"{_HELP[field.name]}; default: {_shown_default(field)}"
            numbers.add_argument(f"--{field.name.replace('_', '-')}", type=kind, metavar="N", help=shown)
    return parser


def _shown_default(field: dataclasses.Field) -> str:
    own = [f", for {task} {values[field.name]}" for task, values in _TASK_DEFAULTS.items() if field.name in values]
    return "".join(["no limit" if field.default is None else f"{field.default}", *own])


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share


def config_of(args: argparse.Namespace) -> TrainingConfig:
    """The configuration that the parsed arguments ask for. Raises UsageError for one that can't be trained."""
    data = DataConfig(tuple(args.pdfs), tuple(args.fonts), tuple(args.lexicons), args.synthetic_share, args.hold_out)
    data.check()
    for name in _AT_LEAST_ONE:
        if getattr(args, name) == 0:
            raise UsageError(f"--{name.replace('_', '-')} 0: give at least 1")
    numbers = {name: getattr(args, name) for name in _HELP if getattr(args, name) is not None}
    return TrainingConfig(
        **{
            **_TASK_DEFAULTS[args.task],
            **numbers,
            "task": args.task,
            "arch": args.arch or DEFAULT_BUNDLES[args.task],
            "data": data,
            "init": args.init,
            "freeze_stem": args.freeze_stem,
            "score_loss": args.score_loss,
        }
    )


def main(argv: list[str] | None = None) -> int:
    """Runs ``pagebeam train``; returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args = build_parser().parse_args(argv)
    config = config_of(args)
    import keras

    from ocr_models.predictors import use_bfloat16
    from ocr_models.training.loop import train
    from ocr_models.training.tasks import ARCHITECTURES

    if config.arch not in ARCHITECTURES[config.task]:
        raise UsageError(f"--arch {config.arch}: for {config.task} give one of {', '.join(ARCHITECTURES[config.task])}")
    if keras.backend.backend() == "tensorflow":
        use_bfloat16()
    scores = train(config, args.output)
    print(f"best: {' '.join(f'{name}={value:.4f}' for name, value in scores.items())}\nbundle: {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
