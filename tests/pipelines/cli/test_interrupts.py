"""Commands that Ctrl-C or SIGTERM ends, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pagebeam
from tests.pipelines import samples

ROOT = Path(__file__).parents[3]

# Runs the command with a fake reader that tells when the first page is read, and then takes its time.
SLOW_RUN = """
import sys, time
from types import SimpleNamespace
from pipelines.cli import main as cli
from pipelines.decoding.process import DecoderProcess
from pipelines.reading import ocr_reader, run_options
from tests.pipelines.fakes import load_fake_reader

class SlowReader:
    def __init__(self):
        self.reader, self.is_first = load_fake_reader(), True
        for name in ("table", "color_mode", "model_ids", "text_layer"):
            setattr(self, name, getattr(self.reader, name))

    def read_pages(self, images):
        if self.is_first:
            print(*[process.pid for process in DecoderProcess._running], flush=True)
        self.is_first = False
        time.sleep({seconds})
        return self.reader.read_pages(images)

run_options.find_bundle = lambda name, task: SimpleNamespace(id="fake@0", digest="0", onnx_path="model.onnx")
ocr_reader.load_reader = lambda *_: SlowReader()
cli.command()
"""


def start(seconds: float, *arguments: object) -> tuple[subprocess.Popen[str], list[str]]:
    """Starts a run whose batches take this long; returns when it reads its first, with the ids of its decoders."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN.replace("{seconds}", str(seconds)), "run", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().split()


SIGNALS = pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@SIGNALS
def test_a_run_that_is_stopped_keeps_what_it_has_read_and_the_next_goes_on(tmp_path, signum, status, run):
    for seed in range(60):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    output = tmp_path / "out"
    process, decoders = start(1, tmp_path / "in", "--output", output, "--workers", 2)

    process.send_signal(signum)
    printed, told = process.communicate(timeout=60)

    assert process.returncode == status
    assert "finishing the pages under way; once more to stop at once" in told
    rows = pagebeam.read_rows(str(output)).num_rows
    assert (
        8 <= rows < 60 and f"stopped ({signum.name}): {60 - rows} pages are left; the same command goes on" in printed
    )
    assert decoders and not any(Path(f"/proc/{pid}").exists() for pid in decoders)
    assert run(tmp_path / "in")[0] == 0
    assert pagebeam.read_rows(str(output)).num_rows == 60 == len(set(pagebeam.read_rows(str(output))["page_id"]))
    assert len(set(pagebeam.read_rows(str(output))["run_id"].to_pylist())) == 2


@SIGNALS
def test_a_second_signal_ends_a_run_at_once(tmp_path, signum, status):
    page, output = samples.write_png(tmp_path / "page.png", 1), tmp_path / "out"
    process, decoders = start(60, page, "--output", output)

    process.send_signal(signum)
    assert process.stderr is not None
    assert any("once more to stop at once" in line for line in process.stderr)  # the first signal was noted
    process.send_signal(signum)
    _, told = process.communicate(timeout=30)

    assert process.returncode == status
    assert told.strip().splitlines()[-1].endswith("ed; what was read is kept, and the same command goes on")
    assert [path for path in output.rglob("*") if path.is_file()] == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in decoders)


def test_at_the_deadline_a_run_stops_with_a_status_of_its_own(tmp_path):
    for seed in range(60):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    process, _ = start(3, tmp_path / "in", "--output", tmp_path / "out", "--workers", 1, "--deadline", "8s")

    printed, _ = process.communicate(timeout=60)

    assert process.returncode == 6
    assert "stopped (deadline): " in printed and "pages are left; the same command goes on" in printed
