"""Asks the workers of a run, on any runner, to finish the pages under way and to begin no others.

The request is a file beside the run's unfinished rows, where all workers can see it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from pipelines.runtime.storage import exists, read_bytes, write_bytes

_LOOK_EVERY_S = 1.0  # a look at an object store takes some 50 ms


@dataclass(frozen=True)
class StopFile:
    """The file whose existence asks a run to stop.

    Attributes:
        path: the file, on any Beam file system.
    """

    path: str

    def ask(self, reason: str) -> None:
        """Asks the run to stop, for a reason such as "SIGTERM"."""
        write_bytes(self.path, reason.encode())
        with _lock:
            _seen[self.path] = True, 0.0

    def is_asked(self) -> bool:
        """Whether the run was asked to stop; looks at most once a second."""
        now = time.monotonic()
        with _lock:
            is_asked, next_look = _seen.get(self.path, (False, 0.0))
            if is_asked or now < next_look:
                return is_asked
            _seen[self.path] = False, now + _LOOK_EVERY_S
        if exists(self.path):
            with _lock:
                _seen[self.path] = True, 0.0
            return True
        return False

    def reason(self) -> str | None:
        """Why the run was asked to stop; None if it wasn't."""
        return read_bytes(self.path).decode() if exists(self.path) else None


_lock = threading.Lock()
_seen: dict[str, tuple[bool, float]] = {}  # by path: whether the file was seen, and when to look again
