from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.cli import main as cli
from pipelines.output.schemas import CAPTIONS, DOCUMENTED_DOCUMENTS, PAGES
from pipelines.reading import ocr_reader
from tests.pipelines import samples


@pytest.fixture
def page(tmp_path):
    return str(samples.write_png(tmp_path / "page.png", 1))


def test_summary_says_where_the_rows_are_and_how_to_look(fake_models, page, tmp_path, capsys):
    assert cli.main(["run", page, "--output", str(tmp_path / "out")]) == 0

    out = capsys.readouterr().out
    assert f"{page}, page 1:\n  60x40 sum" in out
    assert "1 pages read, 0 blank, 0 failed" in out
    command = next(line for line in out.splitlines() if line.startswith("look:")).removeprefix("look:")
    env = {name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": "/usr/bin:/bin"}
    shown = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True, env=env
    )  # nothing activated
    assert shown.stdout.startswith("60x40 sum")


def test_the_summary_has_the_first_ten_failures_and_how_to_see_the_others(fake_models, tmp_path, capsys):
    folder = tmp_path / "in"
    samples.write_png(folder / "good.png", 1)
    for index in range(11):
        (folder / f"bad-{index:02d}\x1b[31m.png").write_bytes(b"PNG %d" % index)
    (folder / "two.pdf").write_bytes(samples.pdf_bytes(["0 0 9 9 re f", None]))
    (folder / "notes.txt").write_text("no document")

    assert cli.main(["run", str(folder), "--output", str(tmp_path / "out")]) == 3

    out = capsys.readouterr().out
    assert out.count("\nfailed: ") == 11 and "\nfailed: 2 more\n" in out
    assert f"failed: {folder}/bad-09\\x1b[31m.png: the content is no PNG, " in out
    assert "two.pdf, page 2" not in out
    assert "skipped:  1 files: other format .txt (1)\n" in out
    assert f"failures: pagebeam failures {tmp_path / 'out'}\n" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--detecter", "x"], "unknown option --detecter; did you mean --detector?"),
        (["run", "--runner", "DataflowRunner", "--detecter", "x"], "did you mean --detector?"),
        (["run", "--dpi", "abc"], "argument --dpi: 'abc' is not a number; give one from 36 to 1200"),
        (["rnu"], "evaluate, completion); did you mean run?"),
        (["prepare", "--format", "icdra"], "did you mean icdar?"),
        (["prepare", "--format", "icdar", "--shrads", "2"], "unknown option --shrads; did you mean --shards?"),
        (["run", "--job_name", "nightly", "stray"], "unexpected argument stray"),
        (["run", "--dpi", "1"], "1 is not a number from 36 to 1200"),
        (["run", "--workers", "0"], "less than 1"),
        (["run", "--runner", "NoSuchRunner"], "NoSuchRunner"),
        (["caption"], "required: --captioner"),
        (["caption", "--captioner", "x", "--detector", "y"], "unknown option --detector"),
        (["caption", "--captioner", "x", "--beam-width", "0"], "less than 1"),
    ],
)
def test_usage_errors_end_with_2_in_one_clear_line(fake_models, page, tmp_path, capsys, arguments, message):
    try:
        status = cli.main([arguments[0], page, "--output", str(tmp_path / "out"), *arguments[1:]])
    except SystemExit as exit_:  # argparse's own way
        status = exit_.code

    captured = capsys.readouterr()
    assert status == 2
    assert message in captured.err
    assert "Traceback" not in captured.err and "\x1b" not in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "http://host/a.pdf", "--output", "out"], "http://host/a.pdf: there is no file system for http://"),
        (["run", "page\x1b[31m.pdf", "--output", "out"], "no documents at page\\x1b[31m.pdf"),
        (["train", "recogniton"], "did you mean recognition?"),
        (["train", "recognition", "--output", "out", "--hourz", "1"], "unknown option --hourz; did you mean --hours?"),
    ],
)
def test_errors_in_paths_and_tasks_are_clear_too(capsys, arguments, message):
    try:
        status = cli.main(arguments)
    except SystemExit as exit_:
        status = exit_.code
    error = capsys.readouterr().err
    assert status == 2
    assert message in error and "\x1b" not in error


@pytest.mark.parametrize(
    "command",
    [
        "run missing.png --output out",
        "run . --output out --dpi abc",
        "run page.png --output out --recognizer missing",
        "run page.png --outptu out",
        "run gs://bucket --output out",
        "evaluate missing --format icdar --output out",
        "prepare missing --format icdar --output out",
        "train recognition --output out --pdfs . --init missing",
    ],
)
def test_wrong_commands_are_noticed_before_beam_and_keras_are_loaded(page, command):
    code = "import sys; from pipelines.cli.main import main\n"
    code += f"try: status = main({command.split()!r})\nexcept SystemExit as end: status = end.code\n"
    code += "print(status, {'apache_beam', 'keras', 'tensorflow'} & set(sys.modules))"
    env = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(page).parent, env=env)

    assert done.stdout == "2 set()\n", done.stderr
    assert done.stderr.count("\n") <= 2


def test_a_misspelt_option_is_noticed_before_keras_is_loaded(page):
    code = "import sys; from pipelines.cli.main import main\n"
    code += f"try: main(['run', {page!r}, '--output', 'out', '--detecter', 'x'])\nexcept SystemExit: pass\n"
    code += "print({'keras', 'tensorflow'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})

    assert done.stdout == "set()\n" and done.stderr.startswith("pagebeam: unknown option --detecter")


def test_file_uris_are_paths(fake_models, tmp_path, capsys):
    page = samples.write_png(tmp_path / "two words.png", 1)
    output = tmp_path / "my out"

    assert cli.main(["run", page.as_uri(), f"--output={output.as_uri()}"]) == 0

    assert "%20" in page.as_uri() and f"{page}, page 1:" in capsys.readouterr().out
    assert len(list(output.glob("runs/*.json"))) == 1


def test_a_terminal_is_told_first_what_is_being_loaded_and_a_log_is_not(
    fake_models, page, tmp_path, capsys, monkeypatch
):
    assert cli.main(["run", page, "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(["run", page, "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err.startswith("pagebeam: loading Apache Beam and the models")


@pytest.mark.parametrize("model", [["run", "--detector"], ["caption", "--captioner"]])
def test_a_broken_model_is_an_error_before_any_work(page, tmp_path, capsys, model):
    assert cli.main([*model, "no/such/folder", page, "--output", str(tmp_path / "out")]) == 2

    assert "pagebeam: no/such/folder: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_that_fails_ends_with_1_and_leaves_no_manifest(fake_models, page, tmp_path, capsys, monkeypatch):
    def load_nothing(*_: str):
        raise RuntimeError("the model does not load")

    monkeypatch.setattr(ocr_reader, "load_reader", load_nothing)

    assert cli.main(["run", page, "--output", str(tmp_path / "out")]) == 1

    last_line = capsys.readouterr().err.strip().splitlines()[-1]
    assert last_line.startswith("pagebeam: the run failed: RuntimeError: the model does not load")
    assert not list((tmp_path / "out").glob("runs/*"))


def test_beam_options_reach_beam(fake_models, page, tmp_path):
    output = str(tmp_path / "out")

    assert cli.main(["run", page, "--output", output, "--runner=FnApiRunner", "--job_name", "nightly"]) == 0
    assert cli.main(["run", page, "--output", output, "--direct_runner_bundle_repeat=1"]) == 0


def test_train_is_passed_on(monkeypatch):
    import ocr_models.training.cli

    monkeypatch.setattr(ocr_models.training.cli, "main", lambda argv: len(argv))

    assert cli.main(["train", "detection", "--seed", "1"]) == 3


def test_a_model_for_something_else_does_not_caption(page, tmp_path, capsys):
    assert cli.main(["caption", page, "--output", str(tmp_path / "out"), "--captioner", "crnn-fast"]) == 2

    assert "a bundle for recognition, but one for caption was expected" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "caption"])
def test_help_is_quick(command):
    code = "import sys; from pipelines.cli.main import main\n"
    code += f"try: main(['{command}', '--help'])\nexcept SystemExit: pass\n"
    code += "print('apache_beam' in sys.modules, file=sys.stderr)"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})

    assert shown.stderr.strip() == "False"
    assert "Exit status" in shown.stdout


@pytest.mark.parametrize("reader_ends", [False, True])
def test_command_ends_at_once_with_its_status_having_said_all(reader_ends):
    code = "import atexit, threading; from pipelines.cli import main as cli\n"
    code += "atexit.register(print, 'tidied up'); threading.Thread(target=threading.Event().wait).start()\n"
    code += "cli.main = lambda: print('read') or 3; cli.command()"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": {**os.environ, "PYTHONUNBUFFERED": ""}}
    process = subprocess.Popen([sys.executable, "-c", code], text=True, **pipes)
    if reader_ends:
        process.stdout.close()
        process.stdout = None

    said, complaints = process.communicate(timeout=60)

    assert process.returncode == 3 and complaints == ""
    assert reader_ends or said == "read\ntidied up\n"


@pytest.mark.parametrize(
    ("name", "schema"), [("pages", PAGES.schema), ("captions", CAPTIONS.schema), ("documents", DOCUMENTED_DOCUMENTS)]
)
def test_every_column_is_documented(name, schema):
    sections = (Path(__file__).parents[3] / "docs/rows.md").read_text().split("\n## ")

    [section] = [section for section in sections if section.lower().startswith(name)]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{column}` | {kind} | {doc} |" for column, kind, doc in _columns(schema)]


def _columns(fields, prefix=""):
    for field in fields:
        yield prefix + field.name, _kind(field.type), field.metadata[b"doc"].decode()
        inner = field.type.value_type if pa.types.is_list(field.type) else field.type
        if pa.types.is_struct(inner):
            yield from _columns(inner.fields, f"{prefix}{field.name}.")


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_kind(kind.value_type)}"
    return (
        "struct" if pa.types.is_struct(kind) else str(kind).replace("float", "float32").replace("float3232", "float32")
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runner=PrismRunner", "--workers=3"], "--workers 3: of the local runner only; other runners have options"),
        (["--runner=DataflowRunner"], "a path of this machine, which Dataflow's workers don't see"),
    ],
)
def test_what_an_engine_would_pass_over_or_not_see_is_refused_at_once(
    fake_models, page, tmp_path, capsys, options, message
):
    assert cli.main(["run", page, "--output", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
