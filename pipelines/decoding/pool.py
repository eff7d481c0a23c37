"""Decoding in child processes, which may crash, hang or run out of memory without harming the run.

The children are new processes, never forks, which TensorFlow doesn't survive. One thread feeds each of them, so that
pages are decoded on other cores while the models read.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from ocr_models.errors import DocumentError
from ocr_models.limits import DecodeLimits, cores
from pipelines.decoding.child import Answer, Request
from pipelines.decoding.process import DecoderProcess


class DecodePool:
    """A fixed number of decoding child processes.

    Args:
        size: number of children; they start immediately, in the background.
        limits: limits for one document and page.

    Attributes:
        limits: the limits.
    """

    def __init__(self, size: int, limits: DecodeLimits | None = None) -> None:
        self.limits = limits or DecodeLimits()
        self._children: SimpleQueue[DecoderProcess] = SimpleQueue()
        for _ in range(size):
            self._children.put(DecoderProcess(self.limits))
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
        start = time.perf_counter()
        try:
            answer = child.call(request)
            if answer.error:
                raise DocumentError(*answer.error)
            return answer
        except DocumentError as error:
            error.elapsed_ms = (time.perf_counter() - start) * 1000
            raise
        finally:
            self._children.put(child)


_shared_pools: dict[DecodeLimits, DecodePool] = {}
_shared_pools_lock = threading.Lock()


def shared_pool(limits: DecodeLimits | None = None) -> DecodePool:
    """The pool of this process for these limits, with a child for every core that it may use; created on first use."""
    limits = limits or DecodeLimits()
    with _shared_pools_lock:
        if limits not in _shared_pools:
            _shared_pools[limits] = DecodePool(limits.cores or cores(), limits)
        return _shared_pools[limits]


atexit.register(DecoderProcess.kill_all)  # a child that is decoding wouldn't notice the end of this process
