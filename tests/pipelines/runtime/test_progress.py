from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from ocr_models import terminal
from pipelines.inputs.transforms import ReadDocuments
from pipelines.output.run_manifest import RunDescription
from pipelines.output.schemas import PAGES
from pipelines.reading.pipeline import define_pipeline
from pipelines.reading.transforms import ReadPages
from pipelines.runtime import progress
from tests.pipelines import samples
from tests.pipelines.fakes import load_fake_reader


class Asked:
    """A source of counts: it gives or raises the answers in turn, and repeats the last one."""

    def __init__(self, answers: list[Counter[str] | Exception]) -> None:
        self._answers, self._last = iter(answers), answers[-1]
        self._is_over = threading.Event()

    def __call__(self) -> Counter[str]:
        answer = next(self._answers, None)
        if answer is None:  # what came of the answers is shown
            self._is_over.set()
        if isinstance(answer := self._last if answer is None else answer, Exception):
            raise answer
        return answer

    def wait(self) -> None:
        """Returns when all answers were given and shown."""
        assert self._is_over.wait(60)


def test_metrics_and_local_counts_agree(tmp_path):
    samples.write_png(tmp_path / "in/good.png", 1)
    (tmp_path / "in/bad.png").write_bytes(b"")
    (tmp_path / "in/two.pdf").write_bytes(samples.pdf_bytes(["", "0 0 9 9 re f"]))
    progress.start_counting()

    pipeline = beam.Pipeline(FnApiRunner(), PipelineOptions(["--direct_running_mode=multi_threading"]))
    run = RunDescription("run", [str(tmp_path / "in")], PAGES)
    documents = pipeline | ReadDocuments([str(tmp_path / "in")])
    define_pipeline(documents, str(tmp_path / "out"), run, ReadPages(load_fake_reader))
    result = pipeline.run()

    expected = Counter(opened=3, expected=4, ok=2, blank=1, failed=1)
    assert progress.local_counts() == expected
    assert progress.metric_counts(result) == expected
    times = {timing.key.metric.name: timing.result.count for timing in result.metrics().query()["distributions"]}
    assert times["decode_ms"] == times["read_ms"] == 3  # the empty file came to neither


def test_worker_processes_are_counted():
    count = "from pipelines.runtime.progress import count_pages; count_pages('ok', 3); count_pages('failed')"
    progress.start_counting()

    with progress.counting_processes():
        progress.count_pages("ok")
        for _ in range(2):
            subprocess.run([sys.executable, "-c", count], check=True)
        counts = progress.local_counts()

    assert counts == Counter(ok=7, failed=2)
    assert progress.local_counts() == Counter(ok=1)


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_REFRESH_S", 0.01)

    with progress.ProgressBar(asked := Asked([Counter(expected=9, ok=3, blank=1, failed=2)])):
        asked.wait()

    assert capsys.readouterr().err.splitlines()[0] == "6 of 9 pages, 2 failed"


def test_a_line_of_progress_has_its_numbers_for_programs(capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_REFRESH_S", 0.01)
    monkeypatch.setattr(terminal, "_format", terminal.LogFormat.JSON)

    with progress.ProgressBar(asked := Asked([Counter(expected=9, ok=3, blank=1, failed=2, known=40)])):
        asked.wait()

    line = json.loads(capsys.readouterr().err.splitlines()[0])
    assert line["message"] == "6 of 9 pages, 40 known, 2 failed"
    numbers = {"done": 6, "left": 3, "expected": 9, "known": 40, "failed": 2, "per_s": None}
    assert {name: line[f"pages_{name}"] for name in numbers} == numbers and line["eta_s"] is None


def test_a_runner_that_cannot_tell_costs_no_progress_later(capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_REFRESH_S", 0.01)
    answers = [ZeroDivisionError(), Counter(), Counter(expected=2, ok=1), ZeroDivisionError()]

    with progress.ProgressBar(asked := Asked(answers)):
        asked.wait()

    lines = capsys.readouterr().err.splitlines()
    assert set(lines) == {"1 of 2 pages, 0 failed"}


def test_pace_and_remaining_time_say_nothing_of_the_time_before_the_first_pages():
    pace = progress.Pace()
    for now_s, done in [(0, 0), (20, 0), (20.5, 8), (21, 8), (25, 16)]:  # 20 s for loading the models
        pace.note(done, now_s)
        assert pace.per_second is None and pace.remaining_s(9) is None  # not yet seen for long

    pace.note(32, 26.5)
    pace.note(32, 29.5)  # the next batch isn't done yet
    assert pace.per_second == (32 - 8) / (26.5 - 20.5)
    assert pace.remaining_s(100) == 25


def test_pages_that_take_long_are_not_promised_at_once():
    pace = progress.Pace()
    for now_s, done in [(2, 2), (10, 38), (40, 38)]:  # nothing for 30 seconds
        pace.note(done, now_s)

    assert pace.per_second == 4.5  # as long as nothing else is known
    assert pace.remaining_s(2) == 30 and pace.remaining_s(900) == 200
    assert pace.remaining_s(0) == 0  # all are done, and being written
