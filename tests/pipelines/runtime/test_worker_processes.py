"""Worker processes of the local runner that are lost, in runs of their own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kill_runs import ROWS_PER_SHARD, processes_of, start, view, write_documents


@pytest.mark.parametrize("victim", [b"sh\0-c", b"python"])  # the shell in which Beam starts a worker, or the worker
def test_a_run_whose_worker_process_is_killed_ends_and_the_next_goes_on(tmp_path: Path, victim: bytes):
    inputs, output, read_pages = tmp_path / "in", tmp_path / "out", tmp_path / "read"
    write_documents(inputs, np.random.default_rng(1), 60)
    read_pages.touch()
    process = start(inputs, output, read_pages, "processes")
    while process.poll() is None and len(read_pages.read_text().split()) < ROWS_PER_SHARD:
        time.sleep(0.05)
    workers = set(processes_of(read_pages, b"sdk_worker_main")) & set(processes_of(read_pages, victim))

    os.kill(max(workers), signal.SIGKILL)
    told = process.communicate(timeout=60)[0].decode()

    assert process.returncode == 1
    assert told.splitlines()[-1].startswith("pagebeam: a worker process was lost (Worker subprocess exited with ")
    assert processes_of(read_pages, b"") == []
    again = start(inputs, output, read_pages, "threads")
    told = again.communicate(timeout=60)[0].decode()
    assert again.returncode == 0 and processes_of(read_pages, b"") == []
    pages = view(output)
    assert len(pages) == len(set(pages)) == len({page_id for _, _, page_id, *_ in pages})
    read_twice = len(read_pages.read_text().split()) - len(pages)
    assert read_twice <= 2 * (ROWS_PER_SHARD + 8)  # of each worker, the shard and the batch under way
