"""The pace of a run, from which the time that is left is estimated."""

from __future__ import annotations

MIN_EVIDENCE_S = 3.0  # pages come in batches, about one a second on two cores: less shows one or two of them


class Pace:
    """How much of a run is done per second, on average since the first of it was done.

    The time before is left out, since models load and graphs are traced in it. Time in which nothing is finished
    counts: tqdm's own rate leaves it out where a bar is updated by a timer, and promised 2 of 48 seconds.

    Args:
        done: what was done before this process began, such as the steps of a run that is resumed.
    """

    def __init__(self, done: int = 0) -> None:
        self._before = done
        self._first: tuple[int, float] | None = None

    def update(self, done: int, now_s: float) -> float | None:
        """Returns the pace per second, or None as long as there is too little to tell it from.

        Args:
            done: what is done now.
            now_s: the time of any clock in seconds.
        """
        if self._first is None and done > self._before:
            self._first = done, now_s
        if self._first is None or now_s - self._first[1] < MIN_EVIDENCE_S:
            return None
        return (done - self._first[0]) / (now_s - self._first[1]) or None
