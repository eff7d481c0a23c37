from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocr_models.charset import LATIN
from ocr_models.data.synthetic_pages import LAYOUTS, render_page


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
