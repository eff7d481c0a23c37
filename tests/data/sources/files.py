"""Writes pictures and labels for tests, and reads them with a source."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import LabelledPicture, LocalFiles, RejectedPicture, SourceOptions
from ocr_models.records import Task


def scene(height: int = 120, width: int = 160, seed: int = 1) -> np.ndarray:
    """A smooth picture, uint8 (H, W, 3), with four different quarters: red rises to the right, green downwards."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    return np.stack([red, green, np.full((height, width), 50 + seed)], axis=-1).astype(np.uint8)


def encode(pixels: np.ndarray, image_format: str = "PNG", orientation: int = 1, mode: str | None = None) -> bytes:
    """Encodes a picture with Pillow, with EXIF's orientation, in one of Pillow's modes."""
    image, file = Image.fromarray(pixels), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {"exif": exif} if orientation != 1 else {}
    (image.convert(mode) if mode else image).save(file, image_format, **more)
    return file.getvalue()


def write(path: Path, data: bytes | str) -> Path:
    """Writes a file and creates its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def write_picture(path: Path, seed: int = 1, **how) -> bytes:
    """Writes a scene in the format of the file name; returns its bytes."""
    data = encode(scene(seed=seed), {".jpg": "JPEG", ".png": "PNG"}[path.suffix], **how)
    write(path, data)
    return data


def read_all(format_name: str, root: Path, task: Task | None = None) -> dict[str, LabelledPicture | RejectedPicture]:
    """All pictures that a source yields, by name."""
    source = open_source(format_name, str(root), SourceOptions(task=task))
    items = list(source.items(LocalFiles()))
    assert len({item.name for item in items}) == len(items)
    pictures = [picture for item in items for picture in source.read(item, item.path)]
    assert len({picture.name for picture in pictures}) == len(pictures)
    return {picture.name: picture for picture in pictures}


def texts(pictures: dict[str, LabelledPicture | RejectedPicture]) -> dict[str, str]:
    """The first text of each picture that isn't rejected, by name."""
    return {name: p.examples[0].texts[0] for name, p in pictures.items() if isinstance(p, LabelledPicture)}


def boxes_of(picture: LabelledPicture | RejectedPicture) -> list[list[float]]:
    """The boxes (xmin, ymin, xmax, ymax) of the texts of a page."""
    assert isinstance(picture, LabelledPicture)
    [example] = picture.examples
    return [[*quad.min(axis=0).tolist(), *quad.max(axis=0).tolist()] for quad in example.quads]
