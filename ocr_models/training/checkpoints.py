"""Checkpoints of a run: weights and optimizer, and a state file that names them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
from keras.src.saving import saving_lib

from ocr_models import durable_files
from ocr_models.errors import UsageError
from ocr_models.training.config import TrainingConfig

_STATE, _CONFIG = "checkpoint.json", "config.json"
# Options that determine the network and which parts of it are trained, and the names that two of them had before.
_NETWORK_OPTIONS = ("attention", "freeze_backbone", "shrink_ratio", "backbone_weights", "fine_tune_rate", "overfit")
_RENAMED_OPTIONS = {"freeze_stem": "freeze_backbone", "stem_weights": "backbone_weights"}


@dataclass
class Progress:
    """The progress of a run, saved with the weights in each checkpoint.

    Attributes:
        step: number of steps done.
        seconds: duration of these steps and the validations.
        waiting_seconds: the part of it in which no batch was ready.
        checkpoint: name of the file with the weights of this step.
        best_score: of all validations; -1 before the first.
        best_scores: all scores of the best validation.
        best_step: step of the best validation.
        validations_since_best: number of validations after the best one.
        plateau_factor: the factor that the plateau schedule has reached for the learning rate.
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
    """Checks that a run's folder has no checkpoints of another network than the one to be trained.

    Raises:
        UsageError: it has; or it has no checkpoint, but ``must_exist`` is set.
    """
    if not (run / _STATE).is_file() or not (run / _CONFIG).is_file():
        if must_exist:
            raise UsageError(
                f"--resume: {run} has no checkpoint to resume from; give the --output of a run, or leave out --resume"
            )
        return
    before, now = (_what_is_trained(c) for c in (json.loads((run / _CONFIG).read_text()), config.to_json()))
    for name, value in now.items():
        if json.dumps(before.get(name)) != json.dumps(value):
            raise UsageError(
                f"{run} has a run with {name} {before.get(name)}, but now it is {value}; give another --output to "
                "start a new run, or the command of that run to resume it"
            )


def _what_is_trained(config: dict[str, Any]) -> dict[str, Any]:
    """The settings that must stay the same in a run; data, learning rate and length may change."""
    options = {_RENAMED_OPTIONS.get(name, name): value for name, value in config.get("options", {}).items()}
    parts = {name: options[name] for name in _NETWORK_OPTIONS if name in options}
    same = {name: config.get(name) for name in ("task", "arch", "init", "mixed_precision")}
    return {**same, **parts}


def resume(learner: keras.Model, config: TrainingConfig, run: Path) -> Progress:
    """Loads the last checkpoint, if there is one, into the learner and returns its progress.

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
                f"{run / progress.checkpoint}: its weights don't fit this network, for example because the data have "
                f"other characters or words than when the run began; give another --output for a new run ({error})"
            ) from error
    run.mkdir(parents=True, exist_ok=True)
    with durable_files.replacing(run / _CONFIG) as file:
        file.write(f"{json.dumps(config.to_json(), indent=2)}\n".encode())
    return progress


def save_checkpoint(learner: keras.Model, progress: Progress, run: Path, keep: int) -> None:
    """Saves weights and optimizer, then renames the state file that names them, so that a kill loses no checkpoint.

    Only the newest ``keep`` checkpoints are kept.
    """
    name = f"checkpoint-{progress.step:08d}.weights.h5"
    if name != progress.checkpoint:
        save_weights(learner, run / name)
        progress.checkpoint = name
    with durable_files.replacing(run / _STATE) as file:
        file.write(json.dumps(vars(progress)).encode())
    _remove_old(run, progress.checkpoint, keep)


def save_weights(model: keras.Model, path: Path) -> None:
    """Like ``model.save_weights``, except that the file appears when it is whole.

    The file is put together in memory: where a disk is full, HDF5 ends the process with a segmentation fault.
    """
    buffer = io.BytesIO()
    store = saving_lib.H5IOStore(buffer, mode="w")
    saving_lib._save_state(model, weights_store=store, assets_store=None, inner_path="", visited_saveables=set())
    store.close()
    with durable_files.replacing(path) as file:
        file.write(buffer.getbuffer())


def _remove_old(run: Path, newest: str, keep: int) -> None:
    """Removes all but the newest checkpoints, and later ones of a run that was killed before its state named them."""
    names = sorted(path.name for path in run.glob("checkpoint-*.weights.h5"))
    so_far = [name for name in names if name <= newest]
    for name in set(names) - set(so_far[-keep:]):
        (run / name).unlink()
