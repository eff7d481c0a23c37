from __future__ import annotations

from dataclasses import replace

import numpy as np

from ocr_models.geometry import box_quads, quad_boxes
from ocr_models.pages.line_words import split_words
from ocr_models.records import Transcript

# A crop of 27 rows, which is 25 with margins of a twenty-fifth; its quad has margins of a tenth, 2.5, at both ends.
QUADS = box_quads(np.array([[100, 50, 295, 75]]))


def part(transcript, start, stop):
    return replace(transcript, text=transcript.text[start:stop])


def crop_of(*bars):
    """A crop of 200 columns with black bars from x0 to x1."""
    crop = np.full((27, 200), 255, np.uint8)
    for x0, x1 in bars:
        crop[4:22, x0:x1] = 0
    return crop


def split(crop, text, places):
    read = Transcript(text, 0.9, places=tuple(x / 200 for x in places))
    quads, words = split_words([crop], QUADS, [read], part)
    return [word.text for word in words], quad_boxes(quads)[:, [0, 2]]


def test_words_end_at_the_white_gap_in_which_the_space_was_read():
    texts, ends = split(crop_of((5, 80), (100, 195)), "ab cd", (20, 60, 95, 120, 160))
    assert texts == ["ab", "cd"]
    # Column x is at 100 - 2.5 + x; blurring takes a pixel of the gap from 80 to 100 at each end.
    np.testing.assert_allclose(ends, [[100, 178.5], [196.5, 295]], atol=0.1)


def test_space_without_a_gap_is_where_it_was_read():
    texts, ends = split(crop_of((5, 195)), "ab cd", (20, 60, 95, 120, 160))
    assert texts == ["ab", "cd"]
    np.testing.assert_allclose(ends, [[100, 192.5], [192.5, 295]], atol=0.1)


def test_gap_between_letters_far_away_is_not_that_of_the_space():
    texts, ends = split(crop_of((5, 40), (44, 80), (100, 195)), "ab cd", (20, 60, 95, 120, 160))
    np.testing.assert_allclose(ends[:, 0], [100, 196.5], atol=0.1)
    assert texts == ["ab", "cd"]


def test_leader_is_parted_from_a_word_without_a_space():
    texts, ends = split(crop_of((5, 80)), "ab......7", (20, 60, 90, 105, 120, 135, 150, 165, 190))
    assert texts == ["ab", "......", "7"]
    np.testing.assert_allclose(ends[0], [100, 172.5], atol=0.1)  # the middle of 60 and 90


def test_single_word_keeps_its_quad():
    quads, (word,) = split_words([crop_of((5, 195))], QUADS, [Transcript("word", 0.9)], part)
    np.testing.assert_allclose(quads, QUADS, rtol=1e-6)
    assert word.text == "word"


def test_nothing_read_is_no_word():
    quads, words = split_words([crop_of((5, 195))], QUADS, [Transcript("", 0.0)], part)
    assert quads.shape == (0, 4, 2) and words == []


def test_words_of_several_pieces_stand_in_their_own_piece():
    crop = crop_of((5, 80), (100, 195))
    reads = [Transcript(text, 0.9, places=(0.1, 0.3, 0.475, 0.6, 0.8)) for text in ("ab cd", "ef gh")]
    quads, words = split_words([crop, crop], np.concatenate([QUADS, QUADS + 40]), reads, part)
    assert [word.text for word in words] == ["ab", "cd", "ef", "gh"]
    np.testing.assert_allclose(quads[2:], quads[:2] + 40, atol=1e-3)


def test_word_begins_at_a_gap_after_the_number_of_a_field():
    places = (10, 30, 60, 120)
    texts, ends = split(crop_of((5, 22), (28, 32), (42, 80), (84, 195)), "6.IM", places)
    assert texts == ["6.", "IM"]
    np.testing.assert_allclose(ends[:, 0], [100, 138.5], atol=0.1)
    assert split(crop_of((5, 22), (28, 38), (40, 80), (84, 195)), "6.IM", places)[0] == ["6.IM"]  # a gap of 0 after it
    assert split(crop_of((5, 22), (28, 32), (42, 80), (84, 195)), "6.I.9", (10, 30, 60, 90, 120))[0] == ["6.I.9"]


def test_label_of_letters_and_figures_is_parted_only_at_its_widest_gap():
    places = (10, 60, 120)
    assert split(crop_of((5, 45), (55, 95), (99, 195)), "R30", places)[0] == ["R", "30"]
    assert split(crop_of((5, 45), (55, 95), (105, 195)), "R30", places)[0] == ["R30"]  # loose print
    assert split(crop_of((5, 45), (55, 95), (99, 195)), "r30", places)[0] == ["r30"]
