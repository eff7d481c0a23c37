"""What a TIFF's tags say that Pillow passes over: which frames are pages, and what deep samples mean.

Tags are those of TIFF 6.0 (Adobe 1992), sections 8 and 19, and of its supplement 1 for NewSubfileType.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image, ImageFile

from ocr_models.errors import DocumentError, Stage

_NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR_CONFIGURATION, _SAMPLE_FORMAT = 254, 258, 262, 284, 339
_REDUCED_COPY, _TRANSPARENCY_MASK = 1, 4  # bits of NewSubfileType
_NUMBER_BYTES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # by the entry's type: BYTE, SHORT, LONG, IFD, LONG8, IFD8
_WHITE_IS_ZERO, _YCBCR, _SEPARATE_PLANES, _SIGNED = 0, 6, 2, 2


def page_directories(file: BinaryIO) -> Iterator[int]:
    """Yields where the directories of a TIFF's pages begin in the file, in bytes, in their order.

    Reduced copies of other frames, as in pyramids, and transparency masks are not pages. A directory that lies outside
    the file, or is cut short, counts as a page, which will fail, and is the last. Each directory is read once, so that
    the time grows with the number of pages; Pillow looks for each in the list of all earlier ones.

    Raises:
        DocumentError: with stage "open", if not even the first directory is whole.
    """
    layout = _Layout.of(file)
    file_bytes = file.seek(0, os.SEEK_END)
    place, seen = layout.first_directory(file), set()
    while place and place not in seen:
        seen.add(place)
        directory = layout.read_directory(file, place, file_bytes)
        if directory is None and len(seen) == 1:
            raise DocumentError(Stage.OPEN, "the TIFF is cut short: its first page can't be reached")
        subfile_type, following = directory or (0, 0)
        if not subfile_type & (_REDUCED_COPY | _TRANSPARENCY_MASK):
            yield place
        place = following


class FileFrom(io.FileIO):
    """A TIFF whose header names another directory as the first, so that a reader need not seek from the start.

    Args:
        path: a local file.
        directory: where that directory begins, in bytes.
    """

    def __init__(self, path: str, directory: int) -> None:
        super().__init__(path)
        layout = _Layout.of(self)
        self.seek(0)
        self._header = super().read(layout.header_bytes)[: -layout.pointer_bytes]
        self._header += directory.to_bytes(layout.pointer_bytes, layout.order)
        self.seek(0)

    def readinto(self, buffer: Any) -> int | None:
        start = self.tell()
        count = super().readinto(buffer)
        header = getattr(self, "_header", b"")[start : start + (count or 0)]
        memoryview(buffer)[: len(header)] = header
        return count

    def readall(self) -> bytes:  # which in FileIO doesn't call readinto
        start = self.tell()
        data = super().readall()
        header = self._header[start : start + len(data)]
        return header + data[len(header) :]


@dataclass(frozen=True)
class _Layout:
    """How a TIFF or BigTIFF stores numbers."""

    order: Literal["little", "big"]
    is_big: bool

    @staticmethod
    def of(file: BinaryIO | io.FileIO) -> _Layout:
        file.seek(0)
        magic = file.read(4)
        return _Layout("little" if magic[:2] == b"II" else "big", b"+" in magic)

    @property
    def pointer_bytes(self) -> int:
        return 8 if self.is_big else 4

    @property
    def header_bytes(self) -> int:
        return 16 if self.is_big else 8

    def first_directory(self, file: BinaryIO) -> int:
        file.seek(self.header_bytes - self.pointer_bytes)
        return self._number(file.read(self.pointer_bytes))

    def read_directory(self, file: BinaryIO, place: int, file_bytes: int) -> tuple[int, int] | None:
        """The NewSubfileType of a directory, and where the next one begins; None if it isn't whole."""
        count_bytes, entry_bytes = (8, 20) if self.is_big else (2, 12)
        if place + count_bytes > file_bytes:
            return None
        file.seek(place)
        entries_bytes = self._number(file.read(count_bytes)) * entry_bytes
        if place + count_bytes + entries_bytes + self.pointer_bytes > file_bytes:
            return None
        entries = file.read(entries_bytes)
        following = self._number(file.read(self.pointer_bytes))
        tag = _NEW_SUBFILE_TYPE.to_bytes(2, self.order)
        starts = range(0, entries_bytes, entry_bytes)
        found = (entries[start : start + entry_bytes] for start in starts if entries.startswith(tag, start))
        return self._value(next(found, b"")), following

    def _value(self, entry: bytes) -> int:
        """The number that an entry holds; 0 if it holds none."""
        value_bytes = _NUMBER_BYTES.get(self._number(entry[2:4]), 0)
        return self._number(entry[-self.pointer_bytes :][:value_bytes])

    def _number(self, data: bytes) -> int:
        return int.from_bytes(data, self.order)


def prepare_samples(image: Any) -> None:
    """Makes Pillow decode samples of three kinds that Pillow 12 takes for others.

    It takes 16-bit samples of uncompressed separate planes for 8-bit ones. In big-endian files that libtiff
    decompresses, it swaps the bytes of signed and float samples, which libtiff has swapped already. And it looks for
    four bytes a pixel in uncompressed YCbCr, as libtiff, which can read it, would give them.

    Raises:
        DocumentError: with stage "decode", if the samples can't be decoded so.
    """
    tags = _tags(image)
    bits = tags.get(_BITS_PER_SAMPLE, (8,))
    if tags.get(_PHOTOMETRIC) == _YCBCR and all(tile.codec_name == "raw" for tile in image.tile):
        image.use_load_libtiff = True
        place = (0, 0, *image.size)
        image.tile = [ImageFile._Tile("libtiff", place, 0, ("RGBX", "raw", False, tags.offset))]
        return
    if any(tile.codec_name != "raw" for tile in image.tile):  # libtiff decodes these, and knows planes
        if image.mode in ("I", "F"):
            image.tile = [_with_raw_mode(tile, tile.args[0].replace("B", "N")) for tile in image.tile]
        return
    if tags.get(_PLANAR_CONFIGURATION) != _SEPARATE_PLANES or set(bits) != {16} or len(bits) == 1:
        return
    if image.mode != "RGB":
        raise DocumentError(
            Stage.DECODE,
            f"16-bit {image.mode} samples in separate planes can't be read; save the TIFF with chunky ones",
        )
    order = "L" if tags.prefix == b"II" else "B"
    image.tile = [_with_raw_mode(tile, f"{tile.args[0]};16{order}") for tile in image.tile]


def _with_raw_mode(tile: Any, raw_mode: str) -> Any:
    """A tile with other samples than Pillow has found; "N" in a raw mode stands for the machine's byte order."""
    return tile._replace(args=(raw_mode, *tile.args[1:]))


def deep_samples(image: Image.Image) -> np.ndarray:
    """The samples (H, W) of a decoded gray image of more than 8 bits, with black at the lowest, as stored or inverted.

    Pillow gives unsigned 32-bit samples as signed ones, and doesn't invert deep samples whose white is zero.
    """
    tags = _tags(image)
    samples = np.asarray(image)
    if image.mode.startswith("I;16"):
        samples = samples.astype(np.uint16)  # of either byte order
    if image.mode == "I" and _PHOTOMETRIC in tags and tags.get(_SAMPLE_FORMAT, (1,))[0] != _SIGNED:
        samples = samples.view(np.uint32)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        is_float = samples.dtype == np.float32
        highest = samples.max(initial=0) if is_float else (1 << (stated_bits(image) or 16)) - 1
        samples = (highest - samples).astype(samples.dtype)
    return samples


def stated_bits(image: Image.Image) -> int | None:
    """The bits of a sample that a TIFF states; None for other formats."""
    bits = _tags(image).get(_BITS_PER_SAMPLE)
    return bits[0] if bits else None


def _tags(image: Image.Image) -> Any:
    return getattr(image, "tag_v2", {})
