"""Limits for what a document may cost. The options of ``pagebeam run`` set them, and errors name those options."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

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
    """

    time_s: float = 60.0
    memory_bytes: int = 2048 * MEGABYTE
    document_bytes: int = 4096 * MEGABYTE
    pages: int = 5000
    page_pixels: int = 100_000_000
    read_s: float = 300.0


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
