from __future__ import annotations

import itertools
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ocr_models.data.loading.skips import Reason, SkipCounts
from ocr_models.errors import PagebeamError
from ocr_models.training import streams
from ocr_models.training.streams import BatchStream

ROOT = Path(__file__).parents[2]


def count_up(seed):
    return zip(itertools.repeat(seed), itertools.count(), strict=True)


def fail_after_two(seed):
    yield from (seed, seed + 1)
    raise ValueError("a page was torn")


def die_after_one(seed):
    yield seed
    time.sleep(0.5)  # so that the batch is on its way
    os._exit(1)


def make_none(seed):
    time.sleep(60)
    yield seed


def tell_process_id(seed):
    return itertools.repeat(os.getpid())


def test_workers_make_batches_with_seeds_of_their_own():
    with BatchStream(count_up, seed=7, workers=2) as stream:
        made = list(itertools.islice(stream, 6))
    assert made == [(7, 0), (1007, 0), (7, 1), (1007, 1), (7, 2), (1007, 2)]  # in turn, whoever is faster
    assert multiprocessing.active_children() == []


def test_error_in_a_worker_is_raised():
    with BatchStream(fail_after_two, seed=1, workers=1) as stream:
        batches = iter(stream)
        assert [next(batches), next(batches)] == [1, 2]
        with pytest.raises(ValueError, match="a page was torn"):
            next(batches)
    assert multiprocessing.active_children() == []


def test_death_of_a_worker_is_noticed():
    with BatchStream(die_after_one, seed=1, workers=1) as stream:
        batches = iter(stream)
        assert next(batches) == 1
        with pytest.raises(PagebeamError, match="has died"):
            next(batches)


def test_workers_end_when_the_trainer_is_killed():
    code = """if __name__ == "__main__":
        from ocr_models.training.streams import BatchStream
        from tests.training.test_streams import tell_process_id
        with BatchStream(tell_process_id, seed=1, workers=1) as stream:
            for process_id in stream:
                print(process_id, flush=True)
                input()
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    trainer = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **pipes)
    with trainer:
        worker = int(trainer.stdout.readline())
        trainer.kill()
    deadline = time.monotonic() + 20
    while _is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(worker)


def _is_running(process_id):
    """Whether it is there, and not just waiting for its end to be noticed."""
    status = Path(f"/proc/{process_id}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_data_without_an_example_of_use_says_what_is_wrong_with_them(monkeypatch):
    monkeypatch.setattr(streams, "_PATIENCE_S", 1)
    skipped = SkipCounts()
    skipped.add_seen(1)
    skipped.add(Reason.OUTSIDE_CHARSET)
    with (
        BatchStream(make_none, seed=1, workers=1, skipped=skipped) as stream,
        pytest.raises(PagebeamError, match="in 1 s: skipped 1 of 1 examples: 1 with characters outside the charset"),
    ):
        next(iter(stream))
