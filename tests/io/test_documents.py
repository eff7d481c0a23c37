from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ocr_models.errors import DocumentError
from ocr_models.io import documents, images
from ocr_models.io.documents import DocumentKind, count_pages, page_renderer, sniff_kind
from ocr_models.io.images import ColorMode, decode_image
from tests.pipelines import samples
from tests.pipelines.samples import encoded

RAMP = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))  # (40, 60), dark at the left


def decoded(image: Image.Image, image_format: str = "PNG", **options: object) -> np.ndarray:
    return decode_image(encoded(image, image_format, **options)).pixels


def in_color(image: Image.Image, image_format: str = "PNG", **options: object) -> np.ndarray:
    return decode_image(encoded(image, image_format, **options), ColorMode.RGB).pixels


def test_gray_survives_unchanged():
    np.testing.assert_array_equal(decoded(Image.fromarray(RAMP)), RAMP)


@pytest.mark.parametrize("mode", ["RGB", "P", "LA", "RGBA"])
def test_other_modes_become_gray(mode):
    np.testing.assert_allclose(decoded(Image.fromarray(RAMP).convert(mode)), RAMP, atol=1)


def test_cmyk_jpeg_is_not_inverted():
    pixels = decoded(Image.fromarray(RAMP).convert("CMYK"), "JPEG", quality=95)

    np.testing.assert_allclose(pixels, RAMP, atol=8)


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))

    np.testing.assert_array_equal(decoded(image), [[255, 0]])


def test_transparent_palette_color_is_laid_on_white():
    image = Image.new("P", (2, 1), 1)
    image.putpalette([0, 0, 0, 9, 9, 9])
    image.putpixel((0, 0), 0)

    np.testing.assert_array_equal(decoded(image, transparency=0), [[255, 9]])


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_16_bit_samples_are_scaled(image_format):
    deep = RAMP.astype(np.uint16) * 257  # 255 * 257 = 65535

    np.testing.assert_array_equal(decoded(Image.fromarray(deep), image_format), RAMP)
    np.testing.assert_array_equal(in_color(Image.fromarray(deep), image_format), np.dstack([RAMP] * 3))


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
def test_color_arrives_as_red_green_blue(mode):
    image = Image.new("RGB", (3, 2), (200, 40, 10)).convert(mode, palette=Image.Palette.ADAPTIVE)

    np.testing.assert_array_equal(in_color(image), np.full((2, 3, 3), [200, 40, 10]))
    # ITU-R 601: 0.299 * 200 + 0.587 * 40 + 0.114 * 10 = 84.4
    np.testing.assert_array_equal(decoded(image), np.full((2, 3), 84))


@pytest.mark.parametrize(("mode", "image_format"), [("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGB", "WEBP")])
def test_color_of_photographs_arrives_as_red_green_blue(mode, image_format):
    image = Image.new("RGB", (16, 8), (200, 40, 10)).convert(mode)

    np.testing.assert_allclose(in_color(image, image_format, quality=95), np.full((8, 16, 3), [200, 40, 10]), atol=6)


def test_transparent_color_is_laid_on_white():
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (255, 0, 0, 51))  # a fifth of red, four fifths of white: 0.8 * 255 = 204
    image.putpixel((2, 0), (0, 0, 0, 0))

    np.testing.assert_array_equal(in_color(image), [[[255, 0, 0], [255, 204, 204], [255, 255, 255]]])


def test_exif_orientation_turns_color_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # shown upright by turning it 90 degrees clockwise
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)

    np.testing.assert_array_equal(in_color(Image.fromarray(pixels), exif=exif), np.rot90(pixels, -1))


def test_float_samples_are_stretched():
    pixels = decoded(Image.fromarray(np.float32([[-1.0, 0.0, 1.0]])), "TIFF")

    np.testing.assert_array_equal(pixels, [[0, 127, 255]])


def test_1_bit_fax_is_black_on_white():
    bits = Image.fromarray(RAMP > 100)

    np.testing.assert_array_equal(decoded(bits, "TIFF", compression="group4"), np.where(RAMP > 100, 255, 0))


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_exif_orientation_turns_the_page_upright(image_format):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown upright by turning it 90 degrees clockwise
    options = {"lossless": True} if image_format == "WEBP" else {}

    pixels = decoded(Image.fromarray(RAMP), image_format, exif=exif, **options)

    np.testing.assert_allclose(pixels, np.rot90(RAMP, -1), atol=4)


def test_dpi_comes_from_the_metadata():
    image = Image.fromarray(RAMP)

    assert decode_image(encoded(image, "PNG")).dpi is None
    assert decode_image(encoded(image, "PNG", dpi=(300, 300))).dpi == pytest.approx(300, abs=0.1)
    assert decode_image(encoded(image, "TIFF", dpi=(1, 1))).dpi is None  # no scanner means that


def test_too_large_an_image_is_refused_before_decoding(monkeypatch):
    monkeypatch.setattr(images, "MAX_PAGE_PIXELS", 40 * 60 - 1)

    with pytest.raises(DocumentError, match=r"60×40 pixels are more than the limit of 2,399"):
        decoded(Image.fromarray(RAMP))


def test_cut_image_is_refused():
    data = encoded(Image.fromarray(samples.page_pixels(0, 300, 300)), "PNG")

    with pytest.raises(DocumentError, match="broken or cut short") as error:
        decode_image(data[:-500])
    assert error.value.stage == "decode"


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
