"""Text layers of A5 pages, good and awkward ones: whether they are taken, with which words, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import ocr_models.io.text_layer as module
from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind, page_renderer
from ocr_models.io.text_layer import TextLayer, page_decoder
from ocr_models.records import TextLayerUse, TextSource
from tests.text_pdfs import picture_of, prose, set_text, stream, write_text_pdf

DPI = 144
PROSE = prose(1)
WORDS = PROSE.split()
BODY = set_text(PROSE)
FORM = "/AcroForm<</Fields[6 0 R]/NeedAppearances true/DR<</Font<</F1 3 0 R>>>>/DA(/F1 12 Tf 0 g)>>"
SWITCHED_OFF = (
    "/Resources<</Font<</F1 3 0 R>>/Properties<</Off 6 0 R>>>>",
    "/OCProperties<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>",
    ("<</Type/OCG/Name(Draft)>>",),
)


@dataclass(frozen=True)
class Case:
    """A page, by the arguments of write_text_pdf, and the words that are taken from its layer; None if it is read."""

    name: str
    content: str
    words: list[str] | None
    page_entries: str = ""
    catalog_entries: str = ""
    more_objects: tuple[str, ...] = ()


def mapped_font(characters: dict[str, int], entries: str = "") -> tuple[str, str, tuple[str, ...]]:
    """Arguments for a page with a font /F2: Helvetica, whose codes a table maps to other characters, or to none."""
    lines = "\n".join(f"<{ord(code):02x}> <{to:04x}>" for code, to in characters.items())
    table = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /T def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <ff> endcodespacerange\n{len(characters)} beginbfchar\n{lines}\nendbfchar\n"
        "endcmap end end"
    )
    font = f"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 7 0 R{entries}>>"
    return "/Resources<</Font<</F1 3 0 R/F2 6 0 R>>>>", "", (font, stream(table))


def shifted(first: int) -> dict[str, int]:
    """The letters from a to z as consecutive characters of another script, or of none."""
    return {chr(ord("a") + i): first + i for i in range(26)}


def as_shifted(text: str, first: int) -> str:
    return text.translate({ord(a): b for a, b in shifted(first).items()})


def outlines_of(pixels: np.ndarray, x: float, y: float, scale: float) -> str:
    """Content that draws the dark pixels as filled paths, ``scale`` points each, from the top left corner."""
    paths = []
    for row, column in zip(*np.nonzero(pixels < 128), strict=True):
        paths.append(f"{x + column * scale:.2f} {y - row * scale:.2f} {scale:.2f} {scale:.2f} re")
    return "\n".join(paths) + " f"


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Twenty lines of text as they are printed, at 144 dpi."""
    path = write_text_pdf(tmp_path_factory.mktemp("printed") / "a.pdf", [set_text(prose(7))])
    return page_renderer(str(path), DocumentKind.PDF, DPI)(0).pixels


def taken(tmp_path, case: Case, use=TextLayerUse.AUTO):
    """The layer of a page, or None, and its pixels."""
    path = write_text_pdf(
        tmp_path / "page.pdf", [case.content], case.page_entries, case.catalog_entries, case.more_objects
    )
    content = page_decoder(str(path), DocumentKind.PDF, DPI, use=use)(0)
    pixels = page_renderer(str(path), DocumentKind.PDF, DPI)(0).pixels
    if isinstance(content, TextLayer):
        return content, pixels
    assert np.array_equal(content.pixels, pixels)  # looking at its layer doesn't change how a page is rendered
    return None, pixels


GREEK, HEBREW, PRIVATE = 0x3B1, 0x5D0, 0xE000
NOTE = "BT /F1 12 Tf 0 1 -1 0 30 200 Tm (margin note) Tj ET"
LETTERSPACED = set_text(PROSE).replace("BT", "BT 9 Tc")

CASES = [
    Case("prose", BODY, WORDS),
    Case("empty page", "", []),
    Case("ligatures", f"BT /F2 12 Tf 40 562 Td (o#ce) Tj ET {BODY}", ["office", *WORDS], *mapped_font({"#": 0xFB03})),
    Case("Greek", BODY.replace("/F1", "/F2"), as_shifted(PROSE, GREEK).split(), *mapped_font(shifted(GREEK))),
    # What is drawn from the left to the right is the other way round in the layer.
    Case("Hebrew", BODY.replace("/F1", "/F2"), as_shifted(PROSE, HEBREW)[::-1].split(), *mapped_font(shifted(HEBREW))),
    Case("private use", BODY.replace("/F1", "/F2"), None, *mapped_font(shifted(PRIVATE))),
    Case("replacement characters", BODY.replace("/F1", "/F2"), None, *mapped_font(dict.fromkeys(shifted(0), 0xFFFD))),
    Case(
        "a bullet of private use",
        f"BT /F2 12 Tf 20 540 Td (#) Tj ET {BODY}",
        WORDS,
        *mapped_font({"#": 0xF0B7}),
    ),
    Case("letterspaced page", LETTERSPACED, None),
    Case("letterspaced word", f"BT 9 Tc /F1 12 Tf 40 565 Td (word) Tj 0 Tc ET {BODY}", ["w", "o", "r", "d", *WORDS]),
    Case(
        "hyphen at the end of a line",
        set_text(f"a ledger be-\nfore noon\n{PROSE}"),
        ["a", "ledger", "be-", "fore", "noon", *WORDS],
    ),
    Case(
        "soft hyphen at the end of a line",
        set_text(f"a ledger be\xad\nfore noon\n{PROSE}"),
        ["a", "ledger", "be-", "fore", "noon", *WORDS],
    ),
    Case("bold by printing twice", "\n".join(set_text(PROSE, x) for x in (40, 40.3)), WORDS),
    Case("shadow", "\n".join(set_text(PROSE, x, y) for x, y in ((40, 540), (41, 539))), WORDS),
    Case("note on the margin, turned", f"{BODY} {NOTE}", [*WORDS, "margin", "note"]),
    Case("page turned by 90 degrees", BODY, WORDS, "/Rotate 90"),
    Case("page turned by 180 degrees", BODY, WORDS, "/Rotate 180"),
    Case("page turned by 270 degrees", BODY, WORDS, "/Rotate 270"),
    Case("crop box", BODY, WORDS, "/CropBox[20 30 410 590]"),
    Case("crop box of a turned page", BODY, WORDS, "/CropBox[20 30 410 590]/Rotate 90"),
    Case("user unit", BODY, WORDS, "/UserUnit 1.5"),
    Case("hidden under a scan", f"SCAN 3 Tr {BODY}", None),
    Case("covered by a scan", f"{BODY} SCAN", None),
    Case("hidden on an empty page", f"3 Tr {BODY}", None),
    Case("white on white", f"{BODY} BT 1 g /F1 12 Tf 40 100 Td (white) Tj ET", WORDS),
    Case("white on black", f"{BODY} 0 g 30 90 100 30 re f BT 1 g /F1 12 Tf 40 100 Td (white) Tj ET", [*WORDS, "white"]),
    Case("covered by a shape", f"{BODY} BT /F1 12 Tf 40 100 Td (under) Tj ET 1 g 30 90 100 30 re f", WORDS),
    Case("clipped", f"{BODY} q 40 100 100 20 re W n BT /F1 12 Tf 40 140 Td (clipped) Tj ET Q", WORDS),
    Case("off the page", f"{BODY} BT /F1 12 Tf 40 700 Td (beyond) Tj 0 -900 Td (below) Tj ET", WORDS),
    Case("switched off", f"{BODY} /OC /Off BDC BT /F1 12 Tf 40 100 Td (draft) Tj ET EMC", WORDS, *SWITCHED_OFF),
    Case(
        "filled form field",
        BODY,
        [*WORDS, "Aurora"],
        "/Annots[6 0 R]",
        FORM,
        ("<</Subtype/Widget/FT/Tx/T(ship)/V(Aurora)/F 4/Rect[40 100 240 120]/DA(/F1 12 Tf 0 g)>>",),
    ),
    Case("picture with text", f"{BODY} HALF", None),
    Case("picture without text", f"{BODY} PHOTO", WORDS),
    Case("letters drawn as outlines", f"{BODY} OUTLINES", None),
    Case("only outlines", "OUTLINES", None),
    Case("ruled table", f"{BODY} GRID", WORDS),
    Case(
        "text for screen readers",
        f"BT /F1 12 Tf 40 562 Td /Span <</ActualText (Doctor)>> BDC (Dr.) Tj EMC ( Smith) Tj ET {BODY}",
        ["Doctor", "Smith", *WORDS],
    ),
    Case(
        "dots of a leader",
        f"{BODY} BT /F1 10 Tf 40 562 Td (Preface {'. ' * 60}7) Tj ET",
        ["Preface", *"." * 60, "7", *WORDS],
    ),
    Case(
        "beside the page, where text is cut off",
        f"{BODY} BT /F1 12 Tf 390 562 Td (MMMM) Tj 31 7 Td (.) Tj ET",
        ["MMMM", *WORDS],
    ),
    Case("glyph of a zero-width space", f"{BODY} BT /F2 12 Tf 40 562 Td (a) Tj ET", WORDS, *mapped_font({"a": 0x200B})),
    Case("watermark", f"{BODY} BT 0.8 g /F1 30 Tf 0.7 0.7 -0.7 0.7 60 40 Tm (DRAFT) Tj ET", [*WORDS, "DRAFT"]),
]


def drawn(case: Case, printed: np.ndarray) -> Case:
    """The case with its pictures."""
    scan, half = picture_of(printed), picture_of(printed[100:300], "400 0 0 100 10 40")
    photo = np.random.default_rng(1).normal(128, 9, (60, 90)).clip(0, 255).astype(np.uint8)
    grid = "\n".join(f"40 {y} m 380 {y} l S" for y in range(60, 160, 20))
    grid += "\n" + "\n".join(f"{x} 60 m {x} 140 l S" for x in range(40, 400, 34))
    content = (
        case.content.replace("SCAN", scan)
        .replace("HALF", half)
        .replace("PHOTO", picture_of(photo, "200 0 0 100 10 40"))
        .replace("OUTLINES", outlines_of(printed[100:300], 10, 140, 0.5))
        .replace("GRID", grid)
    )
    return Case(case.name, content, case.words, case.page_entries, case.catalog_entries, case.more_objects)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_layer_is_taken_if_it_says_what_is_printed(tmp_path, printed, case):
    layer, pixels = taken(tmp_path, drawn(case, printed))
    if case.words is None:
        assert layer is None
        return
    assert layer is not None
    assert sorted(layer.texts) == sorted(case.words)  # PDFium has an order of its own
    assert (layer.height_px, layer.width_px) == pixels.shape
    assert layer.quads.shape == (len(case.words), 4, 2) and layer.quads.dtype == np.float32


SCANS = [
    Case("scan with hidden text", f"SCAN 3 Tr {set_text(prose(7))}", prose(7).split()),
    Case(
        "and a number that is seen",
        f"SCAN 3 Tr {set_text(prose(7))} 0 Tr BT /F1 12 Tf 200 30 Td (17) Tj ET",
        [*prose(7).split(), "17"],
    ),
    Case("turned", f"SCAN 3 Tr {set_text(prose(7))}", prose(7).split(), "/Rotate 90"),
    Case(
        "hidden text beside the page", f"SCAN 3 Tr {set_text(prose(7))} BT 430 500 Td (beyond) Tj ET", prose(7).split()
    ),
    Case("hidden text for a sixth of a scan", f"SCAN 3 Tr {set_text(chr(10).join(prose(7).splitlines()[:3]))}", None),
    Case(
        "hidden text of private use",
        f"SCAN 3 Tr {set_text(prose(7)).replace('/F1', '/F2')}",
        None,
        *mapped_font(shifted(PRIVATE)),
    ),
    Case("scan without hidden text", "SCAN", None),
    Case("hidden on an empty page", f"3 Tr {BODY}", None),
]


@pytest.mark.parametrize("case", SCANS, ids=lambda case: case.name)
def test_hidden_text_is_taken_if_asked_for_and_if_it_covers_most_of_a_scan(tmp_path, printed, case):
    case = drawn(case, printed)
    assert taken(tmp_path, case)[0] is None
    layer, pixels = taken(tmp_path, case, TextLayerUse.HIDDEN)
    if case.words is None:
        assert layer is None
        return
    assert layer is not None and layer.source == TextSource.HIDDEN_TEXT
    assert sorted(layer.texts) == sorted(case.words)
    assert (layer.height_px, layer.width_px) == pixels.shape


@pytest.mark.parametrize("case", [case for case in CASES if case.words is not None], ids=lambda case: case.name)
def test_what_is_seen_comes_before_what_is_hidden(tmp_path, printed, case):
    layer, _ = taken(tmp_path, drawn(case, printed), TextLayerUse.HIDDEN)
    assert layer is not None and layer.source == TextSource.TEXT_LAYER
    assert sorted(layer.texts) == sorted(case.words)


def test_accents_that_stand_apart_are_made_one_with_their_letters(tmp_path):
    # Helvetica's "e" is 0.556 em wide, its acute 0.333, its cedilla 0.333: TeX moves back to put one over the other.
    content = (
        "BT /F1 12 Tf 40 560 Td [(caf\xb4) 445 (e) ] TJ 0 -20 Td [(gar\xb8) 417 (con)] TJ 0 -20 Td (a`b \xa8 c) Tj ET"
    )
    layer, _ = taken(tmp_path, Case("accents", content, None))
    assert layer.texts == ("café", "garçon", "a`b", "¨", "c")


def test_a_break_that_nothing_shows_is_none(tmp_path):
    """PDFium breaks "(args)" where fonts change, as in Octave's reference card."""
    content = "BT /F1 8 Tf 40 560 Td (file \\(cos) Tj /F1 7 Tf (args) Tj /F1 8 Tf (\\) next) Tj ET"
    layer, _ = taken(tmp_path, Case("fonts", content, None))
    assert layer.texts == ("file", "(cosargs)", "next")


def test_pages_with_too_much_text_are_read(tmp_path, monkeypatch):
    case = Case("prose", BODY, WORDS)
    for limit in ("_MAX_CHARACTERS", "_MAX_OBJECTS"):
        with monkeypatch.context() as patched:
            patched.setattr(module, limit, 10)
            assert taken(tmp_path, case)[0] is None


def test_a_page_of_ten_thousand_words_is_taken(tmp_path):
    words = [f"w{i}" for i in range(10_000)]
    lines = "\n".join(" ".join(words[i : i + 50]) for i in range(0, 10_000, 50))
    layer, _ = taken(tmp_path, Case("index", set_text(lines, 10, 590, 1.9), None))
    assert list(layer.texts) == words


def test_a_broken_page_has_no_layer(tmp_path):
    path = write_text_pdf(tmp_path / "page.pdf", [BODY], "/MediaBox[0 0 90000 90000]")
    decode = page_decoder(str(path), DocumentKind.PDF, DPI, use=TextLayerUse.AUTO)
    with pytest.raises(DocumentError, match="size of 90000×90000 points is absurd"):
        decode(0)
    with pytest.raises(DocumentError, match="the page can't be loaded"):
        decode(7)
