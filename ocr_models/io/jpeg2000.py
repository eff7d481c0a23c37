"""The samples and palettes of JPEG 2000 files that Pillow decodes wrongly.

Pillow 12.3 gives every sample of a color 8 bits:

- Of deeper ones it drops the lowest bits after it has added a half, so that the brightest overflow: white becomes
  black, and what is opaque becomes transparent. OpenCV 5 decodes these.
- Shallower ones it shifts up without filling the low bits, so that the white of a 1-bit page is a middle gray, and the
  indices of a palette point beyond it.
- It leaves out a palette's repeated colors, so that later ones move up, and passes over palettes of gray.

Boxes and markers are those of ISO/IEC 15444-1, annexes I.5.3 (``pclr``, ``cmap``) and A.5.1 (SIZ).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from ocr_models.errors import DocumentError, Stage

_CODESTREAM = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ
_DECODER_BYTES = 8  # a sample, while OpenCV decodes; 7 were measured


@dataclass(frozen=True)
class _Header:
    """The bits of a sample in each component, and the colors (N, C) of N indices, uint8, if there is a palette."""

    bits: tuple[int, ...]
    palette: np.ndarray | None


def decode_jpeg2000(image: Image.Image) -> Image.Image:
    """The decoded image with samples of 8 bits, or of 16 if it is gray without transparency.

    Args:
        image: a JPEG 2000 that Pillow has opened, and not decoded yet.

    Raises:
        DocumentError: with stage "decode", if it can't be decoded.
    """
    file: BinaryIO = image.fp  # type: ignore[attr-defined]  # of ImageFile
    place = file.tell()
    header = _read_header(file)
    if max(header.bits) > 8 and len(header.bits) > 1:
        return _decode_deep(file, image.size, header.bits)
    file.seek(place)
    image.load()
    if header.palette is not None and len(header.bits) == 1 and header.bits[0] <= 8:
        indices = np.minimum(np.asarray(image) >> (8 - header.bits[0]), len(header.palette) - 1)
        colors = header.palette[indices]
        return Image.fromarray(colors[..., 0] if colors.shape[2] == 1 else colors)
    if min(header.bits) < 8 and len(header.bits) == len(image.getbands()):
        return image.point([value for bits in header.bits for value in _filled(bits)])
    return image


def component_bits(file: BinaryIO) -> tuple[int, ...]:
    """The bits of a sample in each component of a JPEG 2000.

    Raises:
        ValueError: it has no codestream.
        struct.error: it is cut short.
    """
    return _read_header(file).bits


def _filled(bits: int) -> list[int]:
    """The samples of 8 bits for what Pillow makes of samples of these bits."""
    shift = max(0, 8 - bits)
    return [(value >> shift) * 255 // (255 >> shift) for value in range(256)]


def _decode_deep(file: BinaryIO, size: tuple[int, int], bits: tuple[int, ...]) -> Image.Image:
    import cv2  # which most files don't need

    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    np.empty(size[0] * size[1] * len(bits) * _DECODER_BYTES, np.uint8)  # a MemoryError, of which OpenCV tells nothing
    log_level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        samples = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(log_level)
    if samples is None or samples.shape != (size[1], size[0], len(bits)):
        what = f"{len(bits)} components of {max(bits)} bits"
        raise DocumentError(
            Stage.DECODE, f"the image data, {what}, is broken, cut short or of an unknown kind; save it with 8 bits"
        )
    depths = np.array([bits[2], bits[1], bits[0], *bits[3:]])  # OpenCV has blue first
    shallow = (samples >> np.maximum(depths - 8, 0).astype(np.uint16)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(shallow[..., [2, 1, 0, 3][: len(bits)]]))


def _read_header(file: BinaryIO) -> _Header:
    file.seek(0)
    if file.read(len(_CODESTREAM)) == _CODESTREAM:
        return _Header(_bits_at(file, 0), None)
    palette = None
    columns: list[int] = []
    for kind, start, end in _boxes(file, 0, file.seek(0, os.SEEK_END)):
        if kind == b"jp2c":
            bits = _bits_at(file, start)
            return _Header(bits, None if palette is None else palette[:, columns])
        file.seek(start)
        if kind == b"pclr":
            palette = _parse_palette(file.read(end - start))
        elif kind == b"cmap":
            columns = [column for _, _, column in struct.iter_unpack(">HBB", file.read(end - start))]
    raise ValueError("there is no codestream")


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the boxes of a file, and those in its header box: kind, where the content begins, and where it ends."""
    while start + 8 <= stop:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        content = start + 8
        if length == 1:
            length, content = int.from_bytes(file.read(8)), start + 16
        end = stop if length == 0 else start + length
        if end < content:
            raise ValueError("a box ends before it begins")
        if kind == b"jp2h":
            yield from _boxes(file, content, end)
        else:
            yield kind, content, end
        start = end


def _bits_at(file: BinaryIO, codestream: int) -> tuple[int, ...]:
    file.seek(codestream + 40)  # behind the size of the image and of its tiles
    (count,) = struct.unpack(">H", file.read(2))
    return tuple((bits & 0x7F) + 1 for bits, _, _ in struct.iter_unpack(">BBB", file.read(3 * count)))


def _parse_palette(content: bytes) -> np.ndarray:
    """The colors, uint8 (N, C)."""
    count, columns = struct.unpack_from(">HB", content)
    bits = [depth % 128 + 1 for depth in content[3 : 3 + columns]]
    color = struct.Struct(">" + "".join("B" if depth <= 8 else "H" for depth in bits))
    colors = [color.unpack_from(content, 3 + columns + i * color.size) for i in range(count)]
    return (np.array(colors) * 255 // [(1 << depth) - 1 for depth in bits]).astype(np.uint8)
