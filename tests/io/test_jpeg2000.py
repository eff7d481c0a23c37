"""Samples deeper and shallower than 8 bits, and palettes, which Pillow decodes wrongly."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind, count_pages, page_renderer
from ocr_models.io.images import ColorMode, decode_image

# Codestreams of 8 × 4 samples by OpenJPEG 2.5.4: a plus of 1 bit, and the indices 0, 1, 2, 3, 0, 1, 2, 3 of 2 bits.
PLUS = bytes.fromhex(
    "ff4fff510029000000000008000000040000000000000000000000080000000400000000000000000001000101ff52000c00000001000004"
    "040001ff5c00044008ff90000a0000000000160001ff93d300114fe6f5d37fffd9"
)
INDICES = bytes.fromhex(
    "ff4fff510029000000000008000000040000000000000000000000080000000400000000000000000001010101ff52000c00000001000004"
    "040001ff5c00044010ff90000a0000000000170001ff93dd1c11627c121726b7ffd9"
)
COLORS = [(255, 255, 255), (0, 0, 0), (255, 255, 255), (200, 40, 10)]


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def jp2(codestream: bytes, bits: int, color_space: int, *boxes: bytes) -> bytes:
    header = box(b"ihdr", struct.pack(">IIHBBBB", 4, 8, 1, bits - 1, 7, 0, 0))
    header += box(b"colr", struct.pack(">BBBI", 1, 0, 0, color_space)) + b"".join(boxes)
    return (
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", header)
        + struct.pack(">I4sQ", 1, b"jp2c", len(codestream) + 16)  # a box with a long length
        + codestream
    )


def palette(colors: np.ndarray, bits: int = 8, columns: tuple[int, ...] = (0, 1, 2)) -> tuple[bytes, bytes]:
    count, channels = colors.shape
    entries = colors.astype(">u2" if bits > 8 else "u1").tobytes()
    mapping = b"".join(struct.pack(">HBB", 0, 1, column) for column in columns[:channels])
    return box(b"pclr", struct.pack(">HB", count, channels) + bytes([bits - 1] * channels) + entries), box(
        b"cmap", mapping
    )


def deep(samples: np.ndarray) -> bytes:
    """A JPEG 2000 of uint16 RGB or RGBA samples."""
    order = [2, 1, 0, 3][: samples.shape[2]]
    written, data = cv2.imencode(".jp2", samples[..., order], [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    assert written
    return data.tobytes()


def test_white_of_deep_color_stays_white(tmp_path):
    page = np.full((64, 64, 3), 65535, np.uint16)
    page[:, :20], page[:, 20:40] = 0, (51400, 10280, 2570)
    (tmp_path / "page.jp2").write_bytes(deep(page))

    read = page_renderer(str(tmp_path / "page.jp2"), DocumentKind.IMAGE, 200, ColorMode.RGB)(0).pixels

    assert count_pages(str(tmp_path / "page.jp2"), DocumentKind.IMAGE) == 1
    np.testing.assert_allclose(read, page >> 8, atol=1)
    gray = decode_image(deep(page)).pixels
    assert (gray[:, 40:] == 255).all() and (gray[:, :20] == 0).all()


def test_what_is_opaque_in_deep_color_stays_so():
    page = np.full((64, 64, 4), 65535, np.uint16)
    page[:, :20, :3], page[:, 20:40] = 0, 0  # black, and transparent

    assert decode_image(deep(page)).pixels[0, [10, 30, 50]].tolist() == [0, 255, 255]


def test_deep_gray_with_transparency_is_refused():
    white = bytes.fromhex(
        "ff4fff51002c0000000000040000000200000000000000000000000400000002000000000000000000020f01010f0101ff52000c00000001"
        "000004040001ff5c00044080ff90000a00000000001c0001ff93cffc300c01d7dccffc300c01d7dcffd9"
    )

    with pytest.raises(DocumentError, match="2 components of 16 bits"):
        decode_image(white)


def test_a_cut_deep_image_is_refused():
    data = deep(np.random.default_rng(0).integers(0, 65536, (64, 64, 3), np.uint16))

    with pytest.raises(DocumentError, match="3 components of 16 bits, is broken, cut short"):
        decode_image(data[:150])


@pytest.mark.parametrize("data", [PLUS, jp2(PLUS, 1, 17)], ids=["codestream", "file"])
def test_one_bit_reaches_from_black_to_white(data):
    expected = np.zeros((4, 8), np.uint8)
    expected[1, 2:6] = expected[2, 4] = 255

    np.testing.assert_array_equal(decode_image(data).pixels, expected)


def test_indices_of_few_bits_find_repeated_colors():
    data = jp2(INDICES, 2, 16, *palette(np.array(COLORS)))

    np.testing.assert_array_equal(decode_image(data, ColorMode.RGB).pixels, [COLORS * 2] * 4)


def test_columns_of_a_palette_are_in_the_order_of_the_channels():
    data = jp2(INDICES, 2, 16, *palette(np.array(COLORS)[:, ::-1], columns=(2, 1, 0)))

    np.testing.assert_array_equal(decode_image(data, ColorMode.RGB).pixels, [COLORS * 2] * 4)


@pytest.mark.parametrize("bits", [8, 12])
def test_a_palette_of_gray_is_applied(bits):
    grays = np.array([[255], [0], [128], [64]]) << (bits - 8)
    grays[0] = (1 << bits) - 1

    read = decode_image(jp2(INDICES, 2, 17, *palette(grays, bits))).pixels

    np.testing.assert_allclose(read, [[255, 0, 128, 64] * 2] * 4, atol=1)
