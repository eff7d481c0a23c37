from __future__ import annotations

import itertools
import multiprocessing
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

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


def tell_process_id(seed):
    return itertools.repeat(os.getpid())


def test_workers_make_batches_with_seeds_of_their_own():
    made = defaultdict(list)
    with BatchStream(count_up, seed=7, workers=2) as stream:
        for seed, number in stream:
            made[seed].append(number)
            if len(made) == 2:
                break
    assert set(made) == {7, 1007}
    assert all(numbers == list(range(len(numbers))) for numbers in made.values())
    assert multiprocessing.active_children() == []


def test_error_in_a_worker_is_raised():
    with BatchStream(fail_after_two, seed=1, workers=1) as stream:
        batches = iter(stream)
        assert [next(batches), next(batches)] == [1, 2]
        with pytest.raises(ValueError, match="a page was torn"):
            next(batches)
    assert multiprocessing.active_children() == []


def test_death_of_all_workers_is_noticed():
    with BatchStream(die_after_one, seed=1, workers=1) as stream:
        batches = iter(stream)
        assert next(batches) == 1
        with pytest.raises(RuntimeError, match="have died"):
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
