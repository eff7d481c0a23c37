from __future__ import annotations

import errno
import gzip
import itertools
import os
import socket
import tracemalloc
from collections.abc import Iterator

import pytest
from apache_beam.io.filesystem import FileMetadata

from ocr_models.errors import PagebeamError, UsageError
from pipelines.inputs.discovery import FoundFile, find_all, find_documents, find_files
from tests.pipelines import samples
from tests.pipelines.remote_files import SCHEME, CountedFileSystem


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


def found(pattern: object) -> dict[str, str | None]:
    """What is found, by name: why it can't be opened or isn't read; None for documents."""
    return {file.uri.rpartition("/")[2]: file.error or file.skipped for file in find_files(str(pattern))}


@pytest.fixture
def odd_folder(tmp_path):
    """A folder with one of each thing that isn't simply a document."""
    folder = tmp_path / "in"
    samples.write_png(folder / "page.png", 1)
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
    (folder / "away").symlink_to("gone.png")
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "loop").symlink_to(".")
    (folder / "zero.png").symlink_to("/dev/zero")
    for name, content in (("a.psd", b"8BPS"), ("no.thing", b""), (".hidden.png", b"x"), ("README", b"text")):
        (folder / name).write_bytes(content)
    return folder


def test_all_that_is_in_a_folder_is_found_with_what_it_is(odd_folder):
    assert found(odd_folder) == {
        "page.png": None,
        "pipe.png": "FIFO",
        "socket": "socket",
        "zero.png": "device",
        "away": "the target of the link can't be opened (No such file or directory)",
        "itself.png": "the target of the link can't be opened (Too many levels of symbolic links)",
        "loop": "link to a folder",
        "a.psd": "other format .psd",
        "no.thing": "empty",
        ".hidden.png": "hidden",
        "README": "other format without extension",
    }


def test_what_is_named_or_matched_but_is_no_file_fails(odd_folder):
    matched = found(odd_folder / "*.png")

    assert {name for name, fault in matched.items() if fault} == {"pipe.png", "zero.png", "itself.png"}
    assert matched["pipe.png"] == "a FIFO, not a file, which can't be read"
    assert found(odd_folder / "zero.png") == {"zero.png": matched["zero.png"]}
    assert found(odd_folder / "away") == found(odd_folder / "aw*")
    assert found(odd_folder / "no*such") == {} == found(odd_folder / "no/such/folder/*.png")
    assert found(odd_folder.parent / "*") == {"in": "folder that a glob matches"}
    assert found(odd_folder / "*/*.png") == {"loop": "link to a folder"}
    assert found(odd_folder / "l*") == {"loop": "folder that a glob matches"}


def test_a_folder_that_cannot_be_listed_is_found(tmp_path, monkeypatch):
    samples.write_png(tmp_path / "open/a.png", 1)
    samples.write_png(tmp_path / "shut/b.png", 2)
    (tmp_path / ".shut").mkdir()
    scandir = os.scandir

    def refuse(path):  # root, who may run the tests, can list any folder
        if path.endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    shut = "the folder can't be listed (Permission denied)"
    assert found(tmp_path) == {"a.png": None, "shut": shut, ".shut": "hidden"}
    assert found(tmp_path / "*/*.png") == {"a.png": None, "shut": shut, ".shut": shut}
    assert found(tmp_path / "open/*.png") == {"a.png": None}


def test_a_glob_matches_at_any_depth_with_two_stars(tmp_path):
    samples.write_png(tmp_path / "a.png", 1)
    samples.write_png(tmp_path / "one/two/b.png", 2)

    assert list(found(tmp_path / "**.png")) == ["a.png", "b.png"]
    assert list(found(tmp_path / "*/tw?/*")) == ["b.png"]
    assert list(found(tmp_path / "one/**")) == ["b.png"]


def test_a_file_that_several_inputs_find_is_a_document_if_one_says_so():
    skipped, broken, document = FoundFile("a", skipped="hidden"), FoundFile("a", error="gone"), FoundFile("a")

    for files in itertools.permutations([skipped, broken, document]):
        assert FoundFile.most_wanted(files) == document
    assert FoundFile.most_wanted([skipped, broken]) == broken


def test_a_worker_that_finds_nothing_fails(tmp_path):
    with pytest.raises(PagebeamError, match=r"nothing is found at .*/scans on the worker .*: make the input visible"):
        list(find_all(str(tmp_path / "scans")))


def test_an_unknown_file_system_is_a_usage_error():
    with pytest.raises(UsageError, match="nosuch://bucket"):
        list(find_documents("nosuch://bucket/*.pdf"))


def test_a_bucket_is_a_stream(monkeypatch):
    listed, documents = [0], 50_000

    def pages_of_a_list(file_system: object, prefix: str) -> Iterator[FileMetadata]:
        for number in range(documents):
            listed[0] += 1
            yield FileMetadata(f"{prefix}{number:08d}.pdf", 1, 1.0)

    monkeypatch.setattr(CountedFileSystem, "_list", pages_of_a_list)
    files = find_files(f"{SCHEME}bucket/scans")
    first = next(files)
    listed_at_first = listed[0]
    tracemalloc.start()
    found = 1 + sum(1 for _ in files)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (first.uri, found) == (f"{SCHEME}bucket/scans/00000000.pdf", documents)
    assert listed_at_first < 5_000  # which fit in a few pages of a thousand names each
    assert peak_bytes < 100 * documents  # a name and its numbers alone take more
