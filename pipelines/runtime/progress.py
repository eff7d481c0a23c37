"""The progress of a run: counts of pages, shown while it runs.

Local workers are threads of the process that shows the progress, and count in its memory, or processes, which write
their counts to files in a temporary folder. From other runners the same counts come back as Beam metrics.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.runners.runner import PipelineResult
from tqdm import tqdm

from ocr_models.terminal import LogFormat, log_format, tell

NAMESPACE = "pagebeam"
EXPECTED = "expected"
KNOWN = "known"  # pages that earlier runs read
LISTED, OPENED = "listed", "opened"  # documents: what a run opens from first to last, and has opened so far
REFRESH_S = 0.5  # of the bar on a terminal
QUIET_REFRESH_S = 30.0  # between the lines elsewhere, as in a log
PACE_S = 5.0  # pages come in batches of up to 8 per worker, at 5 pages/s: after 5 s, a pace rests on several of them

Element = TypeVar("Element")

_FOLDER = "PAGEBEAM_COUNTS"  # an environment variable, which worker processes inherit

_counts: Counter[str] = Counter()
_counts_lock = threading.Lock()
_is_launcher = False  # and not a worker process, whose counts others look up


def count_pages(name: str, pages: int = 1) -> None:
    """Counts pages, or other elements, by their outcome, in this process and as the Beam metric ``pages_<name>``.

    Args:
        name: "ok", "blank", "unknown_script", "failed", or ``EXPECTED`` and ``OPENED`` when a document is opened.
        pages: number of pages, or documents.
    """
    Metrics.counter(NAMESPACE, f"pages_{name}").inc(pages)
    with _counts_lock:
        _counts[name] += pages
        if (folder := os.environ.get(_FOLDER)) and not _is_launcher:
            with contextlib.suppress(OSError):  # a full disk must not end a run for its progress
                Path(folder, str(os.getpid())).write_text(json.dumps(_counts))


def count_expected(element: Element) -> Element:
    """Counts an element as expected and returns it, for ``beam.Map``."""
    count_pages(EXPECTED)
    return element


def observe_ms(stage: str, elapsed_ms: float) -> None:
    """Adds the time that a page took in a stage to the Beam metric ``<stage>_ms``."""
    Metrics.distribution(NAMESPACE, f"{stage}_ms").update(round(elapsed_ms))


def start_counting(counts: Counter[str] | None = None) -> None:
    """Sets this process's counts before a run."""
    with _counts_lock:
        _counts.clear()
        _counts.update(+counts if counts else {})


@contextlib.contextmanager
def counting_processes() -> Iterator[None]:
    """Within the ``with`` block, ``local_counts`` has the counts of the processes that are started in it, too."""
    global _is_launcher
    with tempfile.TemporaryDirectory(prefix="pagebeam-", ignore_cleanup_errors=True) as folder:
        os.environ[_FOLDER], _is_launcher = folder, True
        try:
            yield
        finally:
            del os.environ[_FOLDER]
            _is_launcher = False


def local_counts() -> Counter[str]:
    """The counts of this process and, within ``counting_processes``, its workers. Raises ValueError at a bad moment."""
    with _counts_lock:
        counts = _counts.copy()
    folder = os.environ.get(_FOLDER)
    for path in Path(folder).iterdir() if folder else ():
        counts.update(json.loads(path.read_text()))  # at times half written
    return counts


def metric_counts(result: PipelineResult) -> Counter[str]:
    """The counts of a run on any runner that reports metrics."""
    if "_metrics" in vars(result):
        vars(result)["_metrics"] = None  # Beam 2.77's portable runners ask once, and then repeat the first answer
    counts: Counter[str] = Counter()
    for counter in result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]:
        counts[counter.key.metric.name.removeprefix("pages_")] += counter.result  # of each step that counts it
    return counts


class Pace:
    """The pace since the first elements were done. The time before them, in which the models load, says nothing."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)
        self._silent_s = 0.0  # since the last elements were done

    def note(self, done: int, now_s: float) -> None:
        """Notes how many elements are done at a time."""
        if done > self._last[0]:  # in between, a pace would fall with every second
            self._last = done, now_s
            self._first = self._first or self._last
        self._silent_s = now_s - self._last[1]

    @property
    def per_second(self) -> float | None:
        """Elements per second; None until it has been seen for long enough."""
        if self._first is None:
            return None
        done, seconds = (last - first for last, first in zip(self._last, self._first, strict=True))
        return done / seconds if seconds >= PACE_S else None

    def remaining_s(self, elements: int) -> float | None:
        """The seconds that more elements will take: at least as many as nothing has been done for.

        Some pages take much longer than those before them; by the pace alone, no time would be left all the while.
        """
        if not self.per_second:
            return None
        return max(elements / self.per_second, self._silent_s) if elements else 0.0


class ProgressBar:
    """Shows counts on stderr until the ``with`` block ends: as a bar on a terminal, else as a line every 30 seconds.

    Args:
        read_counts: returns the current counts.
        unit: what is counted, in the singular.
    """

    def __init__(self, read_counts: Callable[[], Counter[str]], unit: str = "page") -> None:
        self._read_counts, self._unit = read_counts, unit
        self._pace = Pace()
        self._last: Counter[str] = Counter()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ProgressBar:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _counts(self) -> Counter[str]:
        """The current counts; the last ones if the runner can't tell now, or at all."""
        with contextlib.suppress(Exception):  # each runner has its own kinds of errors
            self._last = self._read_counts()
        return self._last

    def _run(self) -> None:
        if sys.stderr.isatty() and log_format() == LogFormat.TEXT:
            self._show_bar()
        else:
            self._show_lines()

    def _show_bar(self) -> None:
        layout = "{desc}|{bar}| {n_fmt}/{total_fmt} {unit}s [{elapsed}{postfix}]"
        with tqdm(desc="starting", unit=self._unit, dynamic_ncols=True, bar_format=layout) as bar:
            stopped = False
            while not stopped:
                stopped = self._stopped.wait(REFRESH_S)
                counts = self._counts()
                bar.total, bar.n = pages_expected(counts) or None, pages_done(counts)
                if bar.total and bar.n:
                    bar.set_description_str(f"{bar.n / bar.total:4.0%}", refresh=False)
                bar.set_postfix_str(self._describe(counts), refresh=False)
                bar.refresh()

    def _show_lines(self) -> None:
        while not self._stopped.wait(QUIET_REFRESH_S):
            counts = self._counts()
            done, described = pages_done(counts), self._describe(counts)
            if not counts[EXPECTED]:
                continue  # nothing is known yet
            about = "about " if counts[LISTED] > counts[OPENED] else ""
            tell(
                f"{done} of {about}{pages_expected(counts)} {self._unit}s, {described}",
                event="progress",
                **self._fields(counts, done),
            )

    def _describe(self, counts: Counter[str]) -> str:
        """The pace, the remaining time and the failures, as far as they are known."""
        self._pace.note(pages_done(counts), time.monotonic())
        rate, remaining_s = self._pace.per_second, self._pace.remaining_s(pages_expected(counts) - pages_done(counts))
        known = [f"{rate:.2f} {self._unit}s/s"] if rate else []
        known += [f"about {tqdm.format_interval(remaining_s)} left"] if remaining_s else []
        known += [f"{counts[KNOWN]:,} known"] if counts[KNOWN] else []
        return ", ".join([*known, f"{counts['failed']} failed"])

    def _fields(self, counts: Counter[str], done: int) -> dict[str, Any]:
        """What ``_describe`` says, for programs."""
        expected = pages_expected(counts)
        left = expected - done
        numbers = {"done": done, "left": left, EXPECTED: expected, **{name: counts[name] for name in (KNOWN, "failed")}}
        rate, remaining_s = self._pace.per_second, self._pace.remaining_s(left)
        return {
            **{f"{self._unit}s_{name}": number for name, number in numbers.items()},
            f"{self._unit}s_per_s": None if rate is None else round(rate, 3),
            "eta_s": None if remaining_s is None else round(remaining_s),
        }


def pages_expected(counts: Counter[str]) -> int:
    """The pages of the documents that were opened, and about as many of each that is still to be opened."""
    opened = counts[OPENED]
    return round(counts[EXPECTED] * max(counts[LISTED] / opened, 1)) if opened else counts[EXPECTED]


def pages_done(counts: Counter[str]) -> int:
    """The number of pages that have a row, whatever its status."""
    return sum(counts[status] for status in ("ok", "blank", "unknown_script", "failed"))
