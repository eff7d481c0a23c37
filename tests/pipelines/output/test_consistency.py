from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main as cli
from pipelines.output.lock import locked
from pipelines.output.output_folder import Commit
from pipelines.output.run_manifest import RunDescription, write_description
from pipelines.output.schemas import PAGES
from tests.pipelines import samples
from tests.pipelines.conftest import read_rows


@pytest.fixture
def output(run, tmp_path) -> Path:
    """A folder with one file of two documents: one of three pages, and one that can't be opened."""
    samples.write_png(tmp_path / "in/a.png", 1)
    (tmp_path / "in/b.pdf").write_bytes(samples.pdf_bytes(["0 0 9 9 re f", "0 0 8 8 re f", "0 0 7 7 re f"]))
    (tmp_path / "in/c.png").write_bytes(b"")
    run(tmp_path / "in")
    cli.main(["compact", str(tmp_path / "out")])
    return tmp_path / "out"


def rows_file(output: Path) -> Path:
    [path] = (output / "pages").glob("*.parquet")
    return path


def change_rows(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def damage(output: Path) -> None:
        path = rows_file(output)
        pq.write_table(change(pq.read_table(path)), path)

    return damage


def with_column(name: str, value: Callable[[pa.Table], object]) -> Callable[[Path], None]:
    def change(rows: pa.Table) -> pa.Table:
        field = rows.schema.field(name)
        return rows.set_column(rows.schema.get_field_index(name), field, pa.array(value(rows), field.type))

    return change_rows(change)


def change_manifest(output: Path) -> None:
    [path] = (output / "runs").iterdir()
    manifest = json.loads(path.read_text())
    manifest["pages"]["found"] += 1
    path.write_text(json.dumps(manifest))


def cut_the_file(output: Path) -> None:
    path = rows_file(output)
    path.write_bytes(path.read_bytes()[:-100])


def break_a_page_of_the_file(output: Path) -> None:
    path = rows_file(output)
    column = pq.read_metadata(path).row_group(0).column(0)
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start + 30 : start + 60] = bytes(30)
    path.write_bytes(content)


def leave_a_dead_lock(output: Path, name: str = "_lock.json") -> None:
    gone = {
        "run_id": "dead",
        "host": "elsewhere",
        "pid": 1,
        "process_start": 1,
        "user": "u",
        "since": 0,
        "heartbeat": 0,
    }
    (output / name).write_text(json.dumps(gone))


def leave_a_commit(output: Path) -> None:
    staged = output / "_unfinished/r/new/00000.parquet"
    staged.parent.mkdir(parents=True)
    shutil.copy(rows_file(output), staged)
    commit = Commit(
        "r", [("_unfinished/r/new/00000.parquet", "pages/r-0.parquet")], [f"pages/{rows_file(output).name}"]
    )
    (output / "_commit.json").write_text(json.dumps(vars(commit)))


def leave_a_temporary_file(output: Path) -> None:
    path = output / "pages/_x.parquet.0.tmp"
    path.write_bytes(b"")
    os.utime(path, (time.time() - 7200,) * 2)


DAMAGES = {
    "a cut file": (cut_the_file, "can't be read ("),
    "a broken page": (break_a_page_of_the_file, "can't be read ("),
    "a column is missing": (change_rows(lambda rows: rows.drop_columns(["page_id"])), "has no column page_id"),
    "rows are missing": (change_rows(lambda rows: rows.slice(0, 2)), "says otherwise than the rows of 2 documents:"),
    "rows of unknown documents": (lambda output: (output / "documents/pages.parquet").unlink(), "lacks 3 documents"),
    "a page has two rows": (
        lambda output: shutil.copy(rows_file(output), output / "pages/copy.parquet"),
        "pages: 5 pages have several rows",
    ),
    "an index beyond the count": (
        with_column(
            "page_count", lambda rows: [2 if count == 3 else count for count in rows["page_count"].to_pylist()]
        ),
        "1 rows have a page_index beyond",
    ),
    "a failure without a reason": (
        with_column("failure", lambda rows: [None] * len(rows)),
        "1 rows failed without a failure",
    ),
    "an unknown status": (
        with_column("status", lambda rows: pc.if_else(pc.equal(rows["status"], "ok"), "fine", rows["status"])),
        "4 rows have a status other than ok, blank, unknown_script, failed",
    ),
    "no manifest": (
        lambda output: shutil.move(next((output / "runs").iterdir()), output / "runs/x.txt"),
        "no manifest",
    ),
    "sums": (change_manifest, "found 6, but known + expected 5"),
    "a dead lock": (leave_a_dead_lock, "the lock is held by dead of u"),
    "a dead lock of a part": (
        lambda output: leave_a_dead_lock(output, "_lock-2-of-3.json"),
        "the lock of part 2/3 is held by dead of u",
    ),
    "a pending commit": (leave_a_commit, "the commit of r was cut off"),
    "a leftover": (leave_a_temporary_file, "1 files are left over from writers that were killed: pages/_x"),
}
REPAIRED = {
    *("a dead lock", "a dead lock of a part", "a pending commit", "a leftover"),
    *("a cut file", "a broken page", "a column is missing", "rows are missing", "rows of unknown documents"),
}


def test_a_folder_as_a_run_leaves_it_is_right(output, capsys):
    assert cli.main(["doctor", str(output)]) == 0
    assert "all is right" in capsys.readouterr().out


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_is_found_and_some_are_repaired(output, capsys, name):
    damage, said = DAMAGES[name]
    damage(output)
    capsys.readouterr()

    assert cli.main(["doctor", str(output)]) == 3
    assert said in capsys.readouterr().out

    assert cli.main(["doctor", str(output), "--repair"]) == (0 if name in REPAIRED else 3)


def delete_the_file(output: Path) -> None:
    rows_file(output).unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (delete_the_file, "5 pages have no row any more"),
        (cut_the_file, "5 pages have no row any more"),
        (DAMAGES["rows are missing"][0], "3 pages have no row any more"),
        (DAMAGES["rows of unknown documents"][0], "they are hashed again"),
    ],
    ids=["a deleted file", "a cut file", "rows are missing", "no documents"],
)
def test_the_next_run_reads_the_pages_whose_rows_were_lost(output, run, tmp_path, capsys, damage, said):
    before = read_rows(output)
    damage(output)

    status, rows = run(tmp_path / "in")

    assert said in capsys.readouterr().err
    assert status == 3 and [row["page_id"] for row in rows] == [row["page_id"] for row in before]
    assert [row["text"] for row in rows] == [row["text"] for row in before]
    assert len(list((output / "damaged/pages").glob("*.parquet"))) == (damage is cut_the_file)
    assert cli.main(["doctor", str(output)]) == 0


def test_a_table_of_others_among_the_rows_is_moved_away(output, run, tmp_path, capsys):
    before = read_rows(output)
    (tmp_path / "in/c.png").unlink()  # it couldn't be opened, and would be tried again
    pq.write_table(pa.table({"a": [1, 2]}), output / "pages/others.parquet")

    assert run(tmp_path / "in") == (0, before)
    assert "pages/others.parquet can't be read as rows, and was moved to damaged/" in capsys.readouterr().err
    assert pq.read_table(output / "damaged/pages/others.parquet")["a"].to_pylist() == [1, 2]
    assert cli.main(["doctor", str(output)]) == 0


def test_rows_in_a_damaged_file_are_told_with_what_to_do(output, capsys):
    cut_the_file(output)
    capsys.readouterr()

    assert cli.main(["status", str(output)]) == 1
    said = capsys.readouterr().err
    assert f"pagebeam: {rows_file(output)} is damaged" in said and f"pagebeam doctor {output} --repair" in said


def test_a_damaged_shard_of_a_run_that_was_cut_off_is_told_with_what_to_do(output, run, tmp_path, capsys):
    before, rows = read_rows(output), rows_file(output).read_bytes()
    (tmp_path / "in/c.png").unlink()  # it couldn't be opened, and would be tried again
    description = RunDescription(inputs=["in"], table=PAGES, options={}, models={}, reader_id="reader")
    write_description(str(output), description)
    shard = output / f"_unfinished/{description.run_id}/rows/00000.parquet"
    shard.parent.mkdir()
    shard.write_bytes(rows[: len(rows) // 2])
    capsys.readouterr()

    assert cli.main(["run", str(tmp_path / "in"), "--output", str(output)]) == 1
    said = capsys.readouterr().err
    assert f"pagebeam: {shard} is damaged" in said and "; delete it, and the next run" in said
    shard.unlink()
    run(tmp_path / "in")
    assert read_rows(output) == before and not (output / "_unfinished").exists()


def test_repairing_does_not_disturb_a_writer(output):

    with locked(str(output), "a-run"):
        assert cli.main(["doctor", str(output), "--repair"]) == 5
        assert cli.main(["doctor", str(output)]) == 0


@pytest.mark.parametrize("name", ["_commit.json", "manifest"])
def test_damaged_json_is_told_in_a_line_with_what_to_do(output, capsys, name):
    path = next((output / "runs").iterdir()) if name == "manifest" else output / name
    path.write_bytes(b"\xff{")
    capsys.readouterr()

    assert cli.main(["status", str(output)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"pagebeam: {path} is damaged (") and "get it back from a backup, or delete it" in said
