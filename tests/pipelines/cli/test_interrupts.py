"""Commands that Ctrl-C or SIGTERM ends, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

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
        self.reader = load_fake_reader()
        self.table, self.color_mode, self.model_ids = self.reader.table, self.reader.color_mode, self.reader.model_ids

    def read_pages(self, images):
        print(*[process.pid for process in DecoderProcess._running], flush=True)
        time.sleep(60)

run_options.find_bundle = lambda name, task: SimpleNamespace(id="fake@0", digest="0")
ocr_reader._load_reader = lambda *_: SlowReader()
cli.command()
"""


@pytest.mark.parametrize(
    ("signum", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_run_that_is_stopped_says_so_and_leaves_nothing(tmp_path, signum, status, word):
    page, output = samples.write_png(tmp_path / "page.png", 1), tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, "run", page, "--output", output, "--workers", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    decoders = process.stdout.readline().split()

    process.send_signal(signum)
    _, told = process.communicate(timeout=60)

    assert process.returncode == status
    assert (
        told.strip().splitlines()[-1]
        == f"pagebeam: {word}; nothing was added to the output; run the same command again"
    )
    assert [path for path in output.rglob("*") if path.is_file()] == []
    assert decoders and not any(Path(f"/proc/{pid}").exists() for pid in decoders)
