from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind
from ocr_models.limits import DecodeLimits
from pipelines.decoding import process
from pipelines.decoding.ahead import DecodeAhead
from pipelines.decoding.child import RenderPage
from pipelines.decoding.pool import DecodePool
from tests.pipelines import samples
from tests.pipelines.decoding.hostile_requests import (
    Abort,
    Crash,
    Devour,
    DieOf,
    FillMemory,
    Hang,
    ListModules,
    SayAndHang,
    SlowPage,
)


@pytest.fixture
def strict_pool():
    pool = DecodePool(1, DecodeLimits(time_s=1.0, memory_bytes=2 << 30))
    yield pool
    pool.close()


def page_request(folder: Path, seed: int) -> RenderPage:
    path = samples.write_png(folder / f"{seed}.png", seed)
    return RenderPage(str(path), None, DocumentKind.IMAGE, 0, 200.0)


@pytest.mark.parametrize(
    ("request_", "stage", "message"),
    [
        (Crash(), "render", r"crashed its decoder \(signal 11\)"),
        (Hang(), "render", r"took more than 1 s and was stopped; raise the limit with --max-seconds of"),
        (SayAndHang(), "render", r"took more than 1 s and was stopped"),
        (Devour(), "decode", r"takes more memory than is allowed for a page; raise the limit with --max-memory-mb of"),
        (FillMemory(), "decode", r"takes more memory than is allowed for a page; raise .* --max-memory-mb of"),
        (Abort(""), "decode", r"\(signal 6\) for want of memory: .* limit of 2,048 MB; raise the limit with --max-mem"),
        (Abort("what(): std::bad_alloc"), "decode", r"for want of memory"),
        (Abort("Assertion failed"), "decode", r"crashed its decoder \(signal 6: Assertion failed\)"),
        (DieOf(9), "open", r"was killed \(signal 9\) 5 times, as the system does when memory runs out; run it again"),
    ],
)
def test_a_document_that_kills_its_decoder_fails_alone(strict_pool, tmp_path, request_, stage, message):
    page = page_request(tmp_path, 5)
    futures = [strict_pool.submit(request) for request in (page, request_, page)]

    with pytest.raises(DocumentError, match=message) as error:
        futures[1].result()

    assert error.value.stage == stage
    for future in (futures[0], futures[2]):
        assert (future.result().value.pixels == samples.page_pixels(5)).all()


def test_a_file_that_changed_is_opened_anew(pool, tmp_path):
    for seed in (1, 2):
        path = samples.write_png(tmp_path / "page.png", seed)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        page = pool.submit(RenderPage(str(path), sha256, DocumentKind.IMAGE, 0, 200.0)).result().value
        assert (page.pixels == samples.page_pixels(seed)).all()


def test_failures_say_how_long_they_took(strict_pool, tmp_path):
    with pytest.raises(DocumentError) as error:
        strict_pool.call(Hang())
    assert 1000 <= error.value.elapsed_ms < 30_000


def test_a_broken_installation_is_no_fault_of_a_document(monkeypatch):
    monkeypatch.setattr(process, "CHILD_CODE", "raise SystemExit('no such library')")
    monkeypatch.setattr(process, "START_PAUSE_S", 0.01)
    pool = DecodePool(1)

    for _ in range(2):
        with pytest.raises(RuntimeError, match="ended during their start, exit status 1: no such library"):
            pool.submit(ListModules()).result()
    pool.close()


KILLED_AT_FIRST = """
import os, pathlib, signal
kills = pathlib.Path({folder!r}, "kills")
with kills.open("a") as file:
    file.write("+")
if kills.stat().st_size <= {count}:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("kills", "reads"), [(3, True), (1000, False)])
def test_a_decoder_that_is_killed_while_it_starts_is_started_anew(monkeypatch, tmp_path, kills, reads):
    killed = KILLED_AT_FIRST.format(folder=str(tmp_path), count=kills)
    monkeypatch.setattr(process, "CHILD_CODE", killed + process.CHILD_CODE)
    monkeypatch.setattr(process, "START_PAUSE_S", 0.01)
    pool = DecodePool(1)

    if reads:
        assert (pool.call(page_request(tmp_path, 3)).value.pixels == samples.page_pixels(3)).all()
    else:
        with pytest.raises(DocumentError, match=r"no decoder could be started for it \(20 .* signal 9\)"):
            pool.call(page_request(tmp_path, 3))
    pool.close()


def test_pages_are_read_although_decoders_are_killed_at_random_moments(tmp_path):
    """Also while they start, while they decode and while they wait."""
    pool = DecodePool(2)
    moments, over = random.Random(0), threading.Event()

    def kill_now_and_then() -> None:
        while not over.wait(moments.uniform(0.1, 0.5)):
            for child in list(process.DecoderProcess._running)[:1]:
                child.kill()

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    requests = [SlowPage(page_request(tmp_path, seed)) for seed in range(12)]
    answers = [future.result() for future in [pool.submit(request) for request in requests]]
    over.set()
    killer.join()
    pool.close()

    assert all((answer.value.pixels == samples.page_pixels(seed)).all() for seed, answer in enumerate(answers))


def test_decoders_end_with_the_process_that_started_them(tmp_path):
    """Even while they decode, and even if that process is killed."""
    code = "import time; from ocr_models.limits import DecodeLimits\n"
    code += "from pipelines.decoding.pool import DecodePool; from pipelines.decoding.process import DecoderProcess\n"
    code += "from tests.pipelines.decoding.hostile_requests import Hang\n"
    code += "pool = DecodePool(1, DecodeLimits(time_s=1.0)); pool.submit(Hang()); time.sleep(0.5)\n"
    code += "print(*[child.pid for child in DecoderProcess._running], flush=True); time.sleep(60)"
    started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    (pid,) = started.stdout.readline().split()

    started.kill()
    started.wait()

    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()


def test_decoding_ahead_stops_at_the_bytes_that_wait_and_goes_on_when_they_are_taken(pool, tmp_path):
    requests = [page_request(tmp_path, seed) for seed in range(5)]
    ahead = DecodeAhead(pool, max_bytes=1)  # one page is enough, but two are begun at once

    futures = [ahead.submit(request) for request in requests]
    futures[1].result()
    pool.submit(requests[0]).result()  # the pool has one thread: what was begun before this is over

    assert [future.done() for future in futures] == [True, True, False, False, False]
    pages = [ahead.take(future).value.pixels for future in futures]
    assert all((page == samples.page_pixels(seed)).all() for seed, page in enumerate(pages))


def test_decoding_ahead_goes_on_after_a_broken_page(pool, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"")
    broken = RenderPage(str(tmp_path / "broken.png"), None, DocumentKind.IMAGE, 0, 200.0)
    ahead = DecodeAhead(pool, max_bytes=1)

    futures = [ahead.submit(request) for request in [broken] * 4 + [page_request(tmp_path, 7)]]

    for future in futures[:4]:
        with pytest.raises(DocumentError, match="header can't be read"):
            ahead.take(future)
    assert (ahead.take(futures[4]).value.pixels == samples.page_pixels(7)).all()


def test_the_child_loads_neither_beam_nor_tensorflow(pool):
    modules = pool.submit(ListModules()).result().value

    assert "pypdfium2" in modules
    assert not {"apache_beam", "tensorflow", "keras", "pyarrow", "cv2"} & set(modules)
