"""Runs over PDFs with text layers, some of which can be taken and some not."""

from __future__ import annotations

import json

import pytest

from ocr_models.io.documents import DocumentKind, page_renderer
from pipelines.cli import main as cli
from tests.pipelines import samples
from tests.text_pdfs import picture_of, prose, set_text, write_text_pdf

PROSE = prose(1)
SCAN = "q 420 0 0 595 0 0 cm BI /W 2 /H 1 /CS /G /BPC 8 /F /AHx ID 00ff> EI Q"


@pytest.fixture
def folder(tmp_path):
    """A PDF with a born-digital page, a scan with hidden text and an empty page; and a picture."""
    (tmp_path / "in").mkdir()
    write_text_pdf(tmp_path / "in/a.pdf", [set_text(PROSE), f"{SCAN} 3 Tr {set_text(PROSE)}", ""])
    samples.write_png(tmp_path / "in/b.png", 1)
    return tmp_path / "in"


def manifest(output):
    [path] = (output / "runs").iterdir()
    return json.loads(path.read_text())


def test_born_digital_pages_have_their_own_words(run, folder, tmp_path, capsys):
    status, rows = run(folder)

    assert status == 0
    assert [row["text_source"] for row in rows] == ["text_layer", "ocr", "text_layer", "ocr"]
    assert [row["status"] for row in rows] == ["ok", "ok", "blank", "ok"]
    page = rows[0]
    assert page["text"] == PROSE + "\n"
    assert [word["text"] for word in page["words"]] == PROSE.split()
    assert (page["mean_confidence"], page["rotation_deg"], page["dpi"]) == (1.0, 0, 200.0)
    assert (page["width_px"], page["height_px"]) == (rows[1]["width_px"], rows[1]["height_px"]) == (1167, 1653)
    assert rows[2]["mean_confidence"] is None
    assert page["detector_id"] == rows[1]["detector_id"] and page["elapsed_ms"] > 0
    assert manifest(tmp_path / "out")["statistics"]["pdf"]["from_text_layer"] == 2
    assert "2 pages have their words from the PDF's own text; --text-layer never reads them" in capsys.readouterr().out


def test_never_reads_all_pages(run, folder, tmp_path, capsys):
    _, rows = run(folder, "--text-layer", "never")
    assert [row["text_source"] for row in rows] == ["ocr"] * 4
    assert rows[0]["text"].startswith("1167x1653 sum")
    assert "own text" not in capsys.readouterr().out


def test_hidden_text_of_another_ocr_is_kept_if_asked_for(run, folder, tmp_path, capsys):
    pixels = page_renderer(str(folder / "a.pdf"), DocumentKind.PDF, 144)(0).pixels
    scan, heading = picture_of(pixels), PROSE.splitlines()[0]
    hidden = [f"{scan} 3 Tr {set_text(text)}" for text in (PROSE, heading)]
    write_text_pdf(folder / "a.pdf", [set_text(PROSE), *hidden])
    assert [row["text_source"] for row in run(folder)[1]] == ["text_layer", "ocr", "ocr", "ocr"]

    _, rows = run(folder, "--text-layer", "hidden", "--reread")

    assert [row["text_source"] for row in rows] == ["text_layer", "hidden_text", "ocr", "ocr"]
    visible, kept = rows[:2]
    assert kept["text"] == visible["text"] == PROSE + "\n" and kept["status"] == "ok"
    assert [word["quad"] for word in kept["words"]] == [word["quad"] for word in visible["words"]]
    assert kept["mean_confidence"] is None and visible["mean_confidence"] == 1.0
    assert {item["confidence"] for item in kept["words"] + kept["lines"]} == {None}
    last = max((tmp_path / "out/runs").iterdir(), key=lambda path: path.name)
    assert json.loads(last.read_text())["statistics"]["pdf"]["from_text_layer"] == 2
    assert len({row["run_id"] for row in run(folder, "--text-layer", "hidden", "--below", "1")[1][:2]}) == 1


def test_another_choice_reads_again_only_when_asked(run, folder, capsys):
    first = {row["reader_id"] for row in run(folder, "--text-layer", "never")[1]}
    _, rows = run(folder)
    assert {row["text_source"] for row in rows} == {"ocr"}
    assert "2 documents were read by other models, or with other options" in capsys.readouterr().out
    _, rows = run(folder, "--reread")
    assert [row["text_source"] for row in rows] == ["text_layer", "ocr", "text_layer", "ocr"]
    assert {row["reader_id"] for row in rows}.isdisjoint(first)


def test_gates_look_at_the_confidence_of_pages_that_were_read(run, folder, capsys):
    assert run(folder, "--min-mean-confidence", "0.9")[0] == 4
    assert "the mean confidence of pages is 0.750, less than 0.9" in capsys.readouterr().err
    _, rows = run(folder, "--below", "1")
    assert len({row["run_id"] for row in rows}) == 2
    assert rows[0]["run_id"] == rows[2]["run_id"] != rows[1]["run_id"]


def test_a_dry_run_takes_layers_too(fake_models, folder, tmp_path, capsys, monkeypatch):
    taken = []
    from pipelines.reading.ocr_rows import OcrReader

    of_layer = OcrReader.read_layer
    monkeypatch.setattr(OcrReader, "read_layer", lambda self, layer: taken.append(layer) or of_layer(self, layer))
    for choice, count in (("auto", 1), ("never", 0)):  # the first page of each document
        taken.clear()
        output = str(tmp_path / "out")
        assert cli.main(["run", str(folder), "--output", output, "--dry-run", "--text-layer", choice]) == 0
        assert len(taken) == count
    assert "4 to read" in capsys.readouterr().out


def test_captions_are_of_pictures(caption, folder):
    status, rows = caption(folder)
    assert status == 0 and [row["status"] for row in rows] == ["ok"] * 4
    assert rows[0]["caption"].startswith("1167x1653 rgb")


def test_only_the_three_choices_are_taken(folder, tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", str(folder), "--output", str(tmp_path / "out"), "--text-layer", "always"])
    assert "invalid choice: 'always'" in capsys.readouterr().err
