"""Pictures in HEIF's box files (ISO/IEC 23008-12): AVIF, which Pillow reads, and HEIC, for which it needs pillow-heif.

Both hold the turn of the picture twice, in the boxes ``irot`` and ``imir`` and in EXIF. The boxes count. pillow-heif
(1.8) turns the pixels by them and sets EXIF's orientation to 1; Pillow (12.3) leaves the pixels and sets EXIF's
orientation to what the boxes say. So either way EXIF's is what is left to turn.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from PIL import Image

from ocr_models.errors import DocumentError, Stage

_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")  # pictures in HEVC
_ANY_CODEC = (b"mif1", b"msf1")
_NO_MEMORY = re.compile("^Memory allocation error.* failed|Out of memory")
_AGAIN = "then run it again with --retry-failed"


def heif_format(head: bytes) -> str | None:
    """The format, "AVIF" or "HEIF", of a file that begins with these bytes; None for others, such as videos.

    Args:
        head: some hundred bytes: the file's first box names the brands (formats) that it conforms to.
    """
    if head[4:8] != b"ftyp":
        return None
    end = int.from_bytes(head[:4])
    major, *compatible = (head[start : start + 4] for start in (8, *range(16, min(end, len(head)), 4)))
    for brand in (major, *compatible):
        if brand in _AVIF_BRANDS:
            return "AVIF"
        if brand in _HEIC_BRANDS:
            return "HEIF"
    return "HEIF" if major in _ANY_CODEC else None


def open_heif(file: BinaryIO, heif_format: str) -> Image.Image:
    """Reads the header of a HEIF file. If it holds several pictures, the primary one is the current frame.

    Both libraries decode with one thread from here on: pages are decoded in parallel already, and a thread's stack and
    heap take some 70 MB of the address space that a decoding process has.

    Raises:
        DocumentError: with stage "decode", if the library that reads it is missing.
        DecompressionBombError: the size is over twice ``Image.MAX_IMAGE_PIXELS``, as with ``Image.open``.
        Exception: of any type, by the library, if the header is broken.
    """
    if heif_format == "AVIF":
        from PIL import AvifImagePlugin

        if not AvifImagePlugin.SUPPORTED:
            what = "this build of Pillow reads no AVIF: install one from its wheel, 11.3 or later"
            raise DocumentError(Stage.DECODE, f"{what}, {_AGAIN}")
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        return _within_guard(AvifImagePlugin.AvifImageFile(file))
    try:
        import pillow_heif
    except ImportError as error:
        what = "HEIC pictures need pillow-heif, which isn't installed: pip install 'pagebeam[heif]'"
        raise DocumentError(Stage.DECODE, f"{what}, {_AGAIN}") from error
    pillow_heif.options.DECODE_THREADS = 1
    return _within_guard(pillow_heif.HeifImageFile(file))


def _within_guard(image: Image.Image) -> Image.Image:
    """The image, unless Pillow's guard against decompression bombs would refuse it in ``Image.open``."""
    if Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > 2 * Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError
    return image


def ran_out_of_memory(error: Exception) -> bool:
    """Whether this is how libheif (by pillow-heif) and libavif (by Pillow) say that they couldn't get memory."""
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))
