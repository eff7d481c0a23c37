from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind
from ocr_models.limits import DecodeLimits
from pipelines.decoding.child import CountPages, RenderPage
from pipelines.decoding.pool import DecodePool
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


def test_an_image_of_a_pdf_that_does_not_fit_is_no_blank_page(tmp_path):
    """PDFium leaves out what it can't get memory for, without a word."""
    pixels = zlib.compress(bytes(12_000 * 12_000 * 3), 1)
    image = b"/Subtype/Image/Width 12000/Height 12000/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter/FlateDecode"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>",
        b"<</Length 25>>stream\nq 99 0 0 99 0 0 cm /I Do Q\nendstream",
        b"<<" + image + b"/Length %d>>stream\n" % len(pixels) + pixels + b"\nendstream",
    ]
    body = b"".join(b"%d 0 obj\n" % number + text + b"\nendobj\n" for number, text in enumerate(objects, 1))
    (tmp_path / "map.pdf").write_bytes(b"%PDF-1.5\n" + body + b"trailer\n<</Size 6/Root 1 0 R>>\n%%EOF")
    request = RenderPage(str(tmp_path / "map.pdf"), None, DocumentKind.PDF, 0, 36.0)

    small, large = (DecodePool(1, DecodeLimits(memory_bytes=megabytes << 20)) for megabytes in (512, 1024))
    with pytest.raises(DocumentError, match=r"takes more memory than is allowed for a page; raise .* --max-memory-mb"):
        small.call(request)
    assert large.call(request).value.pixels.max() < 50
    small.close()
    large.close()
