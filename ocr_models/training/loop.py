"""The training loop: steps, schedule, checkpoints, validation, logs, and the best weights as a bundle."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
from tensorboardX import SummaryWriter
from tqdm import tqdm

from ocr_models import __version__
from ocr_models.bundle import write_bundle
from ocr_models.errors import UsageError
from ocr_models.training.config import TrainingConfig
from ocr_models.training.streams import BatchStream
from ocr_models.training.task import Task
from ocr_models.training.tasks import TASKS

_LOG_EVERY = 50
_STATE, _CONFIG = "checkpoint.json", "config.json"
# Options that decide which network is trained, and which parts of it.
_NETWORK_OPTIONS = ("attention", "freeze_stem", "shrink_ratio", "stem_weights", "fine_tune_rate", "overfit")
_PLATEAU = 2  # validations without a better score, after which the plateau schedule halves the learning rate


@dataclass
class _Progress:
    """Where a run stands; kept beside the weights in each checkpoint.

    Attributes:
        step: steps done.
        seconds: that they took, with validations.
        checkpoint: the file with the weights of this step.
        best_score: of all validations; -1 before the first.
        best_scores: that validation's scores.
        validations_since_best: how many there were.
        plateau_factor: what the plateau schedule has left of the learning rate.
    """

    step: int = 0
    seconds: float = 0.0
    checkpoint: str = ""
    best_score: float = -1.0
    best_scores: dict[str, float] = field(default_factory=dict)
    validations_since_best: int = 0
    plateau_factor: float = 1.0


def train(config: TrainingConfig, output: Path, show_progress: bool = True) -> dict[str, float]:
    """Trains, or goes on with, a model and writes the best weights as a bundle.

    Args:
        config: the run's configuration. A run that is resumed keeps its step, its optimizer and its best score.
        output: the bundle's folder. ``output/../NAME-run`` keeps checkpoints, TensorBoard logs and ``config.json``.
        show_progress: a bar with loss and score.

    Returns:
        The scores of the best weights.
    """
    keras.utils.set_random_seed(config.seed)
    run = output.parent / f"{output.name}-run"
    _check_same_run(config, run)
    task = TASKS[config.task](config)
    _compile(task)
    run.mkdir(parents=True, exist_ok=True)
    progress = _resume(task, run)
    (run / _CONFIG).write_text(json.dumps(config.to_json(), indent=2) + "\n")
    with (
        SummaryWriter(str(run / "logs")) as log,
        BatchStream(task.make_batches, config.seed + progress.step, config.data_workers) as batches,
        tqdm(total=config.steps, initial=progress.step, disable=not show_progress, unit="step") as bar,
    ):
        return _Run(config, task, progress, output, run, log, bar).steps(iter(batches))


class _Run:
    """A run under way: everything the loop needs, so that its steps read plainly."""

    def __init__(self, config: TrainingConfig, task: Task, progress: _Progress, output: Path, run: Path, log, bar):
        self.config, self.task, self.progress = config, task, progress
        self.output, self.run, self.log, self.bar = output, run, log, bar
        self.scores: dict[str, float] = {}
        self._checkpoint_due = time.monotonic() + 60 * config.checkpoint_minutes
        self._logged_at = progress.seconds

    def steps(self, batches) -> dict[str, float]:
        progress, learner = self.progress, self.task.learner
        losses, since = [], time.monotonic()
        while not self._finished():
            waited = time.monotonic()
            inputs, truth = next(batches)
            waited = time.monotonic() - waited
            learner.optimizer.learning_rate = self._learning_rate()
            losses.append((float(learner.train_on_batch(inputs, truth)), waited, self.config.batch_size))
            progress.step += 1
            now = time.monotonic()
            progress.seconds, since = progress.seconds + now - since, now
            self.bar.update()
            if len(losses) == _LOG_EVERY:
                self._log_losses(losses)
                losses, self._logged_at = [], progress.seconds
            if progress.step % self.config.validate_every == 0:
                self._validate()
            if now > self._checkpoint_due:
                self._checkpoint()
        if progress.step % self.config.validate_every:
            self._validate()
        self._checkpoint()
        return progress.best_scores or self.scores

    def _part_done(self) -> float:
        """How much of the run is behind it, 0 to 1, by steps or by hours."""
        by_steps = self.progress.step / self.config.steps
        by_hours = self.progress.seconds / (3600 * self.config.hours) if self.config.hours else 0.0
        return max(by_steps, by_hours)

    def _finished(self) -> bool:
        stale = self.config.patience and self.progress.validations_since_best >= self.config.patience
        return self._part_done() >= 1 or bool(stale)

    def _learning_rate(self) -> float:
        return self.task.learning_rate(self.progress.step, self._part_done()) * self.progress.plateau_factor

    def _log_losses(self, losses: list[tuple[float, float, int]]) -> None:
        loss = sum(loss for loss, _, _ in losses) / len(losses)
        seconds = max(1e-6, self.progress.seconds - self._logged_at)
        values = {
            "loss": loss,
            "learning_rate": self._learning_rate(),
            "examples_per_s": sum(count for _, _, count in losses) / seconds,
            "share_of_time_waiting": sum(waited for _, waited, _ in losses) / seconds,
        }
        for name, value in values.items():
            self.log.add_scalar(name, value, self.progress.step)
        self.bar.set_postfix(loss=f"{loss:.3f}", per_s=f"{values['examples_per_s']:.0f}", **_rounded(self.scores))

    def _validate(self) -> None:
        progress = self.progress
        self.scores = self.task.validate()
        for name, value in self.scores.items():
            self.log.add_scalar(f"validation/{name}", value, progress.step)
        progress.validations_since_best += 1
        if self.scores["score"] > progress.best_score:
            progress.best_score, progress.validations_since_best = self.scores["score"], 0
            progress.best_scores = self.scores
            self._write_bundle()
            self._checkpoint()  # or a run that is killed and resumed could put a worse bundle in the place of this one
        elif self.config.schedule == "plateau" and progress.validations_since_best % _PLATEAU == 0:
            progress.plateau_factor /= 2
        self.bar.write(f"step {progress.step} after {progress.seconds / 3600:.2f} h: {_rounded(self.scores)}")

    def _write_bundle(self) -> None:
        record = {
            "task": self.config.task,
            "arch": self.config.arch,
            "training": self.config.to_json(),
            "metrics": {**self.scores, "step": self.progress.step, "hours": round(self.progress.seconds / 3600, 3)},
            "versions": {"pagebeam": __version__, "keras": keras.__version__, "backend": keras.backend.backend()},
        }
        write_bundle(self.output, self.task.network, record, self.task.charset)

    def _checkpoint(self) -> None:
        """Weights and optimizer first, then the state that names them, by a rename: a kill between costs nothing."""
        name = f"checkpoint-{self.progress.step:08d}.weights.h5"
        if name != self.progress.checkpoint:
            unfinished = self.run / f"unfinished-{name}"
            self.task.learner.save_weights(unfinished)
            os.replace(unfinished, self.run / name)
            self.progress.checkpoint = name
        state = self.run / f"unfinished-{_STATE}"
        state.write_text(json.dumps(vars(self.progress)))
        os.replace(state, self.run / _STATE)
        self._remove_old_checkpoints()
        self._checkpoint_due = time.monotonic() + 60 * self.config.checkpoint_minutes

    def _remove_old_checkpoints(self) -> None:
        """Keeps this step's and the newest before it; later ones are of a run that was killed before it named them."""
        names = sorted(path.name for path in self.run.glob("checkpoint-*.weights.h5"))
        so_far = [name for name in names if name <= self.progress.checkpoint]
        for name in set(names) - set(so_far[-self.config.keep_checkpoints :]):
            (self.run / name).unlink()


def _compile(task: Task) -> None:
    optimizer = task.make_optimizer()
    # XLA makes these models ten times slower on CPUs under TensorFlow; JAX has nothing but XLA.
    task.learner.compile(optimizer, jit_compile=keras.backend.backend() == "jax")
    optimizer.build(task.learner.trainable_variables)


def _check_same_run(config: TrainingConfig, run: Path) -> None:
    """Raises UsageError if the folder has checkpoints of another network than the one that is to be trained."""
    if not (run / _STATE).is_file() or not (run / _CONFIG).is_file():
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
    options = config.get("options", {})
    parts = {name: options[name] for name in _NETWORK_OPTIONS if name in options}
    return {"task": config["task"], "arch": config["arch"], "init": config.get("init"), **parts}


def _resume(task: Task, run: Path) -> _Progress:
    if not (run / _STATE).is_file():
        return _Progress()
    progress = _Progress(**json.loads((run / _STATE).read_text()))
    task.learner.load_weights(run / progress.checkpoint)
    return progress


def _rounded(scores: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.4f}" for name, value in scores.items()}
