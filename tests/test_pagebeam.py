"""What programs import: quick, typed, and the same rows as the command's."""

from __future__ import annotations

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
from pipelines.output.schemas import PAGES
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


@pytest.mark.parametrize("package", ["ocr_models", "pipelines"])
@pytest.mark.parametrize("kind", ["package", "module"])
def test_a_folder_of_the_user_s_that_stands_before_ours_is_named(package, kind, tmp_path):
    theirs = tmp_path / (f"{package}.py" if kind == "module" else f"{package}/__init__.py")
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}

    for program, is_command in (
        (["-c", "import pagebeam"], False),
        (["-c", f"import {package}, pagebeam"], False),
        (["-c", "import sys; sys.argv[0] = 'bin/pagebeam'; import pagebeam"], True),
        (["-m", "pagebeam", "--version"], True),
    ):
        done = subprocess.run([sys.executable, *program], cwd=ROOT.parent, env=env, capture_output=True, text=True)
        assert done.returncode == 1
        *before, last_line = done.stderr.splitlines()
        assert f"Pagebeam's package {package} in {ROOT} can't be imported: Python finds {theirs}" in last_line
        assert bool(before) != is_command  # a program gets a traceback, the command's user one line


def test_a_folder_of_the_user_s_that_is_no_package_does_not_matter(tmp_path):
    (tmp_path / "pipelines").mkdir()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "pagebeam", "--version"]
    assert subprocess.run(
        command, cwd=ROOT.parent, env=env, check=True, capture_output=True, text=True
    ).stdout.startswith("pagebeam ")


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
    with pytest.raises(Exception, match="2 rows for 3 expected"):
        write(str(tmp_path / "all"), expects_all=True)
    with pytest.raises(pagebeam.UsageError, match="no finished run"):
        pagebeam.read_rows(str(tmp_path / "all"))


def test_a_broken_model_is_an_error_when_the_pipeline_is_built():
    with pytest.raises(pagebeam.UsageError, match="no such model bundle"):
        beam.Pipeline(FnApiRunner()) | pagebeam.ReadDocuments(["x"]) | pagebeam.OcrPages(detector="no/such")


def test_each_page_is_read_back_once_and_each_run_by_its_id(run, tmp_path):  # noqa: F811
    first, second = (samples.write_png(tmp_path / f"{name}.png", seed) for name, seed in (("first", 1), ("second", 2)))
    output = str(tmp_path / "out")
    run(first, second)
    before = pagebeam.read_rows(output).sort_by("source_uri")
    second.write_bytes(b"no picture any more")
    run(second)

    after = pagebeam.read_rows(output).sort_by("source_uri")

    assert after["source_uri"].to_pylist() == [str(first), str(second)]
    assert after["status"].to_pylist() == ["ok", "failed"]
    assert after["run_id"][0] == before["run_id"][0] != after["run_id"][1]
    assert pagebeam.read_rows(output, run=before["run_id"][0].as_py()).sort_by("source_uri") == before
    assert pagebeam.read_rows(output, run=after["run_id"][1].as_py()).num_rows == 1
    assert pagebeam.read_rows(output, ["text"]).column_names == ["text"]
    with pytest.raises(pagebeam.UsageError, match="no column txt; the columns are page_id, "):
        pagebeam.read_rows(output, ["txt"])
    with pytest.raises(pagebeam.UsageError, match="no table is called page; the tables are pages and captions"):
        pagebeam.read_rows(output, folder="page")


def test_rows_of_an_older_schema_are_read_with_those_of_this_one(run, tmp_path):  # noqa: F811
    first, second = (samples.write_png(tmp_path / f"{name}.png", seed) for name, seed in (("first", 1), ("second", 2)))
    output = tmp_path / "out[1]"  # not a pattern
    run(first, output=output)
    (shard,) = (output / "pages").iterdir()
    rows = pq.ParquetFile(shard).read()
    newer = ("words_left_out", "is_complete", "unknown_script_share", "also_at", "source_kind", "reader_id", "blocks")
    old_rows = rows.select([name for name in rows.column_names if name not in newer])
    lines = pa.list_(
        pa.struct([field for field in rows.schema.field("lines").type.value_type if field.name != "block"])
    )
    old_rows = old_rows.set_column(old_rows.column_names.index("lines"), "lines", rows["lines"].cast(lines))
    version = old_rows.column_names.index("schema_version")
    pq.write_table(old_rows.set_column(version, rows.schema.field("schema_version"), pa.array([1], pa.int32())), shard)
    run(second, output=output)

    table = pagebeam.read_rows(str(output)).sort_by("source_uri")

    assert table["schema_version"].to_pylist() == [1, PAGES.version]
    assert table["words_left_out"].to_pylist() == [None, 0]
    assert [blocks and blocks[0]["kind"] for blocks in table["blocks"].to_pylist()] == [None, "text"]
    assert [lines[0]["block"] for lines in table["lines"].to_pylist()] == [None, 0]


def test_an_output_of_an_older_version_is_refused_and_left_alone(run, tmp_path, capsys):  # noqa: F811
    page, output = samples.write_png(tmp_path / "page.png", 1), tmp_path / "out"
    run(page)
    [shard] = (output / "pages").iterdir()
    (output / "pages/run=1").mkdir()
    shard.rename(output / "pages/run=1/part-00000-of-00001.parquet")

    assert run(page)[0] == 2
    assert "an older version of Pagebeam wrote its rows: give another --output" in capsys.readouterr().err
    assert pagebeam.read_rows(str(output)).num_rows == 1


def test_captions_are_read_back_from_their_own_folder(fake_models, tmp_path, monkeypatch):  # noqa: F811
    from pipelines.cli.main import main

    page = samples.write_png(tmp_path / "page.png", 1)
    assert main(["caption", str(page), "--captioner", "fake", "--output", str(tmp_path / "out")]) == 0

    assert len(pagebeam.read_rows(str(tmp_path / "out"), ["caption"], folder="captions")) == 1
    with pytest.raises(pagebeam.UsageError, match="no finished run with pages"):
        pagebeam.read_rows(str(tmp_path / "out"))
