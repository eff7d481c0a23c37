"""The training loop: steps, schedule, checkpoints, validation, logs, and the best weights as a bundle."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from ocr_models import __version__
from ocr_models.bundle import check_not_shipped, write_bundle
from ocr_models.inference.onnx_export import export_onnx
from ocr_models.training.checkpoints import Progress, check_same_run, resume, save_checkpoint
from ocr_models.training.config import TrainingConfig
from ocr_models.training.devices import devices_of, in_float32
from ocr_models.training.interrupts import Interrupted, StopRequest
from ocr_models.training.run_log import RunLog
from ocr_models.training.run_report import write_report
from ocr_models.training.streams import BatchStream
from ocr_models.training.task import TrainingTask, Validation
from ocr_models.training.tasks import TASKS

_LOG_EVERY = 50
_FIRST_STEPS = 10  # in which functions are compiled and batches are awaited; they tell nothing of the pace
_SEEN = 32  # batches, the last ones, that tell the ranges of values in the 8-bit ONNX file
_PLATEAU = 2  # the plateau schedule halves the learning rate after so many validations without a better score


def train(
    config: TrainingConfig, output: Path, command: str = "", show_progress: bool = True, must_resume: bool = False
) -> dict[str, float]:
    """Trains a model, or resumes its training, and writes the best weights as a bundle.

    Args:
        config: of the run. A resumed run keeps its step, its optimizer and its best score.
        output: folder of the bundle. ``output/../NAME-run`` gets checkpoints, TensorBoard logs, ``config.json``,
            ``history.jsonl`` and, at the end, ``report.html``.
        command: the command of the user, for the report and for the message when the run is interrupted.
        show_progress: whether to show a bar with loss and score.
        must_resume: whether it is an error if there is no run to resume.

    Returns:
        The scores of the best weights.

    Raises:
        UsageError: the run can't start or can't be resumed, or ``output`` is a shipped bundle.
        Interrupted: SIGINT or SIGTERM came, and the run was saved.
    """
    check_not_shipped(output)
    run = output.parent / f"{output.name}-run"
    check_same_run(config, run, must_resume)
    with devices_of(config):
        task = TASKS[config.task](config)
        _compile(task)
        initial = task.network.get_weights() if config.init_share else []
        progress = resume(task.learner, config, run)
        layout = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}{postfix}]"
        with (
            RunLog(run, progress.step) as log,
            tqdm(total=1, disable=not show_progress, dynamic_ncols=True, bar_format=layout) as bar,
        ):
            if progress.step:
                bar.write(f"resuming {run}: {_spent(progress, config)}")
            return _Run(config, task, initial, progress, output, run, log, bar, command).train()


class _Run:
    """A running training: everything that the loop needs."""

    def __init__(
        self,
        config: TrainingConfig,
        task: TrainingTask,
        initial: list[np.ndarray],
        progress: Progress,
        output: Path,
        run: Path,
        log: RunLog,
        bar: tqdm,
        command: str,
    ) -> None:
        self.config, self.task, self.initial, self.progress = config, task, initial, progress
        self.output, self.run, self.log, self.bar, self.command = output, run, log, bar, command
        self.validation: Validation | None = None
        self._snapshots: deque[list[np.ndarray]] = deque(maxlen=config.average)  # weights at checkpoints, the newest
        self._seen: deque[Any] = deque(maxlen=_SEEN)  # inputs of the last batches
        self._checkpoint_due = time.monotonic() + 60 * config.checkpoint_minutes
        self._logged = vars(progress).copy()
        self._measured = progress.step + _FIRST_STEPS, 0.0  # since which step, and after how many seconds

    def train(self) -> dict[str, float]:
        progress, config = self.progress, self.config
        self._show_progress()
        self.bar.refresh()
        with StopRequest() as stop:
            if config.init and progress.step == 0:
                self._validate()  # so that the bundle is never worse than the one it started from
            if self._finished():
                self.bar.write("this run had ended; to train on, give more --steps, --hours or --patience")
            else:
                seed = config.seed + progress.step  # so that a resumed run sees other batches than before
                with BatchStream(self.task.make_batches, seed, config.data_workers, self.task.skipped) as batches:
                    self._steps(iter(batches), stop)
            if stop.signum:
                self._checkpoint()
                raise Interrupted(
                    stop.signum, f"stopped and saved: {_spent(progress, config)}; to resume: {self.command}"
                )
            if progress.step % config.validate_every:
                self._validate()
            self._checkpoint()
            last = self.validation or self.task.validate()  # if the run had ended before
        report = write_report(self.run, config, self.command, progress, self.log.history, last, self.task.skipped)
        self.bar.write(f"report: {report}")
        return progress.best_scores or last.scores

    def _steps(self, batches: Iterator[Any], stop: StopRequest) -> None:
        progress, learner = self.progress, self.task.learner
        batches = itertools.chain([next(batches)], batches)  # don't count the start of the workers as waiting
        losses, since = [], time.monotonic()
        while not self._finished() and not stop.signum:
            waiting_since = time.monotonic()
            inputs, truth = next(batches)
            progress.waiting_seconds += time.monotonic() - waiting_since
            if not isinstance(inputs, dict):  # networks with several inputs have no ONNX form
                self._seen.append(inputs)
            learner.optimizer.learning_rate = self._learning_rate()
            losses.append(float(learner.train_on_batch(inputs, truth)))
            progress.step += 1
            now = time.monotonic()
            progress.seconds, since = progress.seconds + now - since, now
            self._show_progress()
            if len(losses) == _LOG_EVERY:
                self._log_training(losses)
                losses = []
            if progress.step % self.config.validate_every == 0:
                self._validate()
            if now > self._checkpoint_due:
                self._checkpoint()
        if losses:
            self._log_training(losses)

    def _part_done(self) -> float:
        """The share of the run that is done, 0 to 1, by steps or by hours."""
        by_steps = self.progress.step / self.config.steps
        by_hours = self.progress.seconds / (3600 * self.config.hours) if self.config.hours else 0.0
        return max(by_steps, by_hours)

    def _show_progress(self) -> None:
        remaining_s = self._remaining_s()
        left = f", about {tqdm.format_interval(remaining_s)} left" if remaining_s is not None else ""
        self.bar.set_description_str(f"step {self.progress.step:,}{left}", refresh=False)
        self.bar.update(min(1.0, self._part_done()) - self.bar.n)

    def _remaining_s(self) -> float | None:
        """The seconds until the limit of steps or hours that comes first; None while neither is known."""
        progress, config = self.progress, self.config
        limits = [3600 * config.hours - progress.seconds] if config.hours else []
        step, seconds = self._measured
        if progress.step == step:
            self._measured = step, progress.seconds
        elif progress.step > step:
            limits.append((config.steps - progress.step) * (progress.seconds - seconds) / (progress.step - step))
        return max(0.0, min(limits)) if limits else None

    def _finished(self) -> bool:
        stale = self.config.patience and self.progress.validations_since_best >= self.config.patience
        return self._part_done() >= 1 or bool(stale)

    def _learning_rate(self) -> float:
        return self.task.learning_rate(self.progress.step, self._part_done()) * self.progress.plateau_factor

    def _log_training(self, losses: list[float]) -> None:
        progress, before = self.progress, self._logged
        seconds = max(1e-6, progress.seconds - before["seconds"])
        values = {
            "loss": sum(losses) / len(losses),
            "learning_rate": self._learning_rate(),
            "examples_per_s": len(losses) * self.config.batch_size / seconds,
            "share_of_time_waiting": (progress.waiting_seconds - before["waiting_seconds"]) / seconds,
        }
        self._logged = vars(progress).copy()
        self.log.training(progress.step, values)
        scores = _rounded(self.validation.scores) if self.validation else {}
        self.bar.set_postfix(loss=f"{values['loss']:.3f}", per_s=f"{values['examples_per_s']:.0f}", **scores)

    def _validate(self) -> None:
        progress, weights = self.progress, self.task.network.get_weights()
        self.validation = self._best_of(self.task.validate(), weights)
        scores = self.validation.scores
        self.log.validation(progress.step, self.validation)
        is_better, is_as_good = scores["score"] > progress.best_score, scores["score"] == progress.best_score
        progress.validations_since_best = 0 if is_better else progress.validations_since_best + 1
        if is_better or is_as_good:  # of equally good weights, those that were trained longer
            progress.best_score, progress.best_scores, progress.best_step = scores["score"], scores, progress.step
            self._write_bundle(scores)
        self.task.network.set_weights(weights)
        if is_better or is_as_good:
            self._checkpoint()  # otherwise a run that is killed and resumed could replace this bundle by a worse one
        if not is_better and self.config.schedule == "plateau" and progress.validations_since_best % _PLATEAU == 0:
            progress.plateau_factor /= 2
        self.bar.write(f"step {progress.step} after {progress.seconds / 3600:.2f} h: {_rounded(scores)}")
        if self.task.skipped and str(self.task.skipped):
            self.bar.write(str(self.task.skipped))

    def _best_of(self, validation: Validation, weights: list[np.ndarray]) -> Validation:
        """The validation of the network's weights, or that of their mean, which then stays in it, if it is better."""
        if len(self._snapshots) < 2:
            return validation
        means = [np.mean(of_layer, axis=0) for of_layer in zip(*self._snapshots, strict=True)]
        share = self.config.init_share
        if share:
            means = [share * old + (1 - share) * mean for old, mean in zip(self.initial, means, strict=True)]
        self.task.network.set_weights(means)
        of_mean = self.task.validate()
        if of_mean.scores["score"] > validation.scores["score"]:
            return of_mean
        self.task.network.set_weights(weights)
        return validation

    def _write_bundle(self, scores: dict[str, float]) -> None:
        record: dict[str, Any] = {
            "task": self.config.task,
            "arch": self.config.arch,
            "training": self.config.to_json(),
            "metrics": {**scores, "step": self.progress.step, "hours": round(self.progress.seconds / 3600, 3)},
            "versions": {"pagebeam": __version__, "keras": keras.__version__, "backend": keras.backend.backend()},
        }
        if "temperature" in scores:
            record["temperature"] = scores["temperature"]
        network = in_float32(self.task.network, self.task.build)
        write_bundle(self.output, network, record, self.task.charset, export_onnx(network, self._seen))

    def _checkpoint(self) -> None:
        name = self.progress.checkpoint
        save_checkpoint(self.task.learner, self.progress, self.run, self.config.keep_checkpoints)
        if self.progress.checkpoint != name:
            self._snapshots.append(self.task.network.get_weights())
        self._checkpoint_due = time.monotonic() + 60 * self.config.checkpoint_minutes


def _spent(progress: Progress, config: TrainingConfig) -> str:
    """How much of a run is done, in the units of its limits."""
    of = f" of {config.hours:g}" if config.hours else ""
    return f"step {progress.step:,} of {config.steps:,}, {progress.seconds / 3600:.2f}{of} hours of training"


def _compile(task: TrainingTask) -> None:
    # On CPUs, XLA makes these models ten times slower under TensorFlow (measured); JAX always uses XLA.
    task.learner.compile(task.make_optimizer(), jit_compile=keras.backend.backend() == "jax")
    task.learner.optimizer.build(task.learner.trainable_variables)


def _rounded(scores: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.4f}" for name, value in scores.items()}
