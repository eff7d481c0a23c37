"""PDF/A (ISO 19005): PDFs of images are made part 2, level U; PDFs that say they are PDF/A keep what they say.

Level U is level B, what is seen stays the same, and that all text maps to Unicode.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import ImageCms

from ocr_models import __version__
from ocr_models.errors import DocumentError, Stage

_SRGB = "sRGB IEC61966-2.1"
# A profile of ICC.1:2010: its classes, its color spaces by the number of components, and where its header says what.
_CLASSES = (b"prtr", b"mntr", b"scnr", b"spac")
_SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}
_HEADER_BYTES, _VERSION, _CLASS, _SPACE, _DATE = 128, 8, slice(12, 16), slice(16, 20), slice(24, 36)
_LAST_VERSION = 4
# The boxes of a JP2 file (ISO 15444-1, annex I)
_BOX_BYTES, _BITS_DIFFER = 8, 255
_ENUMERATED, _RESTRICTED_ICC = 1, 2  # the methods of a colr box
_SRGB_GRAY_AND_SYCC = (16, 17, 18)


def make_pdfa(pdf: pikepdf.Pdf) -> None:
    """Adds to a PDF of images that ``is_allowed`` what PDF/A-2u wants: XMP metadata, and what colors mean."""
    pdf.docinfo.Producer = producer = f"pagebeam {__version__}"
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        metadata["pdf:Producer"] = producer
        metadata["pdfaid:part"] = "2"
        metadata["pdfaid:conformance"] = "U"
    intent = Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFA1,
        OutputConditionIdentifier=_SRGB,
        Info=_SRGB,
        DestOutputProfile=pdf.make_stream(_srgb_profile(), N=3),
    )
    pdf.Root.OutputIntents = Array([pdf.make_indirect(intent)])


@functools.cache
def _srgb_profile() -> bytes:
    """The profile of sRGB, which is always the same bytes."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_DATE] = b"\x07\xda\0\1\0\1\0\0\0\0\0\0"  # 2010-01-01: a date must be one
    return bytes(profile)


def is_allowed(image: pikepdf.Stream) -> bool:
    """Whether an image may be in PDF/A-2 beside an intent of sRGB (ISO 19005-2, 6.2.4 and 6.2.8.3).

    Of an image in gray or RGB, an ICC profile that isn't one for its colors is removed.
    """
    if image.get("/Filter") == Name.JPXDecode and not _is_allowed_jp2(image.read_raw_bytes()):
        return False
    space: Any = image.get("/ColorSpace")
    if isinstance(space, Array) and space[0] == Name.ICCBased and not _is_profile(space[1]):
        space = image.ColorSpace = space[1].get("/Alternate")
    return space is not None and space != Name.DeviceCMYK


def _is_profile(stream: Any) -> bool:
    data = stream.read_bytes()
    return (
        len(data) >= _HEADER_BYTES
        and data[_VERSION] <= _LAST_VERSION
        and data[_CLASS] in _CLASSES
        and data[_SPACE] == _SPACES.get(int(stream.N))
    )


def _is_allowed_jp2(data: bytes) -> bool:
    """Whether a JP2 file has one description of its color, gray or RGB, and the same number of bits for each."""
    header = next((content for kind, content in _boxes(data) if kind == b"jp2h"), b"")
    of_image = [content for kind, content in _boxes(header) if kind == b"ihdr"]
    colors = [content for kind, content in _boxes(header) if kind == b"colr"]
    if len(of_image) != 1 or len(colors) != 1 or len(of_image[0]) < 11 or len(colors[0]) < 7:
        return False
    [image], [color] = of_image, colors
    return (
        int.from_bytes(image[8:10]) in (1, 3)
        and image[10] != _BITS_DIFFER
        and (
            color[0] == _RESTRICTED_ICC
            or (color[0] == _ENUMERATED and int.from_bytes(color[3:7]) in _SRGB_GRAY_AND_SYCC)
        )
    )


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and content of each box; those that reach over the end end there."""
    place = 0
    while place + _BOX_BYTES <= len(data):
        length, kind, begin = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8], place + _BOX_BYTES
        if length == 1:  # the length follows in 8 bytes
            length, begin = int.from_bytes(data[begin : begin + 8]), begin + 8
        end = place + length if length else len(data)
        yield kind, data[begin:end]
        place = max(end, begin)


def keep_pdfa(pdf: pikepdf.Pdf) -> None:
    """Leaves a PDF that says it is PDF/A with what it says; level A, whose text has tags, becomes level B.

    Raises:
        DocumentError: it doesn't say so.
    """
    metadata = pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False)
    if not metadata.get("pdfaid:part"):
        raise DocumentError(
            Stage.OPEN,
            "it is a PDF that doesn't say it is PDF/A, and PDFs aren't converted; make it PDF/A before it is read, or "
            "export it with --format pdf",
        )
    if metadata.get("pdfaid:conformance") == "A":
        with metadata:
            metadata["pdfaid:conformance"] = "B"
