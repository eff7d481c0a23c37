from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind
from pipelines.decoding import pool as decode_pool
from pipelines.decoding.ahead import DecodeAhead
from pipelines.decoding.child import RenderPage
from pipelines.decoding.pool import DecodeLimits, DecodePool
from tests.pipelines import samples
from tests.pipelines.decoding.hostile_requests import Crash, Devour, Hang, ListModules


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
        (Hang(), "render", r"took more than 1 s"),
        (Devour(), "decode", r"takes more memory than is allowed for a page"),
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


def test_a_child_that_cannot_start_is_no_fault_of_the_document(monkeypatch):
    monkeypatch.setattr(decode_pool, "CHILD_CODE", "raise SystemExit(7)")
    pool = DecodePool(1)

    for _ in range(2):
        with pytest.raises(RuntimeError, match="ended during its start with status 7"):
            pool.submit(ListModules()).result()
    pool.close()


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
