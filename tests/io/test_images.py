from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ocr_models.errors import DocumentError
from ocr_models.io import images
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


def test_uncompressed_ycbcr_is_read():
    image = Image.new("RGB", (16, 8), (200, 40, 10))

    np.testing.assert_allclose(in_color(image.convert("YCbCr"), "TIFF"), np.full((8, 16, 3), [200, 40, 10]), atol=2)


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


def test_pillow_s_guard_against_bombs_stays_as_the_program_set_it():
    code = """
from PIL import Image
from ocr_models.errors import DocumentError
from ocr_models.io.images import decode_image
from tests.pipelines.samples import png_bomb

limit = Image.MAX_IMAGE_PIXELS
for side in (11_000, 30_000):  # 121 million pixels, for which Pillow warns, and 900 million, which it refuses
    try:
        decode_image(png_bomb(side))
    except DocumentError as error:
        print(error.stage, error)
print(Image.MAX_IMAGE_PIXELS == limit)
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    remedy = "scale the image down, or raise the limit with --max-pixels of pagebeam run"
    assert run.stdout.splitlines() == [
        f"decode 11000×11000 pixels are more than the limit of 100,000,000 a page; {remedy}",
        f"decode the page's pixels are more than the limit of 100,000,000 a page; {remedy}",
        "True",
    ]
