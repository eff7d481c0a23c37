"""OCRmyPDF, if it is installed, with the plugin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image

pytest.importorskip("ocrmypdf", reason="OCRmyPDF is in the extra ocrmypdf")

from ocrmypdf.hocrtransform import HocrParser

from pagebeam.ocrmypdf import PagebeamEngine

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def letter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The upper half of the sample letter as an image, which is quicker to read than the whole."""
    path = tmp_path_factory.mktemp("letter") / "letter.png"
    with Image.open(ROOT / "docs/samples/letter.jpg") as image:
        image.crop((0, 0, image.width, 1000)).save(path, dpi=(200, 200))
    return path


def turned(image: Path, degrees: float) -> Path:
    """The image turned clockwise."""
    path = image.with_name(f"{degrees}.png")
    with Image.open(image) as picture:
        picture.convert("L").rotate(-degrees, expand=True, fillcolor=255).save(path, dpi=(200, 200))
    return path


@pytest.mark.parametrize("renderer", ["fpdf2", "sandwich"])
def test_ocrmypdf_reads_with_our_models(renderer, letter, tmp_path):
    import img2pdf

    source, result = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(img2pdf.convert(str(letter)))

    command = ["--plugin", "pagebeam.ocrmypdf", "--pdf-renderer", renderer, "--output-type", "pdf", "--jobs", "1"]
    subprocess.run([sys.executable, "-m", "ocrmypdf", *command, source, result], cwd=ROOT, check=True)

    text = pdfium.PdfDocument(result)[0].get_textpage().get_text_range()
    assert "Harbour Office" in text and "Ms. Ingrid Sørensen" in text
    with pikepdf.open(result) as pdf:
        assert "Pagebeam" in str(pdf.docinfo.Creator)


def test_lines_have_their_angles(letter):
    page, text = PagebeamEngine.generate_ocr(turned(letter, 90), None, 3)

    assert page.page_number == 3 and page.dpi == pytest.approx(200, abs=1) and "Rope Walk" in text
    assert {line.textangle for line in page.lines} == {-90.0}  # counterclockwise
    level, _ = PagebeamEngine.generate_ocr(letter, None)
    assert all(line.textangle == 0 and abs(line.baseline.slope) < 0.03 for line in level.lines)


def test_orientation_and_skew(letter):
    assert PagebeamEngine.get_orientation(letter, None).angle == 0
    orientation = PagebeamEngine.get_orientation(turned(letter, 270), None)
    assert orientation.angle == 270 and orientation.confidence > 14
    skew = PagebeamEngine.get_deskew(letter, None)  # the letter lies on the scanner not quite level
    assert skew == pytest.approx(1, abs=0.2)
    assert PagebeamEngine.get_deskew(turned(letter, 2), None) == pytest.approx(skew + 2, abs=0.2)


def test_a_blank_page_has_no_orientation(tmp_path):
    Image.new("L", (400, 300), 255).save(tmp_path / "blank.png")

    assert PagebeamEngine.get_orientation(tmp_path / "blank.png", None) == (0, 0.0)
    assert PagebeamEngine.get_deskew(tmp_path / "blank.png", None) == 0


def test_hocr_is_what_ocrmypdf_parses(letter, tmp_path):
    PagebeamEngine.generate_hocr(letter, tmp_path / "a.hocr", tmp_path / "a.txt", None)

    page = HocrParser(tmp_path / "a.hocr").parse()

    assert [word.text for word in page.words] == (tmp_path / "a.txt").read_text().split()
