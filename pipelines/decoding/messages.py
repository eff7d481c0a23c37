"""Messages between a run and its decoders, in which arrays travel as shared memory.

Through a pipe, a page of 4 MB takes dozens of reads, for each of which a thread waits for Python's lock, and several
copies. Here it is written once, into a file in memory (``memfd_create``), which the other side maps.
"""

from __future__ import annotations

import mmap
import os
import pickle
import socket
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
    arrays: list[pickle.PickleBuffer] = []

    def is_small(buffer: pickle.PickleBuffer) -> bool:
        is_shared = buffer.raw().nbytes >= _LEAST_BYTES and len(arrays) < _MOST_ARRAYS
        if is_shared:
            arrays.append(buffer)
        return not is_shared

    pickled = pickle.dumps(message, _PROTOCOL, buffer_callback=is_small)
    try:
        for shared in arrays:
            files.append(os.memfd_create("pagebeam"))
            with open(files[-1], "wb", closefd=False) as file:
                file.write(shared.raw())
        connection.send_bytes(len(files).to_bytes(1, "little") + pickled)
        if files:
            with socket.socket(fileno=os.dup(connection.fileno())) as pipe:
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
        with socket.socket(fileno=os.dup(connection.fileno())) as pipe:
            _, descriptors, _, _ = socket.recv_fds(pipe, 1, received[0])
        for descriptor in descriptors:
            arrays.append(mmap.mmap(descriptor, 0))
            os.close(descriptor)
        if len(arrays) < received[0]:
            raise EOFError
    return pickle.loads(received[1:], buffers=arrays)
