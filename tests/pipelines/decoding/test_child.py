from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind
from pipelines.decoding.child import CountPages, RenderPage
from tests.pipelines import samples

_IMAGE_WIDTH, _IMAGE_LENGTH = 256, 257  # TIFF's tags


def enlarge_frame(path: Path, frame: int, side: int) -> None:
    """Makes the header of a little-endian TIFF's frame say that it is ``side`` × ``side`` pixels."""
    data = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", data, 4)
    for _ in range(frame):
        (count,) = struct.unpack_from("<H", data, directory)
        (directory,) = struct.unpack_from("<I", data, directory + 2 + 12 * count)
    (count,) = struct.unpack_from("<H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] in (_IMAGE_WIDTH, _IMAGE_LENGTH):
            struct.pack_into("<HII", data, entry + 2, 4, 1, side)  # one number of 32 bits
    path.write_bytes(data)


def test_an_oversized_page_of_a_tiff_fails_alone(pool, tmp_path):
    pages = [Image.fromarray(samples.page_pixels(seed)) for seed in range(3)]
    path = samples.write_tiff(tmp_path / "pages.tif", pages)
    enlarge_frame(path, 1, 30_000)  # 900 million pixels, which Pillow refuses unless told otherwise
    requests = [RenderPage(str(path), None, DocumentKind.TIFF, index, 200.0) for index in range(3)]

    assert pool.submit(CountPages(str(path), DocumentKind.TIFF)).result().value == 3
    with pytest.raises(DocumentError, match=r"30000×30000 pixels are more than the limit of 100,000,000"):
        pool.submit(requests[1]).result()
    for index in (0, 2):
        assert (pool.submit(requests[index]).result().value.pixels == samples.page_pixels(index)).all()
