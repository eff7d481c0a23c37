"""The frozen backbone's features of pictures, computed once and kept in a file. Doesn't import Keras."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ocr_models.data.captions.captioned_images import CaptionedImage

_CHUNK = 32  # pictures per write


@dataclass(frozen=True)
class FeatureRows:
    """The features of some pictures, in a file of rows.

    Attributes:
        path: the file; each row is the SHA-256 of an encoded picture and its float32 features.
        units: the number of features per picture.
        rows: int (N,), the indices of the rows of N pictures.
    """

    path: Path
    units: int
    rows: np.ndarray

    def take(self, pictures: Sequence[int] | slice) -> np.ndarray:
        """The features (n, units) of pictures, given by their indices."""
        return np.memmap(self.path, _row_type(self.units), "r")["features"][self.rows[pictures]]


def cached_features(
    path: Path, units: int, images: Sequence[CaptionedImage], compute: Callable[[list[np.ndarray]], np.ndarray]
) -> FeatureRows:
    """The features of pictures; those that aren't in the file yet are computed and appended to it.

    Args:
        path: the file, one for each state of the backbone; it need not exist.
        units: the number of features per picture.
        images: the pictures.
        compute: gives the features (n, units) of n pictures, uint8 (H, W, 3).

    Raises:
        UsageError: a picture can't be decoded.
    """
    row_of = {digest: row for row, digest in enumerate(_digests(path, units))}
    digests = [hashlib.sha256(image.read()).digest() for image in images]
    # One of several pictures with the same bytes is enough.
    missing = list({digest: i for i, digest in enumerate(digests) if digest not in row_of}.values())
    with path.open("ab") as file:
        for start in tqdm(
            range(0, len(missing), _CHUNK), desc="features", unit=f"{_CHUNK} pictures", disable=not missing
        ):
            chunk = missing[start : start + _CHUNK]
            rows = np.zeros(len(chunk), _row_type(units))
            rows["picture"] = [np.void(digests[i]) for i in chunk]
            rows["features"] = compute([images[i].pixels() for i in chunk])
            file.write(rows.tobytes())
            file.flush()
    row_of = {digest: row for row, digest in enumerate(_digests(path, units))}
    return FeatureRows(path, units, np.array([row_of[digest] for digest in digests], np.int64))


def _digests(path: Path, units: int) -> list[bytes]:
    """The digests of the pictures in the file; an incomplete last row is removed."""
    if not path.is_file():
        return []
    size = _row_type(units).itemsize
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // size * size)
    return [bytes(digest) for digest in np.fromfile(path, _row_type(units))["picture"]]


def _row_type(units: int) -> np.dtype:
    return np.dtype([("picture", "V32"), ("features", "<f4", (units,))])
