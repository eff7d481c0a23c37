"""The worker processes of Beam's local runner (``--direct_running_mode=multi_processing``). It doesn't import Beam."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any

from ocr_models.errors import PagebeamError
from ocr_models.limits import CORES, cores

_started: list[subprocess.Popen[Any]] = []
_is_ending = False
_WORKER = "apache_beam.runners.worker.sdk_worker_main"
# Beam 2.77 logs what its workers do as INFO, whatever --default_sdk_harness_log_level says.
_QUIET_WORKER = f"import logging, sys; logging.disable(logging.WARNING); from {_WORKER} import main; main(sys.argv)"
_BEAM_S_THREAD = "run_worker"  # the name of Beam's thread that waits for a worker process


def kill_worker_processes() -> None:
    """Kills all worker processes, with their decoders, at once; those that Beam starts after that end, too."""
    global _is_ending
    _is_ending = True
    for process in _started:
        if process.poll() != 0:  # the shell in which Beam starts a worker may be gone alone
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


atexit.register(kill_worker_processes)


@contextlib.contextmanager
def guarded(starter: ModuleType, processes: int) -> Iterator[None]:
    """Ends a run if a worker process is lost, for which Beam 2.77 waits forever, and keeps Ctrl-C from all of them.

    Ctrl-C goes to all processes of a terminal's foreground group; what it means is for this one to say, so each worker
    gets a session of its own. Beam's thread for a worker raises an error when that ends too early, which nobody hears:
    a signal carries it to the main thread, which raises it in the ``with`` block.

    Args:
        starter: Beam's module that starts worker processes with ``subprocess.Popen``.
        processes: how many it starts. They share this process's cores out: each would use all of them.

    Raises:
        PagebeamError: a worker process was lost; all others are killed, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    lost: list[str] = []
    hook = threading.excepthook

    def note(error: threading.ExceptHookArgs) -> None:
        if error.thread is None or error.thread.name != _BEAM_S_THREAD:
            hook(error)
            return
        lost.append(str(error.exc_value))
        if len(lost) == 1:
            os.kill(os.getpid(), signal.SIGUSR1)

    def end(signum: int, frame: FrameType | None) -> None:
        kill_worker_processes()
        what = lost[0] if lost else "SIGUSR1"
        raise PagebeamError(f"a worker process was lost ({what}); what was read is kept, and the same command goes on")

    before = signal.signal(signal.SIGUSR1, end)
    threading.excepthook = note
    env = {**os.environ, CORES: str(max(cores() // max(processes, 1), 1))}
    vars(starter)["subprocess"] = SimpleNamespace(Popen=functools.partial(_start, env=env))
    try:
        yield
    finally:
        vars(starter)["subprocess"] = subprocess
        threading.excepthook = hook
        signal.signal(signal.SIGUSR1, before)


def _start(command: str, **options: Any) -> subprocess.Popen[Any]:
    if not logging.getLogger().isEnabledFor(logging.INFO):
        command = command.replace(f"-m {_WORKER}", f"-c '{_QUIET_WORKER}'")
    process = subprocess.Popen(command, start_new_session=True, **options)
    _started.append(process)
    if _is_ending:
        kill_worker_processes()
    return process
