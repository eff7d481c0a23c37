"""The report at the end of a run: curves, scores, worst examples and the command."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from ocr_models import __version__, durable_files
from ocr_models.data.loading.skips import SkipCounts
from ocr_models.reports.html_report import Chart, Code, Gallery, Section, Table, render_report
from ocr_models.training.checkpoints import Progress
from ocr_models.training.config import TrainingConfig
from ocr_models.training.task import Validation

REPORT = "report.html"
_CURVES = {
    "loss": "loss",
    "learning_rate": "learning rate",
    "examples_per_s": "examples/s",
    "share_of_time_waiting": "share of time waiting for batches",
}


def write_report(
    run: Path,
    config: TrainingConfig,
    command: str,
    progress: Progress,
    history: list[dict[str, float]],
    validation: Validation,
    skipped: SkipCounts | None,
) -> Path:
    """Writes ``report.html`` into the run's folder.

    Args:
        run: the folder.
        config: of the run.
        command: with which the run was started.
        progress: at the end of the run.
        history: everything that was logged, from the first step on.
        validation: the last one.
        skipped: counts of examples from shards that training couldn't use; None without shards.
    """
    sections = [
        Section("Result", [_summary(progress, skipped), _scores(progress, validation)]),
        Section("Curves", _charts(history)),
        Section("Worst examples", _worst(progress, validation)),
        Section("Command", [Code(command), _configuration(config)]),
        Section("Versions", [_versions()]),
    ]
    path = run / REPORT
    with durable_files.replacing(path) as file:
        file.write(render_report(f"Training {config.task}: {config.arch}", sections).encode())
    return path


def _summary(progress: Progress, skipped: SkipCounts | None) -> str:
    waiting = progress.waiting_seconds / max(1e-9, progress.seconds)
    summary = (
        f"{progress.step:,} steps in {progress.seconds / 3600:.2f} hours. Best score {progress.best_score:.4f} at step "
        f"{progress.best_step:,}. No batch was ready for {waiting:.1%} of the time."
    )
    return f"{summary} Since the last start, {skipped}." if skipped and str(skipped) else summary


def _scores(progress: Progress, validation: Validation) -> Table:
    names = list(dict.fromkeys([*progress.best_scores, *validation.scores]))
    rows = [[name, progress.best_scores.get(name), validation.scores.get(name)] for name in names]
    return Table(["", f"best, step {progress.best_step:,}", f"last, step {progress.step:,}"], rows)


def _charts(history: list[dict[str, float]]) -> list[str | Chart]:
    names = list(dict.fromkeys(name for line in history for name in line if name != "step"))
    charts: list[str | Chart] = []
    for name in names:
        points = [(line["step"], line[name]) for line in history if name in line]
        steps, values = zip(*points, strict=True)
        charts.append(Chart("step", _CURVES.get(name, name.replace("/", ": ")), {name: (steps, values)}))
    return charts or ["The run was too short for curves."]


def _worst(progress: Progress, validation: Validation) -> list[str | Gallery]:
    if not validation.worst:
        return ["None: all examples of the last validation were right, or the task shows none."]
    return [f"From the last validation, at step {progress.step:,}.", Gallery(validation.worst)]


def _configuration(config: TrainingConfig) -> Table:
    return Table(["option", "value"], [[name, str(value)] for name, value in config.to_json().items()])


def _versions() -> Table:
    backend = keras.backend.backend()
    found = {
        "pagebeam": __version__,
        "keras": keras.__version__,
        backend: version(backend),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    return Table(["", "version"], [[name, str(number)] for name, number in found.items()])
