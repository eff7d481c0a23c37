"""Batches made by other processes, so that training doesn't wait for pages to render."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ocr_models.data.loading.skips import SkipCounts
from ocr_models.errors import PagebeamError

_BATCHES_AHEAD = 24
_PATIENCE_S = 180


def _work(make_batches: Callable[[int], Iterator[Any]], seed: int, batches) -> None:
    import cv2

    for signum in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # Ctrl-C reaches all processes of a terminal; only the trainer handles it
        signal.signal(signum, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        for batch in make_batches(seed):
            batches.put(batch)
    except Exception as error:
        batches.put(error)
        raise


def _end_with_parent() -> None:
    """Ends a worker whose trainer was killed; otherwise it would wait for room in its queue forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class BatchStream:
    """Iterates over batches that ``workers`` processes make; a context manager that ends the processes.

    ``make_batches(seed)`` is pickled into each worker, with a different seed for each. Batches are taken from the
    workers in turn, so that their order doesn't depend on speed. An error in a worker is raised here, at its next
    batch. If a worker has died or makes no batch for ``_PATIENCE_S`` seconds, ``PagebeamError`` is raised; ``skipped``
    may explain it.
    """

    def __init__(
        self,
        make_batches: Callable[[int], Iterator[Any]],
        seed: int,
        workers: int,
        skipped: SkipCounts | None = None,
    ) -> None:
        self._skipped = skipped
        context = multiprocessing.get_context("spawn")
        self._queues: list[Any] = [context.Queue(-(-_BATCHES_AHEAD // workers)) for _ in range(workers)]
        self._workers = [
            context.Process(target=_work, args=(make_batches, seed + 1000 * i, batches), daemon=True)
            for i, batches in enumerate(self._queues)
        ]

    def __enter__(self) -> BatchStream:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *exc_info) -> None:
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.join()

    def __iter__(self) -> Iterator[Any]:
        for worker, batches in itertools.cycle(zip(self._workers, self._queues, strict=True)):
            batch = self._next(worker, batches)
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def _next(self, worker: Any, batches: Any) -> Any:
        for _ in range(_PATIENCE_S):
            alive = worker.is_alive()
            try:
                return batches.get(timeout=1)
            except queue.Empty:
                if not alive:
                    raise PagebeamError("a process that makes batches has died; see its message above") from None
        why = str(self._skipped or "") or "see the messages of the workers above"
        raise PagebeamError(f"no training batch came in {_PATIENCE_S} s: {why}")
