"""Messages between a run and its decoders, in which arrays travel as shared memory.

Through a pipe, a page of 4 MB takes dozens of reads, for each of which a thread waits for Python's lock, and several
copies. Here it is written once, into a file in memory (``memfd_create``), which the other side maps.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

_LEAST_BYTES, _MOST_ARRAYS = 1 << 16, 64  # that are shared; others travel within the message
_PROTOCOL = 5  # of pickle: the first that can leave out arrays


def send(connection: Connection, message: Any) -> None:
    """Sends an object to ``receive`` at the other end of a pipe of ``multiprocessing.Pipe``.

    Raises:
        MemoryError: there is no memory for it; nothing has been sent.
        OSError: the other side has ended.
    """
    files: list[int] = []

    def stays_within(buffer: pickle.PickleBuffer) -> bool:
        pixels = buffer.raw()
        if pixels.nbytes < _LEAST_BYTES or len(files) == _MOST_ARRAYS:
            return True
        shared = _shared(pixels)
        files.extend(shared)
        return not shared

    try:
        pickled = pickle.dumps(message, _PROTOCOL, buffer_callback=stays_within)
        connection.send_bytes(len(files).to_bytes(1, "little") + pickled)
        if files:
            with _socket_of(connection) as pipe:
                socket.send_fds(pipe, [b"\0"], files)
    finally:
        for descriptor in files:
            os.close(descriptor)


def receive(connection: Connection) -> Any:
    """The next object from ``send``; its arrays may be written to.

    Raises:
        EOFError, OSError: the other side has ended.
    """
    received = memoryview(connection.recv_bytes())
    arrays = []
    if received[0]:
        with _socket_of(connection) as pipe:
            _, descriptors, _, _ = socket.recv_fds(pipe, 1, received[0])
        try:
            arrays = [mmap.mmap(descriptor, 0) for descriptor in descriptors]
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        if len(arrays) < received[0]:
            raise EOFError
    return pickle.loads(received[1:], buffers=arrays)


def _shared(pixels: memoryview) -> list[int]:
    """The descriptor of a file in memory with these bytes; none where there is no such file.

    Python has ``memfd_create`` only if it was built with glibc 2.27 or later, and sandboxes may forbid it.
    """
    if not hasattr(os, "memfd_create"):
        return []
    try:
        descriptor = os.memfd_create("pagebeam")
    except OSError:
        return []
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(pixels)
    except OSError:
        os.close(descriptor)
        return []
    return [descriptor]


@contextlib.contextmanager
def _socket_of(connection: Connection) -> Iterator[socket.socket]:
    """A connection as a socket, which is closed after the block; the connection stays open, and blocking.

    A new socket has the process's default timeout, which Beam sets for Google Cloud, and which makes the file behind
    both non-blocking: then the connection could read no message that comes in parts.
    """
    with socket.socket(fileno=os.dup(connection.fileno())) as pipe:
        pipe.settimeout(None)
        yield pipe
