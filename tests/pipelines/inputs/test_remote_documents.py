"""How often a document on a remote file system is fetched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.inputs import local_copies
from pipelines.inputs.local_copies import forget_copies, local_copy
from pipelines.inputs.page_ranges import Document, PageRange
from pipelines.inputs.transforms import _key_by_content, _merge_copies
from tests.pipelines import samples
from tests.pipelines.remote_files import SCHEME, CountedFileSystem


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """The folder of the remote files, of which nothing was downloaded."""
    CountedFileSystem.reset(tmp_path)
    (tmp_path / "in").mkdir()
    forget_copies()
    return tmp_path


@pytest.mark.parametrize(("documents", "pages"), [(6, 1), (6, 16), (1, 1000)])
def test_a_worker_fetches_a_remote_document_once(run, remote, documents, pages):
    for number in range(documents):
        content = samples.pdf_bytes([f"{number} {index % 50} 9 9 re f" for index in range(pages)], "0 0 20 10")
        (remote / f"in/{number}.pdf").write_bytes(content)

    status, rows = run(f"{SCHEME}in", "--workers", 2, "--dpi", 36)

    assert status == 0 and len(rows) == documents * pages
    assert set(CountedFileSystem.opened.values()) == {1} and len(CountedFileSystem.opened) == documents
    for uri, read in CountedFileSystem.read.items():
        assert read == (remote / uri.removeprefix(SCHEME)).stat().st_size


def test_ranges_of_many_documents_in_turns_and_in_threads_share_downloads(remote):
    uris = [f"{SCHEME}in/{number}.pdf" for number in range(9)]
    for uri in uris:
        (remote / uri.removeprefix(SCHEME)).write_bytes(uri.encode())

    with ThreadPoolExecutor(8) as threads:
        copies = list(threads.map(lambda uri: local_copy(uri, "sha"), uris * 5))

    assert [Path(copy.name).read_text() for copy in copies] == uris * 5
    assert set(CountedFileSystem.opened.values()) == {1}


@pytest.mark.parametrize(("limit", "most"), [("KEPT_BYTES", 25), ("KEPT_FILES", 2)])
def test_the_oldest_downloads_go_when_there_are_too_many(remote, monkeypatch, limit, most):
    monkeypatch.setattr(local_copies, limit, most)
    for number in (0, 1, 2, 0, 2):  # 0 is gone when it is needed again, and then 1
        (remote / f"in/{number}").write_bytes(bytes(10))
        local_copy(f"{SCHEME}in/{number}", None)

    assert CountedFileSystem.opened == {f"{SCHEME}in/0": 2, f"{SCHEME}in/1": 1, f"{SCHEME}in/2": 1}


@pytest.mark.parametrize(("has_remote", "pages_together"), [(True, 256), (False, 16)])
def test_many_pages_of_a_remote_document_stay_together(has_remote, pages_together):
    document = Document(f"{SCHEME}in/a.pdf", "sha", page_count=600)
    ranges = [PageRange(document, start, min(start + 16, 600), number=start // 16) for start in range(0, 600, 16)]
    groups: dict[tuple[str, int], list[PageRange]] = {}
    for page_range in reversed(ranges):
        groups.setdefault(_key_by_content(page_range, has_remote)[0], []).append(page_range)

    merged = [list(_merge_copies(key, group)) for key, group in groups.items()]

    assert sorted((of for group in merged for of in group), key=lambda of: of.start) == ranges
    assert max(group[-1].stop - group[0].start for group in merged) == pages_together
