"""What a TIFF's tags say that Pillow passes over: which frames are pages, and what deep samples mean.

Tags are those of TIFF 6.0 (Adobe 1992), sections 8 and 19, and of its supplement 1 for NewSubfileType.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from ocr_models.errors import DocumentError, Stage

_NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR_CONFIGURATION, _SAMPLE_FORMAT = 254, 258, 262, 284, 339
_REDUCED_COPY, _TRANSPARENCY_MASK = 1, 4  # bits of NewSubfileType
_WHITE_IS_ZERO, _SEPARATE_PLANES, _SIGNED = 0, 2, 2


def page_frames(tiff: Image.Image) -> Iterator[tuple[int, Exception | None]]:
    """Yields the indices of the frames that are pages, in their order, each with the error of its header, if any.

    Reduced copies of other frames, as in pyramids, and transparency masks are not pages. A frame whose header Pillow
    doesn't understand becomes a page that failed. So does one that can't be reached, and it is the last.
    """
    index = 0
    while True:
        try:
            fault = _seek(tiff, index)
        except EOFError:
            return
        is_reached = tiff.tell() == index
        if not is_reached or _is_page(tiff):
            yield index, fault
        if not is_reached:
            return
        index += 1


def _seek(tiff: Image.Image, index: int) -> Exception | None:
    """Goes to a frame; returns the error if its header is broken, or a mask's, which Pillow can't decode.

    Raises:
        EOFError: there is no such frame.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata
            tiff.seek(index)
        return None
    except EOFError:
        raise
    except Exception as error:  # Pillow raises what its parsers raise
        return error


def _is_page(tiff: Image.Image) -> bool:
    subfile_type = _tags(tiff).get(_NEW_SUBFILE_TYPE, 0)
    return not (isinstance(subfile_type, int) and subfile_type & (_REDUCED_COPY | _TRANSPARENCY_MASK))


def prepare_planes(image: Any) -> None:
    """Makes Pillow decode 16-bit samples of uncompressed separate planes, which Pillow 12 takes for 8-bit ones.

    Raises:
        DocumentError: with stage "decode", if the samples can't be decoded so.
    """
    tags = _tags(image)
    bits = tags.get(_BITS_PER_SAMPLE, (8,))
    if tags.get(_PLANAR_CONFIGURATION) != _SEPARATE_PLANES or set(bits) != {16} or len(bits) == 1:
        return
    if any(tile.codec_name != "raw" for tile in image.tile):
        return  # libtiff decodes the others, and knows planes
    if image.mode != "RGB":
        raise DocumentError(
            Stage.DECODE,
            f"16-bit {image.mode} samples in separate planes can't be read; save the TIFF with chunky ones",
        )
    order = "L" if tags.prefix == b"II" else "B"
    image.tile = [tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:])) for tile in image.tile]


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
