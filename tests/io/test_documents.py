from __future__ import annotations

import gzip
import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ocr_models.errors import DocumentError
from ocr_models.io import documents
from ocr_models.io.documents import DocumentKind, count_pages, page_renderer, sniff_kind
from ocr_models.io.images import ColorMode, decode_image
from tests.pipelines import samples
from tests.pipelines.samples import encoded

RAMP = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))  # (40, 60), dark at the left


def test_kind_is_decided_by_content():
    png = encoded(Image.fromarray(RAMP))

    assert sniff_kind(png) == DocumentKind.IMAGE
    assert sniff_kind(encoded(Image.fromarray(RAMP), "TIFF")) == DocumentKind.TIFF
    assert sniff_kind(b"\n\n%PDF-1.7\n") == DocumentKind.PDF
    assert sniff_kind(samples.tfrecord_bytes([samples.sequence_example(png)])) == DocumentKind.TFRECORD
    with pytest.raises(DocumentError, match="the file is empty"):
        sniff_kind(b"")
    with pytest.raises(DocumentError, match=r"it begins with b'PK'"):
        sniff_kind(b"PK")
    with pytest.raises(
        DocumentError, match=r"the gzipped content is no .* TFRecord; it begins with b'' and ends after 0"
    ):
        sniff_kind(gzip.compress(b""))
    cut = samples.tfrecord_bytes([samples.sequence_example(png)])[:11]
    for content in (cut, gzip.compress(cut)):
        with pytest.raises(DocumentError, match=r"no .* TFRecord; it begins with .* and ends after 11 bytes"):
            sniff_kind(content)


def test_pages_of_a_tiff_differ_in_size_and_depth(tmp_path):
    pages = [Image.fromarray(RAMP), Image.fromarray(RAMP[:20] > 100), Image.fromarray(RAMP).convert("RGB")]
    path = str(samples.write_tiff(tmp_path / "pages.tif", pages))
    render = page_renderer(path, DocumentKind.TIFF, dpi=200)

    assert count_pages(path, DocumentKind.TIFF) == 3
    np.testing.assert_array_equal(render(2).pixels, RAMP)
    np.testing.assert_array_equal(render(0).pixels, RAMP)
    np.testing.assert_array_equal(render(1).pixels, np.where(RAMP[:20] > 100, 255, 0))
    color = page_renderer(path, DocumentKind.TIFF, 200, ColorMode.RGB)(2).pixels
    np.testing.assert_array_equal(color, np.dstack([RAMP] * 3))


def test_tiff_cut_after_its_first_page_keeps_that_page(tmp_path):
    first, both = io.BytesIO(), io.BytesIO()
    pages = [Image.fromarray(RAMP), Image.fromarray(RAMP)]
    pages[0].save(first, "TIFF")
    pages[0].save(both, "TIFF", save_all=True, append_images=pages[1:])
    path = tmp_path / "cut.tif"
    path.write_bytes(both.getvalue()[: len(first.getvalue()) + 30])
    render = page_renderer(str(path), DocumentKind.TIFF, dpi=200)

    assert count_pages(str(path), DocumentKind.TIFF) == 2
    np.testing.assert_array_equal(render(0).pixels, RAMP)
    with pytest.raises(DocumentError):
        render(1)


def test_pdf_is_rendered_at_the_dpi(tmp_path):
    path = tmp_path / "half.pdf"
    path.write_bytes(samples.pdf_bytes(["0 0 72 72 re f"]))  # a square inch of black on a page of 2 × 1 inches

    page = page_renderer(str(path), DocumentKind.PDF, dpi=100)(0)

    assert page.dpi == 100
    assert page.pixels.shape == (100, 200)
    assert page.pixels[:, :99].max() == 0
    assert page.pixels[:, 101:].min() == 255


def test_pdf_is_rendered_in_color(tmp_path):
    path = tmp_path / "red.pdf"
    path.write_bytes(samples.pdf_bytes(["1 0 0 rg 0 0 72 72 re f"]))  # a square inch of red on a page of 2 × 1 inches

    pixels = page_renderer(str(path), DocumentKind.PDF, 100, ColorMode.RGB)(0).pixels

    assert pixels.shape == (100, 200, 3)
    assert (pixels[:, :99] == [255, 0, 0]).all()
    assert (pixels[:, 101:] == 255).all()


def test_large_pdf_page_is_rendered_at_a_dpi_that_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_RENDERED_PIXELS", 20_000)
    path = tmp_path / "large.pdf"
    path.write_bytes(samples.pdf_bytes(["0 0 72 72 re f"]))

    page = page_renderer(str(path), DocumentKind.PDF, dpi=400)(0)

    assert page.dpi == 100  # (20,000 pixels / 2 square inches) ** 0.5
    assert page.pixels.shape == (100, 200)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (samples.pdf_bytes(["0 0 9 9 re f"], encrypt=True), "encrypted"),
        (b"%PDF-1.4\nand then nothing", "broken"),
        (samples.pdf_bytes([]), "the document has no pages"),
        (samples.pdf_bytes([""]).replace(b"/Count 1", b"/Count 100000"), "100,000 pages, more than it has bytes"),
    ],
)
def test_pdf_that_cannot_be_opened(tmp_path, content, message):
    path = tmp_path / "bad.pdf"
    path.write_bytes(content)

    with pytest.raises(DocumentError, match=message) as error:
        count_pages(str(path), DocumentKind.PDF)
    assert error.value.stage == "open"


def test_a_pdf_without_pages_after_an_encrypted_one_is_not_called_encrypted(tmp_path):
    """PDFium keeps the error of the file before."""
    (tmp_path / "a.pdf").write_bytes(samples.pdf_bytes([""], encrypt=True))
    (tmp_path / "b.pdf").write_bytes(samples.pdf_bytes([]))

    for name, message in (("a.pdf", "encrypted"), ("b.pdf", "the document has no pages")):
        with pytest.raises(DocumentError, match=message):
            count_pages(str(tmp_path / name), DocumentKind.PDF)


def test_absurd_pdf_page_is_refused(tmp_path):
    path = tmp_path / "absurd.pdf"
    path.write_bytes(samples.pdf_bytes(["0 0 9 9 re f"], media_box="0 0 900000 900000"))

    with pytest.raises(DocumentError, match=r"900000×900000 points is absurd"):
        page_renderer(str(path), DocumentKind.PDF, dpi=200)(0)


TEXT = np.where(np.random.default_rng(0).random((24, 40)) < 0.3, 0, 255).astype(np.uint8)


def write_frames(path, *frames: tuple[np.ndarray, int]) -> None:
    """Writes frames with their NewSubfileTypes."""
    images = [Image.fromarray(pixels) for pixels, _ in frames]
    for image, (_, subfile_type) in zip(images, frames, strict=True):
        info = ImageFileDirectory_v2()
        info[254] = subfile_type
        image.encoderinfo = {"tiffinfo": info}
    images[0].save(path, "TIFF", save_all=True, append_images=images[1:], tiffinfo=images[0].encoderinfo["tiffinfo"])


def render_pages(path) -> list[np.ndarray]:
    render = page_renderer(str(path), DocumentKind.TIFF, dpi=200)
    return [render(index).pixels for index in range(count_pages(str(path), DocumentKind.TIFF))]


def test_reduced_copies_and_masks_are_no_pages(tmp_path):
    small, other = RAMP[::2, ::2].copy(), RAMP[::-1].copy()
    write_frames(tmp_path / "pyramid.tif", (RAMP, 0), (small, 1), (other, 2), (small, 1), (RAMP, 4))

    pages = render_pages(tmp_path / "pyramid.tif")

    assert len(pages) == 2
    np.testing.assert_array_equal(pages[0], RAMP)
    np.testing.assert_array_equal(pages[1], RAMP[::-1])
    later = page_renderer(str(tmp_path / "pyramid.tif"), DocumentKind.TIFF, dpi=200)(1)  # the first that is asked for
    np.testing.assert_array_equal(later.pixels, RAMP[::-1])


def test_a_frame_of_an_unknown_kind_hides_no_other(tmp_path):
    path = tmp_path / "three.tif"
    write_frames(path, (RAMP, 0), (RAMP, 0), (RAMP[::-1].copy(), 0))
    entry = struct.pack("<HHI", 262, 3, 1)  # PhotometricInterpretation, SHORT
    content = path.read_bytes()
    place = content.index(entry, content.index(entry) + 1) + len(entry)
    path.write_bytes(content[:place] + bytes([99]) + content[place + 1 :])

    assert count_pages(str(path), DocumentKind.TIFF) == 3
    render = page_renderer(str(path), DocumentKind.TIFF, dpi=200)
    with pytest.raises(DocumentError):
        render(1)
    np.testing.assert_array_equal(render(2).pixels, RAMP[::-1])


def directories_only(order: str, big: bool, types: list[int], ends: int = 0) -> bytes:
    """A TIFF of 1 × 1 pixel frames in one chain, in either byte order, with these NewSubfileTypes; ``ends`` is last."""
    number, entry, header = ("Q", "HHQQ", 16) if big else ("I", "HHII", 8)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    data = bytearray(head + (struct.pack(f"{order}HHQ", 8, 0, header) if big else struct.pack(f"{order}I", header)))
    for index, subfile_type in enumerate(types):
        tags = [(254, 4, subfile_type), (256, 4, 1), (257, 4, 1), (258, 4, 8), (259, 4, 1), (262, 4, 1)]
        size = (8 if big else 2) + (len(tags) + 2) * struct.calcsize(f"{order}{entry}") + struct.calcsize(number)
        pixel = len(data) + size
        tags += [(273, 4, pixel), (279, 4, 1)]
        data += struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
        for tag, kind, value in tags:
            stored = struct.pack(f"{order}I", value).ljust(8 if big else 4, b"\0")
            data += struct.pack(f"{order}{entry[:3]}", tag, kind, 1) + stored
        data += struct.pack(f"{order}{number}", pixel + 1 if index + 1 < len(types) else ends) + bytes([index % 256])
    return bytes(data)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_frames_are_found_in_every_layout_of_a_tiff(tmp_path, order, big):
    path = tmp_path / "layout.tif"
    path.write_bytes(directories_only(order, big, [0, 1, 2, 4, 0]))

    assert count_pages(str(path), DocumentKind.TIFF) == 3
    if big and order == ">":  # Pillow 12 takes its header for that of a classic TIFF
        return
    assert [int(page[0, 0]) for page in render_pages(path)] == [0, 2, 4]


def test_a_chain_of_frames_that_closes_ends_where_it_began(tmp_path):
    path = tmp_path / "loop.tif"
    path.write_bytes(directories_only("<", False, [0, 0, 0], ends=8))

    assert [int(page[0, 0]) for page in render_pages(path)] == [0, 1, 2]


@pytest.mark.parametrize("fault", ["beyond the end", "cut short"])
def test_a_frame_that_cannot_be_reached_is_the_last_page_and_fails(tmp_path, fault):
    path = tmp_path / "chain.tif"
    whole = directories_only("<", False, [0, 0, 0], ends=1_000_000)
    path.write_bytes(whole if fault == "beyond the end" else whole[:-20])
    last = 3 if fault == "beyond the end" else 2
    render = page_renderer(str(path), DocumentKind.TIFF, dpi=200)

    assert count_pages(str(path), DocumentKind.TIFF) == last + 1
    assert [int(render(index).pixels[0, 0]) for index in range(last)] == [*range(last)]
    with pytest.raises(DocumentError, match=r"header can't be read|cut short"):
        render(last)


def test_compressed_pages_of_a_tiff_are_found_by_libtiff_too(tmp_path):
    images = [Image.fromarray(np.full((24, 40), 255 * (seed % 2), np.uint8)).convert("1") for seed in range(6)]
    images[0].save(tmp_path / "fax.tif", save_all=True, append_images=images[1:], compression="group4")

    assert [int(page.mean()) for page in render_pages(tmp_path / "fax.tif")] == [0, 255] * 3


def test_a_tiff_of_10_000_pages_is_read_in_time_that_grows_with_its_pages(tmp_path):
    path = tmp_path / "long.tif"
    path.write_bytes(directories_only("<", False, [0] * 10_000))
    start = time.process_time()

    with pytest.raises(DocumentError, match="has more pages, and the limit is 5,000; raise the limit with --max-pages"):
        count_pages(str(path), DocumentKind.TIFF, max_pages=5000)
    assert count_pages(str(path), DocumentKind.TIFF, max_pages=10_000) == 10_000
    for index in (9_999, 0):  # by two decoders that open the file anew; 1.1 s each while Pillow sought from the start
        assert page_renderer(str(path), DocumentKind.TIFF, dpi=200)(index).pixels[0, 0] == index % 256

    assert time.process_time() - start < 1


def test_a_pdf_of_too_many_pages_is_refused(tmp_path):
    path = tmp_path / "long.pdf"
    path.write_bytes(samples.pdf_bytes(["0 0 9 9 re f"] * 12))

    assert count_pages(str(path), DocumentKind.PDF, max_pages=12) == 12
    with pytest.raises(DocumentError, match=r"the PDF has 12 pages, and the limit is 11; raise .* --max-pages"):
        count_pages(str(path), DocumentKind.PDF, max_pages=11)


def tiff_bytes(data: bytes, bits: int, photometric: int, *more: tuple[int, int], order: str = "<") -> bytes:
    """A gray TIFF of 40 × 24 pixels in one strip, written by hand; ``more`` are other tags."""
    tags = dict([(256, 40), (257, 24), (258, bits), (259, 1), (262, photometric), (277, 1), (278, 24), *more])
    tags |= {273: 8 + 2 + 12 * (len(tags) + 2) + 4, 279: len(data)}
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(f"{order}IH", 8, len(tags)) + entries + bytes(4) + data


def deflated(samples: np.ndarray, kind: str, sample_format: int) -> bytes:
    """A big-endian TIFF whose samples are compressed (Compression 8)."""
    data = zlib.compress(samples.astype(f">{kind}").tobytes())
    return tiff_bytes(data, 8 * int(kind[1]), 1, (259, 8), (339, sample_format), order=">")


def pack_12_bits(samples: np.ndarray) -> bytes:
    """Pairs of samples in three bytes each (TIFF 6.0, section 2)."""
    first, second = samples.reshape(-1, 2).T
    return np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype(np.uint8).tobytes()


WIDE = TEXT.astype(np.uint16)
DEEP = {
    "12 bits": tiff_bytes(pack_12_bits(WIDE * 16 + WIDE // 16), 12, 1),
    "16 bits": tiff_bytes((WIDE * 257).tobytes(), 16, 1),
    "12 of 16 bits": tiff_bytes((WIDE * 16 + WIDE // 16).tobytes(), 16, 1),
    "16 bits, white is zero": tiff_bytes((65535 - WIDE * 257).tobytes(), 16, 0),
    "8 bits, white is zero": tiff_bytes((255 - TEXT).tobytes(), 8, 0),
    "32 bits": tiff_bytes((TEXT.astype(np.uint32) * 0x01010101).tobytes(), 32, 1, (339, 1)),
    "32 bits, no sample format": tiff_bytes((TEXT.astype(np.uint32) * 0x01010101).tobytes(), 32, 1),
    "16 bits, big-endian, deflated": deflated(WIDE * 257, "u2", 1),
    "16 bits, signed, big-endian, deflated": deflated(WIDE * 3, "i2", 2),
    "32 bits, signed, big-endian, deflated": deflated(WIDE * 3, "i4", 2),
    "float, big-endian, deflated": deflated(TEXT / 255, "f4", 3),
}


@pytest.mark.parametrize("data", DEEP.values(), ids=DEEP)
def test_deep_samples_are_read_at_their_depth(tmp_path, data):
    (tmp_path / "deep.tif").write_bytes(data)

    [page] = render_pages(tmp_path / "deep.tif")

    np.testing.assert_array_equal(page, TEXT)


def test_16_bit_samples_in_separate_planes_are_read(tmp_path):
    data = np.stack([RAMP.astype(np.uint16) * 257] * 3)  # a plane a color
    height, width = RAMP.shape
    strips = 8 + 2 + 12 * 10 + 4 + 3 * 4 * 2 + 6
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, strips - 6), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 3, strips - 30), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 3, strips - 18), (284, 3, 1, 2)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    plane = 2 * height * width
    values = struct.pack("<3I3I3H", *(strips + plane * i for i in range(3)), plane, plane, plane, 16, 16, 16)
    content = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + values + data.tobytes()
    (tmp_path / "planes.tif").write_bytes(content)

    [page] = render_pages(tmp_path / "planes.tif")

    np.testing.assert_array_equal(page, RAMP)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "I;16", "CMYK", "P"])
def test_a_turned_tiff_is_read_alike_from_a_file_and_from_bytes(tmp_path, orientation, mode):
    stored = Image.fromarray(RAMP.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(RAMP).convert(mode)
    info = ImageFileDirectory_v2()
    info[274] = orientation
    stored.save(tmp_path / "turned.tif", tiffinfo=info)

    [page] = render_pages(tmp_path / "turned.tif")

    upright = np.rot90(RAMP, {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0))
    upright = upright[:, ::-1] if orientation in (2, 4) else upright[::-1] if orientation in (5, 7) else upright
    np.testing.assert_array_equal(page, decode_image((tmp_path / "turned.tif").read_bytes()).pixels)
    assert page.shape == upright.shape and np.abs(page.astype(int) - upright).max() <= 3  # as CMYK rounds


def test_lightness_of_a_lab_image_is_its_gray(tmp_path):
    lab = Image.merge("LAB", [Image.fromarray(RAMP), *[Image.new("L", (60, 40), 128)] * 2])
    lab.save(tmp_path / "lab.tif")

    np.testing.assert_array_equal(render_pages(tmp_path / "lab.tif")[0], RAMP)
    color = page_renderer(str(tmp_path / "lab.tif"), DocumentKind.TIFF, 200, ColorMode.RGB)(0).pixels
    assert color.shape == (40, 60, 3) and (np.ptp(color.astype(int), axis=2) <= 4).all()  # gray


def test_a_standard_fax_gets_square_pixels(tmp_path):
    Image.fromarray(RAMP > 100).save(tmp_path / "fax.tif", dpi=(204, 98), compression="group4")
    Image.fromarray(RAMP > 100).save(tmp_path / "turned.tif", dpi=(98, 204), compression="group4")
    render = page_renderer(str(tmp_path / "fax.tif"), DocumentKind.TIFF, dpi=200)

    assert render(0).pixels.shape == (83, 60) and render(0).dpi == 204  # 40 × 204 / 98 = 83.3
    assert render_pages(tmp_path / "turned.tif")[0].shape == (40, 125)


def test_user_units_count_in_the_size_of_a_page(tmp_path):
    content = samples.pdf_bytes(["0 0 72 36 re f"]).replace(b"/Type/Page/Parent", b"/UserUnit 4/Type/Page/Parent")
    (tmp_path / "large.pdf").write_bytes(content)

    page = page_renderer(str(tmp_path / "large.pdf"), DocumentKind.PDF, dpi=50)(0)

    assert page.pixels.shape == (200, 400) and page.dpi == 50  # 144 × 72 units of 4/72 inch
    assert page.pixels[-90:, :190].max() == 0 and page.pixels[:90].min() == 255


@pytest.mark.parametrize(("name", "image_format"), [("a.jp2", "JPEG2000"), ("a.j2k", "JPEG2000"), ("a.gif", "GIF")])
def test_jpeg_2000_and_gif_are_read(tmp_path, name, image_format):
    Image.fromarray(RAMP).save(tmp_path / name, image_format)
    data = (tmp_path / name).read_bytes()

    assert sniff_kind(data[:1024]) == DocumentKind.IMAGE
    page = page_renderer(str(tmp_path / name), DocumentKind.IMAGE, dpi=200)(0)
    assert np.abs(page.pixels.astype(int) - RAMP).max() <= 3


def test_empty_members_at_the_start_of_a_gzip_are_passed_over():
    record = samples.tfrecord_bytes([samples.sequence_example(encoded(Image.fromarray(RAMP)))])

    assert sniff_kind(gzip.compress(b"") * 2 + gzip.compress(record)) == DocumentKind.GZIP_TFRECORD
    with pytest.raises(DocumentError, match="the gzipped content is no PNG"):
        sniff_kind(gzip.compress(b""))
