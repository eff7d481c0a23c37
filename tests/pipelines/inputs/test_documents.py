from __future__ import annotations

import gzip
import hashlib
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind
from ocr_models.io.hashing import CHANGED
from pipelines.decoding.child import CountPages, RenderPage
from pipelines.decoding.file_requests import HashFile, ListRecords
from pipelines.inputs import local_copies, page_ranges
from pipelines.inputs.discovery import FoundFile, find_files
from pipelines.inputs.documents import open_document, record_places
from tests.pipelines import samples


def test_a_name_that_is_no_text_fails_alone(tmp_path, pool):
    Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.png")).write_bytes(b"")

    [found] = find_files(str(tmp_path))
    [page_range] = open_document(found, pool)

    assert found.uri.endswith("caf\\xe9.png")
    assert found.error.startswith("its path isn't UTF-8")
    assert page_range.document.error.startswith("the file can't be opened")


def test_a_document_is_split_evenly(tmp_path, pool, monkeypatch):
    monkeypatch.setattr(page_ranges, "RANGES_PER_DOCUMENT", 4)
    path = tmp_path / "ten.pdf"
    path.write_bytes(samples.pdf_bytes([""] * 10))

    ranges = list(open_document(FoundFile(str(path)), pool))

    assert [(page_range.start, page_range.stop) for page_range in ranges] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert {page_range.document for page_range in ranges} == {ranges[0].document}
    assert ranges[0].document.page_count == 10


@pytest.mark.parametrize("kind", [DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD])
def test_each_range_of_a_tfrecord_file_reads_its_own_records(tmp_path, pool, monkeypatch, kind):
    monkeypatch.setattr(page_ranges, "RANGES_PER_DOCUMENT", 2)
    monkeypatch.setattr(page_ranges, "RANGES_PER_GZIP_FILE", 2)
    monkeypatch.setattr(page_ranges, "MIN_PAGES_PER_GZIP_RANGE", 1)
    payloads = [bytes([index]) * (index + 1) for index in range(7)]
    path = tmp_path / "records"
    content = samples.tfrecord_bytes(payloads)
    path.write_bytes(gzip.compress(content) if kind == DocumentKind.GZIP_TFRECORD else content)

    ranges = list(open_document(FoundFile(str(path)), pool))

    assert len(ranges) > 1
    places = [place for page_range in ranges for place in record_places(page_range)[1]]
    assert [place.read() for place in places] == payloads
    assert [place.read() for place in places[::-1]] == payloads[::-1]
    assert ranges[0].document.kind == kind
    assert ranges[0].document.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", [DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD])
def test_of_a_remote_tfrecord_file_only_the_range_is_downloaded(tmp_path, pool, monkeypatch, kind):
    monkeypatch.setattr(page_ranges, "RANGES_PER_DOCUMENT", 2)
    monkeypatch.setattr(page_ranges, "RANGES_PER_GZIP_FILE", 2)
    monkeypatch.setattr(page_ranges, "MIN_PAGES_PER_GZIP_RANGE", 1)
    payloads = [bytes([index]) * (index + 1) for index in range(7)]
    path = tmp_path / "records"
    content = samples.tfrecord_bytes(payloads)
    path.write_bytes(gzip.compress(content) if kind == DocumentKind.GZIP_TFRECORD else content)
    monkeypatch.setattr(local_copies, "open_file", lambda uri: path.open("rb"))

    ranges = list(open_document(FoundFile("gs://bucket/records"), pool))

    read, sizes = [], []
    for page_range in ranges:
        file, places = record_places(page_range)
        read += [place.read() for place in places]
        sizes.append(Path(file.name).stat().st_size)
    assert len(ranges) > 1 and read == payloads
    assert sum(sizes) == len(content) if kind == DocumentKind.TFRECORD else set(sizes) == {path.stat().st_size}
    local_copies.forget_copies()


def test_the_records_of_a_file_that_changes_are_those_that_were_found_or_fail(tmp_path, pool):
    path = tmp_path / "records"
    path.write_bytes(samples.tfrecord_bytes([b"one", b"two", b"three"]))
    ranges = list(open_document(FoundFile(str(path)), pool))

    path.write_bytes(samples.tfrecord_bytes([b"one", b"TWO"]))

    places = [place for page_range in ranges for place in record_places(page_range)[1]]
    assert places[0].read() == b"one"
    with pytest.raises(DocumentError, match="the record has changed since the file was opened"):
        places[1].read()
    with pytest.raises(DocumentError, match="fewer records than when it was opened"):
        places[2].read()


def test_a_tfrecord_file_that_breaks_off_ends_with_a_broken_page(tmp_path, pool):
    path = tmp_path / "records"
    path.write_bytes(samples.tfrecord_bytes([b"one", b"two", b"three"])[:-1])

    ranges = list(open_document(FoundFile(str(path)), pool))

    assert ranges[0].document.page_count == 3
    assert record_places(ranges[0])[1][0].read() == b"one"
    with pytest.raises(DocumentError, match="cut short"):
        record_places(ranges[2])[1][0].read()


def test_a_file_that_cannot_be_read_is_an_empty_range(tmp_path, pool):
    [page_range] = open_document(FoundFile(str(tmp_path / "gone.pdf")), pool)

    assert page_range.start == page_range.stop == 0
    assert page_range.document.sha256 is None
    assert "can't be opened" in page_range.document.error


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_what_never_ends_is_no_document(tmp_path, pool, name):
    os.mkfifo(tmp_path / "pipe")

    [page_range] = open_document(FoundFile(str(tmp_path / name)), pool)

    assert re.search("a (FIFO|device), not a file", page_range.document.error)


def test_a_file_that_changes_while_it_is_opened_fails(tmp_path, pool, monkeypatch):
    path = tmp_path / "grows.pdf"
    path.write_bytes(samples.pdf_bytes([""]))
    submit = pool.submit

    def grow_and_submit(request):
        if isinstance(request, CountPages):  # the hash was taken before
            path.write_bytes(samples.pdf_bytes(["", ""]))
        return submit(request)

    monkeypatch.setattr(pool, "submit", grow_and_submit)

    [page_range] = open_document(FoundFile(str(path)), pool)

    assert page_range.document.page_count == 0
    assert page_range.document.error == CHANGED


@pytest.mark.parametrize("make", ["png", "tif", "pdf"])
def test_a_page_of_a_file_that_changed_fails_and_says_so(tmp_path, pool, make):
    path = tmp_path / f"page.{make}"
    contents = [samples.page_pixels(seed) for seed in (1, 2)]
    write = {
        "png": lambda pixels: path.write_bytes(samples.encoded(Image.fromarray(pixels))),
        "tif": lambda pixels: samples.write_tiff(path, [Image.fromarray(pixels)] * 2),
        "pdf": lambda pixels: path.write_bytes(samples.pdf_bytes([f"0 0 {pixels[0, 0]} 9 re f"])),
    }[make]
    write(contents[0])
    [page_range, *_] = open_document(FoundFile(str(path)), pool)
    document = page_range.document
    request = RenderPage(str(path), document.sha256, document.kind, 0, 72.0)
    before = pool.submit(request).result().value.pixels
    status = path.stat()

    write(contents[1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a copy that keeps times does

    with pytest.raises(DocumentError, match=CHANGED):
        pool.submit(request).result()
    write(contents[0])  # the same bytes again
    assert (pool.submit(request).result().value.pixels == before).all()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            lambda path: HashFile(path, max_bytes=20),
            r"more bytes than the limit of 0 MB; raise the limit with --max-document-mb",
        ),
        (
            lambda path: ListRecords(path, max_bytes=2000),
            r"more bytes, unpacked, than the limit of 0 MB; write several files, or raise .* --max-document-mb",
        ),
        (lambda path: ListRecords(path, max_bytes=10**6, max_records=4), r"more records than the limit of 4"),
    ],
)
def test_a_file_over_a_limit_is_refused(tmp_path, pool, request_, message):
    path = tmp_path / "records.gz"
    path.write_bytes(gzip.compress(samples.tfrecord_bytes([bytes(1000)] * 5)))

    with pytest.raises(DocumentError, match=message):
        pool.submit(request_(str(path))).result()
