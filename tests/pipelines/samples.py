"""Small documents of every kind, good and bad, made on the spot."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ocr_models.io.tfrecord import masked_crc32c


def page_pixels(seed: int, width: int = 60, height: int = 40) -> np.ndarray:
    """A gray page that no other seed gives."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def encoded(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def write_png(path: Path, seed: int, **size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(Image.fromarray(page_pixels(seed, **size))))
    return path


def write_tiff(path: Path, images: list[Image.Image], **options: object) -> Path:
    images[0].save(path, "TIFF", save_all=True, append_images=images[1:], **options)
    return path


def pdf_bytes(pages: Iterable[str | None], media_box: str = "0 0 144 72", encrypt: bool = False) -> bytes:
    """A PDF written by hand.

    Args:
        pages: a content stream each, such as "10 10 50 20 re f"; None for a page that can't be loaded.
        media_box: of all pages, in points.
        encrypt: claim that a password is needed.
    """
    pages = list(pages)
    kids = " ".join(f"{3 + 2 * index} 0 R" for index in range(len(pages)))
    objects = ["<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>"]
    for index, content in enumerate(pages):
        page = f"<</Type/Page/Parent 2 0 R/MediaBox[{media_box}]/Contents {4 + 2 * index} 0 R>>"
        objects += ["null" if content is None else page, _stream(content or "")]
    body, offsets = "%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    secret = f"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{'5a' * 32}>/U<{'a5' * 32}>>>" if encrypt else ""
    trailer = f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R{secret}>>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def _stream(content: str) -> str:
    return f"<</Length {len(content)}>>\nstream\n{content}\nendstream"


def sequence_example(image: bytes, image_format: str = "png") -> bytes:
    """A serialized SequenceExample with the context features ``image/data``, ``image/format`` and ``image/height``."""
    features = [
        _field(1, _field(1, b"image/format") + _field(2, _field(1, _field(1, image_format.encode())))),
        _field(1, _field(1, b"image/height") + _field(2, _field(3, _field(1, b"\x28")))),
        _field(1, _field(1, b"image/data") + _field(2, _field(1, _field(1, image)))),
    ]
    return _field(1, b"".join(features)) + _field(2, b"")


def tfrecord_bytes(payloads: Iterable[bytes]) -> bytes:
    file = b""
    for payload in payloads:
        length = struct.pack("<Q", len(payload))
        file += length + struct.pack("<I", masked_crc32c(length)) + payload + struct.pack("<I", 0)
    return file


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    groups = b""
    while value >= 0x80:
        groups += bytes([value & 0x7F | 0x80])
        value >>= 7
    return groups + bytes([value])


def png_bomb(side: int = 30_000) -> bytes:
    """A PNG of some 100 kB that would be ``side`` × ``side`` pixels."""
    row_data = zlib.compress(bytes(side // 8 + 1) * 1000)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", row_data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def write_bad_files(folder: Path) -> dict[str, str]:
    """Writes ten bad documents; returns the stage at which each must fail, by name."""
    good_png = encoded(Image.fromarray(page_pixels(0, 200, 200)))
    good_tfrecord = tfrecord_bytes([sequence_example(good_png)])
    bad = {
        "truncated.png": (good_png[: len(good_png) // 2], "decode"),
        "text.jpg": (b"This is a text, whatever its name says.", "open"),
        "encrypted.pdf": (pdf_bytes(["0 0 9 9 re f"], encrypt=True), "open"),
        "empty.pdf": (b"", "open"),
        "bomb.png": (png_bomb(), "decode"),
        "broken.pdf": (b"%PDF-1.7\nnothing that follows makes sense", "open"),
        "huge.pdf": (pdf_bytes(["0 0 9 9 re f"], media_box="0 0 1000000 1000000"), "render"),
        "truncated.tfrecord": (good_tfrecord[:-99], "open"),
        "no_tfrecord.tfrecord.gz": (gzip.compress(b"but a text"), "open"),
        "header_only.tif": (b"II*\0\x08\0\0\0", "open"),
    }
    for name, (content, _) in bad.items():
        (folder / name).write_bytes(content)
    return {name: stage for name, (_, stage) in bad.items()}
