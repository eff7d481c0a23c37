from __future__ import annotations

import numpy as np
from PIL import Image

from ocr_models.charset import LATIN
from ocr_models.data.synthetic import lines
from ocr_models.data.synthetic.lines import MAX_WORDS, render_lines
from ocr_models.data.synthetic.words import draw_style


def test_same_seed_gives_the_same_lines(text_source, fonts):
    first, second = (render_lines(text_source, fonts, np.random.default_rng(7), 20) for _ in range(2))
    assert [line.text for line in first] == [line.text for line in second]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_lines_have_some_words_with_single_spaces(text_source, fonts):
    drawn = render_lines(text_source, fonts, np.random.default_rng(8), 300)
    assert len(drawn) == 300
    for line in drawn:
        assert line.image.dtype == np.uint8 and line.image.ndim == 2 and min(line.image.shape) >= 3
        assert line.text == " ".join(line.text.split()) and set(line.text) <= {*LATIN, " "}
    counts = [len(line.text.split()) for line in drawn]
    assert max(counts) <= MAX_WORDS + 1 and np.mean(counts) > 3


def test_words_whose_gap_is_not_seen_are_one(text_source, fonts):
    """With a pitch, the pen moves by the advances of letters and the gap alone."""
    rng = np.random.default_rng(0)
    style = lines._plain(rng, em=30.0, capitals=False, ligatures=False)
    drawn = []
    for gap in (-4.0, 9.0):
        image = Image.new("L", (400, 60), 255)
        drawn += lines._draw_row(image, ["HH", "HH"], fonts, fonts.faces[0], style, 20, 40, 0, gap, 10.0, False, rng)
    (joined, *_), (parted, *_) = drawn
    assert (joined, parted) == ("HHHH", "HH HH")


def test_rules_of_a_table_are_drawn_in_gaps_and_are_no_text(text_source, fonts):
    rng = np.random.default_rng(0)
    style = lines._plain(rng, em=30.0, capitals=False)
    ink = []
    for is_ruled in (False, True):
        image = Image.new("L", (400, 60), 255)
        row = lines._draw_row(image, ["1", "2"], fonts, fonts.faces[0], style, 20, 40, 0, 30.0, 10.0, is_ruled, rng)
        assert row[0][0] == "1 2"
        ink.append((np.asarray(image)[50] < 128).sum())  # 10 below the baseline, where only the rule is
    assert ink[0] == 0 and ink[1] >= 1


def test_style_changes_are_kept():
    rng = np.random.default_rng(1)
    style = lines._plain(rng, tracking=0.3, kind=None)
    assert (style.tracking, style.look, style.squeeze) == (0.3, None, 1.0)
    assert type(style) is type(draw_style(rng))
