"""PDF/A: what files say of themselves and which images they keep; all of it by veraPDF, where that is installed."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageCms

from ocr_models.errors import DocumentError
from pipelines.export.exported_page import ExportedPage, exported_page
from tests.pipelines.export.pages import row
from tests.run_folders import box

pytest.importorskip("img2pdf", reason="img2pdf is in the extra export")

from pipelines.export.searchable_pdf import write_searchable_pdf

RGB = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
DEEP = Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
OF_CMYK = SRGB[:16] + b"CMYK" + SRGB[20:]  # by its header
VERSION_5 = SRGB[:8] + b"\5" + SRGB[9:]
# By the name of a file: the picture, its options, and the filter and color space that it has in the PDF
KINDS = {
    "rgb.jpg": (RGB, {}, "/DCTDecode", "/DeviceRGB"),
    "profile.jpg": (RGB, {"icc_profile": SRGB}, "/DCTDecode", "/ICCBased"),
    "new_profile.jpg": (RGB, {"icc_profile": VERSION_5}, "/DCTDecode", "/DeviceRGB"),
    "wrong_profile.jpg": (RGB, {"icc_profile": OF_CMYK}, "/DCTDecode", "/DeviceRGB"),
    "cmyk.jpg": (RGB.convert("CMYK"), {}, "/FlateDecode", "/DeviceRGB"),
    "rgb.jp2": (RGB, {}, "/JPXDecode", "/DeviceRGB"),
    "rgba.jp2": (RGB.convert("RGBA"), {}, "/FlateDecode", "/DeviceRGB"),
    "codestream.j2k": (RGB, {}, "/FlateDecode", "/DeviceRGB"),
    "rgba.png": (RGB.convert("RGBA"), {}, "/FlateDecode", "/DeviceRGB"),
    "palette.png": (RGB.convert("P"), {}, "/FlateDecode", "/Indexed"),
    "deep.png": (DEEP, {}, "/FlateDecode", "/DeviceGray"),
    "g4.tif": (RGB.convert("1"), {"compression": "group4"}, "/CCITTFaxDecode", "/DeviceGray"),
    "lzw.tif": (RGB, {"compression": "tiff_lzw"}, "/FlateDecode", "/DeviceRGB"),
    "cmyk.tif": (RGB.convert("CMYK"), {"icc_profile": OF_CMYK}, "/FlateDecode", "/DeviceRGB"),
    "gray.bmp": (RGB.convert("L"), {}, "/FlateDecode", "/DeviceGray"),
    "alpha.webp": (RGB.convert("RGBA"), {}, "/FlateDecode", "/DeviceRGB"),
    "rgb.avif": (RGB, {}, "/FlateDecode", "/DeviceRGB"),
    "one_pixel.png": (RGB.crop((0, 0, 1, 1)), {}, "/FlateDecode", "/DeviceRGB"),
}


def page_of(width: int = 60, height: int = 40) -> ExportedPage:
    words = ["Łódź", "e\u0301", "ﬁ", "שלום", "漢字", "𝄞", "ไทย"]
    lines = [
        [(word, box(5, 5 * n, 30, 5 * n + 4)), ("x", box(32, 5 * n, 40, 5 * n + 4))] for n, word in enumerate(words)
    ]
    return exported_page(row(lines, width_px=width, height_px=height, dpi=100.0))


def save(folder: Path, name: str) -> Path:
    image, options, *_ = KINDS[name]
    image.save(folder / name, dpi=(100, 100), **options)
    return folder / name


def export(path: Path, page: ExportedPage | None = None) -> bytes:
    kind = {".tif": "tiff", ".pdf": "pdf"}.get(path.suffix, "image")
    file = io.BytesIO()
    write_searchable_pdf(file, str(path), kind, [page or page_of()], is_pdfa=True)
    return file.getvalue()


@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_kept_where_the_standard_allows_it(name, tmp_path):
    path = save(tmp_path, name)

    with pikepdf.open(io.BytesIO(export(path))) as pdf:
        [image] = pdf.pages[0].images.values()
        image_filter, space = image.Filter, image.ColorSpace
        image_filter = image_filter[0] if isinstance(image_filter, pikepdf.Array) else image_filter
        space = space[0] if isinstance(space, pikepdf.Array) else space
        assert (str(image_filter), str(space)) == KINDS[name][2:]
        if image_filter != "/FlateDecode":
            assert image.read_raw_bytes() in path.read_bytes()


def test_a_file_says_what_it_is_and_what_its_colors_mean(tmp_path):
    path = save(tmp_path, "rgb.jpg")

    data = export(path)

    with pikepdf.open(io.BytesIO(data)) as pdf:
        metadata = pdf.open_metadata()
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", "U")
        assert metadata["pdf:Producer"] == str(pdf.docinfo.Producer)
        [intent] = pdf.Root.OutputIntents
        profile = ImageCms.ImageCmsProfile(io.BytesIO(intent.DestOutputProfile.read_bytes()))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert data == export(path)


def jp2(components: int, bits: int, *colors: bytes) -> bytes:
    def boxed(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    of_image = boxed(b"ihdr", struct.pack(">IIHBBBB", 40, 60, components, bits, 7, 0, 0))
    return boxed(b"jP  ", b"\r\n\x87\n") + boxed(b"jp2h", of_image + b"".join(boxed(b"colr", c) for c in colors))


@pytest.mark.parametrize(
    ("data", "is_kept"),
    [
        (jp2(3, 7, struct.pack(">BBBI", 1, 0, 0, 16)), True),  # sRGB
        (jp2(1, 7, struct.pack(">BBBI", 1, 0, 0, 17)), True),  # gray
        (jp2(1, 7, b"\2\0\0" + SRGB), True),  # an ICC profile
        (jp2(3, 7, struct.pack(">BBBI", 1, 0, 0, 19)), False),  # CIEJab, which PDF/A forbids
        (jp2(3, 255, struct.pack(">BBBI", 1, 0, 0, 16)), False),  # each component with bits of its own
        (jp2(4, 7, struct.pack(">BBBI", 1, 0, 0, 16)), False),
        (jp2(3, 7, *[struct.pack(">BBBI", 1, 0, 0, 16)] * 2), False),
        (jp2(3, 7), False),
        (b"\xff\x4f\xff\x51", False),  # a codestream alone
        (jp2(3, 7, struct.pack(">BBBI", 1, 0, 0, 16))[:40], False),
    ],
)
def test_headers_of_jpeg_2000_decide(data, is_kept):
    from pipelines.export.pdfa import is_allowed

    pdf = pikepdf.new()
    image = pdf.make_stream(data, Filter=pikepdf.Name.JPXDecode, ColorSpace=pikepdf.Name.DeviceRGB)

    assert is_allowed(image) == is_kept


@pytest.mark.parametrize(("level", "expected"), [("B", "B"), ("U", "U"), ("A", "B")])
def test_a_pdf_that_says_it_is_pdfa_stays_so(level, expected, tmp_path):
    (tmp_path / "a.pdf").write_bytes(export(save(tmp_path, "rgb.jpg")))
    with pikepdf.open(tmp_path / "a.pdf", allow_overwriting_input=True) as pdf:
        with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
            metadata["pdfaid:conformance"] = level
        pdf.save()

    with pikepdf.open(io.BytesIO(export(tmp_path / "a.pdf"))) as pdf:
        metadata = pdf.open_metadata()
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", expected)
        assert len(pdf.Root.OutputIntents) == 1


def test_a_pdf_that_does_not_say_so_is_refused(tmp_path):
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(tmp_path / "a.pdf")

    with pytest.raises(DocumentError, match="doesn't say it is PDF/A, and PDFs aren't converted"):
        export(tmp_path / "a.pdf")


def test_words_from_right_to_left_are_read_as_they_are_written(tmp_path):
    data = export(save(tmp_path, "rgb.jpg"))

    assert "שלום" in pdfium.PdfDocument(data)[0].get_textpage().get_text_range().split()


@pytest.mark.skipif(not shutil.which("verapdf"), reason="veraPDF isn't installed")
def test_verapdf_finds_no_fault(tmp_path):
    files = []
    for name in KINDS:
        files.append(tmp_path / f"{name}.pdf")
        files[-1].write_bytes(export(save(tmp_path, name), page_of(1, 1) if name.startswith("one") else None))
    twice = tmp_path / "twice.pdf"
    twice.write_bytes(export(files[0]))

    report = subprocess.run(
        ["verapdf", "--format", "text", "--flavour", "2u", *files, twice], capture_output=True, text=True
    ).stdout

    assert [line for line in report.splitlines() if not line.startswith("PASS")] == []
    assert report.count("PASS") == len(KINDS) + 1
