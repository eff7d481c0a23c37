"""The whole command, on Beam's local runner, with every kind of document; only the models are fake."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from PIL import Image

from ocr_models.errors import PagebeamError
from pipelines.inputs.discovery import FoundFile
from pipelines.inputs.transforms import ReadWorklist
from pipelines.inputs.worklist import write_worklist
from pipelines.output.run_manifest import Totals
from pipelines.reading.run import run as run_options_alone
from pipelines.reading.run_options import OcrOptions
from tests.pipelines import samples
from tests.pipelines.conftest import comparable
from tests.pipelines.fakes import GUILTY_WIDTH_PX


def expected_text(pixels: np.ndarray) -> str:
    height, width = pixels.shape
    return f"{width}x{height} sum{int(pixels.sum())}\n"


def manifest_of(output: Path) -> dict:
    [path] = (output / "runs").glob("*.json")
    return json.loads(path.read_text())


def test_every_kind_of_document_gives_its_pages(run, tmp_path):
    pixels = [samples.page_pixels(seed) for seed in range(9)]
    images = [Image.fromarray(page) for page in pixels]
    folder = tmp_path / "in"
    folder.mkdir()
    for extension, image_format in (("png", "PNG"), ("bmp", "BMP"), ("jpg", "JPEG")):
        (folder / f"a.{extension}").write_bytes(samples.encoded(images[0], image_format))
    (folder / "a.webp").write_bytes(samples.encoded(images[0], "WEBP", lossless=True))
    samples.write_tiff(folder / "b.tif", images[1:4], compression="tiff_lzw")
    (folder / "c.pdf").write_bytes(samples.pdf_bytes(["0 0 72 72 re f", "", "0 0 144 72 re f"]))
    records = samples.tfrecord_bytes(samples.sequence_example(samples.encoded(image)) for image in images[4:7])
    (folder / "d.tfrecord").write_bytes(records)
    (folder / "e-00000-of-00001").write_bytes(gzip.compress(records))  # found by its content

    status, rows = run(folder)

    assert status == 0
    names = [(Path(row["source_uri"]).name, row["page_index"], row["page_count"]) for row in rows]
    assert names == [
        ("a.bmp", 0, 1),
        ("a.jpg", 0, 1),
        ("a.png", 0, 1),
        ("a.webp", 0, 1),
        *[("b.tif", index, 3) for index in range(3)],
        *[("c.pdf", index, 3) for index in range(3)],
        *[("d.tfrecord", index, 3) for index in range(3)],
        *[("e-00000-of-00001", index, 3) for index in range(3)],
    ]
    texts = [row["text"] for row in rows]
    assert texts[0] == texts[2] == texts[3] == expected_text(pixels[0])
    assert texts[4:7] == [expected_text(page) for page in pixels[1:4]]
    assert texts[10:13] == texts[13:16] == [expected_text(page) for page in pixels[4:7]]
    assert [row["status"] for row in rows[7:10]] == ["ok", "blank", "ok"]
    assert [(row["width_px"], row["height_px"], row["dpi"]) for row in rows[7:8]] == [(400, 200, 200.0)]
    assert texts[7] == f"400x200 sum{200 * 200 * 255}\n"  # the left half black
    assert len({row["page_id"] for row in rows}) == len(rows)


def test_bad_documents_fail_alone(run, tmp_path, capsys):
    folder = tmp_path / "in"
    good = [samples.write_png(folder / f"good-{seed}.png", seed) for seed in range(9)]
    broken_page = folder / "one_broken_page.pdf"
    broken_page.write_bytes(samples.pdf_bytes(["0 0 72 72 re f", None, "0 0 9 9 re f"]))
    _, good_rows = run(*good, output="good")
    stages = samples.write_bad_files(folder)

    status, rows = run(folder)

    assert status == 3
    failed = [row for row in rows if row["status"] == "failed"]
    assert {Path(row["source_uri"]).name: row["failure"]["stage"] for row in failed} == {
        **stages,
        broken_page.name: "render",
    }
    assert comparable(row for row in rows if row["status"] == "ok" and row["source_uri"] != str(broken_page)) == (
        comparable(good_rows)
    )
    assert [row["status"] for row in rows if row["source_uri"] == str(broken_page)] == ["ok", "failed", "ok"]
    manifest = manifest_of(tmp_path / "out")
    counts = {"found": 22, "known": 0, "left": 0, "expected": 22, "ok": 11, "blank": 0, "unknown_script": 0}
    assert manifest["pages"] == {**counts, "failed": 11}
    assert (manifest["documents"]["found"], manifest["documents"]["new"], len(rows)) == (20, 20, 22)
    assert manifest["documents"]["failed_to_open"] == list(stages.values()).count("open")
    assert "11 failed" in capsys.readouterr().out


def test_every_file_of_a_folder_is_a_row_or_counted(run, tmp_path, capsys):
    folder = tmp_path / "in"
    for seed in range(40):
        samples.write_png(folder / f"sub/good-{seed}.png", seed)
    stages = samples.write_bad_files(folder)
    os.mkfifo(folder / "fifo.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.pdf"))
    for index in range(9):
        (folder / f"away-{index}.pdf").symlink_to("gone.pdf")
        (folder / f"loop-{index}").symlink_to(folder)
        (folder / f"zero-{index}").symlink_to("/dev/zero")
        (folder / f".hidden-{index}.png").write_bytes(b"")
        (folder / f"scan-{index}.djvu").write_bytes(b"AT&TFORM")
    (folder / "empty").write_bytes(b"")

    status, rows = run(folder)

    files = sum(1 for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    manifest = manifest_of(tmp_path / "out")
    assert status == 3
    assert manifest["skipped"] == {
        "device": 9,
        "hidden": 9,
        "link to a folder": 9,
        "other format .djvu": 9,
        "FIFO": 1,
        "empty": 1,
        "socket": 1,
    }
    assert files == len(rows) + sum(manifest["skipped"].values()) == 98
    assert manifest["documents"]["found"] == len(rows)
    assert manifest["documents"]["failed_to_open"] == 9 + [*stages.values()].count("open")
    assert [row["status"] for row in rows].count("ok") == 40
    assert len(manifest["first_failures"]) == 10
    assert (
        "skipped:  39 files: device (9), hidden (9), link to a folder (9), other format .djvu (9), FIFO (1),"
        in capsys.readouterr().out
    )


def test_a_page_that_the_models_choke_on_fails_without_its_batch(run, tmp_path):
    for seed in range(5):
        samples.write_png(tmp_path / f"in/{seed}.png", seed, width=GUILTY_WIDTH_PX if seed == 2 else 60)

    status, rows = run(tmp_path / "in/*.png", "--workers", 1)

    assert status == 3
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "ok", "ok"]
    assert rows[2]["failure"] == {
        "stage": "read",
        "error_type": "FloatingPointError",
        "message": "the model choked",
    }
    assert rows[2]["width_px"] == GUILTY_WIDTH_PX


def test_rows_do_not_depend_on_the_number_of_workers(run, tmp_path):
    pages = [Image.fromarray(samples.page_pixels(seed)) for seed in range(70)]
    document = samples.write_tiff(tmp_path / "many.tif", pages)

    _, one = run(document, "--workers", 1, output="one")
    _, three = run(document, "--workers", 3, output="three")

    assert len(one) == 70
    assert comparable(one) == comparable(three)


def test_a_document_that_is_given_twice_is_read_once(run, tmp_path):
    document = samples.write_png(tmp_path / "page.png", 1)

    _, rows = run(document, document, tmp_path)

    assert len(rows) == 1


@pytest.mark.parametrize("bad_input", ["nothing/here.pdf", "nothing/*.pdf", "empty_folder"])
def test_an_input_without_documents_is_an_error_before_any_work(run, tmp_path, bad_input, capsys):
    (tmp_path / "empty_folder").mkdir()

    with pytest.raises(FileNotFoundError):  # no output
        run(tmp_path / bad_input)
    assert f"pagebeam: no documents at {tmp_path / bad_input}" in capsys.readouterr().err


def test_an_unwritable_output_is_an_error_before_any_work(fake_models, tmp_path, capsys):
    from pipelines.cli import main as cli

    document = samples.write_png(tmp_path / "page.png", 1)

    status = cli.main(["run", str(document), "--output", str(document / "out")])

    assert status == 2
    assert "pagebeam: can't write to the output folder" in capsys.readouterr().err


def test_a_run_that_does_not_add_up_fails_and_the_next_one_keeps_its_rows(run, tmp_path, monkeypatch, capsys):
    for seed in range(3):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    count = Totals.of
    with monkeypatch.context() as patch, pytest.raises(FileNotFoundError):  # no rows yet
        patch.setattr(Totals, "of", lambda document: Totals.sum([count(document), Totals(rows=1)]))
        run(tmp_path / "in")
    assert "doesn't add up: 3 rows for 6 expected" in capsys.readouterr().err

    status, rows = run(tmp_path / "in")

    assert status == 0 and len(rows) == 3
    assert "took over 3 pages" in capsys.readouterr().err


def test_workers_that_see_no_output_fail_the_run_before_anything_counts(fake_models, tmp_path):
    for seed in range(3):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
    options = OcrOptions(inputs=[str(tmp_path / "in")], output=str(tmp_path / "out"))

    with pytest.raises(PagebeamError, match="the output isn't seen on "):
        run_options_alone(options, lambda plan: shutil.rmtree(tmp_path / "out"))

    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_a_folder_that_is_emptied_after_the_listing_costs_its_documents_alone(fake_models, tmp_path):
    for seed in range(3):
        samples.write_png(tmp_path / f"in/{seed}.png", seed)
        samples.write_png(tmp_path / f"watched/{seed}.png", 10 + seed)
    options = OcrOptions(inputs=[str(tmp_path / "in"), str(tmp_path / "watched")], output=str(tmp_path / "out"))

    def empty(plan: object) -> None:
        for path in (tmp_path / "watched").iterdir():
            path.unlink()

    told = run_options_alone(options, empty)

    assert (told["pages"]["ok"], told["pages"]["failed"], told["documents"]["failed_to_open"]) == (3, 3, 3)
    assert told["failures_by_stage"] == {"open": 3}


@pytest.mark.parametrize("is_there", [True, False])
def test_a_worker_that_does_not_see_an_input_fails_the_pipeline(tmp_path, is_there):
    path = samples.write_png(tmp_path / "elsewhere/0.png", 0)
    parts = write_worklist(str(tmp_path / "list"), [FoundFile(str(path))])
    if is_there:
        (tmp_path / "in").mkdir()  # where nothing is mounted

    with (
        pytest.raises(Exception, match=r"nothing is found at .*/in on the worker "),
        beam.Pipeline(FnApiRunner()) as root,
    ):
        root | ReadWorklist(parts, folders=(str(tmp_path / "in"),))
