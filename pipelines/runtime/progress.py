"""The progress of a run: counts of pages, shown while it runs.

Local workers are threads of the process that shows the progress, and count in its memory. From other runners the same
counts come back as Beam metrics.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.runners.runner import PipelineResult
from tqdm import tqdm

from ocr_models.pace import Pace

NAMESPACE = "pagebeam"
EXPECTED = "expected"
REFRESH_S = 0.5  # of the bar on a terminal
QUIET_REFRESH_S = 30.0  # between the lines elsewhere, as in a log

Element = TypeVar("Element")

_counts: Counter[str] = Counter()
_counts_lock = threading.Lock()


def count_pages(name: str, pages: int = 1) -> None:
    """Counts pages, or other elements, by their outcome, in this process and as the Beam metric ``pages_<name>``.

    Args:
        name: "ok", "blank", "unknown_script", "failed", or ``EXPECTED`` when a document is opened.
        pages: number of pages.
    """
    Metrics.counter(NAMESPACE, f"pages_{name}").inc(pages)
    with _counts_lock:
        _counts[name] += pages


def count_expected(element: Element) -> Element:
    """Counts an element as expected and returns it, for ``beam.Map``."""
    count_pages(EXPECTED)
    return element


def observe_ms(stage: str, elapsed_ms: float) -> None:
    """Adds the time that a page took in a stage to the Beam metric ``<stage>_ms``."""
    Metrics.distribution(NAMESPACE, f"{stage}_ms").update(round(elapsed_ms))


def start_counting() -> None:
    """Resets this process's counts before a run."""
    with _counts_lock:
        _counts.clear()


def local_counts() -> Counter[str]:
    """This process's counts."""
    with _counts_lock:
        return _counts.copy()


def metric_counts(result: PipelineResult) -> Counter[str]:
    """The counts of a run on any runner that reports metrics."""
    counters = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    return Counter({counter.key.metric.name.removeprefix("pages_"): counter.result for counter in counters})


class ProgressBar:
    """Shows counts on stderr until the ``with`` block ends: as a bar on a terminal, else as a line every 30 seconds.

    Args:
        read_counts: returns the current counts.
        unit: what is counted, in the singular.
    """

    def __init__(self, read_counts: Callable[[], Counter[str]], unit: str = "page") -> None:
        self._read_counts = read_counts
        self._unit = unit
        self._pace = Pace()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ProgressBar:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        if sys.stderr.isatty():
            self._show_bar()
        else:
            self._show_lines()

    def _show_bar(self) -> None:
        with _Bar(unit=self._unit, dynamic_ncols=True) as bar:
            stopped = False
            while not stopped:
                stopped = self._stopped.wait(REFRESH_S)
                counts = self._read_counts()
                bar.total = counts[EXPECTED] or None
                done = pages_done(counts)
                bar.pace = self._pace.update(done, time.monotonic())
                bar.set_postfix(failed=counts["failed"], refresh=False)
                bar.update(done - bar.n)
                bar.refresh()

    def _show_lines(self) -> None:
        while not self._stopped.wait(QUIET_REFRESH_S):
            counts = self._read_counts()
            done, expected = pages_done(counts), counts[EXPECTED]
            pace = self._pace.update(done, time.monotonic())
            left = (
                f"{pace:.2f} {self._unit}s/s, {tqdm.format_interval((expected - done) / pace)} left, " if pace else ""
            )
            print(f"{done} of {expected} {self._unit}s, {left}{counts['failed']} failed", file=sys.stderr, flush=True)


class _Bar(tqdm):
    """A bar whose rate, and thus the time that is left, is the pace of the run.

    tqdm's own rate leaves out the time between two updates in which nothing was done.
    """

    pace: float | None = None

    @property
    def format_dict(self) -> dict[str, Any]:
        return {**super().format_dict, "rate": self.pace or 0.0}  # with 0, it shows "?"


def pages_done(counts: Counter[str]) -> int:
    """The number of pages that have a row, whatever its status."""
    return sum(counts[status] for status in ("ok", "blank", "unknown_script", "failed"))
