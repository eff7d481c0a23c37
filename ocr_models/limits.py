"""Limits for what a document may cost. The options of ``pagebeam run`` set them, and errors name those options."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from ocr_models.errors import DocumentError, Stage

MEGABYTE = 1 << 20
LEAST_MEMORY_BYTES = 512 * MEGABYTE
"""A decoder's libraries alone take about 200 MB of address space."""


@dataclass(frozen=True)
class DecodeLimits:
    """Limits for decoding. What exceeds one of them becomes a failed row that names it.

    Attributes:
        time_s: seconds for opening a document and for decoding a page; then the decoder is considered hung.
        memory_bytes: address space of a decoder process.
        document_bytes: size of a document. Larger ones are refused before they are read to their end.
        pages: pages of a TIFF or PDF, whose header can claim any number of them. The longest books and microfilm reels
            have about 3,000.
        page_pixels: pixels of a page. An A0 sheet at 200 dpi has 62 million.
        read_s: seconds for reading a page. Pages take 0.1 to 0.3 s, a drawing of 15,000 words some 20 s.
        cores: cores that a process uses for decoders and models; None for those that ``cores`` finds.
    """

    time_s: float = 60.0
    memory_bytes: int = 2048 * MEGABYTE
    document_bytes: int = 4096 * MEGABYTE
    pages: int = 5000
    page_pixels: int = 100_000_000
    read_s: float = 300.0
    cores: int | None = None


CORES = "PAGEBEAM_CORES"
"""An environment variable: the cores that a process uses, where several share a machine."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of processor time in each period, or "max"


def cores() -> int:
    """The cores that this process may use for decoders and models, at least 1.

    These are what ``PAGEBEAM_CORES`` says; else those that the process may run on, and in a container no more than its
    quota (cgroup v2, ``cpu.max``).
    """
    if os.environ.get(CORES, "").isdecimal():
        return max(int(os.environ[CORES]), 1)
    found = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):  # no cgroup v2, or no quota
        quota, period = map(int, _QUOTA.read_text().split())
        found = min(found, -(-quota // period))
    return max(found, 1)


def use_cores(number: int | None) -> None:
    """Has ``cores`` return this number in this process; None changes nothing."""
    if number:
        os.environ[CORES] = str(number)


@dataclass(frozen=True)
class _Reading:
    limit_s: float
    deadline: float


_reading: ContextVar[_Reading | None] = ContextVar("reading", default=None)


@contextlib.contextmanager
def reading_within(limit_s: float) -> Iterator[None]:
    """Limits how long models take for pages within the ``with`` block, in this thread.

    Models look at the time between their steps, by ``check_reading_time``. A single call into a library that never
    returns isn't stopped by it.

    Args:
        limit_s: seconds.
    """
    token = _reading.set(_Reading(limit_s, time.monotonic() + limit_s))
    try:
        yield
    finally:
        _reading.reset(token)


def check_reading_time() -> None:
    """Raises DocumentError if the time for reading is over."""
    reading = _reading.get()
    if reading and time.monotonic() > reading.deadline:
        what = f"reading the page took more than {reading.limit_s:g} s and was stopped"
        raise over_limit(Stage.READ, what, "--max-read-seconds")


def over_limit(stage: Stage, what: str, option: str, remedy: str = "") -> DocumentError:
    """The error for exceeding a limit.

    Args:
        stage: where it was found.
        what: what exceeds which limit.
        option: the option of ``pagebeam run`` that raises the limit.
        remedy: what else helps, such as "scale the image down".
    """
    return DocumentError(stage, f"{what}; {remedy and f'{remedy}, or '}raise the limit with {option} of pagebeam run")
