from __future__ import annotations

import contextlib
import importlib.util
import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from ocr_models.errors import DocumentError
from ocr_models.io import images
from ocr_models.io.documents import DocumentKind, sniff_kind
from ocr_models.io.heif import heif_format
from ocr_models.io.images import ColorMode, decode_image
from ocr_models.limits import DecodeLimits
from pipelines.decoding.child import OWN_MEMORY_BYTES, RenderPage
from pipelines.decoding.pool import DecodePool

NEEDS_EXTRA = pytest.mark.skipif(
    importlib.util.find_spec("pillow_heif") is None, reason="needs pip install 'pagebeam[heif]'"
)
FORMATS = [pytest.param("HEIF", marks=NEEDS_EXTRA), "AVIF"]
RAMP = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))  # (40, 60), dark at the left
NOISE = np.random.default_rng(0).integers(0, 256, (80, 120), np.uint8)


def encoded(image: Image.Image, image_format: str, orientation: int = 1, **options: object) -> bytes:
    """A picture in HEIC or AVIF, to be turned by an orientation, which is in its boxes and in EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    if image_format == "AVIF":
        image.save(file, "AVIF", quality=95, exif=exif, **options)
    else:
        import pillow_heif

        pillow_heif.register_heif_opener()
        image.info["exif"] = exif.tobytes()
        image.save(file, "HEIF", quality=95, **options)
    return file.getvalue()


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_once(image_format, orientation):
    data = encoded(Image.fromarray(RAMP), image_format, orientation)

    turned = Image.fromarray(RAMP)
    turned.getexif()[0x0112] = orientation
    assert (b"irot" in data) == (orientation in (3, 5, 6, 7, 8))
    np.testing.assert_allclose(decode_image(data).pixels, np.array(ImageOps.exif_transpose(turned)), atol=2)


@pytest.mark.parametrize("image_format", FORMATS)
def test_color_arrives_as_red_green_blue_with_transparency_on_white(image_format):
    image = Image.new("RGBA", (64, 32), (200, 40, 10, 255))
    image.paste((0, 0, 0, 0), (32, 0, 64, 32))

    pixels = decode_image(encoded(image, image_format), ColorMode.RGB).pixels

    np.testing.assert_allclose(pixels[:, :28], np.full((32, 28, 3), [200, 40, 10]), atol=6)
    np.testing.assert_allclose(pixels[:, 36:], np.full((32, 28, 3), 255), atol=6)


@NEEDS_EXTRA
def test_the_primary_picture_of_several_is_the_page():
    import pillow_heif

    several = pillow_heif.HeifFile()
    for picture in (NOISE, RAMP, NOISE):
        several.add_from_pillow(Image.fromarray(picture))
    file = io.BytesIO()
    several.save(file, quality=-1, primary_index=1)

    np.testing.assert_array_equal(decode_image(file.getvalue()).pixels, RAMP)


@pytest.mark.parametrize("image_format", FORMATS)
def test_too_large_a_picture_is_refused_before_decoding(image_format, monkeypatch):
    data = encoded(Image.fromarray(RAMP), image_format)
    monkeypatch.setattr(images, "MAX_PAGE_PIXELS", 40 * 60 - 1)

    with pytest.raises(DocumentError, match=r"60×40 pixels are more than the limit of 2,399"):
        decode_image(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DocumentError, match=r"the page's pixels are more than the limit"):
        decode_image(data)


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("kept", [20, 200, 2000, -200])
def test_a_cut_picture_is_refused(image_format, kept):
    data = encoded(Image.fromarray(NOISE), image_format)[:kept]

    with pytest.raises(DocumentError, match=r"header can't be read|broken or cut short"):
        decode_image(data)


def test_without_the_extra_a_heic_names_it_and_an_avif_is_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)

    with pytest.raises(DocumentError, match=r"pip install 'pagebeam\[heif\]'") as error:
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert error.value.stage == "decode"
    np.testing.assert_allclose(decode_image(encoded(Image.fromarray(RAMP), "AVIF")).pixels, RAMP, atol=2)


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0mif1avif", "AVIF"),
        (b"avif\0\0\0\0avifmif1", "AVIF"),
        (b"mif1\0\0\0\0mif1miaf", "HEIF"),
        (b"isom\0\0\0\0isommp42", None),  # a video
        (b"isom\0\0\0\x00isomavc1" + b"avif", None),  # beyond the box
    ],
)
def test_the_format_is_that_of_the_first_brand_that_names_one(brands, expected):
    head = b"\0\0\0\x18ftyp" + brands

    assert heif_format(head) == expected
    if expected:
        assert sniff_kind(head) == DocumentKind.IMAGE


@pytest.mark.parametrize("image_format", FORMATS)
def test_want_of_memory_is_no_fault_of_the_file(image_format, tmp_path):
    options = {"speed": 10} if image_format == "AVIF" else {"enc_params": {"preset": "ultrafast"}}
    data = encoded(Image.new("RGB", (5000, 5000), "white"), image_format, **options)
    (tmp_path / "page").write_bytes(data)
    limits = DecodeLimits(memory_bytes=OWN_MEMORY_BYTES + (80 << 20))  # the page takes some 130 MB

    with (
        contextlib.closing(DecodePool(1, limits)) as pool,
        pytest.raises(DocumentError, match="raise the limit with --max-memory-mb"),
    ):
        pool.call(RenderPage(str(tmp_path / "page"), None, DocumentKind.IMAGE, 0, 200.0))


def test_a_decoder_without_the_extra_says_so(tmp_path, monkeypatch):
    (tmp_path / "pillow_heif.py").write_text("raise ModuleNotFoundError")
    monkeypatch.syspath_prepend(tmp_path)  # decoders that start now get this path
    (tmp_path / "page").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))

    with (
        contextlib.closing(DecodePool(1, DecodeLimits())) as pool,
        pytest.raises(DocumentError, match=r"pip install 'pagebeam\[heif\]', then run it again with --retry-failed"),
    ):
        pool.call(RenderPage(str(tmp_path / "page"), None, DocumentKind.IMAGE, 0, 200.0))
