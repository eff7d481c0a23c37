"""Where a run stands, on disk: weights and optimizer, and a state that names them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from ocr_models.errors import UsageError
from ocr_models.training.config import TrainingConfig

_STATE, _CONFIG = "checkpoint.json", "config.json"
# Options that decide which network is trained, and which parts of it; and earlier names of two of them.
_NETWORK_OPTIONS = ("attention", "freeze_backbone", "shrink_ratio", "backbone_weights", "fine_tune_rate", "overfit")
_RENAMED_OPTIONS = {"freeze_stem": "freeze_backbone", "stem_weights": "backbone_weights"}


@dataclass
class Progress:
    """Where a run stands; kept beside the weights in each checkpoint.

    Attributes:
        step: steps done.
        seconds: that they took, with validations.
        waiting_seconds: of these, those in which no batch was ready.
        checkpoint: the file with the weights of this step.
        best_score: of all validations; -1 before the first.
        best_scores: that validation's scores.
        best_step: when it was.
        validations_since_best: how many there were.
        plateau_factor: what the plateau schedule has left of the learning rate.
    """

    step: int = 0
    seconds: float = 0.0
    waiting_seconds: float = 0.0
    checkpoint: str = ""
    best_score: float = -1.0
    best_scores: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    validations_since_best: int = 0
    plateau_factor: float = 1.0


def check_same_run(config: TrainingConfig, run: Path, must_exist: bool = False) -> None:
    """Raises UsageError if the folder has checkpoints of another network than the one that is to be trained, or none
    where there must be some."""
    if not (run / _STATE).is_file() or not (run / _CONFIG).is_file():
        if must_exist:
            raise UsageError(f"--resume: {run} has no checkpoint to go on from; give its --output, or start anew")
        return
    before, now = (_what_is_trained(c) for c in (json.loads((run / _CONFIG).read_text()), config.to_json()))
    for name, value in now.items():
        if json.dumps(before.get(name)) != json.dumps(value):
            raise UsageError(
                f"{run} has a run with {name} {before.get(name)}, but now it is {value}; give another --output to "
                "start anew, or the command of that run to go on with it"
            )


def _what_is_trained(config: dict[str, Any]) -> dict[str, Any]:
    """What must stay the same in a run; its data, its rate and its end may change."""
    options = {_RENAMED_OPTIONS.get(name, name): value for name, value in config.get("options", {}).items()}
    parts = {name: options[name] for name in _NETWORK_OPTIONS if name in options}
    same = {name: config.get(name) for name in ("task", "arch", "init", "mixed_precision")}
    return {**same, **parts}


def resume(learner: keras.Model, config: TrainingConfig, run: Path) -> Progress:
    """Gives the learner the weights of the last checkpoint, if there is one, and says where it stands.

    Raises:
        UsageError: the weights don't fit.
    """
    progress = Progress()
    if (run / _STATE).is_file():
        progress = Progress(**json.loads((run / _STATE).read_text()))
        try:
            learner.load_weights(run / progress.checkpoint)
        except ValueError as error:
            raise UsageError(
                f"{run / progress.checkpoint}: its weights don't fit this network, as when the data have other "
                f"characters or words than when the run began; give another --output to start anew ({error})"
            ) from error
    run.mkdir(parents=True, exist_ok=True)
    (run / _CONFIG).write_text(json.dumps(config.to_json(), indent=2) + "\n")
    return progress


def save_checkpoint(learner: keras.Model, progress: Progress, run: Path, keep: int) -> None:
    """Weights and optimizer first, then the state that names them, by a rename: a kill between costs nothing.

    The newest ``keep`` checkpoints are kept.
    """
    name = f"checkpoint-{progress.step:08d}.weights.h5"
    if name != progress.checkpoint:
        unfinished = run / f"unfinished-{name}"
        learner.save_weights(unfinished)
        os.replace(unfinished, run / name)
        progress.checkpoint = name
    state = run / f"unfinished-{_STATE}"
    state.write_text(json.dumps(vars(progress)))
    os.replace(state, run / _STATE)
    _remove_old(run, progress.checkpoint, keep)


def _remove_old(run: Path, newest: str, keep: int) -> None:
    """Checkpoints later than the newest are of a run that was killed before it named them."""
    names = sorted(path.name for path in run.glob("checkpoint-*.weights.h5"))
    so_far = [name for name in names if name <= newest]
    for name in set(names) - set(so_far[-keep:]):
        (run / name).unlink()
