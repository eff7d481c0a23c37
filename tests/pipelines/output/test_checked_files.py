from __future__ import annotations

import errno
import io
from pathlib import Path

import apache_beam.io.filesystem
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main as cli
from pipelines.output import checked_files
from pipelines.output.checked_files import DamagedFileError, open_rows
from pipelines.runtime.storage import StorageError, open_file
from tests.pipelines import samples

PASSING = [
    TimeoutError("timed out"),
    ConnectionResetError("the other side closed the connection"),
    apache_beam.io.filesystem.BeamIOError("503"),
    OSError(errno.EIO, "Input/output error"),
    PermissionError(errno.EACCES, "Permission denied"),
]


class BrokenOff(io.BytesIO):
    """A file that can be opened, but of which nothing can be read."""

    def __init__(self, content: bytes, error: Exception) -> None:
        super().__init__(content)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        raise self._error


@pytest.fixture
def break_off(monkeypatch):
    """Has reading of all files of rows fail from now on."""

    def break_off(error: Exception) -> None:
        def open_broken(path: str) -> BrokenOff:
            with open_file(path) as file:
                return BrokenOff(file.read(), error)

        monkeypatch.setattr(checked_files, "open_file", open_broken)

    return break_off


def write_rows(folder: Path) -> None:
    pq.write_table(pa.table({"a": ["x", "y", "z"] * 100}), folder / "rows.parquet", compression="zstd")


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_cant_be_read_now_isnt_damaged(tmp_path, break_off, error):
    write_rows(tmp_path)
    break_off(error)
    with pytest.raises(StorageError, match="can't be read"), open_rows(str(tmp_path), "rows.parquet"):
        pass


def test_what_doesnt_fit_into_memory_isnt_damaged(tmp_path, break_off):
    write_rows(tmp_path)
    break_off(pa.lib.ArrowMemoryError("malloc of size 64 failed"))
    with pytest.raises(MemoryError), open_rows(str(tmp_path), "rows.parquet"):
        pass


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_a_file_that_was_cut_is_damaged(tmp_path, kept):
    write_rows(tmp_path)
    content = (tmp_path / "rows.parquet").read_bytes()
    (tmp_path / "rows.parquet").write_bytes(content[:kept])
    with pytest.raises(DamagedFileError, match="--repair"), open_rows(str(tmp_path), "rows.parquet"):
        pass


@pytest.mark.parametrize("command", [["run", "in", "--output", "out"], ["doctor", "out", "--repair"]], ids=" ".join)
@pytest.mark.parametrize("error", PASSING[:2], ids=lambda error: type(error).__name__)
def test_healthy_files_stay_where_they_are(run, tmp_path, monkeypatch, break_off, command, error):
    samples.write_png(tmp_path / "in/a.png", 1)
    run(tmp_path / "in")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.parquet")}
    break_off(error)
    monkeypatch.chdir(tmp_path)
    assert cli.main(command) == 1
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.parquet")} == before
    assert len(before) == 2  # the rows, and the table of documents
