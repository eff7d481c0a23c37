"""A local run opens and reads the worklist in chunks, which leave no trace in what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.inputs import transforms, worklist
from pipelines.reading import ocr_reader, pipeline
from tests.pipelines import samples
from tests.pipelines.conftest import comparable


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of two documents, and then of three."""
    monkeypatch.setattr(worklist, "FILES_OF_FIRST_PART", 2)
    monkeypatch.setattr(worklist, "FILES_PER_PART", 3)
    monkeypatch.setattr(pipeline, "_LEAST_PARTS", 1)


@pytest.fixture(autouse=True)
def times_are_trusted(monkeypatch):
    monkeypatch.setattr("pipelines.inputs.discovery.CLOCK_TICK_NS", 0)


def manifest(output: Path) -> dict[str, Any]:
    [path] = (output / "runs").glob("*.json")
    told = json.loads(path.read_text())
    return {name: told[name] for name in ("documents", "pages", "skipped", "failures_by_stage", "statistics")}


def write_documents(folder: Path) -> None:
    """Eleven documents of seven contents: copies follow in later chunks, of a broken document, too."""
    for name, seed in (("a", 1), ("b", 2), ("d", 1), ("e", 3), ("h", 2), ("k", 1)):
        samples.write_png(folder / f"{name}.png", seed)
    for name in ("c", "i"):
        (folder / f"{name}.pdf").write_bytes(samples.pdf_bytes(["", "0 0 9 9 re f", "0 0 8 8 re f"]))
    for name in ("f", "j"):
        (folder / f"{name}.pdf").write_bytes(b"%PDF-1.7 broken")
    (folder / "g.png").write_bytes(b"")


def test_chunks_give_the_rows_and_numbers_of_one_pipeline(run, tmp_path, monkeypatch, request):
    write_documents(tmp_path / "in")
    whole = run(tmp_path / "in", output="whole")
    request.getfixturevalue("small_chunks")

    status, rows = run(tmp_path / "in", output="out")

    assert status == whole[0] == 3
    assert comparable(rows) == comparable(whole[1]) and len(rows) == 8
    assert manifest(tmp_path / "out") == manifest(tmp_path / "whole")
    assert {Path(row["source_uri"]).name: [Path(uri).name for uri in row["also_at"]] for row in rows} == {
        "a.png": ["d.png", "k.png"],
        "b.png": ["h.png"],
        "c.pdf": ["i.pdf"],
        "e.png": [],
        "f.pdf": ["j.pdf"],
        "g.png": [],
    }
    assert not (tmp_path / "out/_unfinished").exists()
    assert run(tmp_path / "in", output="out")[0] == 0  # nothing new


def test_rows_of_a_chunk_are_on_the_disk_before_the_next_is_opened(run, tmp_path, monkeypatch, small_chunks):
    for seed in range(7):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    there, open_document = [], transforms.open_document

    def watched(file: Any, *arguments: Any) -> Any:
        there.append(len(list((tmp_path / "out").glob("_unfinished/*/rows/*.parquet"))))
        return open_document(file, *arguments)

    monkeypatch.setattr(transforms, "open_document", watched)

    assert run(tmp_path / "in", "--workers", 1)[0] == 0
    assert there == [0, 0, 1, 1, 1, 2, 2]


def test_models_are_loaded_once_for_all_chunks(run, tmp_path, monkeypatch, small_chunks):
    for seed in range(7):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    loads, load_reader = tmp_path / "loads", ocr_reader.load_reader

    def load(*options: Any) -> Any:
        with loads.open("a") as file:  # the function itself is copied on its way to the workers
            file.write("load\n")
        return load_reader(*options)

    monkeypatch.setattr(ocr_reader, "load_reader", load)

    assert run(tmp_path / "in")[0] == 0
    assert loads.read_text() == "load\n"


def test_a_stopped_run_keeps_its_chunks_and_the_next_goes_on(run, tmp_path, monkeypatch, small_chunks):
    for seed in range(9):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    opened, open_document = [], transforms.open_document

    def watched(file: Any, *arguments: Any) -> Any:
        opened.append(file.uri)
        return open_document(file, *arguments)

    monkeypatch.setattr(transforms, "open_document", watched)
    with monkeypatch.context() as patch:
        shards = "_unfinished/*/rows/*.parquet"
        is_asked = "pipelines.runtime.stopping.StopFile.is_asked"
        patch.setattr(is_asked, lambda stop: any((tmp_path / "out").glob(shards)))
        patch.setattr("pipelines.runtime.stopping.StopFile.reason", lambda stop: "deadline")
        assert run(tmp_path / "in")[0] == 6
    assert len(opened) == 2 and manifest(tmp_path / "out")["documents"]["left"] == 7

    status, rows = run(tmp_path / "in")

    assert status == 0 and len(rows) == 9 and len(opened) == 9


def test_a_run_that_dies_in_a_chunk_keeps_those_before(run, tmp_path, monkeypatch, capsys, small_chunks):
    for seed in range(9):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    paths, calls = pipeline.document_paths, iter(range(9))
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "document_paths", lambda *of: paths(*of) if next(calls) < 2 else 1 / 0)
        with pytest.raises(FileNotFoundError):  # no rows yet
            run(tmp_path / "in")

    status, rows = run(tmp_path / "in")

    assert status == 0 and len(rows) == 9
    assert "took over 5 pages" in capsys.readouterr().err
