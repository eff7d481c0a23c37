"""What a training shows while it runs: a bar with the time that is left, and what happened to a run before."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from ocr_models.pace import Pace
from ocr_models.training.checkpoints import Progress
from ocr_models.training.config import TrainingConfig

_REFRESH_S = 0.5
_FORMAT = "{percentage:3.0f}%|{bar:20}| {desc}{postfix}"


class TrainingBar:
    """A bar that shows how much of a run is done and how long it will still take; use as a context manager.

    Both are by steps or by hours, whichever ends the run first, and count what was done before the run was resumed.

    Args:
        config: of the run.
        progress: of the run, which ``update`` reads.
        shown: whether there is a bar.
    """

    def __init__(self, config: TrainingConfig, progress: Progress, shown: bool) -> None:
        self._config, self._progress, self._pace = config, progress, Pace(progress.step)
        self._bar = tqdm(
            desc="starting",
            total=1.0,
            initial=config.part_done(progress.step, progress.seconds),
            disable=not shown,
            bar_format=_FORMAT,
            dynamic_ncols=True,
            mininterval=_REFRESH_S,
            miniters=0,
        )

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self) -> None:
        """Shows the progress after a step."""
        config, progress = self._config, self._progress
        left = self._seconds_left()
        of_steps = f" of {config.steps:,}" if config.hours is None else ""
        of_hours = f" of {tqdm.format_interval(3600 * config.hours)}" if config.hours else ""
        time_left = "" if left is None else f", {tqdm.format_interval(left)} left"
        spent = tqdm.format_interval(progress.seconds)
        self._bar.set_description_str(f"step {progress.step:,}{of_steps}, {spent}{of_hours}{time_left}", refresh=False)
        self._bar.update(config.part_done(progress.step, progress.seconds) - self._bar.n)

    def show_values(self, **values: Any) -> None:
        """Shows the loss and other values behind the progress."""
        self._bar.set_postfix(values)

    def write(self, text: str) -> None:
        """Prints a line above the bar."""
        self._bar.write(text)

    def _seconds_left(self) -> float | None:
        """The time to the end of the run; None as long as there is too little to tell it from."""
        config, progress = self._config, self._progress
        per_second = self._pace.update(progress.step, progress.seconds)
        by_steps = [] if per_second is None else [(config.steps - progress.step) / per_second]
        by_hours = [] if config.hours is None else [3600 * config.hours - progress.seconds]
        return max(0.0, min(by_steps + by_hours)) if by_steps + by_hours else None


def describe_earlier(config: TrainingConfig, progress: Progress) -> str:
    """What was done before a run is resumed, in a sentence."""
    best = f"; best score {progress.best_score:.4f} at step {progress.best_step:,}" if progress.best_scores else ""
    return f"resuming at {describe_spent(config, progress)}{best}"


def describe_spent(config: TrainingConfig, progress: Progress) -> str:
    """The steps and hours that a run has had, and those that it may have."""
    of_hours = "" if config.hours is None else f" of {config.hours:g}"
    return f"step {progress.step:,} of {config.steps:,}, after {progress.seconds / 3600:.3g}{of_hours} hours"
