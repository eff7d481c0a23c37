"""Runs that are stopped by signals, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from ocr_models.charset import Charset
from ocr_models.training.cli import main
from ocr_models.training.interrupts import StopRequest
from tests.shards import striped_word, word_example, write_shard

ROOT = Path(__file__).parents[2]
_PATIENCE_S = 120


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    for split in ("train", "validation"):
        write_shard(folder / f"{split}-0", [word_example(striped_word(text), text) for text in ("ab", "ba", "bb")])
    Charset("ab").save(folder / "charset.txt")
    return folder


def arguments(words, output, *options):
    data = ["--data", words, "--validation", words, "--batch-size", 4]
    return [str(x) for x in ["recognition", "--output", output, *data, *options]]


def start(*args):
    command = [sys.executable, "-m", "ocr_models.training.cli", *arguments(*args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition):
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def state(run):
    return json.loads((run / "checkpoint.json").read_text())


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_is_saved_and_says_how_to_go_on(words, tmp_path, signum, status):
    run = tmp_path / "crnn-run"
    process = start(words, tmp_path / "crnn", "--steps", 100_000, "--validate-every", 100_000)
    wait_for(lambda: list((run / "logs").glob("events.*")) if run.exists() else False)
    wait_for(lambda: (run / "history.jsonl").read_text())  # 50 steps
    assert not (run / "checkpoint.json").exists()

    process.send_signal(signum)
    _, told = process.communicate(timeout=_PATIENCE_S)

    assert process.returncode == status
    step = state(run)["step"]
    command = " ".join(["pagebeam train", *arguments(words, tmp_path / "crnn", "--steps", 100_000)])
    assert f"stopped and saved: step {step} of 100,000, 0.0" in told and f"to resume: {command}" in told
    assert step >= 50 and (run / state(run)["checkpoint"]).is_file()


def test_killed_run_goes_on_from_its_last_checkpoint(words, tmp_path):
    run = tmp_path / "crnn-run"
    process = start(words, tmp_path / "crnn", "--steps", 100_000, "--checkpoint-minutes", 0.001)
    wait_for(lambda: len(list(run.glob("checkpoint-*.weights.h5"))) >= 5)

    process.kill()
    process.wait()

    step = state(run)["step"]
    assert main(arguments(words, tmp_path / "crnn", "--steps", step + 3)) == 0
    assert state(run)["step"] == step + 3
    assert (run / "report.html").is_file()
    assert len(list(run.glob("checkpoint-*.weights.h5"))) == 5


def test_second_signal_ends_the_process_at_once():
    code = """if __name__ == "__main__":
        import time
        from ocr_models.training.interrupts import StopRequest
        with StopRequest() as stop:
            print("ready", flush=True)
            while not stop.signum:
                time.sleep(0.01)
            print("noted", flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "noted\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == -signal.SIGINT


def test_handlers_are_as_before_after_a_run():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signum == signal.SIGINT
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_deterministic_runs_give_the_same_weights(words, tmp_path):
    """In processes of their own, as they were started twice."""
    options = ["--steps", 4, "--deterministic", "--data-workers", 2]
    runs = [start(words, tmp_path / name, *options) for name in ("one", "two")]
    assert [run.wait(timeout=_PATIENCE_S) for run in runs] == [0, 0]
    one, two = (keras.saving.load_model(tmp_path / name / "model.keras").get_weights() for name in ("one", "two"))
    for weight, other in zip(one, two, strict=True):
        np.testing.assert_array_equal(weight, other)
