"""Runs over lists of inputs with ids: what rows and documents have them, now and after later runs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ocr_models.io.hashing import CLOCK_TICK_NS
from pipelines.cli import main as cli
from tests.pipelines import samples


@pytest.fixture
def read(run, tmp_path):
    """Runs over a list of (name, id); returns the exit status, and for each row its file, other places, id and run."""

    def read(*listed: tuple[str, str], more: tuple[object, ...] = ()):
        lines = [f"{tmp_path / name},{input_id}" for name, input_id in listed]
        (tmp_path / "list.csv").write_text("\n".join(["uri,id", *lines, ""]))
        status, rows = run(*more, "--from-file", tmp_path / "list.csv", "--id-column", "id")
        return status, [
            (Path(row["source_uri"]).name, [Path(uri).name for uri in row["also_at"]], row["input_id"], row["run_id"])
            for row in rows
        ]

    return read


def documents(tmp_path: Path) -> dict[str, str | None]:
    rows = pq.read_table(tmp_path / "out/documents/pages.parquet").to_pylist()
    return {Path(row["uri"]).name: row["input_id"] for row in rows}


def without_runs(rows):
    return [row[:3] for row in rows]


def test_rows_have_the_ids_of_the_list_and_missing_files_are_failed_rows(read, tmp_path):
    samples.write_png(tmp_path / "a.png", 0)
    samples.write_png(tmp_path / "b.png", 1)

    status, rows = read(("a.png", "A-1"), ("missing.png", "M"), ("b.png", ""), ("a.png", "second"))

    assert status == 3
    assert without_runs(rows) == [("a.png", [], "A-1"), ("b.png", [], None), ("missing.png", [], "M")]


def test_a_text_file_lists_inputs_beside_others(run, tmp_path):
    for i, name in enumerate(("a.png", "in/b.png", "c[1].png")):
        samples.write_png(tmp_path / name, i)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/a.png\n{tmp_path}/c[1].png\n{tmp_path}/in/b.png\n")

    status, rows = run(tmp_path / "in", "--from-file", tmp_path / "list.txt")

    assert (status, [Path(row["source_uri"]).name for row in rows]) == (0, ["a.png", "c[1].png", "b.png"])
    assert {row["input_id"] for row in rows} == {None}


def test_captions_have_ids_too(caption, tmp_path):
    samples.write_png(tmp_path / "a.png", 0)
    (tmp_path / "list.tsv").write_text(f"key\turi\n1\t{tmp_path}/a.png\n")

    status, [row] = caption("--from-file", tmp_path / "list.tsv", "--id-column", "key")

    assert (status, row["input_id"]) == (0, "1")


def test_a_copy_s_id_is_kept_with_its_place(read, tmp_path):
    for name in ("b.png", "a.png", "c.png"):
        samples.write_png(tmp_path / name, 0)

    status, rows = read(("b.png", "B"), ("a.png", ""), ("c.png", "C"))

    assert (status, without_runs(rows)) == (0, [("a.png", ["b.png", "c.png"], "B")])
    assert documents(tmp_path) == {"a.png": None, "b.png": "B", "c.png": "C"}


def test_new_ids_reach_rows_without_reading_again_and_no_id_takes_none_away(read, run, tmp_path):
    for i, name in enumerate(("in/a.png", "in/b.png")):
        samples.write_png(tmp_path / name, i)
    _, before = run(tmp_path / "in")

    _, rows = read(("in/a.png", "A"), ("in/b.png", "B"))

    assert without_runs(rows) == [("a.png", [], "A"), ("b.png", [], "B")]
    assert {row[3] for row in rows} == {before[0]["run_id"]}
    _, again = run(tmp_path / "in", "--hash-all")
    assert [row["input_id"] for row in again] == ["A", "B"]
    _, rows = read(("in/a.png", "A2"))
    assert without_runs(rows) == [("a.png", [], "A2"), ("b.png", [], "B")]
    assert documents(tmp_path) == {"a.png": "A2", "b.png": "B"}
    assert cli.main(["doctor", str(tmp_path / "out")]) == 0


def test_the_same_list_again_opens_nothing(read, tmp_path):
    samples.write_png(tmp_path / "a.png", 0)
    time.sleep(CLOCK_TICK_NS / 1e9)  # in which a change might not show in the file's times
    _, first = read(("a.png", "A"))

    _, second = read(("a.png", "A"))

    assert second == first
    manifests = sorted((tmp_path / "out/runs").iterdir())
    documents = [json.loads(manifest.read_text())["documents"] for manifest in manifests]
    assert [counts["known"] for counts in documents] == [0, 1]


def test_a_changed_document_keeps_the_id_of_its_place(read, tmp_path):
    samples.write_png(tmp_path / "a.png", 0)
    read(("a.png", "A"))
    samples.write_png(tmp_path / "a.png", 1)

    _, rows = read(("a.png", ""))

    assert without_runs(rows) == [("a.png", [], "A")]


def test_documents_of_an_earlier_version_have_no_ids(read, run, tmp_path):
    samples.write_png(tmp_path / "a.png", 0)
    run(tmp_path / "a.png")
    path = tmp_path / "out/documents/pages.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["input_id"]), path)
    for file in (tmp_path / "out/pages").iterdir():
        pq.write_table(pq.read_table(file).drop_columns(["input_id"]), file)

    _, rows = read(("a.png", "A"))

    assert without_runs(rows) == [("a.png", [], "A")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give an INPUT, or a list of them by --from-file"),
        (["a.png", "--id-column", "id"], "are of a list"),
    ],
)
def test_a_run_needs_inputs(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", *arguments, "--output", str(tmp_path / "out")])

    assert ended.value.code == 2 and message in capsys.readouterr().err
