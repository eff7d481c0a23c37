from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest

from ocr_models.errors import DocumentError, UsageError
from ocr_models.io.documents import DocumentKind
from pipelines.inputs import documents as sources
from pipelines.inputs.documents import find_documents, local_copy, open_document, read_records
from tests.pipelines import samples


def names(pattern: object) -> list[str]:
    return sorted(uri.rpartition("/")[2] for uri in find_documents(str(pattern)))


def test_a_folder_gives_what_looks_like_a_document_by_name_or_content(tmp_path):
    samples.write_png(tmp_path / "a.png", 1)
    samples.write_png(tmp_path / "deep/down/scan0001", 2)
    samples.write_png(tmp_path / "wrong.txt", 3)
    samples.write_png(tmp_path / ".hidden/b.png", 4)
    (tmp_path / "notes.txt").write_text("not a document")
    (tmp_path / "BMW").write_text("BMW is not a bitmap")
    (tmp_path / "log.gz").write_bytes(gzip.compress(b"not a TFRecord file"))
    (tmp_path / "LIES.PDF").write_text("not a document, but it says so")

    assert names(tmp_path) == ["LIES.PDF", "a.png", "scan0001", "wrong.txt"]
    assert names(tmp_path / "*.txt") == ["notes.txt", "wrong.txt"]  # a glob is taken at its word
    assert names(tmp_path / "**") == names(tmp_path / "**")


def test_a_name_with_glob_characters_is_a_name_first(tmp_path):
    samples.write_png(tmp_path / "scan [1].png", 1)

    assert names(tmp_path / "scan [1].png") == ["scan [1].png"]


def test_what_is_no_file_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "away.png").symlink_to(tmp_path / "gone.png")

    assert names(tmp_path) == []


def test_a_name_that_is_no_text_fails_alone(tmp_path, pool):
    Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.png")).write_bytes(b"")

    [uri] = find_documents(str(tmp_path))
    [page_range] = open_document(uri, pool)

    assert uri.endswith("caf\\xe9.png")
    assert page_range.document.error.startswith("the file can't be opened")


def test_an_unknown_file_system_is_a_usage_error():
    with pytest.raises(UsageError, match="nosuch://bucket"):
        list(find_documents("nosuch://bucket/*.pdf"))


def test_a_document_is_split_evenly(tmp_path, pool, monkeypatch):
    monkeypatch.setattr(sources, "RANGES_PER_DOCUMENT", 4)
    path = tmp_path / "ten.pdf"
    path.write_bytes(samples.pdf_bytes([""] * 10))

    ranges = list(open_document(str(path), pool))

    assert [(page_range.start, page_range.stop) for page_range in ranges] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert {page_range.document for page_range in ranges} == {ranges[0].document}
    assert ranges[0].document.page_count == 10


@pytest.mark.parametrize("kind", [DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD])
def test_each_range_of_a_tfrecord_file_reads_its_own_records(tmp_path, pool, monkeypatch, kind):
    monkeypatch.setattr(sources, "RANGES_PER_DOCUMENT", 2)
    monkeypatch.setattr(sources, "RANGES_PER_GZIP_FILE", 2)
    payloads = [bytes([index]) * (index + 1) for index in range(7)]
    path = tmp_path / "records"
    content = samples.tfrecord_bytes(payloads)
    path.write_bytes(gzip.compress(content) if kind == DocumentKind.GZIP_TFRECORD else content)

    ranges = list(open_document(str(path), pool))

    assert len(ranges) > 1
    assert [record for page_range in ranges for record in read_records(page_range)] == payloads
    assert ranges[0].document.kind == kind


def test_a_tfrecord_file_that_breaks_off_ends_with_a_broken_page(tmp_path, pool):
    path = tmp_path / "records"
    path.write_bytes(samples.tfrecord_bytes([b"one", b"two", b"three"])[:-1])

    ranges = list(open_document(str(path), pool))

    assert ranges[0].document.page_count == 3
    assert list(read_records(ranges[0])) == [b"one"]
    with pytest.raises(DocumentError, match="cut short"):
        list(read_records(ranges[2]))


def test_a_file_that_cannot_be_read_is_an_empty_range(tmp_path, pool):
    [page_range] = open_document(str(tmp_path / "gone.pdf"), pool)

    assert page_range.start == page_range.stop == 0
    assert page_range.document.sha256 is None
    assert "can't be opened" in page_range.document.error


def test_a_download_that_breaks_off_is_the_document_s_failure(monkeypatch):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise ConnectionError("reset by peer")

    monkeypatch.setattr(sources, "open_uri", lambda uri: Broken())
    with pytest.raises(DocumentError, match="reset by peer"):
        local_copy("gs://bucket/reset.png", None)


def test_a_remote_document_is_copied_while_it_is_in_use(tmp_path, monkeypatch):
    source = samples.write_png(tmp_path / "page.png", 1)
    monkeypatch.setattr(sources, "open_uri", lambda uri: source.open("rb"))
    local_copy.cache_clear()

    copy = local_copy("gs://bucket/page.png", None)
    name = copy.name

    assert Path(name).read_bytes() == source.read_bytes()
    local_copy.cache_clear()
    assert Path(name).exists()  # still in use here
    del copy
    assert not Path(name).exists()
