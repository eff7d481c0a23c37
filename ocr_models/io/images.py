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
from PIL import Image, ImageOps

from ocr_models.errors import DocumentError, Stage

MAX_PAGE_PIXELS = 100_000_000
"""Larger pages are refused before they are decoded. An A0 sheet at 200 dpi has 62 million pixels."""

_ADDRESS = re.compile(r" <[^<>]* at 0x[0-9a-f]+>")  # of an object; it differs from run to run

IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")


class ColorMode(StrEnum):
    """The color of decoded pixels; the values are Pillow's names."""

    GRAY = "L"
    RGB = "RGB"


@dataclass(frozen=True)
class PageImage:
    """The pixels of one page.

    Attributes:
        pixels: uint8 (H, W) in gray or (H, W, 3) in RGB, turned upright by EXIF, with transparency laid on white.
        dpi: dots per inch, as rendered or as stated in the file; None if the file states none.
    """

    pixels: np.ndarray
    dpi: float | None

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


def open_image(file: BinaryIO | str) -> Image.Image:
    """Reads an image's header; decodes nothing yet.

    Raises:
        DocumentError: with stage "decode", if the header can't be read, the format is none of ``IMAGE_FORMATS``, or
            the size is over the limit of Pillow's guard against decompression bombs (``Image.MAX_IMAGE_PIXELS``).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, which we don't use, and sizes, which we check
            return Image.open(file, formats=IMAGE_FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large("the page's") from error
    except Exception as error:  # Pillow raises what its parsers raise: SyntaxError, struct.error, …
        raise DocumentError(Stage.DECODE, f"the image's header can't be read ({_describe(error)})") from error


def seek_frame(image: Image.Image, index: int) -> None:
    """Makes a frame of an opened image the current one; reads its header only.

    Raises:
        DocumentError: with stage "decode", if there is no such frame, its header can't be read, or its size is over the
            limit of Pillow's guard.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in open_image
            image.seek(index)
    except Image.DecompressionBombError as error:
        raise _too_large("the page's") from error
    except Exception as error:
        raise DocumentError(Stage.DECODE, f"the page can't be reached in the file ({error})") from error


def to_page_image(image: Image.Image, color_mode: ColorMode = ColorMode.GRAY) -> PageImage:
    """Decodes the current frame of an opened image.

    Raises:
        DocumentError: with stage "decode", if the data is cut short, broken or too large.
    """
    check_page_size(image.width, image.height)
    try:
        if image.format == "JPEG" and color_mode == ColorMode.GRAY:
            image.draft("L", image.size)  # decodes the luma alone, three times as fast
        ImageOps.exif_transpose(image, in_place=True)
        return PageImage(np.array(to_8_bits(image, color_mode)), _stated_dpi(image))
    except MemoryError:
        raise
    except Exception as error:
        raise DocumentError(Stage.DECODE, f"the image data is broken or cut short ({_describe(error)})") from error


def check_page_size(width_px: float, height_px: float) -> None:
    """Raises DocumentError unless a page of this size has pixels, and not too many."""
    if width_px < 1 or height_px < 1:
        raise DocumentError(Stage.DECODE, f"the page has no pixels ({width_px:.0f}×{height_px:.0f})")
    if width_px * height_px > MAX_PAGE_PIXELS:
        raise _too_large(f"{width_px:.0f}×{height_px:.0f}")


def _too_large(size: str) -> DocumentError:
    return DocumentError(
        Stage.DECODE, f"{size} pixels are more than the limit of {MAX_PAGE_PIXELS:,} a page; scale the image down"
    )


def to_8_bits(image: Image.Image, color_mode: ColorMode) -> Image.Image:
    """Converts from any of Pillow's modes: deep samples are scaled to 8 bits, transparency is laid on white."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_scale_to_8_bits(np.asarray(image), image.mode)).convert(color_mode)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        opaque = rgba.convert(color_mode)
        return Image.composite(opaque, Image.new(color_mode, opaque.size, "white"), rgba.getchannel("A"))
    return image.convert(color_mode)


def _scale_to_8_bits(samples: np.ndarray, mode: str) -> np.ndarray:
    if mode.startswith("I;16"):
        return (samples >> 8).astype(np.uint8)
    # 32-bit samples have no agreed range: the range that occurs is stretched to black and white.
    finite = np.nan_to_num(samples.astype(np.float32))
    low, high = float(finite.min()), float(finite.max())
    return ((finite - low) * (255 / (high - low if high > low else 1))).astype(np.uint8)


def _stated_dpi(image: Image.Image) -> float | None:
    """The horizontal resolution from the metadata, if it is plausible for a scanner or camera."""
    try:
        dpi = float(image.info["dpi"][0])
    except (KeyError, TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    return round(dpi, 2) if math.isfinite(dpi) and 10 <= dpi <= 10_000 else None


def _describe(error: Exception) -> str:
    message = _ADDRESS.sub("", str(error)) or "no details"
    return f"{type(error).__name__}: {message.splitlines()[0]}"
