from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind
from pipelines.inputs import page_ranges
from pipelines.inputs.discovery import find_documents
from pipelines.inputs.documents import open_document
from pipelines.inputs.record_files import read_records
from tests.pipelines import samples


def test_a_name_that_is_no_text_fails_alone(tmp_path, pool):
    Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.png")).write_bytes(b"")

    [uri] = find_documents(str(tmp_path))
    [page_range] = open_document(uri, pool)

    assert uri.endswith("caf\\xe9.png")
    assert page_range.document.error.startswith("the file can't be opened")


def test_a_document_is_split_evenly(tmp_path, pool, monkeypatch):
    monkeypatch.setattr(page_ranges, "RANGES_PER_DOCUMENT", 4)
    path = tmp_path / "ten.pdf"
    path.write_bytes(samples.pdf_bytes([""] * 10))

    ranges = list(open_document(str(path), pool))

    assert [(page_range.start, page_range.stop) for page_range in ranges] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert {page_range.document for page_range in ranges} == {ranges[0].document}
    assert ranges[0].document.page_count == 10


@pytest.mark.parametrize("kind", [DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD])
def test_each_range_of_a_tfrecord_file_reads_its_own_records(tmp_path, pool, monkeypatch, kind):
    monkeypatch.setattr(page_ranges, "RANGES_PER_DOCUMENT", 2)
    monkeypatch.setattr(page_ranges, "RANGES_PER_GZIP_FILE", 2)
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
