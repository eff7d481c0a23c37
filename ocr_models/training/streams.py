"""Batches made in other processes while the model learns: training never waits for pages to render."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

_BATCHES_AHEAD = 24
_PATIENCE_S = 180


def _work(make_batches: Callable[[int], Iterator[Any]], seed: int, batches) -> None:
    import cv2

    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        for batch in make_batches(seed):
            batches.put(batch)
    except Exception as error:
        batches.put(error)
        raise


def _end_with_parent() -> None:
    """Ends a worker whose trainer was killed: it would wait for room in its queue forever, with all its memory."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class BatchStream:
    """Iterates over what ``workers`` processes make; use as a context manager, so that they end with it.

    ``make_batches(seed)`` is pickled into each worker, which gets a seed of its own. An error in a worker is raised
    here, at the next batch.
    """

    def __init__(self, make_batches: Callable[[int], Iterator[Any]], seed: int, workers: int):
        context = multiprocessing.get_context("spawn")
        self._batches: Any = context.Queue(_BATCHES_AHEAD)
        self._workers = [
            context.Process(target=_work, args=(make_batches, seed + 1000 * i, self._batches), daemon=True)
            for i in range(workers)
        ]

    def __enter__(self) -> BatchStream:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *exc_info) -> None:
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.join()

    def __iter__(self) -> Iterator[Any]:
        while True:
            batch = self._next()
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def _next(self) -> Any:
        for _ in range(_PATIENCE_S):
            alive = any(worker.is_alive() for worker in self._workers)
            try:
                return self._batches.get(timeout=1)
            except queue.Empty:
                if not alive:
                    raise RuntimeError("all workers that make batches have died; see their messages above") from None
        raise RuntimeError(f"no training batch came in {_PATIENCE_S} s; see the workers' messages above")
