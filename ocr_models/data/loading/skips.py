"""Counts the examples that training can't use by reason, so that nothing is left out silently."""

from __future__ import annotations

import multiprocessing
from enum import IntEnum


class Reason(IntEnum):
    """Why an example was skipped."""

    BROKEN = 1
    NO_TEXT = 2
    OUTSIDE_CHARSET = 3
    TOO_LONG = 4
    TOO_SMALL = 5
    UNPLACED = 6


_WORDS = {
    Reason.BROKEN: "broken",
    Reason.NO_TEXT: "without text, or to be ignored",
    Reason.OUTSIDE_CHARSET: "with characters outside the charset",
    Reason.TOO_LONG: "with too many characters for their width",
    Reason.TOO_SMALL: "less than four pixels high or wide",
    Reason.UNPLACED: "with texts whose place is not known",
}


class SkipCounts:
    """Counts shared by the trainer and the processes that make batches; pass it to them when they start.

    An example is counted each time it comes up, so in each pass over the data.
    """

    def __init__(self) -> None:
        self._counts = multiprocessing.get_context("spawn").Array("q", 1 + len(Reason))  # the first: all examples

    def add_seen(self, count: int) -> None:
        """Counts examples, used or skipped."""
        with self._counts.get_lock():
            self._counts[0] += count

    def add(self, reason: Reason) -> None:
        """Counts one example that was skipped."""
        with self._counts.get_lock():
            self._counts[reason] += 1

    @property
    def seen(self) -> int:
        return self._counts[0]

    def skipped(self) -> dict[str, int]:
        """The number of examples skipped so far by reason, in words; reasons that didn't occur are left out."""
        return {_WORDS[reason]: self._counts[reason] for reason in Reason if self._counts[reason]}

    def __str__(self) -> str:
        """A summary in one line; empty if nothing was skipped."""
        skipped = self.skipped()
        if not skipped:
            return ""
        reasons = ", ".join(f"{count:,} {words}" for words, count in skipped.items())
        return f"skipped {sum(skipped.values()):,} of {self.seen:,} examples: {reasons}"
