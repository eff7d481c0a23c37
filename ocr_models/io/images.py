"""Decodes one image of any format and color to the gray or RGB pixels that the models take."""

from __future__ import annotations

import io
import math
import re
import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.heif import heif_format, open_heif, ran_out_of_memory
from ocr_models.io.jpeg2000 import decode_jpeg2000
from ocr_models.io.tiff import deep_samples, prepare_samples, stated_bits
from ocr_models.limits import DecodeLimits, over_limit

MAX_PAGE_PIXELS = DecodeLimits.page_pixels
"""Larger pages are refused before they are decoded. A decoding process sets it to the limit of its run."""

_ADDRESS = re.compile(r" <[^<>]* at 0x[0-9a-f]+>")  # of an object; it differs from run to run

_BRAND_BYTES = 256  # of a HEIF file; they name some five brands of 4 bytes
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000")

_SQUARE, _MOST_STRETCHED = 1.05, 4.0  # resolutions that differ by less are one; by more, a mistake. A fax: 204/98 = 2.1
_SIDEWAYS = (5, 6, 7, 8)  # EXIF's orientations that swap width and height


class ColorMode(StrEnum):
    """The color of decoded pixels; the values are Pillow's names."""

    GRAY = "L"
    RGB = "RGB"


@dataclass(frozen=True)
class PageImage:
    """The pixels of one page.

    Attributes:
        pixels: uint8 (H, W) in gray or (H, W, 3) in RGB, turned upright by EXIF, with transparency laid on white, and
            stretched to square pixels if the file's two resolutions differ, as a standard fax's do.
        dpi: dots per inch, as rendered or as stated in the file, the higher of two; None if the file states none.
    """

    pixels: np.ndarray
    dpi: float | None

    @property
    def height_px(self) -> int:
        return self.pixels.shape[0]

    @property
    def width_px(self) -> int:
        return self.pixels.shape[1]

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes


def decode_image(data: bytes, color_mode: ColorMode = ColorMode.GRAY) -> PageImage:
    """Decodes an encoded image; if it has several frames, the first.

    Raises:
        DocumentError: with stage "decode", if the data is no image, is cut short or is too large.
    """
    with open_image(io.BytesIO(data)) as image:
        return to_page_image(image, color_mode)


def open_image(file: BinaryIO) -> Image.Image:
    """Reads an image's header; decodes nothing yet.

    It takes no path: Pillow maps the pixels of uncompressed files that it opens by path, and shears those of TIFFs that
    lie on their side.

    Raises:
        DocumentError: with stage "decode", if the header can't be read, the format is none of ``IMAGE_FORMATS`` and
            no HEIC or AVIF, the library for it is missing, or the size is over the limit of Pillow's guard against
            decompression bombs (``Image.MAX_IMAGE_PIXELS``).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, which we don't use, and sizes, which we check
            kind = heif_format(file.read(_BRAND_BYTES))
            file.seek(0)
            return open_heif(file, kind) if kind else Image.open(file, formats=IMAGE_FORMATS)
    except DocumentError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large("the page's") from error
    except Exception as error:  # Pillow raises what its parsers raise: SyntaxError, struct.error, …
        raise DocumentError(Stage.DECODE, f"the image's header can't be read ({_describe(error)})") from error


def to_page_image(image: Image.Image, color_mode: ColorMode = ColorMode.GRAY, square_pixels: bool = True) -> PageImage:
    """Decodes the current frame of an opened image.

    Args:
        image: from ``open_image``.
        color_mode: of the pixels.
        square_pixels: whether pixels are stretched to squares; False keeps them as labels of theirs count them.

    Raises:
        DocumentError: with stage "decode", if the data is cut short, broken or too large.
    """
    check_page_size(image.width, image.height)
    try:
        if image.format == "JPEG" and color_mode == ColorMode.GRAY:
            image.draft("L", image.size)  # decodes the luma alone, three times as fast
        resolution = _stated_resolution(image)
        converted = to_8_bits(decode_upright(image), color_mode)
        if resolution and square_pixels:
            converted = _square_pixels(converted, *resolution)
        return PageImage(np.array(converted), max(resolution) if resolution else None)
    except (DocumentError, MemoryError):
        raise
    except Exception as error:
        if ran_out_of_memory(error):
            raise MemoryError from error
        raise DocumentError(Stage.DECODE, f"the image data is broken or cut short ({_describe(error)})") from error


def decode_upright(image: Image.Image) -> Image.Image:
    """The decoded image in one of Pillow's modes, turned upright by EXIF.

    Raises:
        DocumentError: with stage "decode", if its samples can't be decoded.
        Exception: of any type, by Pillow, if it is broken.
    """
    prepare_samples(image)
    if image.format == "JPEG2000":
        image = decode_jpeg2000(image)
    ImageOps.exif_transpose(image, in_place=True)
    return image


def check_page_size(width_px: float, height_px: float) -> None:
    """Raises DocumentError unless a page of this size has pixels, and not too many."""
    if width_px < 1 or height_px < 1:
        raise DocumentError(Stage.DECODE, f"the page has no pixels ({width_px:.0f}×{height_px:.0f})")
    if width_px * height_px > MAX_PAGE_PIXELS:
        raise _too_large(f"{width_px:.0f}×{height_px:.0f}")


def _too_large(size: str) -> DocumentError:
    what = f"{size} pixels are more than the limit of {MAX_PAGE_PIXELS:,} a page"
    return over_limit(Stage.DECODE, what, "--max-pixels", "scale the image down")


def to_8_bits(image: Image.Image, color_mode: ColorMode) -> Image.Image:
    """Converts from any of Pillow's modes: deep samples are scaled to 8 bits, transparency is laid on white."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_scale_to_8_bits(deep_samples(image), stated_bits(image))).convert(color_mode)
    if image.mode == "LAB":
        return _from_lab(image, color_mode)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        opaque = rgba.convert(color_mode)
        return Image.composite(opaque, Image.new(color_mode, opaque.size, "white"), rgba.getchannel("A"))
    return image.convert(color_mode)


def _from_lab(image: Image.Image, color_mode: ColorMode) -> Image.Image:
    if color_mode == ColorMode.GRAY:
        return image.getchannel("L")  # lightness
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # as it isn't done in place
    return converted


def _scale_to_8_bits(samples: np.ndarray, bits: int | None) -> np.ndarray:
    """Deep samples as uint8. Those of 16 bits are scaled by the number of bits in use, which may be fewer.

    Scanners and cameras of 10, 12 or 14 bits write their values into 16-bit files without shifting them up.
    """
    if samples.dtype == np.uint16:
        highest = int(samples.max(initial=0))
        used = next(depth for depth in (8, 10, 12, 14, 16) if highest < 1 << depth)
        return (samples >> (min(used, bits or used) - 8)).astype(np.uint8)
    # 32-bit samples have no agreed range: the range that occurs is stretched to black and white.
    finite = np.nan_to_num(samples.astype(np.float32))
    low, high = float(finite.min()), float(finite.max())
    return ((finite - low) * (255 / (high - low if high > low else 1))).astype(np.uint8)


def _square_pixels(image: Image.Image, dpi_x: float, dpi_y: float) -> Image.Image:
    """The image stretched along the axis of the lower resolution, where the two differ."""
    if not _SQUARE < max(dpi_x, dpi_y) / min(dpi_x, dpi_y) <= _MOST_STRETCHED:
        return image
    dpi = max(dpi_x, dpi_y)
    size = round(image.width * dpi / dpi_x), round(image.height * dpi / dpi_y)
    check_page_size(*size)
    return image.resize(size, Image.Resampling.BICUBIC)


def _stated_resolution(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch of the upright image across and down, if they are plausible for a scanner or camera."""
    try:
        dpi_x, dpi_y = (float(dpi) for dpi in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    if not all(math.isfinite(dpi) and 10 <= dpi <= 10_000 for dpi in (dpi_x, dpi_y)):
        return None
    if image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS:
        dpi_x, dpi_y = dpi_y, dpi_x
    return round(dpi_x, 2), round(dpi_y, 2)


def _describe(error: Exception) -> str:
    message = _ADDRESS.sub("", str(error)) or "no details"
    return f"{type(error).__name__}: {message.splitlines()[0]}"
