from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_models.errors import UsageError
from pipelines.cli import main as cli
from pipelines.output.current_view import describe_output
from pipelines.output.lock import locked
from pipelines.output.run_manifest import RunDescription, write_description
from pipelines.output.shards import ROWS
from tests.pipelines import samples
from tests.pipelines.fakes import GUILTY_WIDTH_PX

ROOT = Path(__file__).parents[3]
REASON = "the PDF is broken (Failed to load document (PDFium: Data format error).)"


@pytest.fixture
def output(run, tmp_path) -> Path:
    """Two nights. After the second, five pages are ok, one is blank, three failed; one document has vanished, one was
    renamed."""
    for seed in range(2):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
        (tmp_path / f"in/broken-{seed}.pdf").write_bytes(b"%PDF-1.4\n" + bytes([seed]))
    samples.write_png(tmp_path / "in/vanishing.png", 2)
    samples.write_png(tmp_path / "in/guilty.png", 3, width=GUILTY_WIDTH_PX)
    run(tmp_path / "in")
    (tmp_path / "in/vanishing.png").unlink()
    (tmp_path / "in/0.png").rename(tmp_path / "in/renamed.png")
    (tmp_path / "in/new.pdf").write_bytes(samples.pdf_bytes(["0 0 9 9 re f", "", "0 0 7 7 re f"]))
    run(tmp_path / "in")
    return tmp_path / "out"


def test_pages_documents_and_failures_are_counted(output):
    status = describe_output(str(output))

    pages = status["tables"]["pages"]
    assert pages["by_status"] == {"ok": 5, "blank": 1, "unknown_script": 0, "failed": 3}
    assert (pages["pages"], pages["mean_confidence"], pages["read_by_others"]) == (9, 0.75, 0)
    assert {kind: counts["pages"] for kind, counts in pages["by_kind"].items()} == {"image": 4, "pdf": 3, "unopened": 2}
    assert pages["documents"] == {
        "found": 6,
        "by_kind": {"image": 3, "pdf": 1, "unopened": 2},
        "vanished": 1,  # not the renamed one
        "first_vanished": [f"{output.parent}/in/vanishing.png"],
    }
    assert pages["failures"][0] == {"stage": "open", "reason": REASON, "pages": 2}
    assert [run["pages_read"] for run in status["runs"]] == [6, 3]
    assert [run["pages_known"] for run in status["runs"]] == [0, 5]
    assert (status["holder"], status["unfinished"], status["drift"]) == (None, [], None)


def test_pages_of_other_models_are_counted_even_if_the_last_run_read_nothing(output, run, tmp_path):
    run(tmp_path / "in", "--dpi", "100")

    pages = describe_output(str(output))["tables"]["pages"]

    assert pages["read_by_others"] == 9


def test_the_table_says_it_to_people(output, capsys):
    capsys.readouterr()

    assert cli.main(["status", str(output)]) == 0

    out = capsys.readouterr().out
    assert "kind      documents  pages  ok  blank  unknown_script  failed  from text layer  mean confidence\n" in out
    assert "all               6      9   5      1               0       3                1             0.75\n" in out
    assert f"1 documents vanished; their rows are kept:\n  {output.parent}/in/vanishing.png\n" in out
    assert f"open           2  {REASON}\n" in out
    assert out.count("finished\n") == 2


def test_json_is_one_object(output, capsys):
    capsys.readouterr()
    assert cli.main(["status", str(output), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"]["pages"]["pages"] == 9


def test_a_run_that_goes_on_is_told_from_one_that_was_cut_off(output, capsys):
    for run_id in ("20990101T000000Z-1", "20990102T000000Z-2"):
        write_description(str(output), RunDescription(run_id))
        [first, *_] = (output / "pages").glob("*.parquet")
        rows = output / f"_unfinished/{run_id}/{ROWS}"
        rows.mkdir()
        (rows / "a.parquet").write_bytes(first.read_bytes())
    capsys.readouterr()

    with locked(str(output), "20990102T000000Z-2"):
        cli.main(["status", str(output)])

    out = capsys.readouterr().out
    cut_off, goes_on, holder = out.splitlines()[-3:]
    assert "20990101T000000Z-1" in cut_off and "was cut off; the next run takes over" in cut_off
    assert "20990102T000000Z-2" in goes_on and "goes on: " in goes_on
    assert holder.startswith("holder: 20990102T000000Z-2 of ") and holder.endswith(" is writing")


def test_how_runs_ended_and_what_moved_is_said(output, capsys):
    paths = sorted((output / "runs").iterdir(), key=lambda path: json.loads(path.read_text())["started"])
    for path, blank, stopped in zip(paths, (10, 40), (None, "deadline"), strict=True):
        manifest = json.loads(path.read_text())
        manifest["pages"]["expected"] = 100
        [kind, *_] = manifest["statistics"].values()
        manifest["statistics"] = {"image": {**kind, "statuses": {"ok": 100 - blank, "blank": blank}, "words": 1000}}
        manifest |= {"stopped": stopped, "gates_exceeded": ["too much"] if stopped else []}
        path.write_text(json.dumps(manifest))
    capsys.readouterr()

    cli.main(["status", str(output)])

    out = capsys.readouterr().out
    assert "stopped: deadline; gate: too much\n" in out
    assert " 30.0%  pages: share of blank pages 10.0% → 40.0%\n" in out


def test_a_folder_without_runs_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no run has written here"):
        describe_output(str(tmp_path))


def test_the_commands_load_neither_beam_nor_tensorflow(output):
    code = (
        "import sys; from pipelines.cli.main import main; "
        f"[main([command, {str(output)!r}]) for command in ('status', 'failures', 'doctor', 'compact')]; "
        "print({'tensorflow', 'keras', 'apache_beam'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert output.stdout.endswith("set()\n")
