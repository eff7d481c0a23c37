from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocr_models.charset import LATIN
from ocr_models.data.synthetic.page_canvas import PageCanvas, Style
from ocr_models.data.synthetic.pages import LAYOUTS, render_page


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_layout_has_words_inside_the_page(text_source, fonts, kind):
    truth = render_page(text_source, fonts, np.random.default_rng(1), dpi=100, kind=kind)
    height, width = truth.image.shape
    count = len(truth.texts)
    assert count > 0 and truth.quads.shape == (count, 4, 2) and truth.ignore.shape == (count,)
    assert truth.quads.dtype == np.float32 and truth.image.dtype == np.uint8
    assert (truth.quads >= 0).all() and (truth.quads <= (width, height)).all()
    read = [text for text, ignored in zip(truth.texts, truth.ignore, strict=True) if not ignored]
    assert all(read) and set("".join(read)) <= set(LATIN)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_all_ink_is_in_quads_on_pages_without_decoration(text_source, fonts, kind):
    truth = render_page(text_source, fonts, np.random.default_rng(2), dpi=150, kind=kind, decorate=False)
    covered = np.zeros_like(truth.image)
    for quad in truth.quads:
        em = quad[3, 1] - quad[0, 1]  # accents of capitals and long descenders go beyond a box
        low, high = np.floor(quad[0] - (2, 0.3 * em)).astype(int), np.ceil(quad[2] + (2, 0.3 * em)).astype(int)
        cv2.rectangle(covered, low.tolist(), high.tolist(), 255, -1)
    assert not ((truth.image < 160) & (covered == 0)).any()


def test_quads_end_where_the_ink_ends(text_source, fonts):
    truth = render_page(text_source, fonts, np.random.default_rng(3), kind="book", decorate=False)
    for quad, ignored in zip(truth.quads, truth.ignore, strict=True):
        (left, top), (right, bottom) = np.round(quad[0]).astype(int), np.round(quad[2]).astype(int)
        if ignored or bottom - top < 20:
            continue
        columns = np.flatnonzero((truth.image[top:bottom, left:right] < 200).any(axis=0))
        if columns.size:
            assert columns[0] <= 2 and columns[-1] >= right - left - 3


def test_same_seed_gives_the_same_page(text_source, fonts):
    first, second = (render_page(text_source, fonts, np.random.default_rng(4), dpi=100) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.quads, second.quads)
    assert first.texts == second.texts


def test_dot_leaders_are_regions_to_ignore(text_source, fonts):
    pages = [
        render_page(text_source, fonts, np.random.default_rng(seed), dpi=100, kind="contents") for seed in range(4)
    ]
    texts = [text for page in pages for text, ignored in zip(page.texts, page.ignore, strict=True) if ignored]
    assert texts and all(len(set(text)) <= 1 for text in texts)


@pytest.fixture
def page(text_source, fonts):
    return PageCanvas((900, 400), 200, text_source, fonts, np.random.default_rng(5), decorate=True)


def test_lines_of_prose_end_in_marks_within_their_boxes(text_source, fonts):
    truth = render_page(text_source, fonts, np.random.default_rng(6), kind="book", decorate=False)
    ends = [
        text[-1]
        for text, quad in zip(truth.texts, truth.quads, strict=True)
        if not ((truth.quads[:, 0, 0] > quad[1, 0]) & (abs(truth.quads[:, 0, 1] - quad[0, 1]) < 2)).any()
    ]
    assert sum(end in ".,:;!?'\"’”" for end in ends) > 0.2 * len(ends)


def test_a_letterspaced_word_is_one_box(page, fonts):
    page.put(50, 100, "INVOICE", Style(fonts.faces[0], 40, tracking=24))
    (quad,) = page.truth().quads
    plain = page.measure("INVOICE", Style(fonts.faces[0], 40))
    assert quad[1, 0] - quad[0, 0] == pytest.approx(plain + 6 * 24, abs=5)  # seven letters, six gaps


def test_stretched_letters_and_small_capitals_keep_the_height_of_the_box(page, fonts):
    for baseline, style in (
        (100, Style(fonts.faces[0], 40, stretch=0.5)),
        (200, Style(fonts.faces[0], 40, small_caps=True)),
    ):
        page.put(50, baseline, "HHHHH", style)
    stretched, small = page.truth().quads
    wide = page.measure("HHHHH", Style(fonts.faces[0], 40))
    assert stretched[1, 0] - stretched[0, 0] == pytest.approx(0.5 * wide, abs=5)
    assert small[1, 0] - small[0, 0] == pytest.approx((0.2 + 0.8 * 0.78) * wide, abs=8)
    for quad in (stretched, small):
        assert quad[3, 1] - quad[0, 1] == pytest.approx(40)


def test_words_of_two_faces_stand_in_one_line(page, fonts):
    plain = Style(fonts.faces[0], 30)
    page.line(50, 100, ["set", "x", "to"], plain, styles=[plain, plain.sized(0.8), plain])
    quads = page.truth().quads
    assert (quads[:, 3, 1] - quads[:, 0, 1]).tolist() == pytest.approx([30, 24, 30])
    assert (quads[1:, 0, 0] - quads[:-1, 1, 0] > 0.15 * 30).all()


def test_what_only_looks_like_text_has_no_box(page, fonts):
    page.dashes(20, 40, 800, Style(fonts.faces[0], 30))
    page.staff(20, 880, 80, 12)
    page.woodcut(20, 150, 400, 380)
    page.scribble(450, 200, 300, 60)
    truth = page.truth()
    assert len(truth.quads) == 0
    for y0, y1, x0, x1 in ((0, 60, 0, 900), (80, 130, 0, 900), (150, 380, 20, 400), (190, 270, 430, 800)):
        assert (truth.image[y0:y1, x0:x1] < 128).sum() > 100
