"""Pages from text layers, laid out as pages that are read are."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads
from ocr_models.io.documents import DocumentKind, page_renderer
from ocr_models.io.text_layer import TextLayer, layer_reader
from ocr_models.pages.layer_page import lay_out_layer
from tests.text_pdfs import prose, set_text, write_text_pdf

DPI = 144
PROSE = prose(1)
NOTE = "BT /F1 12 Tf 0 1 -1 0 30 200 Tm (margin note) Tj ET"


def page_of(tmp_path, content, entries=""):
    """The page from its layer, and its pixels."""
    path = str(write_text_pdf(tmp_path / "page.pdf", [content], entries))
    layer = layer_reader(path, DPI)(0)
    assert layer is not None
    return lay_out_layer(layer), page_renderer(path, DocumentKind.PDF, DPI)(0).pixels


def layer_of(words, xs):
    """A layer of words on one line, each 40 pixels wide."""
    boxes = np.array([[x, 100, x + 40, 120] for x in xs], float)
    return TextLayer(tuple(words), box_quads(boxes), 400, 300, 144.0)


def test_a_page_says_what_its_layer_says(tmp_path):
    page, _ = page_of(tmp_path, set_text(PROSE))
    assert page.text == PROSE + "\n"
    assert [line.text for line in page.lines] == PROSE.splitlines()
    assert [word.text for word in page.words] == PROSE.split()
    assert {(word.confidence, word.in_text) for word in page.words} == {(1.0, True)}
    assert [word.line for word in page.words] == [i for i in range(20) for _ in range(7)]
    assert (page.text_source, page.rotation_deg, page.mean_confidence) == ("text_layer", 0, 1.0)
    assert page.is_complete and page.unknown_script_share == 0.0


@pytest.mark.parametrize(
    ("entries", "rotation_deg"),
    [
        ("", 0),
        ("/Rotate 90", 90),
        ("/Rotate 180", 180),
        ("/Rotate 270", 270),
        ("/CropBox[20 30 410 590]", 0),
        ("/CropBox[20 30 410 590]/Rotate 90", 90),
        ("/UserUnit 1.5", 0),
        ("/UserUnit 1.5/Rotate 270", 270),
    ],
)
def test_quads_cover_the_ink_in_whatever_frame_the_page_is_shown(tmp_path, entries, rotation_deg):
    page, pixels = page_of(tmp_path, f"{set_text(PROSE)} {NOTE}", entries)
    assert page.rotation_deg == rotation_deg
    assert page.text == f"{PROSE}\n\nmargin note\n"
    ink = pixels < 128
    covered = np.zeros_like(ink)
    for word in page.words:
        (x0, y0), (x1, y1) = np.floor(word.quad.min(axis=0)).astype(int), np.ceil(word.quad.max(axis=0)).astype(int)
        assert ink[y0:y1, x0:x1].any()
        covered[y0:y1, x0:x1] = True
    assert covered[ink].mean() > 0.995
    # The first edge of a word is along its text, as the page turns it.
    along = page.words[0].quad[1] - page.words[0].quad[0]
    angle = np.rad2deg(np.arctan2(along[1], along[0])) % 360
    assert min(abs(angle - rotation_deg), 360 - abs(angle - rotation_deg)) < 0.5


@pytest.mark.parametrize(
    "entries", ["", "/Rotate 90", "/Rotate 180", "/Rotate 270", "/CropBox[20 30 410 590]", "/UserUnit 2"]
)
def test_rules_part_the_cells_of_a_table(tmp_path, entries):
    """A row of two lines, beside which the others stand in the middle: hairlines alone say what is in the row."""
    words = {(60, 460): "cargo", (160, 460): "stored", (60, 430): "rope", (160, 437): "in the dry"}
    words |= {(160, 424): "and cool hold", (60, 400): "tar", (160, 400): "on deck"}
    rules = [f"50 {y} m 300 {y} l S" for y in (476, 450, 416, 390)] + [f"{x} 390 m {x} 476 l S" for x in (50, 150, 300)]
    texts = [f"1 0 0 1 {x} {y} Tm ({text}) Tj" for (x, y), text in words.items()]
    page, _ = page_of(tmp_path, f"0.4 w {' '.join(rules)} BT /F1 10 Tf {' '.join(texts)} ET", entries)
    [table] = [block for block in page.blocks if block.cells]
    assert [(c.row, c.column, " ".join(page.words[i].text for i in c.words)) for c in table.cells] == [
        (0, 0, "cargo"),
        (0, 1, "stored"),
        (1, 0, "rope"),
        (1, 1, "in the dry and cool hold"),
        (2, 0, "tar"),
        (2, 1, "on deck"),
    ]


def test_slanted_text_is_in_lines_of_its_own(tmp_path):
    draft = "BT /F1 30 Tf 0.8 0.6 -0.6 0.8 80 100 Tm (first draft) Tj ET"
    page, _ = page_of(tmp_path, f"{set_text(PROSE)} {draft}")
    assert page.text == f"{PROSE}\n\nfirst draft\n"
    along = page.words[-1].quad[1] - page.words[-1].quad[0]
    assert np.arctan2(along[1], along[0]) == pytest.approx(-np.arctan2(0.6, 0.8), abs=0.01)


def test_empty_page_is_blank(tmp_path):
    page, _ = page_of(tmp_path, "")
    assert (page.text, page.words, page.lines, page.text_source) == ("", (), (), "text_layer")


def test_words_of_a_script_that_runs_to_the_left_are_read_from_the_right():
    page = lay_out_layer(layer_of(["א", "ב", "ג"], [200, 150, 100]))
    assert page.text == "א ב ג\n"


def test_leaders_are_joined_and_left_out_of_the_text():
    page = lay_out_layer(layer_of(["Contents", "......", "17"], [100, 150, 200]))
    assert page.text == "Contents 17\n"
    assert [word.in_text for word in page.words] == [True, False, True]


def test_dots_that_are_words_of_their_own_are_one_leader():
    """LaTeX's tables of contents set each dot of a leader apart."""
    ends = np.array([[100, 140], *((x, x + 3) for x in range(150, 270, 12)), [280, 320]], float)
    boxes = np.stack([ends[:, 0], np.full(12, 100.0), ends[:, 1], np.full(12, 120.0)], axis=1)
    page = lay_out_layer(TextLayer(("Contents", *"." * 10, "17"), box_quads(boxes), 400, 300, 144.0))
    assert page.text == "Contents 17\n"
    assert [word.text for word in page.words] == ["Contents", "." * 10, "17"]
