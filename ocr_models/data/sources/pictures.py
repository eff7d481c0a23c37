"""Pictures as data sets store them: complete, upright, in PNG or JPEG with 8 bits per sample.

Most files are so already and are kept byte for byte; the others are encoded again.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import ExifTags, Image

from ocr_models.errors import DocumentError, Stage
from ocr_models.geometry import quarter_turn_matrix
from ocr_models.io.images import ColorMode, check_page_size, decode_image, open_image, to_page_image

_FORMATS = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg"}  # MPO: a JPEG followed by other frames, as cameras write it
_JPEG_QUALITY = 95
_HASH_SIDE = 8
_THUMBNAIL_PX = 16 * _HASH_SIDE  # a JPEG is decoded no larger than its hash needs
_MIRROR = {2: 1, 4: 3, 5: 8, 7: 6}  # EXIF: a mirrored orientation is its partner's after a flip from left to right
_TURNS = {1: 0, 6: 3, 3: 2, 8: 1}  # counterclockwise quarter turns that make an orientation upright


@dataclass(frozen=True)
class CheckedPicture:
    """A picture that was checked and, if necessary, encoded again.

    Attributes:
        data: the encoded picture.
        image_format: "png" or "jpeg".
        height_px: of the upright picture.
        width_px: of the upright picture.
        digest: SHA-256, in hex, of the original bytes.
        perceptual_hash: its ``difference_hash``.
        to_upright: affine matrix (2, 3) from pixels of the original to pixels of the upright picture.
    """

    data: bytes
    image_format: str
    height_px: int
    width_px: int
    digest: str
    perceptual_hash: int
    to_upright: np.ndarray

    def gray(self) -> np.ndarray:
        """The pixels, uint8 (H, W)."""
        return decode_image(self.data).pixels


def read_picture(data: bytes) -> CheckedPicture:
    """Checks an encoded picture to its end, and encodes it again if it is rotated, mirrored or of another format.

    If a file has several frames, the first is taken. Transparency is laid on white, since decoders differ there.

    Raises:
        DocumentError: with stage "decode", if the data is no image, is cut short or is too large.
    """
    with warnings.catch_warnings(), open_image(io.BytesIO(data)) as image:
        warnings.simplefilter("ignore")  # about odd metadata
        check_page_size(image.width, image.height)
        orientation = _orientation(image)
        to_upright = upright_matrix(orientation, image.height, image.width)
        digest = hashlib.sha256(data).hexdigest()
        if orientation == 1 and _is_plain(image):
            image_format, (width, height) = _FORMATS[str(image.format)], image.size
            return CheckedPicture(
                data, image_format, height, width, digest, difference_hash(_thumbnail(image)), to_upright
            )
        image_format = "jpeg" if _FORMATS.get(str(image.format)) == "jpeg" else "png"
        pixels = to_page_image(image, _color_mode(image), square_pixels=False).pixels
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    height, width = gray.shape
    encoded = encode_picture(pixels, image_format)
    return CheckedPicture(encoded, image_format, height, width, digest, difference_hash(gray), to_upright)


def picture_of(gray: np.ndarray) -> CheckedPicture:
    """Encodes pixels, uint8 (H, W), as a PNG picture."""
    data, (height, width) = encode_picture(gray), gray.shape
    digest = hashlib.sha256(data).hexdigest()
    return CheckedPicture(data, "png", height, width, digest, difference_hash(gray), np.eye(2, 3))


def encode_picture(pixels: np.ndarray, image_format: str = "png") -> bytes:
    """Encodes uint8 pixels, (H, W) gray or (H, W, 3) RGB, as "png" or, with quality 95, as "jpeg"."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if image_format == "jpeg" else []
    return cv2.imencode(f".{image_format}", pixels[..., ::-1] if pixels.ndim == 3 else pixels, options)[1].tobytes()


def difference_hash(gray: np.ndarray) -> int:
    """The perceptual hash dHash (Krawetz, 2013), nearly the same for scaled, recompressed or brightened copies.

    The picture is shrunk to 9×8 cells; each of the 64 bits, from the top left, tells whether a cell is darker than its
    right neighbor.

    Args:
        gray: uint8 (H, W).
    """
    cells = cv2.resize(gray, (_HASH_SIDE + 1, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    return int.from_bytes(np.packbits(cells[:, :-1] < cells[:, 1:]).tobytes(), "big")


def upright_matrix(orientation: int, height: int, width: int) -> np.ndarray:
    """The affine matrix (2, 3) from pixels of a stored image to pixels of the upright one.

    Args:
        orientation: EXIF's number, 1 to 8.
        height: of the stored image, in pixels.
        width: of the stored image, in pixels.
    """
    if orientation not in _MIRROR:
        return quarter_turn_matrix(_TURNS[orientation], height, width)
    mirror = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]])
    return quarter_turn_matrix(_TURNS[_MIRROR[orientation]], height, width) @ mirror


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 if it is missing or unknown."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception as error:  # Pillow raises what its parsers raise
        raise DocumentError(
            Stage.DECODE, f"the image or its EXIF block is broken ({type(error).__name__}: {error})"
        ) from error
    return orientation if orientation in _TURNS or orientation in _MIRROR else 1


def _is_plain(image: Image.Image) -> bool:
    """Tells whether all decoders give the same 8-bit gray or RGB pixels."""
    modes = ("L", "RGB") if image.format in ("JPEG", "MPO") else ("1", "L", "P", "RGB")
    return image.format in _FORMATS and image.mode in modes and "transparency" not in image.info


def _thumbnail(image: Image.Image) -> np.ndarray:
    """A plain image in gray, small if it is a JPEG. All of its data is read, so that a cut file is noticed."""
    image.draft("L", (_THUMBNAIL_PX, _THUMBNAIL_PX))
    return to_page_image(image, square_pixels=False).pixels


def _color_mode(image: Image.Image) -> ColorMode:
    is_gray = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
    return ColorMode.GRAY if is_gray else ColorMode.RGB
