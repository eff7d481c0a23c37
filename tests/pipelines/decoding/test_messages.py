"""Tests of messages between processes whose arrays are shared memory."""

import gc
import os
import resource
import socket
import threading
from multiprocessing import Pipe

import numpy as np
import pytest

from pipelines.decoding import messages


@pytest.fixture
def ends():
    ours, theirs = Pipe()
    with ours, theirs:
        yield ours, theirs


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_arrays_of_any_size_arrive_as_they_were(ends):
    random = np.random.default_rng(0)
    arrays = [random.integers(0, 256, shape, np.uint8) for shape in ((300, 400), (2, 3), (0,), (200, 300, 3))]
    arrays += [arrays[0].T, arrays[0][:, ::2], random.random((200, 100), np.float32)]

    messages.send(ends[0], ("a page", arrays))
    name, received = messages.receive(ends[1])

    assert name == "a page"
    for sent, array in zip(arrays, received, strict=True):
        assert array.dtype == sent.dtype
        assert array.flags.writeable
        np.testing.assert_array_equal(array, sent)


def test_more_large_arrays_than_may_be_shared(ends):
    messages.send(ends[0], [np.full((1 << 16,), i, np.uint8) for i in range(66)])

    assert [int(array[-1]) for array in messages.receive(ends[1])] == list(range(66))


def test_each_side_has_its_own_pixels_once_they_are_sent(ends):
    page = np.zeros((300, 300), np.uint8)
    messages.send(ends[0], page)
    page[:] = 1

    assert not messages.receive(ends[1]).any()


def test_messages_of_both_kinds_follow_each_other(ends):
    for message in ("ready", np.ones(1 << 17, np.uint8), 7):
        messages.send(ends[0], message)

    assert messages.receive(ends[1]) == "ready"
    assert messages.receive(ends[1]).sum() == 1 << 17
    assert messages.receive(ends[1]) == 7


def test_no_file_stays_open(ends):
    before = open_files()
    for _ in range(3):
        messages.send(ends[0], np.ones(1 << 17, np.uint8))
        page = messages.receive(ends[1])
    del page
    gc.collect()

    assert open_files() == before


def test_an_end_that_has_gone(ends):
    ends[0].close()
    with pytest.raises(EOFError):
        messages.receive(ends[1])
    with pytest.raises(OSError, match="Broken pipe"):
        messages.send(ends[1], np.ones(1 << 17, np.uint8))


def test_a_python_without_files_in_memory(ends, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    threading.Thread(target=messages.send, args=(ends[0], np.full(1 << 20, 7, np.uint8))).start()

    assert (messages.receive(ends[1]) == 7).all()


def test_more_than_a_file_may_hold(ends):
    """Then the array travels within the message."""
    before, limits = open_files(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        sender = threading.Thread(target=messages.send, args=(ends[0], np.full(1 << 20, 7, np.uint8)))
        sender.start()
        assert (messages.receive(ends[1]) == 7).all()
        sender.join()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert open_files() == before


def test_a_default_timeout_leaves_the_connection_blocking(ends):
    """As Beam sets for Google Cloud."""
    socket.setdefaulttimeout(60)
    try:
        messages.send(ends[0], np.ones(1 << 17, np.uint8))
        messages.receive(ends[1])
    finally:
        socket.setdefaulttimeout(None)

    assert os.get_blocking(ends[0].fileno()) and os.get_blocking(ends[1].fileno())
