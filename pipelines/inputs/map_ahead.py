"""Calls that wait for a file system, some of them at the same time."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 16  # a remote file system takes some 50 ms to answer about a file, one of a network up to a millisecond
_AHEAD = 4 * THREADS
_IN_A_LIST = 16  # of more, lists of a few hundred remote files would wait on few threads

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Like ``map``, but calls the function in threads, for a few items before their results are taken.

    The items are taken in the thread that takes the results; what the function raises is raised there.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="ahead") as threads:
        try:
            for item in items:
                waiting.append(threads.submit(function, item))
                if len(waiting) == _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # whoever takes the results has had enough
                future.cancel()


def in_lists(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in lists of a few, for each of which a thread is worth while."""
    remaining = iter(items)
    while some := list(itertools.islice(remaining, _IN_A_LIST)):
        yield some
