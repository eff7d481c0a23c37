"""JPEG 2000 images in PDFs without /BitsPerComponent, which PDFium shows in black or white."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image

from ocr_models.io.documents import DocumentKind, page_renderer
from ocr_models.io.pdf_images import open_with_qpdf, page_with_stated_bits

RAMP = np.tile(np.arange(40, 232, 4, dtype=np.uint8), (40, 1))  # (40, 48), from dark to light without black and white
HEIGHT, WIDTH = RAMP.shape
GRAY = {"/ColorSpace": Name.DeviceGray}
BLACK_INK = Array(
    [Name.Separation, Name.Black, Name.DeviceGray, Dictionary(FunctionType=2, Domain=[0, 1], C0=[1], C1=[0], N=1)]
)
INVERTING = Array([Name.Indexed, Name.DeviceGray, 255, pikepdf.String(bytes(range(255, -1, -1)))])
CALIBRATED = Array([Name.CalGray, Dictionary(WhitePoint=[0.9505, 1, 1.089], Gamma=1)])


def image_of(pdf: pikepdf.Pdf, pixels: np.ndarray, entries: dict[str, object]) -> pikepdf.Object:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG2000")  # without loss
    stream = pikepdf.Stream(pdf, file.getvalue(), Type=Name.XObject, Subtype=Name.Image, Filter=Name.JPXDecode)
    stream.Height, stream.Width = pixels.shape[:2]
    for key, value in entries.items():
        stream[key] = value
    return pdf.make_indirect(stream)


def form_of(pdf: pikepdf.Pdf, image: pikepdf.Object) -> pikepdf.Object:
    form = pikepdf.Stream(pdf, b"/X Do", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 1, 1])
    form.Resources = Dictionary(XObject=Dictionary(X=image))
    return pdf.make_indirect(form)


def field_of(pdf: pikepdf.Pdf, page: pikepdf.Page) -> pikepdf.Object:
    """A field of a form, filled in with black, in the lower left corner."""
    black = pikepdf.Stream(pdf, b"0 g 0 0 20 10 re f", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 20, 10])
    field = Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T="name", V="x", F=4, Rect=[0, 0, 20, 10])
    field.P, field.AP = page.obj, Dictionary(N=pdf.make_indirect(black))
    return pdf.make_indirect(field)


def rendered(path, drawn: Callable[[pikepdf.Pdf], pikepdf.Object], content: str = "/X Do", switched_off: bool = False):
    """The second of two pages, on which ``/X`` fills the whole page."""
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(WIDTH, HEIGHT))
    page = pdf.add_blank_page(page_size=(WIDTH, HEIGHT))
    page.obj.Resources = Dictionary(XObject=Dictionary(X=drawn(pdf)))
    page.obj.Contents = pdf.make_stream(f"{WIDTH} 0 0 {HEIGHT} 0 0 cm {content}".encode())
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Draft"))
    page.obj.Resources.Properties = Dictionary(Draft=layer)
    pdf.Root.OCProperties = Dictionary(OCGs=[layer], D=Dictionary(OFF=[layer] if switched_off else []))
    pdf.save(path)
    return page_renderer(str(path), DocumentKind.PDF, dpi=72)(1).pixels


@pytest.mark.parametrize(
    ("entries", "is_inverted"),
    [
        (GRAY, False),
        ({"/ColorSpace": CALIBRATED}, False),
        ({"/ColorSpace": BLACK_INK}, True),
        ({"/ColorSpace": INVERTING}, True),
        (GRAY | {"/Decode": Array([1, 0])}, True),
        (GRAY | {"/Decode": Array([1, 0]), "/BitsPerComponent": 8}, True),
    ],
    ids=["gray", "calibrated", "separation", "palette", "inverted", "inverted, with bits"],
)
@pytest.mark.parametrize("wrap", [lambda pdf, image: image, form_of], ids=["on the page", "in a form"])
def test_an_image_without_bits_is_shown_as_it_is(tmp_path, entries, is_inverted, wrap):
    pixels = rendered(tmp_path / "a.pdf", lambda pdf: wrap(pdf, image_of(pdf, RAMP, entries)))

    np.testing.assert_allclose(pixels, 255 - RAMP if is_inverted else RAMP, atol=3)


def test_a_soft_mask_without_bits_is_applied(tmp_path):
    black, mask = np.zeros_like(RAMP), GRAY | {"/Decode": Array([1, 0])}

    pixels = rendered(
        tmp_path / "a.pdf", lambda pdf: image_of(pdf, black, GRAY | {"/SMask": image_of(pdf, RAMP, mask)})
    )

    np.testing.assert_allclose(pixels, RAMP, atol=3)  # what is 1 - v opaque leaves v of the white


def test_layers_that_are_switched_off_stay_so(tmp_path):
    content = "/OC /Draft BDC 0 g 0 0 1 1 re f EMC q 1 0 0 0.5 0 0 cm /X Do Q"

    for switched_off, above in ((True, 255), (False, 0)):
        pixels = rendered(
            tmp_path / "a.pdf", lambda pdf: image_of(pdf, RAMP, {"/ColorSpace": CALIBRATED}), content, switched_off
        )
        assert (pixels[: HEIGHT // 2 - 1] == above).all() and np.ptp(pixels[HEIGHT // 2 + 1 :]) > 150


def test_fields_of_forms_are_shown(tmp_path):
    rendered(tmp_path / "a.pdf", lambda pdf: image_of(pdf, RAMP, GRAY))
    with pikepdf.open(tmp_path / "a.pdf", allow_overwriting_input=True) as pdf:
        fields = Array([field_of(pdf, page) for page in pdf.pages])
        for page, field in zip(pdf.pages, fields, strict=True):
            page.obj.Annots = Array([field])
        pdf.Root.AcroForm = Dictionary(Fields=fields)
        pdf.save()

    pixels = page_renderer(str(tmp_path / "a.pdf"), DocumentKind.PDF, dpi=72)(1).pixels

    assert (pixels[-10:, :20] == 0).all() and (pixels[:-10] > 0).all()


@pytest.mark.parametrize("objects", [5, Dictionary(X=5), Dictionary(X=Dictionary(Subtype=Name.Form, Resources=5))])
def test_odd_resources_are_passed_over(tmp_path, objects):
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(WIDTH, HEIGHT))
    page.obj.Resources, page.obj.Contents = Dictionary(XObject=objects), pdf.make_stream(b"0 g 0 0 9 9 re f /X Do")
    pdf.save(tmp_path / "a.pdf")

    pixels = page_renderer(str(tmp_path / "a.pdf"), DocumentKind.PDF, dpi=72)(0).pixels

    assert (pixels[-9:, :9] == 0).all()


def test_only_pages_that_need_it_are_copied(tmp_path):
    rendered(tmp_path / "a.pdf", lambda pdf: image_of(pdf, RAMP, GRAY))
    source = pikepdf.open(tmp_path / "a.pdf")

    assert page_with_stated_bits(source, 0) is None and page_with_stated_bits(source, 2) is None
    with pikepdf.open(io.BytesIO(page_with_stated_bits(source, 1) or b"")) as copy:
        assert len(copy.pages) == 1 and copy.pages[0].resources.XObject.X.BitsPerComponent == 8
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7")
    assert open_with_qpdf(str(tmp_path / "broken.pdf")) is None


@pytest.mark.parametrize("has_own", [True, False])
def test_a_copy_has_only_the_images_that_its_page_draws(tmp_path, has_own):
    pdf = pikepdf.new()
    images = [image_of(pdf, np.full_like(RAMP, value), GRAY) for value in (50, 100, 150)]
    form = form_of(pdf, images[2])
    if not has_own:
        del form.Resources
    shared = pdf.make_indirect(Dictionary(XObject=Dictionary(X=images[0], Y=images[1], F=form)))
    for name in "XY":
        page = pdf.add_blank_page(page_size=(WIDTH, HEIGHT))
        content = f"{WIDTH} 0 0 {HEIGHT} 0 0 cm /{name} Do".encode()
        page.obj.Resources, page.obj.Contents = shared, pdf.make_stream(content)
    pdf.save(tmp_path / "a.pdf")
    source = pikepdf.open(tmp_path / "a.pdf")

    copies = [pikepdf.open(io.BytesIO(page_with_stated_bits(source, index) or b"")) for index in (0, 1, 0)]

    all_objects = {"/X", "/Y", "/F"}
    assert [set(copy.pages[0].resources.XObject.keys()) for copy in copies] == (
        [{"/X"}, {"/Y"}, {"/X"}] if has_own else [all_objects] * 3
    )
    render = page_renderer(str(tmp_path / "a.pdf"), DocumentKind.PDF, dpi=72)
    assert [int(render(index).pixels[20, 20]) for index in (0, 1)] == [50, 100]
