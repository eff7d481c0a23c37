from __future__ import annotations

from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from ocr_models.errors import PagebeamError
from pipelines.output import checked_files, output_folder, read_rows
from pipelines.output.output_folder import Commit, publish
from pipelines.output.snapshot import read_together
from pipelines.runtime.storage import StorageError
from tests.pipelines import samples


@pytest.fixture
def output(run, tmp_path):
    """An output folder of two runs with a page each."""
    for seed in range(2):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
        run(tmp_path / "in")
    return tmp_path / "out"


def replace_a_file(output) -> Callable[[], None]:
    """A commit that, as a run does, moves the row of the first file to a new one and leaves another row in the old."""
    first, second = sorted((output / "pages").glob("*.parquet"))
    new = output / "_unfinished/r/new"
    new.mkdir(parents=True)
    (new / "changed.parquet").write_bytes(second.read_bytes())
    (new / "moved.parquet").write_bytes(first.read_bytes())
    (new / "manifest.json").write_bytes(next((output / "runs").iterdir()).read_bytes())
    moves = [("changed", f"pages/{first.name}"), ("moved", "pages/r-00000.parquet")]
    moves = [(f"_unfinished/r/new/{source}.parquet", path) for source, path in moves]
    manifest = ("_unfinished/r/new/manifest.json", "runs/r.json")
    return lambda: publish(str(output), Commit("r", [*moves, manifest], [f"pages/{second.name}"]))


def test_rows_that_move_while_they_are_read_are_read_once(output, monkeypatch):
    expected = sorted(read_rows.read_rows(str(output), ["page_id"])["page_id"].to_pylist())
    commits = [replace_a_file(output)]
    list_files = read_rows.current_files

    def list_and_commit(*arguments):
        files = list_files(*arguments)
        if commits:
            commits.pop()()
        return files

    monkeypatch.setattr(read_rows, "current_files", list_and_commit)

    rows = read_rows.read_rows(str(output), ["page_id"])

    assert not commits
    assert sorted(rows["page_id"].to_pylist()) == expected


def test_a_commit_that_is_carried_out_while_it_is_looked_at_is_none(output, monkeypatch):
    (output / "_commit.json").write_text("{}")

    def read_too_late(path):
        (output / "_commit.json").unlink()
        raise StorageError("open", "gone")

    monkeypatch.setattr(checked_files, "read_bytes", read_too_late)

    assert output_folder.pending_commit(str(output)) is None


def test_a_lost_file_is_an_error_at_once(output):
    def read():
        tries.append(1)
        raise StorageError("open", "gone")

    tries: list[int] = []
    with pytest.raises(StorageError, match="gone"):
        read_together(str(output), read)
    assert len(tries) == 1


def test_a_folder_that_changes_all_the_time_is_an_error(output, monkeypatch):
    monkeypatch.setattr("pipelines.output.snapshot._PAUSE_S", 0)
    names = iter("abcdef")

    def read():
        (output / f"runs/{next(names)}.json").touch()

    with pytest.raises(PagebeamError, match="changed each time"):
        read_together(str(output), read)


def test_rows_of_a_run_include_those_whose_replacement_is_under_way(output, monkeypatch):
    first = min((output / "pages").glob("*.parquet"))
    run_id = pq.read_table(first)["run_id"][0].as_py()
    staged = output / "_unfinished/r/new/superseded.parquet"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(first.read_bytes())
    monkeypatch.setattr(output_folder, "_carry_out", lambda *_: None)  # killed here
    moves = [("_unfinished/r/new/superseded.parquet", "superseded/pages/r-00000.parquet")]
    publish(str(output), Commit("r", moves, [f"pages/{first.name}"]))

    assert read_rows.read_rows(str(output)).num_rows == 1
    assert read_rows.read_rows(str(output), run=run_id).num_rows == 1


def test_nothing_is_left_of_a_run_s_unfinished_files(output):
    assert not (output / "_unfinished").exists()
