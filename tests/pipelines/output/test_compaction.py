from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ocr_models.errors import LockedError, PagebeamError
from pipelines.output import compaction, output_folder
from pipelines.output.compaction import compact, new_compaction_id, plan_compaction
from pipelines.output.consistency import check_consistency, repair
from pipelines.output.lock import locked
from pipelines.output.read_rows import read_rows
from tests.pipelines import conftest, samples

NIGHTS = 3


@pytest.fixture
def output(run, tmp_path) -> Path:
    """Three nights: each adds a page, and each but the first changes the page of the first, so that two rows are
    replaced. The last row is of a page with another width."""
    for night in range(NIGHTS):
        samples.write_png(tmp_path / f"in/{9 - night}.png", night)
        samples.write_png(tmp_path / "in/changing.png", 100 + night)
        run(tmp_path / "in")
    return tmp_path / "out"


def compacted(output: Path, before: datetime | None = None) -> compaction.Compaction:
    holder = new_compaction_id()
    with locked(str(output), holder):
        return compact(str(output), holder, before)


def files_in(output: Path) -> dict[str, int]:
    return {str(path.relative_to(output)): path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}


def all_rows(output: Path) -> list[dict]:
    return read_rows(str(output)).sort_by([("source_uri", "ascending"), ("page_index", "ascending")]).to_pylist()


def test_small_files_become_one_with_the_same_sorted_rows(output):
    before = conftest.read_rows(output)
    files = list((output / "pages").iterdir())
    schema = pq.read_schema(files[0])

    done = compacted(output)

    [file] = (output / "pages").iterdir()
    assert (done.files, done.files_after, done.rows, done.superseded_rows) == (len(files), 1, NIGHTS + 1, NIGHTS - 1)
    assert pq.read_table(file).to_pylist() == before  # in this order
    assert all_rows(output) == before
    assert pq.read_schema(file).equals(schema, check_metadata=True)
    assert schema.field("page_id").metadata[b"doc"]
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"
    assert not (output / "_unfinished").exists()
    assert not list((output / "superseded").rglob("*.parquet"))
    assert check_consistency(str(output)) == []


def test_a_second_compaction_changes_nothing(output):
    compacted(output)
    before = files_in(output)

    done = compacted(output)

    assert (done.groups, done.superseded, files_in(output)) == ([], [], before)


def test_runs_go_on_with_compacted_rows(output, run, tmp_path):
    compacted(output)
    samples.write_png(tmp_path / "in/changing.png", 200)

    _, rows = run(tmp_path / "in")

    assert len(rows) == NIGHTS + 1
    assert read_rows(str(output)).num_rows == NIGHTS + 1
    assert check_consistency(str(output)) == []
    assert compacted(output).superseded_rows == 1


def test_a_dry_run_changes_nothing(output):
    before = files_in(output)

    plan = plan_compaction(str(output))

    assert files_in(output) == before
    assert (plan.files_after, plan.rows, plan.superseded_rows) == (1, NIGHTS + 1, NIGHTS - 1)
    sizes = [path.stat().st_size for folder in ("pages", "superseded/pages") for path in (output / folder).iterdir()]
    assert plan.bytes == sum(sizes)


def test_only_rows_that_were_replaced_long_ago_are_removed(output):
    [first, second, _] = [json.loads(path.read_text()) for path in sorted((output / "runs").iterdir())]
    between = datetime.fromisoformat(second["finished"]) + timedelta(milliseconds=1)

    done = compacted(output, before=between)

    assert done.superseded_rows == 1  # of the first run
    assert read_rows(str(output), run=first["run_id"]).num_rows == 1
    assert read_rows(str(output), run=second["run_id"]).num_rows == 2
    assert compacted(output, before=datetime.now(UTC) - timedelta(days=1)).superseded_rows == 0


def test_groups_hold_no_more_than_the_limits_and_large_files_stay(output, monkeypatch):
    monkeypatch.setattr(compaction, "ROWS_PER_FILE", 2)
    before = all_rows(output)

    compacted(output)

    rows = [pq.read_metadata(path).num_rows for path in (output / "pages").iterdir()]
    assert sum(rows) == NIGHTS + 1 and max(rows) <= 2
    assert all_rows(output) == before


@pytest.mark.parametrize("moved", [0, 1])
def test_killed_after_it_counts_it_is_completed(output, monkeypatch, moved):
    """``moved``: how many files took their places before the compaction was killed."""
    before = all_rows(output)
    moves = []

    def move_and_die(source, path):
        if len(moves) == moved:
            raise KeyboardInterrupt
        moves.append(path)
        real(source, path)

    real = output_folder.move
    monkeypatch.setattr(output_folder, "move", move_and_die)
    monkeypatch.setattr(output_folder, "delete", lambda paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        compacted(output)
    monkeypatch.undo()

    assert (output / "_commit.json").exists()
    assert all_rows(output) == before  # as read_rows sees it
    [finding] = check_consistency(str(output))
    assert "was cut off" in finding.what

    repair(str(output), "doctor")

    assert conftest.read_rows(output) == before  # as plain Parquet readers see it
    assert len(list((output / "pages").iterdir())) == 1
    assert check_consistency(str(output)) == []


def test_killed_before_it_counts_it_leaves_the_rows_and_what_the_next_one_removes(output, monkeypatch):
    before = conftest.read_rows(output)
    monkeypatch.setattr(compaction, "publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        compacted(output)
    monkeypatch.undo()

    assert conftest.read_rows(output) == before
    assert len(compacted(output).leftovers) == 1
    assert conftest.read_rows(output) == before
    assert not (output / "_unfinished").exists()


def test_rows_that_got_lost_in_merging_stop_it(output, monkeypatch):
    before = files_in(output)
    monkeypatch.setattr(compaction, "count_rows", lambda path: 1)

    with pytest.raises(PagebeamError, match="nothing is changed"):
        compacted(output)

    assert before.items() <= files_in(output).items()


def test_it_does_not_run_beside_another_writer(output):
    before = files_in(output)
    with locked(str(output), "a-run"), pytest.raises(LockedError, match="a-run"):
        compacted(output)
    assert files_in(output) == before


def test_what_may_still_be_used_is_no_leftover(output):
    now = time.time()
    ages = {
        "_unfinished/host/rows/fresh.parquet": 3600,  # of a pipeline of another program
        "_unfinished/cut-off/run.json": 10**6,  # the next run takes it over
        "_unfinished/cut-off/rows/a.parquet": 10**6,
        "pages/_a.parquet.0.tmp": 60,
        "my-own/_b.tmp": 10**6,
    }
    leftovers = {
        "_unfinished/dead-host/rows/old.parquet": 2 * 86400,
        "_unfinished/planned/files-00000.parquet": 60,  # killed before it began to read
        "_lock.json.7.dead": 7200,
        "runs/_r.json.0.tmp": 7200,
    }
    for name, age in (ages | leftovers).items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, (now - age,) * 2)

    done = compacted(output)

    assert done.leftovers == sorted(leftovers)
    assert all((output / name).exists() for name in ages)
    assert not any((output / name).exists() for name in leftovers)
