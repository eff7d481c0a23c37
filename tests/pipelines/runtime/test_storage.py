from __future__ import annotations

import errno
import os
import pickle
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocr_models.errors import DocumentError, Stage, UsageError
from pipelines.runtime import storage
from pipelines.runtime.storage import OutputError, StorageError, atomic_writer


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "file.parquet"

    with pytest.raises(RuntimeError), atomic_writer(str(path)) as file:
        file.write(b"half of it")
        raise RuntimeError("the worker dies")

    assert list(tmp_path.iterdir()) == []


def test_writing_again_replaces_a_file(tmp_path):
    for data in (b"old", b"new"):
        storage.write_bytes(str(tmp_path / "file"), data)

    assert storage.read_bytes(str(tmp_path / "file")) == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_files_are_bytes_whatever_their_extension(tmp_path):
    for name in ("a.gz", "a.bz2", "a.txt"):
        storage.write_bytes(str(tmp_path / name), b"plain bytes")

    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"plain bytes"}
    assert storage.hash_file(str(tmp_path / "a.gz")).size_bytes == 11
    assert storage.list_folder(str(tmp_path)) == {"a.gz": 11, "a.bz2": 11, "a.txt": 11}


def test_a_file_that_is_gone_fails_as_a_document_and_as_a_file(tmp_path):
    with pytest.raises(StorageError, match="the file can't be opened") as caught:
        storage.open_file(str(tmp_path / "gone"))

    error = caught.value
    assert isinstance(error, DocumentError) and isinstance(error, OSError)
    assert error.stage == Stage.OPEN
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # it travels between processes


def test_a_fifo_or_a_device_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    for path, kind in ((str(tmp_path / "pipe"), "a FIFO"), ("/dev/zero", "a device"), (str(tmp_path), "a folder")):
        with pytest.raises(StorageError, match=f"{kind}, not a file"):
            storage.read_bytes(path)


def test_only_the_named_files_are_deleted(tmp_path):
    for name in ("a1", "a[12]"):
        (tmp_path / name).write_text("")

    storage.delete([str(tmp_path / "a[12]")])

    assert [path.name for path in tmp_path.iterdir()] == ["a1"]
    with pytest.raises(StorageError, match="a2 can't be deleted"):
        storage.delete([str(tmp_path / "a2")])


def test_folders_called_like_patterns_list_their_own_files(tmp_path):
    storage.write_bytes(str(tmp_path / "a1/other"), b"")
    storage.write_bytes(str(tmp_path / "a[1]/deep/file"), b"12")

    assert storage.list_folder(str(tmp_path / "a[1]")) == {"deep/file": 2}


def test_a_file_that_vanishes_while_a_folder_is_listed_hides_no_other(tmp_path):
    (tmp_path / "kept").touch()
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            (tmp_path / "a.tmp").touch()
            (tmp_path / "a.tmp").unlink()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    listings = [storage.list_folder(str(tmp_path)) for _ in range(20_000)]
    ended.set()
    thread.join()

    assert all("kept" in listing for listing in listings)


def test_an_output_that_cannot_be_written_is_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="can't write to the output folder"):
        storage.check_writable(str(tmp_path / "file/out"))
    with pytest.raises(UsageError, match="the name isn't UTF-8, as manifests are"):
        storage.check_writable(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    storage.check_writable(str(tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


def test_uris_stay_and_local_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert storage.absolute_uri("a/b") == str(tmp_path / "a/b")
    assert storage.absolute_uri("gs://bucket/a") == "gs://bucket/a"
    assert storage.is_remote("gs://bucket/a") and not storage.is_remote("a/b")
    assert storage.join("gs://bucket/", "a") == storage.join("gs://bucket", "a") == "gs://bucket/a"


def test_file_uris_are_local_paths(tmp_path):
    for uri in ("file:///a/b%20c", "FILE://localhost/a/b%20c", "file:/a/b c"):
        assert storage.absolute_uri(uri) == "/a/b c"
    assert storage.absolute_uri("file") == os.path.abspath("file")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("gs://bucket/a", r"gs://bucket/a: gs:// needs .* pip install 'pagebeam\[gcp\]'"),
        ("s3://bucket/a", r"s3://bucket/a: s3:// needs .* pip install 'pagebeam\[aws\]'"),
        ("hdfs://host/a", r"hdfs://host/a: hdfs:// needs .* pip install 'pagebeam\[hadoop\]'"),
        ("azfs://bucket/a", r"azfs://bucket/a: azfs:// needs .* pip install 'pagebeam\[azure\]'"),
        ("file://server/a", r"file://server/a: a file of another machine; give file:///PATH, or its path"),
        ("ftp://host/a", r"ftp://host/a: there is no file system for ftp://; give a local path, or file://, gs://"),
    ],
)
def test_file_systems_that_are_not_installed_are_named_with_their_extra(uri, message, monkeypatch):
    monkeypatch.setattr(storage, "_is_installed", lambda module: False)
    for access in (storage.check_file_system, storage.match_files, storage.check_writable, storage.read_bytes):
        with pytest.raises((UsageError, StorageError), match=message):
            access(uri)


def test_each_extra_is_in_the_package():
    setup = (Path(__file__).parents[3] / "setup.py").read_text()
    assert all(f'"{extra}": ["apache-beam[{extra}]' in setup for _, extra in storage._NEEDED.values())


def test_beam_s_file_systems_have_options_before_there_is_a_pipeline():
    code = "from pipelines.runtime.storage import match_files; from apache_beam.io.filesystems import FileSystems\n"
    code += "match_files('/nowhere/*'); print(FileSystems._pipeline_options is not None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_file_is_on_the_disk_before_it_gets_its_name_and_the_name_before_it_is_done(tmp_path, monkeypatch):
    calls: list[str] = []

    def note(name: str, function: Callable[..., Any], what: Callable[..., object]) -> None:
        monkeypatch.setattr(os, name, lambda *given: (calls.append(f"{name} {what(*given)}"), function(*given))[1])

    def kind(descriptor: int) -> str:
        return "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"{os.fstat(descriptor).st_size} bytes"

    note("fsync", os.fsync, kind)
    note("replace", os.replace, lambda temporary, path: os.path.basename(path))

    storage.write_bytes(str(tmp_path / "new/folder/file"), b"12345")

    # First the names of the two new folders, each in the folder that it lies in.
    assert calls == ["fsync folder", "fsync folder", "fsync 5 bytes", "replace file", "fsync folder"]


def test_a_file_that_cannot_be_written_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match=r"/file/new can't be written .* make room or give another --output"):
        storage.write_bytes(str(tmp_path / "file/new"), b"1")
    with pytest.raises(OutputError, match="No space left"), atomic_writer(str(tmp_path / "full")):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_a_thread_is_writing_goes_with_the_process(tmp_path):
    code = f"""
import threading, time
from pipelines.cli import main as cli
from pipelines.runtime.storage import atomic_writer

def write():
    with atomic_writer({str(tmp_path / "file")!r}) as file:
        file.write(b"half of it")
        begun.set()
        time.sleep(60)

begun = threading.Event()
threading.Thread(target=write).start()
begun.wait()
cli.main = lambda: 7
cli.command()
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 7
    assert list(tmp_path.iterdir()) == []
