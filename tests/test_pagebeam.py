"""What programs import: quick, typed, and the same rows as the command's."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import pagebeam
from pipelines.reading import run_manifest
from tests.pipelines import samples
from tests.pipelines.conftest import comparable, fake_models, run  # noqa: F401  fixtures

ROOT = Path(__file__).parents[1]

USER_PROGRAM = """
from collections.abc import Iterable

import apache_beam as beam

import pagebeam


def words(path: str) -> list[str]:
    return [word.text for page in pagebeam.read_document(path, dpi=150) for word in page.words]


def confidences(pages: Iterable[pagebeam.OcrPage]) -> list[float]:
    return [page.mean_confidence for page in pages]


def add_ocr(root: beam.Pipeline, folder: str) -> None:
    documents = root | pagebeam.ReadDocuments([folder])
    rows = documents | pagebeam.OcrPages(dpi=150)
    rows | pagebeam.WritePages("out", expected=documents)


def count(folder: str) -> int:
    return len(pagebeam.read_rows(folder, ["page_id"]))
"""


def test_every_public_name_is_there_and_no_other():
    for name in pagebeam.__all__:
        assert getattr(pagebeam, name) is getattr(pagebeam, name)
    assert set(pagebeam.__all__) <= set(dir(pagebeam))
    with pytest.raises(AttributeError, match="no attribute 'read_documents'"):
        _ = pagebeam.read_documents


def import_beside(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process that finds the modules in a folder before ours."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["pipelines/__init__.py", "pipelines.py", "ocr_models/__init__.py"])
@pytest.mark.parametrize("before", ["", "import pipelines, ocr_models; "])
def test_another_package_of_the_same_name_is_named(tmp_path, module, before):
    theirs = tmp_path / module
    theirs.parent.mkdir(exist_ok=True)
    theirs.touch()

    imported = import_beside(tmp_path, f"{before}import pagebeam")
    command = import_beside(
        tmp_path, f"{before}import sys; sys.argv[0] = '/opt/bin/pagebeam'; from pagebeam import command"
    )

    name = theirs.relative_to(tmp_path).parts[0].removesuffix(".py")
    error = f"Pagebeam's package {name} is hidden by another one of this name, {theirs}, whose folder comes first"
    assert f"\nImportError: {error}" in imported.stderr
    assert command.returncode == 1 and command.stderr.startswith(f"pagebeam: {error}")
    assert command.stderr.count("\n") == 1  # no traceback


def test_a_folder_of_the_same_name_without_modules_is_no_conflict(tmp_path):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/daily.yaml").touch()

    assert import_beside(tmp_path, "import pagebeam; pagebeam.ReadDocuments").returncode == 0


def check_types(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(program)
    command = ["-m", "mypy", "--strict", "--follow-imports=silent", "--ignore-missing-imports", "--config-file=", "."]
    env = {"MYPYPATH": str(ROOT), "PATH": ""}
    return subprocess.run([sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True)


def test_a_program_is_type_checked_against_the_public_names(tmp_path):
    checked = check_types(tmp_path, USER_PROGRAM)
    assert checked.returncode == 0, checked.stdout

    wrong = check_types(tmp_path, USER_PROGRAM.replace("dpi=150)\n    rows", 'dpi="high")\n    rows'))
    assert wrong.returncode == 1 and '"OcrPages" has incompatible type "str"' in wrong.stdout


def test_ocr_in_a_pipeline_of_one_s_own_writes_the_rows_of_the_command(fake_models, run, tmp_path):  # noqa: F811
    for seed in range(3):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    (tmp_path / "in/bad.pdf").write_bytes(b"%PDF-")
    _, rows_of_command = run(tmp_path / "in")

    output = str(tmp_path / "own")
    with beam.Pipeline(FnApiRunner(), PipelineOptions(["--direct_running_mode=multi_threading"])) as root:
        documents = root | pagebeam.ReadDocuments([str(tmp_path / "in")])
        rows = documents | pagebeam.OcrPages()
        rows | pagebeam.WritePages(output, expected=documents)

    table = pagebeam.read_rows(output).sort_by("source_uri")
    assert comparable(table.to_pylist()) == comparable(rows_of_command)
    assert table["status"].to_pylist() == ["ok", "ok", "ok", "failed"]


def test_rows_that_were_filtered_are_written_unless_all_are_expected(fake_models, tmp_path):  # noqa: F811
    for seed in range(3):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)

    def write(output: str, expects_all: bool) -> None:
        with beam.Pipeline(FnApiRunner()) as root:
            documents = root | pagebeam.ReadDocuments([str(tmp_path / "in")])
            rows = documents | pagebeam.OcrPages() | beam.Filter(lambda row: not row["source_uri"].endswith("1.png"))
            rows | pagebeam.WritePages(output, expected=documents if expects_all else None)

    write(str(tmp_path / "some"), expects_all=False)
    assert len(pagebeam.read_rows(str(tmp_path / "some"))) == 2
    with pytest.raises(Exception, match="wrote 2 rows for 3 expected"):
        write(str(tmp_path / "all"), expects_all=True)
    with pytest.raises(pagebeam.UsageError, match="no finished run"):
        pagebeam.read_rows(str(tmp_path / "all"))


def test_a_broken_model_is_an_error_when_the_pipeline_is_built():
    with pytest.raises(pagebeam.UsageError, match="no such model bundle"):
        beam.Pipeline(FnApiRunner()) | pagebeam.ReadDocuments(["x"]) | pagebeam.OcrPages(detector="no/such")


def test_each_page_is_read_back_once_as_the_newest_run_left_it(run, tmp_path, capsys, monkeypatch):  # noqa: F811
    # Both runs begin within a second, and the ids don't tell which was first.
    countdown = itertools.count(0xFFFFFF, -1)
    monkeypatch.setattr(run_manifest.time, "strftime", lambda *_: "20260101T000000Z-")
    monkeypatch.setattr(run_manifest.secrets, "token_hex", lambda _: f"{next(countdown):06x}")
    first, second = (samples.write_png(tmp_path / f"{name}.png", seed) for name, seed in (("first", 1), ("second", 2)))
    output = str(tmp_path / "out")
    run(first, second)
    before = pagebeam.read_rows(output).sort_by("source_uri")
    second.write_bytes(b"no picture any more")
    run(second)
    (tmp_path / "out/runs/99999999T000000Z-cut-off.json.tmp").write_text("{")

    after = pagebeam.read_rows(output).sort_by("source_uri")

    assert after["source_uri"].to_pylist() == [str(first), str(second)]
    assert after["status"].to_pylist() == ["ok", "failed"]
    assert after["run_id"][0] == before["run_id"][0] != after["run_id"][1]
    assert pagebeam.read_rows(output, ["text"]).column_names == ["text"]
    with pytest.raises(pagebeam.UsageError, match="no column txt; the columns are page_id, "):
        pagebeam.read_rows(output, ["txt"])


def test_rows_of_an_older_schema_are_read_with_those_of_this_one(run, tmp_path, capsys):  # noqa: F811
    first, second = (samples.write_png(tmp_path / f"{name}.png", seed) for name, seed in (("first", 1), ("second", 2)))
    output = tmp_path / "out[1]"  # not a pattern
    run(first, output=output)
    (shard,) = output.rglob("*.parquet")
    rows = pq.ParquetFile(shard).read()
    old_word = pa.struct([field for field in rows.schema.field("words").type.value_type if field.name != "in_text"])
    old_schema = pa.schema(
        field.with_type(pa.list_(old_word)) if field.name == "words" else field
        for field in rows.schema
        if field.name not in ("words_left_out", "is_complete", "unknown_script_share")
    )
    old_rows = [row | {"schema_version": 1} for row in rows.to_pylist()]
    pq.write_table(pa.Table.from_pylist(old_rows, old_schema), shard)
    run(second, output=output)

    table = pagebeam.read_rows(str(output)).sort_by("source_uri")

    assert table["schema_version"].to_pylist() == [1, 2]
    assert table["words_left_out"].to_pylist() == [None, 0]
    assert [words[0]["in_text"] for words in table["words"].to_pylist()] == [None, True]
    with pytest.raises(pagebeam.UsageError, match="no table is called page; the tables are pages and captions"):
        pagebeam.read_rows(str(output), folder="page")


def test_captions_are_read_back_from_their_own_folder(fake_models, tmp_path, monkeypatch):  # noqa: F811
    from pipelines.cli.main import main

    page = samples.write_png(tmp_path / "page.png", 1)
    assert main(["caption", str(page), "--captioner", "fake", "--output", str(tmp_path / "out")]) == 0

    assert len(pagebeam.read_rows(str(tmp_path / "out"), ["caption"], folder="captions")) == 1
    with pytest.raises(pagebeam.UsageError, match="no finished run with pages"):
        pagebeam.read_rows(str(tmp_path / "out"))
