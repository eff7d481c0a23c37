"""``pagebeam read`` with the fake reader, which tells each page's size and the sum of its pixels."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ocr_models import terminal
from ocr_models.records import OcrPage
from pipelines.cli import main as cli
from tests.pipelines import samples
from tests.pipelines.conftest import COLUMNS_OF_A_RUN
from tests.pipelines.fakes import GUILTY_WIDTH_PX, FakePageReader
from tests.text_pdfs import set_text, write_text_pdf

ROOT = Path(__file__).parents[3]


@pytest.fixture
def read(fake_models, capsys):
    """Runs ``pagebeam read``; returns its exit status, stdout and stderr."""

    def read(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.main(["read", *map(str, arguments)])
        return status, *capsys.readouterr()

    return read


@pytest.fixture
def tiff(tmp_path) -> Path:
    """Three pages; the second one can't be read."""
    pages = [samples.page_pixels(0, width) for width in (60, GUILTY_WIDTH_PX, 62)]
    return samples.write_tiff(tmp_path / "pages.tif", [Image.fromarray(page) for page in pages])


def test_all_pages_are_printed_and_one_that_fails_costs_itself_alone(read, tiff):
    status, out, err = read(tiff)

    first, second, third = out.split("\f")
    assert (first.split()[0], second, third.split()[0]) == ("60x40", "", "62x40")
    assert first.endswith("\n") and third.endswith("\n")
    assert err == f"pagebeam: {tiff}, page 2: failed at read: the model choked\n"
    assert status == 3


def test_chosen_pages_come_in_their_order(read, tiff):
    status, out, _ = read(tiff, "--page", 3, "--page", 1)

    assert (status, [page.split()[0] for page in out.split("\f")]) == (0, ["60x40", "62x40"])
    status, out, err = read(tiff, "--page", 4)
    assert (status, out) == (2, "") and "has no page 4; it has 3 pages" in err


def test_pages_from_text_layers_stand_in_their_order(read, tmp_path):
    scan = "q 420 0 0 595 0 0 cm BI /W 2 /H 1 /CS /G /BPC 8 /F /AHx ID 00ff> EI Q"
    pages = [scan, set_text("second page"), scan, set_text("fourth page")]
    pdf = write_text_pdf(tmp_path / "a.pdf", pages)

    status, out, _ = read(pdf)

    first, second, third, fourth = out.split("\f")
    assert (second, fourth, status) == ("second page\n", "fourth page\n", 0)
    assert first == third and first.startswith("1167x1653 ")
    assert [page.split()[0] for page in read(pdf, "--text-layer", "never")[1].split("\f")] == ["1167x1653"] * 4


def test_json_has_the_columns_of_a_run(read, run, tiff):
    _, rows = run(tiff)

    _, out, _ = read(tiff, "--json")

    own = [{name: value for name, value in row.items() if name != "reader_id"} for row in rows]
    pages = [json.loads(line) for line in out.splitlines()]
    for row, page in zip(own, pages, strict=True):
        differing = {name for name in row.keys() | page.keys() if row.get(name, 0) != page.get(name, 0)}
        assert differing <= {*COLUMNS_OF_A_RUN}


def test_records_and_standard_input_are_read(read, tmp_path, monkeypatch):
    image = samples.encoded(Image.fromarray(samples.page_pixels(0, 50, 30)))
    path = tmp_path / "one.tfrecord"
    path.write_bytes(samples.tfrecord_bytes([samples.sequence_example(image)]))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(image)))

    texts = [read(file)[1] for file in (path, "-")]

    assert texts[0] == texts[1] and texts[0].startswith("50x30 ")


def test_what_cant_be_opened_is_named(read, tmp_path):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 broken")

    status, out, err = read(tmp_path / "broken.pdf")
    assert (status, out) == (1, "") and err.startswith(f"pagebeam: {tmp_path}/broken.pdf: the PDF is broken")
    assert read(tmp_path / "nothing.png")[0] == 2
    status, _, err = read(tmp_path)
    assert status == 2 and "is a folder" in err


def test_pages_are_drawn_each_into_its_file(read, tiff, tmp_path):
    read(tiff, "--draw", tmp_path / "drawn.png")
    read(tiff, "--page", 3, "--draw", tmp_path / "third.png")

    sizes = {path.name: Image.open(path).size for path in tmp_path.glob("*.png")}
    assert sizes == {"drawn-1.png": (130, 40), "drawn-3.png": (134, 40), "third.png": (134, 40)}


def test_nothing_more_is_read_when_nobody_reads_the_text(fake_models, monkeypatch, tmp_path):
    pages = [Image.fromarray(samples.page_pixels(0, width)) for width in range(100, 120)]
    document = samples.write_tiff(tmp_path / "pages.tif", pages)
    monkeypatch.setattr(terminal, "_has_reader", True)
    read_pages = FakePageReader.read_pages
    widths: list[int] = []

    def counted(reader: FakePageReader, images: list[np.ndarray]) -> list[OcrPage]:
        widths.extend(image.shape[1] for image in images)
        return read_pages(reader, images)

    monkeypatch.setattr(FakePageReader, "read_pages", counted)
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)

        assert cli.main(["read", str(document)]) == 0

    assert widths == [100, 101]  # the first batch


def test_beam_isnt_loaded():
    """Nor what else is slow to import. The models are the shipped ones."""
    code = (
        "import sys, pipelines.cli.read_command as command\n"
        "command.main(['docs/samples/letter.jpg'])\n"
        "print({'apache_beam', 'tensorflow', 'keras', 'matplotlib'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.startswith("Harbour Office") and done.stdout.endswith("set()\n")
