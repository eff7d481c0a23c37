from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.kill_runs import ROWS_PER_SHARD, start, view, write_documents
from ocr_models.errors import LockedError
from pipelines.cli import main as cli
from pipelines.output import lock
from pipelines.output.current_view import describe_output
from pipelines.output.lock import living_parts, locked, locked_part, read_holder
from pipelines.output.parts import Part, array_of, whole_runs
from pipelines.output.run_manifest import read_manifests
from pipelines.reading.run import run as run_once
from pipelines.reading.run_options import OcrOptions
from tests.pipelines import samples
from tests.pipelines.conftest import read_rows
from tests.pipelines.fakes import GUILTY_WIDTH_PX
from tests.pipelines.remote_files import SCHEME, CountedFileSystem

ROOT = Path(__file__).parents[3]


def paths_of_part(folder: Path, number: int, count: int, number_of_paths: int) -> list[Path]:
    """Paths in a folder that are in this part; a path's part follows from all of the path."""
    paths = (folder / f"{i}.png" for i in itertools.count())
    return list(itertools.islice((path for path in paths if Part(number, count).has(str(path))), number_of_paths))


@given(st.text(), st.integers(1, 40))
def test_each_document_is_in_one_part(uri: str, count: int):
    assert [Part(number, count).has(uri) for number in range(1, count + 1)].count(True) == 1


def test_parts_are_of_like_size():
    counts = Counter(number for i in range(4000) for number in range(1, 5) if Part(number, 4).has(f"/in/{i:05}.pdf"))

    assert all(900 < count < 1100 for count in counts.values())  # 1,000 ± 27 (standard deviation)


def test_parts_give_the_rows_of_one_run_and_the_next_run_knows_them(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PAGEBEAM_ARRAY", "tonight")
    chosen = [path for number in (1, 2, 3) for path in paths_of_part(tmp_path / "in", number, 3, 4)]
    for seed, path in enumerate(chosen):
        samples.write_png(path, seed % 10)  # two copies
    _, whole = run(tmp_path / "in", output="whole")

    for number in (3, 1):
        run(tmp_path / "in", "--part", f"{number}/3")
    assert describe_output(str(tmp_path / "out"))["array"]["missing"] == [2]
    cli.main(["status", str(tmp_path / "out")])
    assert "job array tonight, since " in (out := capsys.readouterr().out)
    assert "2 of 3 parts have finished; missing: 2\n" in out
    status, rows = run(tmp_path / "in", "--part", "2/3")

    same = ("page_id", "source_uri", "also_at", "text", "status", "reader_id")
    assert [[row[name] for name in same] for row in rows] == [[row[name] for name in same] for row in whole]
    assert status == 0 and len({row["page_id"] for row in rows}) == len(rows) == 10
    assert len({row["run_id"] for row in rows}) == 3
    assert describe_output(str(tmp_path / "out"))["array"]["missing"] == []
    chosen[3].unlink()
    run(tmp_path / "in")
    run(tmp_path / "in", "--part", "2/3")
    last, part = read_manifests(str(tmp_path / "out"))[-2:]
    assert (last["pages"]["expected"], last["documents"]["vanished"]) == (0, 1)
    assert (part["pages"]["expected"], part["documents"]["vanished"]) == (0, 0)


def test_an_empty_part_ends_well_before_any_other(fake_models, tmp_path, capsys):
    samples.write_png(paths_of_part(tmp_path / "in", 1, 2, 1)[0], 1)
    arguments = [str(tmp_path / "in"), "--output", str(tmp_path / "out")]

    status = cli.main(["run", *arguments, "--part", "2/2"])
    out = capsys.readouterr().out

    assert status == 0 and "0 pages read" in out
    assert "rows:" not in out and "look:" not in out  # there is nothing to open yet
    assert describe_output(str(tmp_path / "out"))["array"]["missing"] == [1]
    assert cli.main(["run", *arguments, "--part", "1/2"]) == 0
    assert "look:" in capsys.readouterr().out


def test_copies_in_parts_that_read_at_the_same_time_have_not_moved(run, tmp_path):
    for number in (1, 2):
        samples.write_png(paths_of_part(tmp_path / "in", number, 2, 1)[0], 1)
    options = OcrOptions(inputs=[str(tmp_path / "in")], output=str(tmp_path / "out"), part=Part(1, 2))

    run_once(options, before_reading=lambda plan: run(tmp_path / "in", "--part", "2/2"))

    manifests = read_manifests(str(tmp_path / "out"))
    assert [(of["documents"]["new"], of["documents"]["moved"]) for of in manifests] == [(1, 0), (1, 0)]
    [row] = read_rows(tmp_path / "out")
    assert len(row["also_at"]) == 1


def test_gates_judge_all_parts_together_when_the_last_has_finished(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PAGEBEAM_ARRAY", "tonight")
    for number, failing in ((1, 1), (2, 3)):  # of the four pages of each part
        for index, path in enumerate(paths_of_part(tmp_path / "in", number, 2, 4)):
            samples.write_png(path, int(path.stem), width=GUILTY_WIDTH_PX if index < failing else 60)

    assert run(tmp_path / "in", "--part", "2/2", "--max-failed", "49%")[0] == 3  # 3 of 4, but it isn't judged alone
    assert run(tmp_path / "in", "--part", "1/2", "--max-failed", "49%")[0] == 4  # 1 of 4, and 4 of 8

    manifests = read_manifests(str(tmp_path / "out"))
    [whole] = whole_runs(manifests)
    assert (whole["pages"]["failed"], whole["pages"]["expected"]) == (4, 8)
    assert len(whole["gates_exceeded"]) == 1


def test_without_an_id_a_part_begins_the_next_array_when_all_have_finished(run, tmp_path):
    for number in (1, 2):
        samples.write_png(paths_of_part(tmp_path / "in", number, 2, 1)[0], number)
    for number in (1, 2, 2):
        run(tmp_path / "in", "--part", f"{number}/2")

    manifests = read_manifests(str(tmp_path / "out"))

    assert len(array_of(manifests, manifests[1]["run_id"]).runs) == 2
    assert array_of(manifests, manifests[2]["run_id"]).missing == [1]


def test_parts_exclude_runs_and_themselves_but_not_each_other(tmp_path):
    output, begun = str(tmp_path), []
    with (
        locked_part(output, "a", Part(1, 2), lambda: begun.append("a")),
        locked_part(output, "b", Part(2, 2), lambda: begun.append("b")),
    ):
        for part in (Part(1, 2), Part(3, 3)):  # the same, and one of another array
            with pytest.raises(LockedError), locked_part(output, "c", part, lambda: begun.append("c")):
                pass
        with pytest.raises(LockedError, match=r"is being written by [ab] "), locked(output, "run"):
            pass
        with locked(output, "commit", is_brief=True):
            pass
    assert begun == ["a", "b"] and not list(tmp_path.iterdir())
    with (
        locked(output, "run"),
        pytest.raises(LockedError, match="by run "),
        locked_part(output, "a", Part(1, 2), lambda: begun.append("a")),
    ):
        pass


def test_living_parts_are_found_without_listing_a_whole_bucket(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_SETTLE_S", 0)
    CountedFileSystem.reset(tmp_path)
    for number in range(9):
        samples.write_png(tmp_path / f"out/pages/{number}.png", number)
    output = f"{SCHEME}out"

    with locked_part(output, "a", Part(1, 2), lambda: None), locked_part(output, "b", Part(2, 2), lambda: None):
        living = [(str(part), holder.run_id) for part, holder in living_parts(output)]

    assert living == [("1/2", "a"), ("2/2", "b")]
    assert set(CountedFileSystem.listed) == {f"{output}/_lock-1-of-2.json", f"{output}/_lock-2-of-2.json"}


def test_of_a_thousand_parts_the_last_one_alone_reads_all_manifests(fake_models, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lock, "_SETTLE_S", 0)
    monkeypatch.setenv("PAGEBEAM_ARRAY", "tonight")
    samples.write_png(paths_of_part(tmp_path / "in", 7, 1000, 1)[0], 1)
    requests = {}

    def run_part(number: int) -> int:
        arguments = ["run", str(tmp_path / "in"), "--output", f"{SCHEME}out", "--part", f"{number}/1000"]
        CountedFileSystem.reset(tmp_path)
        status = cli.main([*arguments, "--max-failed", "1%"])
        requests[number] = sum(count for uri, count in CountedFileSystem.opened.items() if "/runs/" in uri)
        assert CountedFileSystem.opened.total() - requests[number] < 12
        return status

    assert run_part(1) == 0
    [first] = (tmp_path / "out/runs").glob("*.json")
    manifest = json.loads(first.read_text())
    for number in range(2, 998):
        of_part = {"run_id": f"{manifest['run_id']}-{number}", "part": {"number": number, "count": 1000}}
        (tmp_path / f"out/runs/{of_part['run_id']}.json").write_text(json.dumps({**manifest, **of_part}))
    (tmp_path / "out/documents/_finished_parts.json").unlink()  # as of an earlier version

    assert [run_part(number) for number in (998, 999, 1000)] == [0, 0, 0]
    assert requests == {1: 0, 998: 997, 999: 0, 1000: 1000}
    out = capsys.readouterr().out
    assert [line.partition("; ")[2] for line in out.splitlines() if line.startswith("part: ")] == [
        "999 haven't finished, see pagebeam status",
        "2 haven't finished, see pagebeam status",
        "1 haven't finished, see pagebeam status",
        "all have finished",
    ]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "1/2/3"])
def test_what_is_no_part_is_refused(text, tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", str(tmp_path), "--output", str(tmp_path / "out"), f"--part={text}"])
    assert "give 1/16 to 16/16" in capsys.readouterr().err


KILLED_COMMIT = """
import os, sys
from types import SimpleNamespace
from pipelines.cli import main, run_arguments
from pipelines.output import output_folder
from pipelines.reading import ocr_reader, run_options
from tests.pipelines.fakes import load_fake_reader
move, moves = output_folder.move, []
def move_once(*paths):
    if len(moves) == {moves}:
        os.kill(os.getpid(), 9)
    moves.append(move(*paths))
output_folder.move = move_once
for module in (run_options, run_arguments):
    module.find_bundle = lambda name, task: SimpleNamespace(id="fake@0", digest="0", onnx_path="model.onnx")
ocr_reader.load_reader = load_fake_reader
main.command()
"""


@pytest.mark.parametrize("moves", [0, 1])
def test_a_part_that_is_killed_while_it_commits_is_completed_by_another(run, tmp_path, moves):
    for number in (1, 2):
        for path in paths_of_part(tmp_path / "in", number, 2, 6):
            samples.write_png(path, int(path.stem))
    _, whole = run(tmp_path / "in", output="whole")
    words = ["run", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--part", "1/2"]
    killed = subprocess.run([sys.executable, "-c", KILLED_COMMIT.replace("{moves}", str(moves)), *words], cwd=ROOT)
    left = sorted(path.name for path in (tmp_path / "out").glob("_*"))

    assert run(tmp_path / "in", "--part", "2/2")[0] == 0

    assert killed.returncode == -9 and left == ["_commit.json", "_lock-1-of-2.json", "_lock.json", "_unfinished"]
    assert list((tmp_path / "out").glob("_*")) == []
    status, rows = run(tmp_path / "in", "--part", "1/2")
    assert status == 0 and [row["page_id"] for row in rows] == [row["page_id"] for row in whole]
    assert len({row["run_id"] for row in rows}) <= 2  # nothing was read again


def test_parts_on_several_hosts_of_which_one_is_killed_and_started_elsewhere(tmp_path):
    inputs, output, read_pages = tmp_path / "in", tmp_path / "out", tmp_path / "read"
    write_documents(inputs, np.random.default_rng(1), 120)  # so that part 1 is far from done when it is killed
    read_pages.touch()

    def start_part(number: int, host: str, notes: Path):
        return start(inputs, output, notes, "threads", f"--part={number}/3", "--wait", host=host)

    (tmp_path / "victim's").touch()
    victim = start_part(1, "host-1", tmp_path / "victim's")
    others = [start_part(number, f"host-{number}", read_pages) for number in (2, 3)]
    while victim.poll() is None and len((tmp_path / "victim's").read_text().split()) < ROWS_PER_SHARD + 8:
        time.sleep(0.02)
    victim.kill()
    again = start_part(1, "host-4", read_pages)
    for process in (*others, again):
        told = process.communicate(timeout=60)[0].decode()
        assert process.returncode == 0, told
    start(inputs, tmp_path / "single", tmp_path / "ignored", "threads").communicate(timeout=60)

    assert victim.wait() == -9
    assert view(output) == view(tmp_path / "single")
    assert [path.name for path in output.glob("_*")] == []
    assert describe_output(str(output))["array"]["missing"] == []
    assert json.loads(next((output / "runs").glob("*.json")).read_text())["part"]["count"] == 3


def test_a_container_with_this_machine_s_name_is_not_taken_for_dead(tmp_path):
    with locked(str(tmp_path), "a-run"):
        path = tmp_path / "_lock.json"
        here = json.loads(path.read_text())
        elsewhere = {**here, "run_id": "other", "pid": 1, "process_start": 1, "machine": "another pid:[1]"}
        path.write_text(json.dumps(elsewhere))
        assert not read_holder(str(tmp_path)).is_dead
        path.write_text(json.dumps({**elsewhere, "machine": here["machine"]}))
        assert read_holder(str(tmp_path)).is_dead
