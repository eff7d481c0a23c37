from __future__ import annotations

import io
import time
from collections import Counter

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipelines.reading.run import define_pipeline
from pipelines.reading.run_manifest import RunDescription
from pipelines.reading.schemas import PAGES
from pipelines.reading.transforms import ReadPages
from pipelines.runtime import progress
from tests.pipelines import samples
from tests.pipelines.fakes import load_fake_reader


def test_metrics_and_local_counts_agree(tmp_path):
    samples.write_png(tmp_path / "in/good.png", 1)
    (tmp_path / "in/bad.png").write_bytes(b"")
    (tmp_path / "in/two.pdf").write_bytes(samples.pdf_bytes(["", "0 0 9 9 re f"]))
    progress.start_counting()

    pipeline = beam.Pipeline(FnApiRunner(), PipelineOptions(["--direct_running_mode=multi_threading"]))
    run = RunDescription("run", [str(tmp_path / "in")], PAGES)
    define_pipeline(pipeline, str(tmp_path / "out"), run, ReadPages(load_fake_reader))
    result = pipeline.run()

    expected = Counter(expected=4, ok=2, blank=1, failed=1)
    assert progress.local_counts() == expected
    assert progress.metric_counts(result) == expected
    times = {timing.key.metric.name: timing.result.count for timing in result.metrics().query()["distributions"]}
    assert times["decode_ms"] == times["read_ms"] == 3  # the empty file came to neither


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_REFRESH_S", 0.01)

    with progress.ProgressBar(lambda: Counter(expected=9, ok=3, blank=1, failed=2)):
        time.sleep(0.1)

    assert capsys.readouterr().err.startswith("6 of 9 pages, ")


def test_a_bar_counts_the_time_in_which_nothing_is_done(monkeypatch):
    """Pages come in bursts: after 30 seconds, 20 of 40 pages have come, 19 of them in 0.5 seconds."""
    clock = iter([0.0, 0.5, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    screen = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", screen)
    bar = progress.ProgressBar(lambda: counts.pop(0))
    counts = [Counter(expected=40, ok=done) for done in (1, 20, 20)]
    waits = iter([False, False, True])
    monkeypatch.setattr(bar._stopped, "wait", lambda _: next(waits))

    bar._show_bar()

    states = screen.getvalue().split("\r")
    assert "?" in [state for state in states if "1/40" in state][-1]
    assert "<00:31" in states[-1]  # 20 more at 19 in 29.5 seconds; tqdm alone says 00:00
