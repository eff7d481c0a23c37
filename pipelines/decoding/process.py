"""One decoding process: it is started anew if it was lost, and what was lost with it is tried once more."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from typing import Any, ClassVar

from ocr_models.errors import DocumentError
from ocr_models.limits import MEGABYTE, DecodeLimits, over_limit
from pipelines.decoding import messages
from pipelines.decoding.child import MEMORY_OPTION, READY, Answer, Request

CHILD_CODE = "from pipelines.decoding.child import main; main()"

TRIES = 2
"""How often a document may crash its decoder."""
TRIES_IF_KILLED = 5
"""SIGKILL comes from outside, as from the out-of-memory killer, and most often not because of this document."""
START_TRIES = 20
START_TRIES_OF_THE_FIRST = 3
"""Fewer for a process that ended by itself each time, and never ran: the installation is broken."""
START_LIMIT_S = 60.0  # it takes less than a second, but much longer on a machine that swaps
START_PAUSE_S, LONGEST_START_PAUSE_S = 0.2, 1.0  # after failed starts, doubled each time: memory may become free
_KEPT_BYTES = 4096  # of what a process said last
_SHOWN_CHARACTERS = 200
_MEMORY_WORDS = ("alloc", "memory")


class _CannotStart(Exception):
    """The process ended during each of its starts; the message says how."""


class DecoderProcess:
    """One decoding process, which is restarted if it was lost."""

    _running: ClassVar[set[subprocess.Popen]] = set()
    _is_ending: ClassVar[bool] = False

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None
        self._last_words = b""
        self._has_started = False

    def call(self, request: Request) -> Answer:
        """Sends a request and waits for the answer, for at most the time limit.

        Raises:
            DocumentError: the document crashed the process, or exceeded a limit, or the process can't be started.
        """
        tries = 0
        while True:
            tries += 1
            try:
                self.start()
                assert self._connection is not None
                messages.send(self._connection, request)
                return self._receive(self._limits.time_s)
            except _CannotStart as error:
                raise DocumentError(request.stage, f"no decoder could be started for it ({error})") from error
            except TimeoutError as error:
                self.stop()
                over = f"decoding took more than {self._limits.time_s:g} s and was stopped"
                raise over_limit(request.stage, over, "--max-seconds") from error
            except (EOFError, OSError) as error:
                status = self.stop()
                if tries >= (TRIES_IF_KILLED if status == -signal.SIGKILL else TRIES):
                    raise self._lost(request, status, tries) from error

    def _lost(self, request: Request, status: int, tries: int) -> DocumentError:
        """The error for a document with which the process ended each time that it was tried."""
        end = _describe(status)
        if status == -signal.SIGKILL:
            what = f"its decoder was killed ({end}) {tries} times, as the system does when memory runs out"
            return DocumentError(request.stage, f"{what}; run it again with fewer --workers or more memory")
        last_line = self._last_line()
        # PDFium and C++ abort if memory can't be had, PDFium without a word. Failed assertions abort with one.
        if status == -signal.SIGABRT and (not last_line or any(word in last_line for word in _MEMORY_WORDS)):
            limit = f"{self._limits.memory_bytes // MEGABYTE:,} MB"
            what = f"its decoder ended ({end}) for want of memory: decoding takes more than the limit of {limit}"
            return over_limit(request.stage, what, MEMORY_OPTION)
        return DocumentError(request.stage, f"the document crashed its decoder ({end}{last_line})")

    def _last_line(self) -> str:
        """What the process said last, after a colon; empty if it said nothing."""
        lines = self._last_words.decode(errors="replace").strip().splitlines()
        return f": {lines[-1][:_SHOWN_CHARACTERS]}" if lines else ""

    def start(self) -> None:
        """Starts the process unless it is running; if it ends during its start, several times.

        Raises:
            _CannotStart: it ended each time.
            RuntimeError: it ended each time by itself and never started before: the installation is broken.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        if self._is_ending:
            raise _CannotStart("the run is ending")
        status, message = 0, ""
        for attempt in range(START_TRIES):
            if attempt:
                time.sleep(min(START_PAUSE_S * 2 ** (attempt - 1), LONGEST_START_PAUSE_S))
            try:
                self._start()
                return
            except (EOFError, OSError) as error:  # the latter also if the system has no process or memory to give
                end = _describe(status := self.stop()) if self._process else str(error)
            message = f"{attempt + 1} decoders ended during their start, {end}{self._last_line()}"
            if status > 0 and not self._has_started and attempt + 1 >= START_TRIES_OF_THE_FIRST:
                raise RuntimeError(message)
        raise _CannotStart(message)

    def _start(self) -> None:
        connection, childs_end = multiprocessing.Pipe()
        with childs_end:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", CHILD_CODE, str(childs_end.fileno()), json.dumps(asdict(self._limits))],
                pass_fds=[childs_end.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": _import_path(), "OPENBLAS_NUM_THREADS": "1"},
            )
        self._connection = connection
        self._running.add(self._process)
        ready = self._receive(START_LIMIT_S)  # the time limit of a request doesn't include the start
        assert ready == READY
        self._has_started = True

    def _receive(self, limit_s: float) -> Any:
        """The next message of the process, for which it has this long; meanwhile, keeps what it says on stderr.

        Raises:
            EOFError, OSError: it has ended.
            TimeoutError: it took too long.
        """
        assert self._connection is not None and self._process is not None and self._process.stderr is not None
        self._last_words = b""
        sources: list[Any] = [self._connection, self._process.stderr]
        deadline = time.monotonic() + limit_s
        while (left_s := deadline - time.monotonic()) > 0:
            ready = wait(sources, left_s)
            if self._connection in ready:
                return messages.receive(self._connection)
            if ready and not self._hear():
                sources.remove(self._process.stderr)
        raise TimeoutError

    def _hear(self) -> bytes:
        """Reads what the process has said, and keeps the end of it: decoders report every flaw of a file."""
        assert self._process is not None and self._process.stderr is not None
        heard = os.read(self._process.stderr.fileno(), 1 << 16)
        self._last_words = (self._last_words + heard)[-_KEPT_BYTES:]
        return heard

    def stop(self) -> int:
        """Stops the process, if there is one, and returns its exit status, which is negative for a signal."""
        if self._process is None:
            return 0
        if self._connection is not None:
            self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)  # a crashed process is about to end with a status of its own
        self._process.kill()
        status = self._process.wait()
        self._hear()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._running.discard(self._process)
        self._process = self._connection = None
        return status

    @classmethod
    def kill_all(cls) -> None:
        """Kills all processes at once, and starts no more; for the end of this one."""
        cls._is_ending = True
        for process in list(cls._running):
            process.kill()
            process.wait()


def _import_path() -> str:
    """The import path of this process for another, which must not look in its working folder first, as "-c" does."""
    return os.pathsep.join(folder or os.getcwd() for folder in sys.path)


def _describe(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
