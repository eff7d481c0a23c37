"""The command on engines that aren't Beam's local runner: its Python job service, and Prism where it is installed.

Prism is one binary: ``go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0``, of the version of apache-beam.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from benchmarks.kill_runs import processes_of, start, view, write_documents

ROOT = Path(__file__).parents[3]
GO_BIN = Path(os.environ.get("GOBIN") or Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin")
PRISM = shutil.which("prism") or shutil.which("prism", path=GO_BIN)
# Beam's worker pool starts plain "python", which must be this one.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
needs_prism = pytest.mark.skipif(PRISM is None, reason="prism isn't installed; see this module's docstring")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def server(port: int, *command: object, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a server, with the processes that it starts in a group of their own; returns when it listens at a port."""
    process = subprocess.Popen(
        list(map(str, command)),
        env={**ENVIRONMENT, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("localhost", port)):
                break
            time.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass
class Engine:
    """Options for running on an engine, and the port of its job service."""

    options: list[str]
    port: int


@contextlib.contextmanager
def engine(name: str, environment: str, folder: Path) -> Iterator[Engine]:
    """Starts an engine, and the workers of an EXTERNAL environment, whose pages are noted in a file of the folder."""
    port, pool_port = free_port(), free_port()
    beam = (sys.executable, "-m", "apache_beam.runners")
    commands = {
        "prism": (PRISM, "-job_port", port, "-serve_http=false"),
        "python": (*beam[:2], f"{beam[2]}.portability.local_job_service_main", "-p", port),
    }
    worker = folder / "worker.sh"
    worker.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / "process_worker.py"} "$@"\n')
    worker.chmod(0o755)
    config = {"EXTERNAL": f"localhost:{pool_port}", "PROCESS": json.dumps({"command": str(worker)}), "LOOPBACK": ""}
    with contextlib.ExitStack() as servers:
        reads = {"READ_PAGES": str(folder / "read")}
        servers.enter_context(server(port, *commands[name], **reads))
        if environment == "EXTERNAL":
            pool = (*beam[:2], f"{beam[2]}.worker.worker_pool_main", f"--service_port={pool_port}")
            servers.enter_context(server(pool_port, *pool, **reads))
        options = ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", f"--environment_type={environment}"]
        yield Engine([*options, f"--environment_config={config[environment]}"], port)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of documents with some 60 pages."""
    folder = tmp_path_factory.mktemp("engines") / "in"
    write_documents(folder, np.random.default_rng(1), 30)
    return folder


@pytest.fixture(scope="module")
def local_view(inputs: Path) -> list[tuple]:
    """The rows of a run on Beam's local runner."""
    process = start(inputs, inputs.parent / "local", inputs.parent / "ignored", "threads")
    process.communicate(timeout=60)
    return view(inputs.parent / "local")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which ``read`` notes the pages that are read."""
    (tmp_path / "read").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("python", "EXTERNAL"),
        *(pytest.param("prism", kind, marks=needs_prism) for kind in ("LOOPBACK", "EXTERNAL", "PROCESS")),
    ],
)
def test_every_engine_gives_the_rows_of_a_local_run(
    folder: Path, inputs: Path, local_view: list[tuple], name: str, environment: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("QUIET_REFRESH_S", "0.2")
    with engine(name, environment, folder) as other:
        process = start(inputs, folder / "out", folder / "read", "engine", *other.options)
        told = process.communicate(timeout=60)[0].decode()

    assert process.returncode == 0, told
    assert view(folder / "out") == local_view
    shown = [tuple(map(int, found)) for found in re.findall(r"^(\d+) of (?:about )?(\d+) pages", told, re.MULTILINE)]
    assert name == "python" or any(0 < done < total for done, total in shown), told  # the other tells at the end
    assert len(local_view) == len((folder / "read").read_text().split()) > 50


@needs_prism
def test_a_killed_worker_of_an_engine_loses_no_page(folder: Path):
    inputs = folder / "in"
    write_documents(inputs, np.random.default_rng(2), 150)
    with engine("prism", "EXTERNAL", folder) as other:
        process = start(inputs, folder / "out", folder / "read", "engine", *other.options)
        while process.poll() is None and not list(folder.glob("out/_unfinished/*/rows/*.parquet")):
            time.sleep(0.02)
        for pid in processes_of(folder / "read", b"SdkHarness"):
            os.kill(pid, signal.SIGKILL)
        told = process.communicate(timeout=60)[0].decode()

    assert process.returncode == 1  # Prism doesn't retry
    assert told.splitlines()[-1].startswith("pagebeam: the run failed: "), told
    again = start(inputs, folder / "out", folder / "read", "threads")
    assert "pagebeam: took over " in again.communicate(timeout=60)[0].decode()
    pages = view(folder / "out")
    assert len(pages) == len({page_id for _, _, page_id, *_ in pages}) > 50
    assert len((folder / "read").read_text().split()) < 2 * len(pages)


@needs_prism
def test_an_interrupted_command_cancels_its_job(folder: Path):
    inputs = folder / "in"
    write_documents(inputs, np.random.default_rng(2), 200)
    with engine("prism", "EXTERNAL", folder) as other:
        process = start(inputs, folder / "out", folder / "read", "engine", *other.options)
        while process.poll() is None and not (folder / "read").read_text():
            time.sleep(0.02)
        for _ in range(2):  # the second ends the command at once
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        told = process.communicate(timeout=60)[0].decode()
        jobs = beam_job_api_pb2_grpc.JobServiceStub(grpc.insecure_channel(f"localhost:{other.port}"))
        state = jobs.GetState(beam_job_api_pb2.GetJobStateRequest(job_id="job-001")).state

    assert process.returncode == 130, told
    assert state in (beam_job_api_pb2.JobState.CANCELLED, beam_job_api_pb2.JobState.CANCELLING)
