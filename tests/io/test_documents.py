from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ocr_models.errors import DocumentError
from ocr_models.io import documents
from ocr_models.io.documents import DocumentKind, count_pages, page_renderer, sniff_kind
from ocr_models.io.images import ColorMode
from tests.pipelines import samples
from tests.pipelines.samples import encoded

RAMP = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))  # (40, 60), dark at the left


def test_kind_is_decided_by_content():
    png = encoded(Image.fromarray(RAMP))

    assert sniff_kind(png) == DocumentKind.IMAGE
    assert sniff_kind(encoded(Image.fromarray(RAMP), "TIFF")) == DocumentKind.TIFF
    assert sniff_kind(b"\n\n%PDF-1.7\n") == DocumentKind.PDF
    assert sniff_kind(samples.tfrecord_bytes([samples.sequence_example(png)])) == DocumentKind.TFRECORD
    with pytest.raises(DocumentError, match="the file is empty"):
        sniff_kind(b"")
    with pytest.raises(DocumentError, match=r"it begins with b'GIF89a'"):
        sniff_kind(b"GIF89a")


def test_pages_of_a_tiff_differ_in_size_and_depth(tmp_path):
    pages = [Image.fromarray(RAMP), Image.fromarray(RAMP[:20] > 100), Image.fromarray(RAMP).convert("RGB")]
    path = str(samples.write_tiff(tmp_path / "pages.tif", pages))
    render = page_renderer(path, DocumentKind.TIFF, dpi=200)

    assert count_pages(path, DocumentKind.TIFF) == 3
    np.testing.assert_array_equal(render(2).pixels, RAMP)
    np.testing.assert_array_equal(render(0).pixels, RAMP)
    np.testing.assert_array_equal(render(1).pixels, np.where(RAMP[:20] > 100, 255, 0))
    color = page_renderer(path, DocumentKind.TIFF, 200, ColorMode.RGB)(2).pixels
    np.testing.assert_array_equal(color, np.dstack([RAMP] * 3))


def test_tiff_cut_after_its_first_page_keeps_that_page(tmp_path):
    first, both = io.BytesIO(), io.BytesIO()
    pages = [Image.fromarray(RAMP), Image.fromarray(RAMP)]
    pages[0].save(first, "TIFF")
    pages[0].save(both, "TIFF", save_all=True, append_images=pages[1:])
    path = tmp_path / "cut.tif"
    path.write_bytes(both.getvalue()[: len(first.getvalue()) + 30])
    render = page_renderer(str(path), DocumentKind.TIFF, dpi=200)

    assert count_pages(str(path), DocumentKind.TIFF) == 2
    np.testing.assert_array_equal(render(0).pixels, RAMP)
    with pytest.raises(DocumentError):
        render(1)


def test_pdf_is_rendered_at_the_dpi(tmp_path):
    path = tmp_path / "half.pdf"
    path.write_bytes(samples.pdf_bytes(["0 0 72 72 re f"]))  # a square inch of black on a page of 2 × 1 inches

    page = page_renderer(str(path), DocumentKind.PDF, dpi=100)(0)

    assert page.dpi == 100
    assert page.pixels.shape == (100, 200)
    assert page.pixels[:, :99].max() == 0
    assert page.pixels[:, 101:].min() == 255


def test_pdf_is_rendered_in_color(tmp_path):
    path = tmp_path / "red.pdf"
    path.write_bytes(samples.pdf_bytes(["1 0 0 rg 0 0 72 72 re f"]))  # a square inch of red on a page of 2 × 1 inches

    pixels = page_renderer(str(path), DocumentKind.PDF, 100, ColorMode.RGB)(0).pixels

    assert pixels.shape == (100, 200, 3)
    assert (pixels[:, :99] == [255, 0, 0]).all()
    assert (pixels[:, 101:] == 255).all()


def test_large_pdf_page_is_rendered_at_a_dpi_that_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_RENDERED_PIXELS", 20_000)
    path = tmp_path / "large.pdf"
    path.write_bytes(samples.pdf_bytes(["0 0 72 72 re f"]))

    page = page_renderer(str(path), DocumentKind.PDF, dpi=400)(0)

    assert page.dpi == 100  # (20,000 pixels / 2 square inches) ** 0.5
    assert page.pixels.shape == (100, 200)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (samples.pdf_bytes(["0 0 9 9 re f"], encrypt=True), "encrypted"),
        (b"%PDF-1.4\nand then nothing", "broken"),
        (samples.pdf_bytes([]), "broken"),
        (samples.pdf_bytes([""]).replace(b"/Count 1", b"/Count 100000"), "100,000 pages, more than it has bytes"),
    ],
)
def test_pdf_that_cannot_be_opened(tmp_path, content, message):
    path = tmp_path / "bad.pdf"
    path.write_bytes(content)

    with pytest.raises(DocumentError, match=message) as error:
        count_pages(str(path), DocumentKind.PDF)
    assert error.value.stage == "open"


def test_absurd_pdf_page_is_refused(tmp_path):
    path = tmp_path / "absurd.pdf"
    path.write_bytes(samples.pdf_bytes(["0 0 9 9 re f"], media_box="0 0 900000 900000"))

    with pytest.raises(DocumentError, match=r"900000×900000 points is absurd"):
        page_renderer(str(path), DocumentKind.PDF, dpi=200)(0)
