"""Worker processes of the local runner that are lost, in runs of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks.kill_runs import ROWS_PER_SHARD, processes_of, start, view, write_documents
from ocr_models.limits import CORES
from pipelines.runtime.worker_processes import guarded


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


def test_worker_processes_share_the_cores_of_the_machine(monkeypatch):
    monkeypatch.setenv(CORES, "7")
    starter = ModuleType("starter")
    starter.subprocess = subprocess

    with guarded(starter, 3):
        told = starter.subprocess.Popen(f"echo ${CORES}", shell=True, stdout=subprocess.PIPE).communicate()[0]

    assert told == b"2\n"
    assert starter.subprocess is subprocess
