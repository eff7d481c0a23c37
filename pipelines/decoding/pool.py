"""Decoding in child processes, which may crash, hang or run out of memory without harming the run.

The children are new processes, never forks, which TensorFlow doesn't survive. One thread feeds each of them, so that
pages are decoded on other cores while the models read.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue

from ocr_models.errors import DocumentError
from pipelines.decoding.child import Answer, Request

TIME_LIMIT_S = 60.0
MEMORY_LIMIT_BYTES = 2 << 30
CHILD_CODE = "from pipelines.decoding.child import main; main()"


@dataclass(frozen=True)
class DecodeLimits:
    """Limits for decoding one page.

    Attributes:
        time_s: seconds after which the decoder is considered hung.
        memory_bytes: address space of a child process, which itself takes about 200 MB of it.
    """

    time_s: float = TIME_LIMIT_S
    memory_bytes: int = MEMORY_LIMIT_BYTES


class DecodePool:
    """A fixed number of decoding child processes.

    Args:
        size: number of children; they start immediately, in the background.
        limits: limits for one page.
    """

    def __init__(self, size: int, limits: DecodeLimits | None = None) -> None:
        self._children: SimpleQueue[_Child] = SimpleQueue()
        for _ in range(size):
            self._children.put(_Child(limits or DecodeLimits()))
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="decode")
        for _ in range(size):
            self._threads.submit(self._start_child)

    def submit(self, request: Request) -> Future[Answer]:
        """Queues a request and returns immediately.

        Returns:
            A future of the answer. Its result() raises DocumentError if the document is bad, or if decoding it crashed
            the child or exceeded a limit.
        """
        return self._threads.submit(self.call, request)

    def start(self, function: Callable[[], None]) -> None:
        """Queues a function that uses ``call``; it runs in one of the pool's threads."""
        self._threads.submit(function)

    def close(self) -> None:
        """Stops the children and drops requests that are still queued."""
        self._threads.shutdown(cancel_futures=True)
        while not self._children.empty():
            self._children.get().stop()

    def _start_child(self) -> None:
        child = self._children.get()
        try:
            child.start()
        finally:
            self._children.put(child)

    def call(self, request: Request) -> Answer:
        """Waits for a free child and for its answer. Raises DocumentError as ``submit`` describes."""
        child = self._children.get()
        try:
            answer = child.call(request)
        finally:
            self._children.put(child)
        if answer.error:
            raise DocumentError(*answer.error)
        return answer


class _Child:
    """One decoding process, which is restarted if it was lost."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None

    def call(self, request: Request) -> Answer:
        """Sends a request and waits for the answer, for at most the time limit."""
        self.start()
        assert self._connection is not None
        try:
            self._connection.send(request)
            if self._connection.poll(self._limits.time_s):
                return self._connection.recv()
        except (EOFError, OSError) as error:
            exit_status = self.stop()
            raise DocumentError(request.stage, f"the document crashed its decoder ({exit_status})") from error
        self.stop()
        raise DocumentError(request.stage, f"decoding took more than {self._limits.time_s:g} s and was stopped")

    def stop(self) -> str:
        """Stops the process, if there is one, and returns how it ended."""
        if self._process is None:
            return "not running"
        assert self._connection is not None
        self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)  # a crashed process is about to end with a status of its own
        self._process.kill()
        status = self._process.wait()
        self._process = self._connection = None
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def start(self) -> None:
        """Starts the process unless it is running."""
        if self._process is not None:
            return
        connection, childs_end = multiprocessing.Pipe()
        with childs_end:
            process = subprocess.Popen(
                [sys.executable, "-c", CHILD_CODE, str(childs_end.fileno()), str(self._limits.memory_bytes)],
                pass_fds=[childs_end.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
            )
        try:
            connection.recv()  # it is ready: the time limit doesn't include its start
        except EOFError as error:
            raise RuntimeError(f"the decoder process ended during its start with status {process.wait()}") from error
        self._process, self._connection = process, connection


_shared_pool: DecodePool | None = None
_shared_pool_lock = threading.Lock()


def shared_pool() -> DecodePool:
    """The pool of this process, with a child for every core; created on first use."""
    global _shared_pool
    with _shared_pool_lock:
        if _shared_pool is None:
            _shared_pool = DecodePool(os.cpu_count() or 1)
        return _shared_pool
