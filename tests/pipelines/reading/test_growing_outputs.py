"""The same command again and again over inputs that change: what is read, what is known, and what readers see."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

import pagebeam
from ocr_models.limits import DecodeLimits
from pipelines.cli import main as cli
from pipelines.inputs.discovery import FileStamp
from pipelines.output import commit, output_folder
from pipelines.output.lock import LOCK, Holder, locked
from pipelines.output.output_folder import current_files
from pipelines.reading import dry_run, ocr_reader
from pipelines.reading.ocr_rows import OcrReader
from pipelines.reading.run_options import OcrOptions
from tests.pipelines import samples
from tests.pipelines.fakes import FakePageReader


class CountingReader(FakePageReader):
    """Counts the pages that it is given, in a file, which workers in other processes write to as well."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_pages(self, images: list) -> list:
        with self._path.open("a") as file:
            file.write("page\n" * len(images))
        return super().read_pages(images)


@pytest.fixture
def reads(fake_models, tmp_path, monkeypatch):
    """Returns how many pages the models were given since the last call."""
    path, seen = tmp_path / "reads", [0]
    path.touch()
    monkeypatch.setattr(ocr_reader, "load_reader", lambda *_: OcrReader(CountingReader(path)))

    def count() -> int:
        total = path.read_text().count("page")
        new, seen[0] = total - seen[0], total
        return new

    return count


@pytest.fixture(autouse=True)
def times_are_trusted(monkeypatch):
    monkeypatch.setattr("pipelines.inputs.discovery.CLOCK_TICK_NS", 0)


def manifests(output: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (output / "runs").glob("*.json")]
    return sorted(found, key=lambda manifest: manifest["started"])


def view(output: Path) -> list[dict[str, Any]]:
    """The current rows without what differs from run to run, as plain readers of Parquet see them."""
    rows = pq.read_table(output / "pages").to_pylist()
    assert len({row["page_id"] for row in rows}) == len(rows)
    assert rows_of(pagebeam.read_rows(str(output)).to_pylist()) == rows_of(rows)
    return rows_of(rows)


def rows_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [{name: value for name, value in row.items() if name not in ("elapsed_ms", "run_id")} for row in rows]
    return sorted(kept, key=lambda row: (row["source_uri"], row["page_index"]))


def places(output: Path) -> dict[str, list[str]]:
    rows = pagebeam.read_rows(str(output), ["source_uri", "also_at"]).to_pylist()
    return {Path(row["source_uri"]).name: [Path(uri).name for uri in row["also_at"]] for row in rows}


def test_a_second_run_reads_nothing_and_says_what_it_knows(run, reads, tmp_path, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    for seed in range(3):
        samples.write_png(folder / f"{seed}.png", seed)
    samples.write_tiff(folder / "two.tif", [Image.fromarray(samples.page_pixels(seed)) for seed in (8, 9)])
    assert run(folder)[0] == 0 and reads() == 5
    before, files = view(output), current_files(str(output), "pages")
    capsys.readouterr()

    assert run(folder)[0] == 0

    assert reads() == 0 and view(output) == before and current_files(str(output), "pages") == files
    assert capsys.readouterr().out.startswith("0 pages read, 0 blank, 0 failed, 5 known; 0.00 pages/s\n")
    last = manifests(output)[-1]
    assert (last["documents"]["found"], last["documents"]["known"], last["pages"]["known"]) == (4, 4, 5)


def test_exactly_what_should_be_read_is_read(run, reads, tmp_path, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    for name, seed in {"changes": 1, "copied": 2, "moves": 3, "stays": 4, "touched": 5, "vanishes": 6}.items():
        samples.write_png(folder / f"{name}.png", seed)
    run(folder)
    assert reads() == 6
    samples.write_png(folder / "changes.png", 11)
    (folder / "copy.png").write_bytes((folder / "copied.png").read_bytes())
    (folder / "moves.png").rename(folder / "moved.png")
    os.utime(folder / "touched.png", (1, 1))
    (folder / "vanishes.png").unlink()
    samples.write_png(folder / "new.png", 12)
    capsys.readouterr()

    assert run(folder)[0] == 0

    assert reads() == 2  # the changed one and the new one
    assert places(output) == {
        "changes.png": [],
        "copied.png": ["copy.png"],
        "moved.png": ["moves.png"],
        "new.png": [],
        "stays.png": [],
        "touched.png": [],
        "vanishes.png": [],
    }
    changes = {"new": 1, "changed": 1, "moved": 2, "touched": 1, "vanished": 2, "returned": 0}
    last = manifests(output)[-1]
    assert {name: last["documents"][name] for name in changes} == changes
    assert last["pages"]["found"] == last["pages"]["known"] + 2 == 7
    assert "documents: 1 changed, 2 moved, 2 vanished\n" in capsys.readouterr().out
    documents = pq.read_table(output / "documents/pages.parquet").to_pylist()
    gone = [Path(document["uri"]).name for document in documents if document["vanished"]]
    assert gone == ["moves.png", "vanishes.png"]
    assert len(pagebeam.read_rows(str(output), run=manifests(output)[0]["run_id"])) == 6  # the replaced row, too

    samples.write_png(folder / "vanishes.png", 6)
    assert run(folder)[0] == 0 and reads() == 0
    assert manifests(output)[-1]["documents"]["touched"] == 1  # it has other times now


def test_the_same_file_at_two_places_is_read_once(run, reads, tmp_path):
    for name in ("b.png", "a.png", "sub/c.png"):
        samples.write_png(tmp_path / "in" / name, 1)

    _, rows = run(tmp_path / "in")

    assert reads() == 1
    assert [(Path(row["source_uri"]).name, len(row["also_at"])) for row in rows] == [("a.png", 2)]
    assert manifests(tmp_path / "out")[0]["documents"]["new"] == 3


def test_failed_pages_are_read_again_only_when_asked(run, reads, tmp_path, monkeypatch):
    folder, output = tmp_path / "in", tmp_path / "out"
    pages = [Image.fromarray(samples.page_pixels(seed, width)) for seed, width in ((1, 60), (2, 66), (3, 60))]
    folder.mkdir()
    samples.write_tiff(folder / "three.tif", pages)
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7\nnothing that follows makes sense")
    assert run(folder)[0] == 3
    reads()

    assert run(folder)[0] == 0 and reads() == 0  # nothing new failed
    monkeypatch.setattr("tests.pipelines.fakes.GUILTY_WIDTH_PX", 999)
    assert run(folder, "--retry-failed")[0] == 3 and reads() == 1

    status = Counter((Path(row["source_uri"]).name, row["status"]) for row in view(output))
    assert status == {("three.tif", "ok"): 3, ("bad.pdf", "failed"): 1}
    assert manifests(output)[-1]["pages"]["expected"] == 2


def test_a_page_that_fails_again_replaces_no_better_one(run, reads, tmp_path, monkeypatch):
    samples.write_png(tmp_path / "in/a.png", 1)
    run(tmp_path / "in")
    before = view(tmp_path / "out")
    monkeypatch.setattr("tests.pipelines.fakes.GUILTY_WIDTH_PX", 60)

    assert run(tmp_path / "in", "--below", "0.9")[0] == 3

    assert view(tmp_path / "out") == before


def test_pages_of_little_confidence_are_read_again(run, reads, tmp_path):
    samples.write_png(tmp_path / "in/a.png", 1)
    run(tmp_path / "in")
    reads()

    run(tmp_path / "in", "--below", "0.7")
    assert reads() == 0
    run(tmp_path / "in", "--below", "0.8")  # the fake reader is sure to 0.75
    assert reads() == 1


@pytest.mark.parametrize("options", [["--dpi", "100"], ["--no-lexicon"]])
def test_other_options_read_again_only_when_asked(run, reads, tmp_path, capsys, options):
    samples.write_png(tmp_path / "in/a.png", 1)
    run(tmp_path / "in")
    first = view(tmp_path / "out")[0]["reader_id"]
    reads()

    run(tmp_path / "in", *options)
    assert reads() == 0
    assert "1 documents were read by other models, or with other options; --reread reads" in capsys.readouterr().out
    run(tmp_path / "in", *options, "--reread")
    assert reads() == 1 and view(tmp_path / "out")[0]["reader_id"] != first


def test_a_file_whose_times_lie_is_found_by_hashing_all(run, reads, tmp_path, monkeypatch):
    page = samples.write_png(tmp_path / "in/a.png", 1)
    monkeypatch.setattr("pipelines.inputs.discovery._local_stamp", lambda status: FileStamp(1, 1, 1))
    run(tmp_path / "in")
    reads()
    run(tmp_path / "in", "--hash-all")
    assert reads() == 0  # the same bytes
    samples.write_png(page, 2)

    run(tmp_path / "in")
    assert reads() == 0
    run(tmp_path / "in", "--hash-all")
    assert reads() == 1


def test_what_can_be_read_no_more_keeps_its_rows(run, reads, tmp_path, monkeypatch):
    page = samples.write_png(tmp_path / "in/a.png", 1)
    run(tmp_path / "in")
    before = view(tmp_path / "out")
    data = page.read_bytes()
    page.unlink()
    page.symlink_to("gone")

    assert run(tmp_path / "in")[0] == 3
    assert view(tmp_path / "out") == before
    page.unlink()
    page.write_bytes(data)
    reads()
    assert run(tmp_path / "in")[0] == 0 and reads() == 0 and view(tmp_path / "out") == before


def test_an_input_below_the_output_is_refused_and_so_are_empty_paths(fake_models, tmp_path, monkeypatch, capsys):
    samples.write_png(tmp_path / "out/in/a.png", 1)
    monkeypatch.chdir(tmp_path)

    assert cli.main(["run", "out/in", "--output", "out"]) == 2
    assert "no documents at out/in but those in the output folder; give another --output" in capsys.readouterr().err
    for arguments in (["", "--output", "new"], ["out", "--output", ""]):
        assert cli.main(["run", *arguments]) == 2
        assert "is empty; is a variable of the shell not set?" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_output_below_the_input_is_no_input(run, reads, tmp_path):
    samples.write_png(tmp_path / "in/a.png", 1)
    for _ in range(2):
        assert run(tmp_path / "in", output="in/out")[0] == 0

    assert manifests(tmp_path / "in/out")[-1]["skipped"] == {}


@pytest.mark.parametrize("moment", ["before the commit", "after the commit", "half carried out", "damaged"])
def test_a_run_that_was_cut_off_is_taken_over(run, reads, tmp_path, monkeypatch, capsys, moment):
    folder, output = tmp_path / "in", tmp_path / "out"
    for seed in range(4):
        samples.write_png(folder / f"{seed}.png", seed)
    run(folder)
    samples.write_png(folder / "0.png", 10)
    samples.write_png(folder / "4.png", 14)
    run(folder, output="whole")
    expected = view(tmp_path / "whole")
    reads()

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    calls = iter(range(9))
    places_to_die = {
        "before the commit": (commit, "publish", kill),
        "after the commit": (output_folder, "_carry_out", kill),
        "half carried out": (output_folder, "delete", lambda paths: kill() if next(calls) == 0 else None),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*places_to_die["before the commit" if moment == "damaged" else moment])
        assert run(folder)[0] == 1
    (output / LOCK).unlink(missing_ok=True)
    assert reads() == 2
    seen = rows_of(pagebeam.read_rows(str(output)).to_pylist())
    assert len(seen) == (4 if moment in ("before the commit", "damaged") else 5)
    if moment == "damaged":
        (output / "documents/pages.parquet").write_bytes(b"PAR1 something else")

    assert run(folder)[0] == 0

    assert reads() == 0 and view(output) == expected
    assert not list(output.glob("_*"))
    assert ("took over 2 pages" in capsys.readouterr().err) == (moment in ("before the commit", "damaged"))


def test_pages_that_a_run_did_not_come_to_are_read_by_the_next(run, reads, tmp_path, monkeypatch):
    folder, output = tmp_path / "in", tmp_path / "out"
    pages = [Image.fromarray(samples.page_pixels(seed)) for seed in range(40)]
    folder.mkdir()
    samples.write_tiff(folder / "forty.tif", pages)
    run(folder, output="whole")
    reads()
    asked = iter([False] * 10 + [True] * 999)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.runtime.stopping.StopFile.is_asked", lambda stop: next(asked))
        patch.setattr("pipelines.runtime.stopping.StopFile.reason", lambda stop: "deadline")
        assert run(folder, "--workers", 1)[0] == 6
    read = reads()
    assert 0 < read < 40 and len(view(output)) == read

    assert run(folder)[0] == 0

    assert reads() == 40 - read
    assert view(output) == view(tmp_path / "whole")


def test_two_runs_at_once(run, reads, tmp_path, capsys):
    samples.write_png(tmp_path / "in/a.png", 1)
    output = tmp_path / "out"
    output.mkdir()

    with locked(str(output), "another"):
        assert cli.main(["run", str(tmp_path / "in"), "--output", str(output)]) == 5
    told = capsys.readouterr().err
    assert f"pagebeam: {output} is being written by another of " in told and "wait for it with --wait" in told
    assert not (output / LOCK).exists()
    assert run(tmp_path / "in")[0] == 0


def test_a_dead_run_s_lock_is_taken_over(run, reads, tmp_path):
    samples.write_png(tmp_path / "in/a.png", 1)
    output = tmp_path / "out"
    output.mkdir()
    dead = Holder.this_process("dead")
    (output / LOCK).write_text(json.dumps({**vars(dead), "pid": 2**22 + 1}))

    assert run(tmp_path / "in")[0] == 0
    assert not (output / LOCK).exists()


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        (["--max-failed", "10%"], "1 of 3 pages failed (33.33%), more than 10.00%"),
        (["--min-mean-confidence", "0.9"], "the mean confidence of pages is 0.750, less than 0.9"),
    ],
)
def test_a_run_that_is_worse_than_a_gate_allows_has_a_status_of_its_own(run, tmp_path, capsys, gate, sentence):
    for seed in range(2):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    (tmp_path / "in/bad.png").write_bytes(b"")

    assert run(tmp_path / "in", *gate)[0] == 4

    assert f"gate:     {sentence}\n" in capsys.readouterr().err
    assert manifests(tmp_path / "out")[0]["gates_exceeded"] == [sentence]
    assert run(tmp_path / "in", *gate)[0] == 0  # nothing was read


def test_a_dry_run_counts_with_the_cores_that_it_is_given(fake_models, tmp_path, monkeypatch):
    for seed in range(6):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    monkeypatch.setenv("PAGEBEAM_CORES", "7")
    monkeypatch.setattr(dry_run, "_time_a_page", lambda *_: 1.0)
    seconds = {}
    for number in (None, 1, 3):
        limits = DecodeLimits(cores=number)
        options = OcrOptions(inputs=[str(tmp_path / "in")], output=str(tmp_path / "out"), limits=limits)
        seconds[number] = dry_run.estimate_run(options).seconds

    assert seconds == {None: 6 / 7, 1: 6, 3: 2}


def test_a_dry_run_says_what_would_be_read_and_writes_nothing(run, reads, tmp_path, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    samples.write_png(folder / "known.png", 1)
    run(folder)
    files = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}
    samples.write_tiff(folder / "three.tif", [Image.fromarray(samples.page_pixels(seed)) for seed in (2, 3, 4)])
    (folder / "notes.txt").write_text("no document")
    capsys.readouterr()

    assert cli.main(["run", str(folder), "--output", str(output), "--dry-run"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["documents: 2 found, 1 known, 1 to open", "pages:     1 known, 3 to read"]
    assert re.fullmatch(r"time:      about 00:0\d beyond the start, at \d+ ms per page and worker", lines[2])
    assert lines[3] == "skipped:   1 files: other format .txt (1)"
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()} == files
