"""Examples that training can't use, counted by reason: nothing is left out silently."""

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
    """Counts that the processes which make batches share with the trainer: give it to them when they start.

    An example counts each time it comes up, so also in each pass over the data.
    """

    def __init__(self) -> None:
        self._counts = multiprocessing.get_context("spawn").Array("q", 1 + len(Reason))  # the first: all examples

    def add_seen(self, count: int) -> None:
        """Counts examples that came up, used or not."""
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
        """Examples skipped so far, by reason in words; without the reasons that there was no example for."""
        return {_WORDS[reason]: self._counts[reason] for reason in Reason if self._counts[reason]}

    def __str__(self) -> str:
        """One sentence; empty where nothing was skipped."""
        skipped = self.skipped()
        if not skipped:
            return ""
        reasons = ", ".join(f"{count:,} {words}" for words, count in skipped.items())
        return f"skipped {sum(skipped.values()):,} of {self.seen:,} examples: {reasons}"
