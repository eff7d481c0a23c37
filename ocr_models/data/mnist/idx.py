"""The idx files of MNIST (LeCun, Cortes and Burges).

Two zero bytes, the code of the element type, the number of axes, the length of each axis as a big-endian 32-bit number,
then the elements.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from ocr_models.errors import UsageError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 8  # the code of the element type


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Reads an idx file of unsigned bytes, gzipped or not.

    Raises:
        UsageError: the file can't be read, isn't an idx file with ``ndim`` axes, or its length doesn't fit its axes.
    """
    try:
        return parse_idx(path.read_bytes(), str(path), ndim)
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error}; copy it again") from error


def parse_idx(data: bytes, path: str, ndim: int) -> np.ndarray:
    """Parses an idx file of unsigned bytes, gzipped or not.

    Args:
        data: the whole file.
        path: its name, for errors.
        ndim: the number of axes that it must have.

    Returns:
        uint8, with ``ndim`` axes.

    Raises:
        UsageError: it isn't an idx file of unsigned bytes with ``ndim`` axes, or its length doesn't fit its axes.
    """
    try:
        data = gzip.decompress(data) if path.endswith(".gz") or data.startswith(_GZIP_MAGIC) else data
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: can't be read: {error}; copy it again") from error
    magic, header = bytes([0, 0, _UNSIGNED_BYTE, ndim]), 4 + 4 * ndim
    if data[:4] != magic or len(data) < header:
        raise UsageError(f"{path}: begins with {data[:4].hex() or 'nothing'}, an idx file here with {magic.hex()}")
    shape = tuple(np.frombuffer(data, ">u4", ndim, offset=4).tolist())
    if len(data) != header + math.prod(shape):
        raise UsageError(
            f"{path}: {len(data)} bytes, but {header + math.prod(shape)} for its axes {shape}; copy it again"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
