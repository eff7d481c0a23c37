"""The lock of an output folder: one writer at a time. Parts of a run read at a time, and write one after the other.

A writer that is killed leaves its lock. Another takes it over: at once if the writer was a process of the same machine
that is gone, else when the lock has had no heartbeat for ``DEAD_AFTER_S``.

On a local or network file system, a file is created only if there is none, which is atomic. Object stores promise no
such thing through Beam: there, the file is written, and read again after a moment. Of two writers that begin in the
same second, the later one then holds the lock.

A part (``pipelines.output.parts``) has a lock of its own while it reads. It takes the lock of the output, for a moment
each, when it begins and when it commits. All others wait, or fail, as long as there is a part that lives.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import json
import os
import re
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ocr_models.errors import LockedError
from pipelines.output.parts import Part
from pipelines.runtime.storage import delete, exists, is_remote, join, list_beginning, read_bytes, write_bytes, writing

LOCK = "_lock.json"
_PART_LOCK = re.compile(r"_lock-(\d+)-of-(\d+)\.json")
HEARTBEAT_S = 15.0
DEAD_AFTER_S = 300.0  # several heartbeats: a machine may swap, and an object store be slow
LOOK_AGAIN_S = 2.0  # while waiting for another's lock
_SETTLE_S = 2.0  # on object stores
_PAUSE_S, _UNREADABLE_LOOKS = 0.1, 20

_held: Counter[str] = Counter()  # the runs for which this process holds locks


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        run_id: the run, or the name of another command.
        host: name of the machine.
        pid: process on it.
        process_start: when the process started, in the machine's clock ticks: no later one of the same pid has it.
        user: name of the user.
        since: when the lock was taken, in seconds since the epoch.
        heartbeat: when the holder last said that it lives.
        is_brief: whether the lock is held for a moment only.
        machine: what tells processes of other machines and containers apart, whose names and numbers may be the same.
    """

    run_id: str
    host: str
    pid: int
    process_start: int
    user: str
    since: float
    heartbeat: float
    is_brief: bool = False
    machine: str = ""

    @staticmethod
    def this_process(run_id: str, is_brief: bool = False) -> Holder:
        """This process as a holder."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a container without an entry for its user
            user = str(os.getuid())
        now = time.time()
        pid = os.getpid()
        host, machine = socket.gethostname(), _machine()
        return Holder(run_id, host, pid, _process_start(pid), user, now, now, is_brief, machine)

    @property
    def is_dead(self) -> bool:
        """Whether the holder has ended without giving its lock back, as far as can be seen from here."""
        is_here = self.machine == _machine() if self.machine else self.host == socket.gethostname()
        if is_here and _process_start(self.pid) != self.process_start:
            return True
        if is_here and self.pid == os.getpid() and not _held[self.run_id]:
            return True  # it was to be given back, and couldn't be
        return time.time() - self.heartbeat > DEAD_AFTER_S

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds")
        heartbeat = max(0, round(time.time() - self.heartbeat))
        return (
            f"{self.run_id} of {self.user} (process {self.pid} on {self.host}, since {since}, alive {heartbeat} s ago)"
        )


def part_lock(part: Part) -> str:
    """The name of the lock of a part."""
    return f"_lock-{part.number}-of-{part.count}.json"


def living_parts(output: str) -> list[tuple[Part, Holder]]:
    """The parts that are being read, as far as can be seen from here, and who reads them."""
    return [(part, holder) for part, holder in _part_holders(output) if holder and not holder.is_dead]


def dead_parts(output: str) -> list[tuple[Part, Holder]]:
    """The parts of which only the locks are left, and who read them."""
    return [(part, holder) for part, holder in _part_holders(output) if holder and holder.is_dead]


def remove_dead_parts(output: str) -> None:
    """Removes the locks of parts that nobody reads any more. Only for whoever holds the lock of the output."""
    delete(join(output, part_lock(part)) for part, _ in dead_parts(output))


def _part_holders(output: str) -> list[tuple[Part, Holder | None]]:
    found = map(_PART_LOCK.fullmatch, list_beginning(output, "_lock-"))
    parts = sorted((Part(int(name[1]), int(name[2])) for name in found if name), key=lambda part: part.number)
    return [(part, read_holder(output, part_lock(part))) for part in parts]


def read_holder(output: str, name: str = LOCK) -> Holder | None:
    """Who holds the lock of an output folder, or one of a part, dead or alive; None if nobody does."""
    path = join(output, name)
    try:
        return Holder(**json.loads(read_bytes(path))) if exists(path) else None
    except (OSError, ValueError, TypeError):  # given back, or half written, at this moment
        return None


@contextlib.contextmanager
def locked(
    output: str,
    run_id: str,
    wait: bool = False,
    on_wait: Callable[[Holder], None] = lambda holder: None,
    is_brief: bool = False,
) -> Iterator[None]:
    """Holds the lock of an output folder within the ``with`` block.

    Args:
        output: the output folder, on any Beam file system.
        run_id: the run, or the name of another command.
        wait: wait until another's lock is free.
        on_wait: called once with the holder for which it waits.
        is_brief: the lock is held for a moment only, while parts may be read.

    Raises:
        LockedError: another holds it for longer, or a part is being read, and ``wait`` is False.
        OutputError: the lock can't be written.
    """

    def take() -> Holder | None:
        holder = _take(output, LOCK, run_id, is_brief)
        living = living_parts(output) if holder is None and not is_brief else []
        if living:
            _give_back(output, LOCK, run_id)
        return living[0][1] if living else holder

    with _holding(output, LOCK, run_id):
        _wait_for(output, take, wait, on_wait)
        yield


@contextlib.contextmanager
def locked_part(
    output: str,
    run_id: str,
    part: Part,
    begin: Callable[[], None],
    wait: bool = False,
    on_wait: Callable[[Holder], None] = lambda holder: None,
) -> Iterator[None]:
    """Holds the lock of a part within the ``with`` block.

    Args:
        output: the output folder, on any Beam file system.
        run_id: the run.
        part: the part.
        begin: called while the lock of the output is held, too, before the block.
        wait: wait until another's lock is free.
        on_wait: called once with the holder for which it waits.

    Raises:
        LockedError: another reads the part, or one of another number of parts, or a run that isn't a part writes to
            the output, and ``wait`` is False.
        OutputError: the lock can't be written.
    """

    def take() -> Holder | None:
        with locked(output, run_id, wait, on_wait, is_brief=True):
            for other, holder in living_parts(output):
                if other == part or other.count != part.count:
                    return holder
            _take(output, part_lock(part), run_id)  # nobody else does, without the lock of the output
            begin()
        return None

    with _holding(output, part_lock(part), run_id):
        _wait_for(output, take, wait, on_wait)
        yield


@contextlib.contextmanager
def _holding(output: str, name: str, run_id: str) -> Iterator[None]:
    """Within the ``with`` block, a lock that this process takes is kept alive; at its end it is given back."""
    _held[run_id] += 1
    ended = threading.Event()
    heart = threading.Thread(target=_beat, args=(output, name, run_id, ended), name="heartbeat", daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()
        _give_back(output, name, run_id)
        _held[run_id] -= 1


def _wait_for(output: str, take: Callable[[], Holder | None], wait: bool, on_wait: Callable[[Holder], None]) -> None:
    """Takes a lock by a function that returns None, or who else holds it."""
    told = False
    while holder := take():
        if not wait and not holder.is_brief:
            raise LockedError(f"{output} is being written by {holder}; wait for it with --wait, or run again later")
        if not told and not holder.is_brief:
            on_wait(holder)
            told = True
        time.sleep(_PAUSE_S if holder.is_brief and not is_remote(output) else LOOK_AGAIN_S)


def _give_back(output: str, name: str, run_id: str) -> None:
    with contextlib.suppress(Exception):  # the disk or network is gone; the lock will be taken over
        holder = read_holder(output, name)
        if holder and holder.run_id == run_id:
            delete([join(output, name)])


def check_lock(output: str, run_id: str) -> None:
    """Raises LockedError if another took the lock of a run over, which then must not write any more."""
    holder = read_holder(output)
    if holder and holder.run_id != run_id:
        raise LockedError(
            f"{output} was taken over by {holder}, as nothing was heard of this run; its rows are not lost"
        )


def check_part(output: str, run_id: str, part: Part) -> None:
    """Raises LockedError if another took the lock of a part over, and committed what it had read."""
    holder = read_holder(output, part_lock(part))
    if holder is None or holder.run_id != run_id:
        raise LockedError(
            f"{output}: part {part} was taken over by {holder or 'another run'}, as nothing was heard of this one; its "
            "rows are not lost"
        )


def _take(output: str, name: str, run_id: str, is_brief: bool = False) -> Holder | None:
    """Takes a lock; returns None, or who else holds it."""
    path = join(output, name)
    mine = Holder.this_process(run_id, is_brief)
    content = json.dumps(asdict(mine)).encode()
    if is_remote(path):
        holder = read_holder(output, name)
        if holder and not holder.is_dead:
            return holder
        write_bytes(path, content)
        time.sleep(_SETTLE_S)
        holder = read_holder(output, name)
        return None if holder == mine else holder
    unreadable = 0
    with writing(path):
        while True:
            try:
                _create(path, content)
                return None
            except FileExistsError:
                holder = read_holder(output, name)
            if holder and not holder.is_dead:
                return holder
            if holder or unreadable == _UNREADABLE_LOOKS:
                _remove_dead(path, holder)
            elif os.path.exists(path):  # half written: its writer was killed, unless it goes on at once
                unreadable += 1
                time.sleep(_PAUSE_S)


def _create(path: str, content: bytes) -> None:
    """Creates a file that isn't there. Raises FileExistsError if it is."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _remove_dead(path: str, dead: Holder | None) -> None:
    """Removes a dead holder's lock, unless another has taken it over meanwhile: of two that try, one succeeds."""
    aside = f"{path}.{uuid.uuid4().hex}.dead"  # machines may have processes of the same id
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        with contextlib.suppress(ValueError, TypeError):
            if Holder(**json.loads(Path(aside).read_bytes())).run_id != (dead and dead.run_id):
                os.rename(aside, path)  # a living one, taken between the look and the renaming: back with it
                return
        os.unlink(aside)


def _beat(output: str, name: str, run_id: str, ended: threading.Event) -> None:
    """Renews the time in the lock, until the end or until another took it over."""
    while not ended.wait(HEARTBEAT_S):
        with contextlib.suppress(Exception):  # a full disk: the run itself says so
            holder = read_holder(output, name)
            if holder and holder.run_id == run_id:
                write_bytes(join(output, name), json.dumps({**asdict(holder), "heartbeat": time.time()}).encode())


@functools.cache
def _machine() -> str:
    """The machine since it was started, and the namespace of its process ids; empty where the system doesn't tell.

    Containers on one machine may have its name, as on AWS Batch, but have process ids of their own.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _process_start(pid: int) -> int:
    """When a process of this machine started, in clock ticks since boot; 0 if there is none.

    It is the 22nd field of ``/proc/PID/stat``, counted from behind the name in parentheses, which may hold spaces.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in ("Z", "X") else int(fields[19])
