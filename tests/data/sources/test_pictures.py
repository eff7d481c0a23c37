from __future__ import annotations

import hashlib
import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ocr_models.data.sources.pictures import difference_hash, picture_of, read_picture, upright_matrix
from ocr_models.errors import DocumentError
from ocr_models.geometry import box_quads, quad_boxes, transform_quads
from ocr_models.io.images import ColorMode, decode_image
from tests.data.sources.files import encode, scene


@pytest.mark.parametrize(
    ("image_format", "mode", "named"),
    [
        ("PNG", "RGB", "png"),
        ("PNG", "L", "png"),
        ("PNG", "1", "png"),
        ("PNG", "P", "png"),
        ("JPEG", "RGB", "jpeg"),
        ("JPEG", "L", "jpeg"),
    ],
)
def test_plain_picture_passes_byte_for_byte(image_format, mode, named):
    data = encode(scene(), image_format, mode=mode)
    picture = read_picture(data)
    assert picture.data is data
    assert (picture.image_format, picture.height_px, picture.width_px) == (named, 120, 160)
    assert picture.digest == hashlib.sha256(data).hexdigest()
    np.testing.assert_array_equal(picture.to_upright, np.eye(2, 3))


def test_camera_jpeg_with_more_frames_passes():
    file, other = io.BytesIO(), Image.fromarray(scene(seed=9))
    Image.fromarray(scene()).save(file, "MPO", save_all=True, append_images=[other])
    picture = read_picture(file.getvalue())
    assert (picture.data, picture.image_format) == (file.getvalue(), "jpeg")


@pytest.mark.parametrize("image_format", ["WEBP", "TIFF", "BMP"])
def test_other_formats_become_png(image_format):
    pixels = scene()
    lossless = {"lossless": True} if image_format == "WEBP" else {}
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format, **lossless)
    picture = read_picture(file.getvalue())
    assert picture.image_format == "png" and picture.data.startswith(b"\x89PNG")
    np.testing.assert_array_equal(decode_image(picture.data, ColorMode.RGB).pixels, pixels)
    assert picture.digest == hashlib.sha256(file.getvalue()).hexdigest()  # of the bytes as the source has them


def test_transparency_is_laid_on_white():
    rgba = np.zeros((20, 30, 4), np.uint8)
    rgba[:, 15:, 3] = 255
    picture = read_picture(encode(rgba))
    pixels = decode_image(picture.data, ColorMode.RGB).pixels
    assert (pixels[:, :15] == 255).all() and (pixels[:, 15:] == 0).all()


def test_deep_gray_becomes_8_bits():
    deep = (np.arange(20 * 30, dtype=np.uint16) * 100).reshape(20, 30)
    picture = read_picture(encode(deep))
    stored = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored, deep >> 8)


def test_cmyk_jpeg_becomes_rgb():
    picture = read_picture(encode(scene(), "JPEG", mode="CMYK"))
    assert picture.image_format == "jpeg"
    with Image.open(io.BytesIO(picture.data)) as image:
        assert image.mode == "RGB"
        assert np.abs(np.asarray(image).astype(int) - scene()).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_pixels_and_matrix_turn_alike(orientation, image_format):
    pixels = np.full((48, 80, 3), 255, np.uint8)
    pixels[8:24, 16:40] = 0  # whole blocks of JPEG's, so that its edges stay
    data = encode(pixels, image_format, orientation)
    picture = read_picture(data)
    with Image.open(io.BytesIO(data)) as image:  # turned by Pillow
        expected = np.asarray(ImageOps.exif_transpose(image).convert("L"))
    upright = picture.gray()
    assert (picture.height_px, picture.width_px) == expected.shape == upright.shape
    assert np.abs(upright.astype(int) - expected).max() <= 8
    rows, columns = np.nonzero(upright < 128)
    quad = transform_quads(picture.to_upright, box_quads(np.array([[16, 8, 40, 24]])))
    np.testing.assert_allclose(
        quad_boxes(quad)[0], [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], atol=1e-4
    )
    assert picture.image_format == image_format.lower()
    assert read_picture(picture.data).data == picture.data  # nothing is left to do


@given(st.integers(1, 8), st.integers(1, 50), st.integers(1, 50))
def test_upright_matrix_maps_the_picture_onto_itself(orientation, height, width):
    quad = transform_quads(upright_matrix(orientation, height, width), box_quads(np.array([[0, 0, width, height]])))
    size = (height, width) if orientation >= 5 else (width, height)
    np.testing.assert_allclose(quad_boxes(quad)[0], [0, 0, *size], atol=1e-4)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF"])
def test_truncated_picture_is_refused(image_format):
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    data = encode(noise, image_format)
    with pytest.raises(DocumentError) as error:
        read_picture(data[: len(data) * 3 // 4])
    assert error.value.stage == "decode"


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(DocumentError):
        read_picture(data)


def test_hash_says_which_cells_grow_brighter_to_the_right():
    # 9 cells in a row: 0 1 2 3 4 3 2 1 0 times 50 pixels gray: four steps up, four down, in each of the 8 rows.
    row = np.array([0, 1, 2, 3, 4, 3, 2, 1, 0], np.uint8) * 50
    gray = np.repeat(np.repeat(row[None], 80, axis=0), 10, axis=1)
    assert difference_hash(gray) == int("11110000" * 8, 2)


def test_hash_survives_scaling_recompression_and_brightness():
    pixels = cv2.resize(np.random.default_rng(3).integers(0, 200, (9, 12, 3), dtype=np.uint8), (480, 360))
    first = read_picture(encode(pixels, "PNG")).perceptual_hash
    for other in (
        encode(pixels, "JPEG"),
        encode(cv2.resize(pixels, (240, 180), interpolation=cv2.INTER_AREA)),
        encode(pixels + 30),
    ):
        assert (read_picture(other).perceptual_hash ^ first).bit_count() <= 3
    upside_down = read_picture(encode(pixels[::-1])).perceptual_hash
    assert (upside_down ^ first).bit_count() > 12


def test_turned_copy_has_the_hash_of_the_upright_one():
    pixels = cv2.resize(np.random.default_rng(3).integers(0, 255, (9, 12, 3), dtype=np.uint8), (480, 360))
    turned = encode(np.ascontiguousarray(np.rot90(pixels)), orientation=6)
    assert read_picture(turned).perceptual_hash == read_picture(encode(pixels)).perceptual_hash


def test_pixels_come_back_from_a_picture_of_them():
    gray = scene()[..., 0]
    picture = picture_of(gray)
    np.testing.assert_array_equal(picture.gray(), gray)
    again = read_picture(picture.data)
    assert (again.digest, again.perceptual_hash) == (picture.digest, picture.perceptual_hash)
