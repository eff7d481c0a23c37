from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_models import terminal
from pipelines.cli import main as cli
from pipelines.output.failed_pages import FailedPage, reason
from tests.pipelines import conftest, samples
from tests.pipelines.fakes import GUILTY_WIDTH_PX

ROOT = Path(__file__).parents[3]
NAMES = ["a b.png", "it's \x1b[31m.png", "new\nline.png"]
# The command as a child of a shell, with fake models of which the page reader no longer fails.
COMMAND = """#!{python}
import sys
sys.path.insert(0, {root!r})
from types import SimpleNamespace
from pipelines.cli import run_arguments, main as cli
from pipelines.reading import ocr_reader, run_options
from tests.pipelines import fakes

fakes.GUILTY_WIDTH_PX = 0
bundle = lambda name, task: SimpleNamespace(id=name + "@0", digest="0", onnx_path="model.onnx")
run_options.find_bundle = run_arguments.find_bundle = bundle
ocr_reader.load_reader = fakes.load_fake_reader
cli.command()
"""


@pytest.fixture
def output(run, tmp_path) -> Path:
    """Three documents failed in the models, and one page of a PDF in rendering."""
    for seed, name in enumerate(NAMES):
        samples.write_png(tmp_path / "in" / name, seed, width=GUILTY_WIDTH_PX)
    samples.write_png(tmp_path / "in/good.png", 9)
    (tmp_path / "in/two.pdf").write_bytes(samples.pdf_bytes(["0 0 9 9 re f", None]))
    run(tmp_path / "in")
    return tmp_path / "out"


def failures(capsysbinary, *arguments: object) -> bytes:
    capsysbinary.readouterr()
    assert cli.main(["failures", *map(str, arguments)]) == 0
    return capsysbinary.readouterr().out


def test_people_see_pages_from_1_and_no_control_characters(output, capsysbinary):
    lines = failures(capsysbinary, output).decode().splitlines()

    assert lines[0].split() == ["document", "page", "failed", "at", "reason", "run"]
    assert len(lines) == 5
    assert [line for line in lines if "two.pdf     " in line and "  2  render " in line]
    assert f"{output.parent}/in/it's \\x1b[31m.png" in lines[2]


def test_json_and_csv_have_an_exact_row_for_each(output, capsysbinary):
    objects = [json.loads(line) for line in failures(capsysbinary, output, "--format", "json").splitlines()]
    rows = list(csv.DictReader(failures(capsysbinary, output, "--format", "csv").decode().splitlines(keepends=True)))

    uris = [f"{output.parent}/in/{name}" for name in sorted([*NAMES, "two.pdf"])]
    assert [row["source_uri"] for row in objects] == [row["source_uri"] for row in rows] == uris
    assert [row["page_index"] for row in objects] == [0, 0, 0, 1]
    assert rows[3].keys() == objects[3].keys() == set(FailedPage._fields)
    assert (rows[3]["stage"], rows[0]["error_type"]) == ("render", "FloatingPointError")


def test_only_those_of_a_stage(output, capsysbinary):
    [line] = failures(capsysbinary, output, "--format", "json", "--stage", "render").splitlines()
    assert json.loads(line)["page_index"] == 1


def test_uris_are_exact_and_those_that_are_gone_are_left_out(output, capsysbinary):
    folder = output.parent / "in"
    (folder / "a b.png").unlink()

    assert failures(capsysbinary, output, "--format", "uris0").split(b"\0") == [
        os.fsencode(folder / NAMES[1]),
        os.fsencode(folder / NAMES[2]),
        os.fsencode(folder / "two.pdf"),
        b"",
    ]
    assert cli.main(["failures", str(output), "--format", "uris"]) == 0
    out, err = capsysbinary.readouterr()
    assert out.split(b"\n") == [os.fsencode(folder / NAMES[1]), os.fsencode(folder / "two.pdf"), b""]
    assert b"new\\nline.png, which has a line break" in err
    assert b"left out 1 documents that are gone, such as " in err


def test_a_terminal_gets_no_control_characters(output, capsysbinary, monkeypatch):
    monkeypatch.setattr(terminal.sys.stdout, "isatty", lambda: True, raising=False)
    for form in ("table", "json", "csv", "uris"):
        assert b"\x1b" not in failures(capsysbinary, output, "--format", form)


@pytest.mark.parametrize(("form", "split", "left"), [("uris", r"-d '\n'", 2), ("uris0", "-0", 1)])
def test_a_retry_through_a_pipe_reads_the_failed_pages_alone(output, tmp_path, form, split, left):
    before = conftest.read_rows(output)
    program = tmp_path / "bin/pagebeam"
    program.parent.mkdir()
    program.write_text(COMMAND.format(python=sys.executable, root=str(ROOT)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    pipe = (
        f"pagebeam failures {output} --format {form} | xargs -r {split} pagebeam run --output {output} --retry-failed"
    )

    path = f"{program.parent}:{os.environ['PATH']}"
    done = subprocess.run(pipe, shell=True, env={**os.environ, "PATH": path}, capture_output=True, text=True)

    assert done.returncode == 123, done.stderr  # as xargs says it; the PDF's second page is broken for good
    rows = conftest.read_rows(output)
    assert sum(row["status"] == "failed" for row in rows) == left
    assert len(rows) == len(before) == 6
    assert [row["run_id"] for row in rows if row["status"] == "ok"].count(before[0]["run_id"]) == 2


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("the file is empty", "the file is empty"),
        (
            "can't be opened ([Errno 13] Permission denied: '/a/b c')",
            "can't be opened ([Errno N] Permission denied: …)",
        ),
        ("a page of 1,234×99 pixels is over the limit of 100", "a page of N×N pixels is over the limit of N"),
        ("/in/x y.pdf isn't there, nor is /in/z", "… isn't there, nor is …"),
    ],
)
def test_failures_of_one_reason_have_one_text(message, expected):
    page = FailedPage("/in/x y.pdf", 0, 1, "open", "DocumentError", message, "r")
    assert reason(page) == ("open", expected)
