"""Decoding ahead of the models, within a memory limit."""

from __future__ import annotations

import functools
import threading
from collections import deque
from concurrent.futures import Future

from pipelines.decoding.child import Answer, Request
from pipelines.decoding.pool import DecodePool

AHEAD_AT_ONCE = 2  # requests in the decoders; more would only exceed the memory limit further


class DecodeAhead:
    """Decodes requests in order, before their answers are taken, within a memory limit.

    The size of a page is known only when it is decoded. So no further request is started while the answers that wait to
    be taken have ``max_bytes``; the ``AHEAD_AT_ONCE`` requests in the decoders may then exceed the limit.

    Args:
        pool: the decoders.
        max_bytes: memory for answers that wait to be taken, by the ``nbytes`` of their values.
    """

    def __init__(self, pool: DecodePool, max_bytes: int) -> None:
        self._pool = pool
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._queue: deque[tuple[Request, Future[Answer]]] = deque()
        self._running = 0
        self._waiting_bytes = 0

    def submit(self, request: Request) -> Future[Answer]:
        """Queues a request and returns immediately. Pass the future to ``take``."""
        future: Future[Answer] = Future()
        with self._lock:
            self._queue.append((request, future))
        self._go_on()
        return future

    def take(self, future: Future[Answer]) -> Answer:
        """Waits for an answer. Answers must be taken in the order of their requests.

        Raises:
            DocumentError: see ``DecodePool.submit``.
        """
        answer = future.result()
        with self._lock:
            self._waiting_bytes -= answer.value.nbytes
        self._go_on()
        return answer

    def _go_on(self) -> None:
        with self._lock:
            while self._queue and self._running < AHEAD_AT_ONCE and self._waiting_bytes < self._max_bytes:
                self._running += 1
                self._pool.start(functools.partial(self._decode, *self._queue.popleft()))

    def _decode(self, request: Request, future: Future[Answer]) -> None:
        try:
            answer = self._pool.call(request)
            with self._lock:
                self._waiting_bytes += answer.value.nbytes
            future.set_result(answer)
        except Exception as error:
            future.set_exception(error)
        with self._lock:
            self._running -= 1
        self._go_on()
