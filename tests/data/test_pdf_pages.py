"""Pages in Helvetica at 12 points, rendered at 144 dpi: two pixels per point, words 24 pixels high."""

from __future__ import annotations

import gzip

import cv2
import numpy as np
import pytest

from ocr_models.data.pdf_pages import find_pdfs, open_pdf, read_pdf_page
from ocr_models.errors import DocumentError
from ocr_models.io.pdf_text import open_pdf_page
from tests.text_pdfs import prose, set_text, stream, write_text_pdf

DPI = 144
PROSE = prose(1)
CLIP = "q 40 100 100 20 re W n"
# A layer that is switched off, as arguments of write_text_pdf.
LAYER = (
    "/Resources<</Font<</F1 3 0 R>>/Properties<</Off 6 0 R>>>>",
    "/OCProperties<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>",
    ["<</Type/OCG/Name(Draft)>>"],
)


def truth_of(tmp_path, content, *entries):
    document = open_pdf(write_text_pdf(tmp_path / "page.pdf", [content], *entries))
    return read_pdf_page(open_pdf_page(document, 0), DPI)


def torn(text):
    """Separates all letters, as text layers do in letterspaced words."""
    return "\n".join(" ".join(line.replace(" ", "")) for line in text.splitlines())


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return truth_of(tmp_path_factory.mktemp("pdf"), set_text(PROSE))


def test_words_of_the_text_layer_come_out(truth):
    assert list(truth.texts) == PROSE.split()
    assert not truth.ignore.any()
    assert truth.image.shape == (2 * 595, 2 * 420) and truth.image.dtype == np.uint8
    assert truth.quads.shape == (140, 4, 2) and truth.quads.dtype == np.float32


def test_boxes_stand_on_their_baseline(truth):
    # The first baseline is at 540 points of 595, (595 - 540) * 2 = 110 pixels from the top, the second 18 points lower.
    # 0.76 em above it: 110 - 0.76 * 24 = 91.76; 0.24 em below it: 110 + 0.24 * 24 = 115.76.
    np.testing.assert_allclose(truth.quads[0, :, 1], [91.76, 91.76, 115.76, 115.76], atol=0.01)
    np.testing.assert_allclose(truth.quads[7, :, 1], [127.76, 127.76, 151.76, 151.76], atol=0.01)


def test_boxes_cover_the_ink_and_end_with_it(truth):
    covered = np.zeros_like(truth.image)
    for quad in truth.quads:
        (left, top), (right, bottom) = np.floor(quad[0]).astype(int), np.ceil(quad[2]).astype(int)
        covered[top:bottom, left:right] = 255
        ink = np.flatnonzero((truth.image[top:bottom, left:right] < 128).any(axis=0))
        assert ink[0] <= 2 and ink[-1] >= right - left - 3
    assert (truth.image[cv2.dilate(covered, np.ones((3, 3))) == 0] > 128).all()


def test_texts_are_written_as_in_the_charset(tmp_path):
    # In the encoding of PDFs \x93 and \x94 are quotes, \x96 is a dash.
    truth = truth_of(tmp_path, set_text("soft\xadhyphen \x93na\xefve\x94 1\x962\n" + PROSE))
    assert truth.texts[:3] == ("soft-hyphen", "“naïve”", "1–2")


def test_hyphens_that_are_tagged_as_soft_are_taught_as_printed(tmp_path):
    tagged = "BT /F1 12 Tf 40 560 Td (inter) Tj /Span <</ActualText <FEFF00AD>>> BDC (-) Tj EMC 0 -18 Td (leaved) Tj ET"
    truth = truth_of(tmp_path, f"{tagged} {set_text(PROSE, y=510)}")
    assert truth.texts[:2] == ("inter-", "leaved")


@pytest.mark.parametrize("hyphen", ["-", "\xad"])
def test_hyphens_at_the_ends_of_lines_are_taught_as_printed(tmp_path, hyphen):
    truth = truth_of(tmp_path, set_text(f"written in a ledger be{hyphen}\nfore noon, read by inter{hyphen}\n{PROSE}"))
    assert truth.texts[4:6] == ("be-", "fore") and truth.texts[9] == "inter-"
    assert not truth.ignore.any()


def test_text_for_screen_readers_is_not_taught_as_printed(tmp_path):
    printed = "BT /F1 12 Tf 40 560 Td (The ) Tj /Span <</ActualText (Doctor)>> BDC (Dr.) Tj EMC ( Smith) Tj ET"
    truth = truth_of(tmp_path, f"{printed}\n{set_text(PROSE)}")
    assert truth.texts[:3] == ("The", "", "Smith")
    assert truth.ignore[:3].tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("content", "page_entries", "reason"),
    [
        (set_text(torn(PROSE)), "", "torn"),
        (set_text("Just a few words"), "", "4 words"),
        ("", "", "0 words"),
        (set_text(PROSE), "/Rotate 90", "turned by 90 degrees"),
        (set_text(PROSE), "/CropBox[20 20 400 575]", r"begins at \(20, 20\)"),
    ],
    ids=["torn", "few words", "empty", "turned", "cropped"],
)
def test_page_that_misleads_or_teaches_nothing_is_refused(tmp_path, content, page_entries, reason):
    with pytest.raises(DocumentError, match=reason) as caught:
        truth_of(tmp_path, content, page_entries)
    assert caught.value.stage == "label"


@pytest.mark.parametrize(
    "content",
    [
        "BT 0.9 g /F1 12 Tf 40 100 Td (faint) Tj ET",
        f"{CLIP} BT /F1 12 Tf 40 94 Td (halved) Tj ET Q",
        "BT /F1 12 Tf 390 100 Td (leaving) Tj ET",
        "BT /F1 12 Tf 0.9 0.44 -0.44 0.9 40 100 Tm (slanted) Tj ET",
        "BT /F1 12 Tf 40 100 Td (........) Tj ET",
    ],
    ids=["faint", "clipped", "off the page", "slanted", "leaders"],
)
def test_words_that_teach_nothing_are_ignored(tmp_path, content):
    truth = truth_of(tmp_path, f"{set_text(PROSE)}\n{content}")
    assert list(truth.texts) == [*PROSE.split(), ""]
    assert truth.ignore.tolist() == [False] * 140 + [True]


@pytest.mark.parametrize(
    "content",
    [
        "BT 3 Tr /F1 12 Tf 40 100 Td (hidden) Tj ET",
        "BT 1 g /F1 12 Tf 40 100 Td (white) Tj ET",
        f"{CLIP} BT /F1 12 Tf 40 140 Td (clipped) Tj ET Q",
        "BT /F1 12 Tf 40 700 Td (beyond) Tj 40 -900 Td (below) Tj ET",
        "BT /F1 12 Tf 40 100 Td (covered) Tj ET 1 g 30 90 100 30 re f 0 g",
        "/OC /Off BDC BT /F1 12 Tf 40 100 Td (switched) Tj ET EMC",
    ],
    ids=["invisible", "white", "clipped", "off the page", "covered", "switched off"],
)
def test_words_that_nobody_sees_are_left_out(tmp_path, content):
    truth = truth_of(tmp_path, f"{set_text(PROSE)}\n{content}", *LAYER)
    assert list(truth.texts) == PROSE.split() and not truth.ignore.any()


def test_words_covered_by_a_picture_are_left_out(tmp_path):
    picture = "q 100 0 0 50 30 90 cm BI /W 2 /H 2 /CS /G /BPC 8 ID abcd EI Q"
    truth = truth_of(tmp_path, f"{set_text(PROSE)}\nBT /F1 12 Tf 40 100 Td (covered) Tj ET {picture}")
    assert list(truth.texts) == [*PROSE.split(), ""]  # the picture


def test_text_under_that_of_a_hidden_layer_is_kept(tmp_path):
    """A PDF in two languages, of which one is switched off, and a scan's own text under what was typed over it."""
    other = "\n".join(" ".join(reversed(line.split())) for line in PROSE.splitlines())
    content = f"/OC /Off BDC {set_text(other)} EMC\n{set_text(PROSE)}\n3 Tr {set_text(other)}"
    truth = truth_of(tmp_path, content, *LAYER)
    assert list(truth.texts) == PROSE.split() and not truth.ignore.any()


def test_text_printed_twice_is_kept(tmp_path):
    """As bold type is sometimes made."""
    lines = [(line, 540 - 18 * i) for i, line in enumerate(PROSE.splitlines())]
    truth = truth_of(tmp_path, "\n".join(set_text(line, x, y) for line, y in lines for x in (40, 40.2)))
    assert list(truth.texts) == PROSE.split() and not truth.ignore.any()


def test_scan_with_invisible_text_is_refused(tmp_path):
    scan = "q 420 0 0 595 0 0 cm BI /W 2 /H 2 /CS /G /BPC 8 ID abcd EI Q"
    with pytest.raises(DocumentError, match="0 words that are seen, of 140, fewer than 20"):
        truth_of(tmp_path, f"{scan}\n3 Tr {set_text(PROSE)}")


@pytest.mark.parametrize("appearance", ["", "/AP<</N 7 0 R>>"], ids=["value", "appearance"])
def test_form_fields_and_comments_are_in_the_truth(tmp_path, appearance):
    form = "/AcroForm<</Fields[6 0 R]/NeedAppearances true/DR<</Font<</F1 3 0 R>>>>/DA(/F1 12 Tf 0 g)>>"
    box = "/Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F1 3 0 R>>>>"
    objects = [
        f"<</Subtype/Widget/FT/Tx/T(ship)/V(Aurora)/F 4/Rect[40 100 240 120]/DA(/F1 12 Tf 0 g){appearance}>>",
        stream("/Tx BMC BT /F1 12 Tf 2 5 Td (Aurora) Tj ET EMC", box),
        "<</Subtype/FreeText/Contents(arrived)/F 4/Rect[40 60 240 80]/AP<</N 9 0 R>>>>",
        stream("BT /F1 12 Tf 2 5 Td (arrived) Tj ET", box),
    ]
    truth = truth_of(tmp_path, set_text(PROSE), "/Annots[6 0 R 8 0 R]", form, objects)
    assert list(truth.texts) == [*PROSE.split(), "Aurora", "arrived"] and not truth.ignore.any()
    for quad, y in ((truth.quads[-2], 105), (truth.quads[-1], 65)):
        np.testing.assert_allclose(quad[0], [84, 2 * (595 - y - 0.76 * 12)], atol=4)
        (x0, y0), (x1, y1) = quad[0].astype(int), quad[2].astype(int)
        assert truth.image[y0:y1, x0:x1].min() < 64


def test_page_with_a_comment_keeps_a_size_that_it_inherits(tmp_path):
    path = write_text_pdf(tmp_path / "page.pdf", [set_text(PROSE)], "/Annots[<</Subtype/Link/Rect[40 500 99 520]>>]")
    size = b"/MediaBox[0 0 420 595]"
    path.write_bytes(path.read_bytes().replace(size, b"").replace(b"/Type/Pages", b"/Type/Pages" + size))
    truth = read_pdf_page(open_pdf_page(open_pdf(path), 0), DPI)
    assert truth.image.shape == (2 * 595, 2 * 420) and list(truth.texts) == PROSE.split()


def test_pictures_are_ignored_regions(tmp_path):
    picture = "q 100 0 0 50 40 100 cm BI /W 2 /H 2 /CS /G /BPC 8 ID abcd EI Q"
    truth = truth_of(tmp_path, f"{set_text(PROSE)}\n{picture}")
    # 100 by 50 points from (40, 100) up: at y from (595 - 150) * 2 = 890 to (595 - 100) * 2 = 990.
    np.testing.assert_allclose(truth.quads[-1], [[80, 890], [280, 890], [280, 990], [80, 990]], atol=0.01)
    assert truth.ignore[-1] and truth.texts[-1] == ""


def test_pdfs_are_found_in_order_gzipped_ones_too(tmp_path):
    (tmp_path / "deep").mkdir()
    content = write_text_pdf(tmp_path / "b.pdf", [set_text(PROSE)]).read_bytes()
    (tmp_path / "deep" / "a.pdf.gz").write_bytes(gzip.compress(content))
    (tmp_path / "link.pdf").symlink_to(tmp_path / "b.pdf")
    (tmp_path / "notes.txt").write_text("no PDF")
    paths = find_pdfs([str(tmp_path)])
    assert [path.name for path in paths] == ["b.pdf", "a.pdf.gz"]
    first, second = (read_pdf_page(open_pdf(path)[0], 72) for path in paths)
    assert first.texts == second.texts
