"""Searchable PDFs, opened by PDFium: the words are back at their places, and the originals are as they were."""

from __future__ import annotations

import ctypes
import io
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from PIL import Image, ImageOps

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind
from ocr_models.io.text_layer import TextLayer, page_decoder
from ocr_models.records import TextLayerUse
from pipelines.export.exported_page import ExportedPage, exported_page
from tests.pipelines.export.pages import row
from tests.run_folders import box

pytest.importorskip("img2pdf", reason="img2pdf is in the extra export")

from pipelines.export.searchable_pdf import write_searchable_pdf

LEVEL = [[("Łódź", box(100, 100, 180, 130)), ("ſive", box(190, 100, 240, 130))], [("𝄞α", box(100, 200, 140, 230))]]


def page_of(lines: list, **columns) -> ExportedPage:
    return exported_page(row(lines, **{"width_px": 600, "height_px": 400, "dpi": 100.0, **columns}))


def write_image(path: Path, size: tuple[int, int] = (600, 400), mode: str = "L", **options) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    image.save(path, dpi=(100, 100), **options)
    return path


def write_pdf(path: Path, content: bytes = b"", **attributes) -> Path:
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(432, 288))  # 600 × 400 pixels at 100 dpi
    page.obj.Contents = pdf.make_stream(content)
    for name, value in attributes.items():
        page.obj[f"/{name}"] = value
    pdf.save(path)
    return path


def export(path: Path, kind: str, *pages: ExportedPage, keeps_all: bool = True) -> bytes:
    file = io.BytesIO()
    write_searchable_pdf(file, str(path), kind, pages, keeps_all)
    return file.getvalue()


def read_words(data: bytes, size_px: tuple[int, int], page_index: int = 0) -> dict[str, list[float]]:
    """The words of a page as PDFium finds them, with their boxes in pixels of its rendering, by text."""
    page = pdfium.PdfDocument(data)[page_index]
    text = page.get_textpage()
    words: dict[str, list[float]] = {}
    word, place = "", [np.inf, np.inf, -np.inf, -np.inf]
    for i in range(text.count_chars() + 1):
        character = chr(pdfium_c.FPDFText_GetUnicode(text, i)) if i < text.count_chars() else " "
        if character.isspace():
            if word:  # in halves of UTF-16
                words[word.encode("utf-16", "surrogatepass").decode("utf-16")] = place
            word, place = "", [np.inf, np.inf, -np.inf, -np.inf]
            continue
        word += character
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        pdfium_c.FPDFText_GetCharBox(text, i, left, right, bottom, top)
        for x, y in ((left, bottom), (right, top)):
            at = ctypes.c_int(), ctypes.c_int()
            pdfium_c.FPDF_PageToDevice(page, 0, 0, size_px[0] * 16, size_px[1] * 16, 0, x, y, *at)
            corner = [coordinate.value / 16 for coordinate in at]
            place = [*np.minimum(place[:2], corner), *np.maximum(place[2:], corner)]
    return words


def boxes_of(page: ExportedPage) -> dict[str, list[float]]:
    quads = [(word.text, np.array(word.quad).reshape(4, 2)) for line in page.lines for word in line.words]
    return {text: [*quad.min(0), *quad.max(0)] for text, quad in quads}


def check_words(data: bytes, page: ExportedPage, page_index: int = 0) -> None:
    assert page.size_px
    found, wanted = read_words(data, page.size_px, page_index), boxes_of(page)
    assert found.keys() == wanted.keys()
    for text, place in found.items():
        np.testing.assert_allclose(place, wanted[text], atol=1, err_msg=text)


def turned(degrees: float) -> list:
    """Two words on a line that is turned clockwise about the middle of the page."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    quads = (np.array([box(200, 190, 290, 220), box(300, 190, 400, 220)]).reshape(2, 4, 2) - [300, 200]) @ turn
    return [
        [
            (text, np.add(quad, [300, 200]).ravel().tolist())
            for text, quad in zip(("first", "second"), quads, strict=True)
        ]
    ]


@pytest.mark.parametrize("degrees", [0, 2, 5, 37, 88, 92, 90, 180, 265, 270])
def test_words_of_an_image_are_at_their_places_at_any_angle(degrees, tmp_path):
    page = page_of(turned(degrees))

    check_words(export(write_image(tmp_path / "a.jpg"), "image", page), page)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270, -90])
def test_words_of_a_pdf_are_at_their_places_however_its_page_is_turned_and_cut(rotate, tmp_path):
    boxes = {"MediaBox": [-20, 30, 512, 388], "CropBox": [412, 330, -20.5, 42]}  # 432 × 288 of it are shown
    path = write_pdf(tmp_path / "a.pdf", Rotate=rotate, UserUnit=2, **boxes)
    size = (400, 600) if rotate % 180 else (600, 400)
    page = page_of(turned(10), width_px=size[0], height_px=size[1])

    check_words(export(path, "pdf", page), page)


def test_attributes_that_a_page_inherits_count_and_stay(tmp_path):
    path = write_pdf(tmp_path / "a.pdf", b"BT /F 20 Tf 10 10 Td (own) Tj ET")
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        pdf.Root.Pages.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
        pdf.Root.Pages.Rotate = 180
        del pdf.pages[0].obj["/Resources"]
        pdf.save(path)
    page = page_of(LEVEL)

    data = export(path, "pdf", page)

    assert read_words(data, (600, 400)).keys() == {"own", "Łódź", "ſive", "𝄞α"}
    assert read_words(data, (600, 400))["Łódź"] == pytest.approx(boxes_of(page)["Łódź"], abs=1)


def test_text_is_invisible_and_the_picture_is_as_it_was(tmp_path):
    path = write_pdf(tmp_path / "a.pdf", b"1 0 0 rg 20 20 200 100 re f 5 0 0 5 0 0 cm q q")

    data = export(path, "pdf", page_of(LEVEL))

    before, after = (pdfium.PdfDocument(source)[0].render().to_numpy() for source in (path, data))
    np.testing.assert_array_equal(before, after)
    check_words(data, page_of(LEVEL))


@pytest.mark.parametrize(
    ("name", "options", "image_filter"),
    [
        ("a.jpg", {"quality": 80}, "DCTDecode"),
        ("a.jp2", {}, "JPXDecode"),
        ("a.tif", {"mode": "1", "compression": "group4"}, "CCITTFaxDecode"),
    ],
)
def test_images_keep_their_bytes(name, options, image_filter, tmp_path):
    path = write_image(tmp_path / name, **options)

    data = export(path, "tiff" if name == "a.tif" else "image", page_of(LEVEL))

    with pikepdf.open(io.BytesIO(data)) as pdf:
        [image] = pdf.pages[0].images.values()
        assert image_filter in repr(image.Filter) and image.read_raw_bytes() in path.read_bytes()


# 64 × 64 pixels, the left half black: a JPEG in arithmetic coding, by libjpeg-turbo; a JPEG 2000 of 1 bit, by OpenJPEG.
ARITHMETIC = bytes.fromhex(
    "ffd8ffdb00430001010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"
    "010101010101010101010101010101ffc9000b080040004001011100ffcc000600101005ffda0008010100003f00ff00f845fcc76951e26d"
    "8f558c13fbd6f4c54b3eb1d959f18727ffd9"
)
ONE_BIT = bytes.fromhex(
    "ff4fff510029000000000040000000400000000000000000000000400000004000000000000000000001000101ff52000c00000001000004"
    "040001ff5c00044008ff90000a00000000001d0001ff93d5a0115054ac9c67ec86266d97ff7fffd9"
)


@pytest.mark.parametrize(("name", "data"), [("a.jpg", ARITHMETIC), ("a.jp2", ONE_BIT)], ids=["JPEG", "JPEG 2000"])
def test_what_readers_of_pdfs_show_otherwise_is_packed(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)

    exported = export(tmp_path / name, "image", page_of(LEVEL))

    with pikepdf.open(io.BytesIO(exported)) as pdf:
        [image] = pdf.pages[0].images.values()
        pixels = np.array(pikepdf.PdfImage(image).as_pil_image().convert("L"))
    np.testing.assert_array_equal(pixels, np.repeat([[0, 255]], 32, axis=1).repeat(64, axis=0))


@pytest.mark.parametrize(
    ("name", "mode", "kind", "options"),
    [
        ("a.png", "RGB", "image", {}),
        ("a.png", "RGBA", "image", {}),
        ("a.png", "P", "image", {}),
        ("a.bmp", "L", "image", {}),
        ("a.webp", "RGB", "image", {"lossless": True}),
        ("a.tif", "RGB", "tiff", {"compression": "tiff_lzw"}),
        ("a.tif", "1", "tiff", {"compression": "group3"}),
        ("a.tif", "CMYK", "tiff", {}),
        ("a.tif", "I;16", "tiff", {}),
    ],
)
def test_other_images_lose_nothing_that_can_be_seen(name, mode, kind, options, tmp_path):
    path = tmp_path / name
    if mode == "I;16":
        Image.fromarray(np.arange(600 * 400, dtype=np.uint16).reshape(400, 600)).save(path, dpi=(100, 100))
    else:
        write_image(path, mode=mode, **options)

    data = export(path, kind, page_of(LEVEL))

    check_words(data, page_of(LEVEL))
    shown = pdfium.PdfDocument(data)[0].render(scale=100 / 72).to_numpy()
    with Image.open(path) as image:
        wanted = np.asarray(image.convert("RGB"))
    if mode not in ("RGBA", "CMYK", "I;16"):  # whose colors are computed
        assert np.abs(shown[..., ::-1].astype(int) - wanted).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_shown_upright(orientation, tmp_path):
    exif = Image.Exif()
    exif[274] = orientation
    pixels = np.full((400, 600), 255, np.uint8)
    pixels[:100, :150] = 0  # black where its rows and columns begin
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, dpi=(100, 100), quality=95)
    size = (400, 600) if orientation > 4 else (600, 400)
    page = page_of(turned(0), width_px=size[0], height_px=size[1])

    data = export(tmp_path / "a.jpg", "image", page)

    check_words(data, page)
    shown = pdfium.PdfDocument(data)[0].render(scale=100 / 72, grayscale=True).to_numpy()
    with Image.open(tmp_path / "a.jpg") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert shown.shape == upright.shape and np.abs(shown.astype(int) - upright).mean() < 1


def test_pages_of_a_tiff_and_those_that_could_not_be_decoded(tmp_path):
    noise = [np.random.default_rng(seed).integers(0, 2, (400, 600)).astype(bool) for seed in range(3)]
    frames = [Image.fromarray(pixels) for pixels in noise]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:], compression="group4", dpi=(100, 100))
    pages = [page_of(turned(index), page_index=index) for index in range(3)]
    pages[1] = page_of([], page_index=1, width_px=None, height_px=None)

    data = export(tmp_path / "a.tif", "tiff", *pages)

    assert len(pdfium.PdfDocument(data)) == 2
    check_words(data, pages[0], 0)
    check_words(data, pages[2], 1)
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for index, pixels in enumerate((noise[0], noise[2])):
            [image] = pdf.pages[index].images.values()
            np.testing.assert_array_equal(np.asarray(pikepdf.PdfImage(image).as_pil_image()), pixels)


@pytest.mark.parametrize("source", ["text_layer", "hidden_text"])
def test_a_page_whose_words_are_its_own_gets_no_second_layer(source, tmp_path):
    path = write_pdf(tmp_path / "a.pdf")

    data = export(path, "pdf", page_of(LEVEL, text_source=source))

    assert read_words(data, (600, 400)) == {}


# PDFium's boxes of characters are level, so that those of slanted words are too long.
@pytest.mark.parametrize(("degrees", "within_px"), [(0, 1.5), (90, 1.5), (5, 10)])
def test_a_run_can_keep_what_was_hidden(degrees, within_px, tmp_path):
    page = page_of(turned(degrees))
    pixels = np.full((400, 600), 255, np.uint8)
    for x0, y0, x1, y1 in np.round(list(boxes_of(page).values())).astype(int):
        pixels[y0:y1, x0:x1][:, ::6] = 0
        pixels[y0:y1, x0:x1][:, 1::6] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png", dpi=(100, 100))
    (tmp_path / "a.pdf").write_bytes(export(tmp_path / "a.png", "image", page))

    layer = page_decoder(str(tmp_path / "a.pdf"), DocumentKind.PDF, 100.0, use=TextLayerUse.HIDDEN)(0)

    assert isinstance(layer, TextLayer) and layer.source == "hidden_text"
    assert layer.texts == ("first", "second")
    wanted = np.array([word.quad for line in page.lines for word in line.words]).reshape(-1, 4, 2)
    np.testing.assert_allclose(layer.quads, wanted, atol=within_px)


def test_the_invisible_text_of_another_tool_is_replaced(tmp_path):
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
    path = write_pdf(tmp_path / "a.pdf", Resources=resources)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        form = pdf.make_stream(b"BT 3 Tr /F 9 Tf 50 150 Td (form) Tj ET")
        form.update(pikepdf.Dictionary(Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form, BBox=[0, 0, 432, 288]))
        form.Resources = resources
        content = b"q BT 3 Tr /F 9 Tf 9 9 Td (old) Tj ET Q BT /F 9 Tf 50 50 Td (seen) Tj ET /Form Do"
        pdf.pages[0].Contents = pdf.make_stream(content)
        pdf.pages[0].Resources.XObject = pikepdf.Dictionary(Form=form)
        pdf.save(path)

    assert read_words(path.read_bytes(), (600, 400)).keys() == {"old", "seen", "form"}
    assert read_words(export(path, "pdf", page_of(LEVEL)), (600, 400)).keys() == {"Łódź", "ſive", "𝄞α", "seen"}


def test_only_wanted_pages_of_a_pdf(tmp_path):
    pdf = pikepdf.new()
    for _ in range(4):
        pdf.add_blank_page(page_size=(432, 288))
    pdf.save(tmp_path / "a.pdf")
    page = page_of(LEVEL, page_index=2)

    every, one = (export(tmp_path / "a.pdf", "pdf", page, keeps_all=keeps_all) for keeps_all in (True, False))

    assert (len(pdfium.PdfDocument(every)), len(pdfium.PdfDocument(one))) == (4, 1)
    check_words(every, page, 2)
    check_words(one, page)


def test_the_same_export_has_the_same_bytes(tmp_path):
    path = write_image(tmp_path / "a.jpg")

    assert export(path, "image", page_of(LEVEL)) == export(path, "image", page_of(LEVEL))


@pytest.mark.parametrize(
    ("kind", "page", "why"),
    [
        ("pdf", page_of(LEVEL), "broken"),
        ("tfrecord", page_of(LEVEL), "TFRecord"),
        ("image", page_of([], width_px=None, height_px=None), "none of its pages could be decoded"),
    ],
)
def test_what_can_not_be_exported_says_why(kind, page, why, tmp_path):
    (tmp_path / "a").write_bytes(b"neither")

    with pytest.raises(DocumentError, match=why):
        export(tmp_path / "a", kind, page)
