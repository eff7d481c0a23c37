"""Ctrl-C and SIGTERM in a training run: the current step is finished and saved, and the user is told how to resume."""

from __future__ import annotations

import signal
import threading
from typing import Any

from ocr_models.errors import PagebeamError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(PagebeamError):
    """A run was stopped by a signal, after a checkpoint; ``exit_status`` is 128 plus the number of the signal."""

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.exit_status = 128 + signum


class StopRequest:
    """Records the first SIGINT or SIGTERM, which would otherwise end the process; the second one ends it at once.

    A context manager for the main thread; in other threads it does nothing, because no signal arrives there.

    Attributes:
        signum: number of the signal that arrived; 0 before.
    """

    def __init__(self) -> None:
        self.signum = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {signum: signal.signal(signum, self._note) for signum in _SIGNALS}
        return self

    def __exit__(self, *exc_info) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: Any) -> None:
        self.signum = signum
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
