from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads, quad_boxes
from ocr_models.pages.found_page import FoundPage
from ocr_models.pages.leaders import as_high_as_neighbors, join_leaders
from ocr_models.pages.page_text import assemble, part_words
from ocr_models.records import Transcript


def page(*boxes):
    return FoundPage(np.zeros((9, 9), np.uint8), box_quads(np.array(boxes)), np.zeros((0, 4, 2)), np.eye(2, 3), 0, 0.0)


def read(*texts):
    return [Transcript(text, 0.3 if "e" in text and len(set(text)) < 3 else 0.95) for text in texts]


# A line of a table of contents, as it is found: dots of a height of 8 pixels beside words of 30.
BOXES = [(100, 50, 220, 80), (240, 70, 300, 78), (304, 70, 400, 78), (402, 70, 440, 78), (470, 50, 510, 80)]
TEXTS = ["Preface", "•••", "eeeee", "....", "12"]


def test_dots_of_a_leader_are_one_word_that_holds_its_line_together():
    result = assemble([(page(*BOXES, (100, 120, 220, 150)), read(*TEXTS, "Index"))], 0.75)
    assert result.text == "Preface 12\n\nIndex\n"
    assert [word.text for word in result.words] == ["Preface", ".......", "12", "Index"]
    assert [word.in_text for word in result.words] == [True, False, True, True]
    np.testing.assert_array_equal(result.words[1].quad, box_quads(np.array([[240, 70, 440, 78]]))[0])


@pytest.mark.parametrize(
    ("text", "height"),
    [("-", 8), ("...", 8), ("eee", 30), ("Rope", 8)],
    ids=["dash", "ellipsis", "as high as words", "certain"],
)
def test_other_thin_or_doubtful_words_are_no_leaders(text, height):
    boxes = np.array([(100, 50, 220, 80), (240, 80 - height, 260, 80), (300, 50, 400, 80)])
    quads, transcripts, is_leader = join_leaders(box_quads(boxes), read("Canvas", text, "Pitch"))
    np.testing.assert_array_equal(quad_boxes(quads), boxes)
    assert [t.text for t in transcripts] == ["Canvas", text, "Pitch"]
    assert not is_leader.any()


@pytest.mark.parametrize("text", [".", "•"])
def test_a_dot_without_words_is_no_leader(text):
    quads = box_quads(np.array([(100, 50, 106, 80), (100, 100, 106, 130)]))
    assert [t.text for t in join_leaders(quads, read(text, text))[1]] == [text, text]


def test_rule_of_dashes_is_one_word_of_the_text():
    boxes = [(100, 50, 220, 80), *((100 + 30 * i, 100, 120 + 30 * i, 106) for i in range(9)), (100, 130, 220, 160)]
    result = assemble([(page(*boxes), read("Rope", *["-"] * 9, "Total"))], 0.75)
    assert result.text.split() == ["Rope", "-" * 9, "Total"]


def test_leader_in_the_box_of_a_word_is_parted_from_it():
    text = "Index.....211"
    places = tuple((i + 0.5) / len(text) for i in range(len(text)))
    transcript = Transcript(text, 0.9, (0.9,) * len(text), None, places)
    parted, words = part_words(page((100, 50, 360, 80)), [transcript])
    assert [word.text for word in words] == ["Index", ".....", "211"]
    x0, x1 = quad_boxes(parted.quads)[:, [0, 2]].T
    np.testing.assert_allclose(x0[1:], x1[:-1])
    np.testing.assert_allclose(x0, [100, 100 + 260 * 5 / 13, 100 + 260 * 10 / 13], atol=6)  # 6: the margins of crops
    assert [word.text for word in part_words(page((0, 0, 90, 30)), [Transcript("wait...", 0.9)])[1]] == ["wait..."]


def test_leaders_are_as_high_as_the_word_beside_them():
    boxes = np.array([(100, 50, 220, 80), (470, 54, 510, 84), (240, 70, 440, 78), (240, 170, 440, 178)], float)
    fitted = as_high_as_neighbors(boxes, np.array([False, False, True, True]))
    np.testing.assert_array_equal(fitted[2:], [(240, 50, 440, 80), (240, 170, 440, 178)])


def test_page_without_words():
    quads, transcripts, is_leader = join_leaders(box_quads(np.array([(9, 9, 20, 12)])), read("•"))
    assert len(quads) == len(transcripts) == len(is_leader) == 1


@pytest.mark.parametrize(("text", "word"), [("•" + "*" * 9, "•" * 10), ("*" * 10, "*" * 10)], ids=["fine dots", "rule"])
def test_run_in_which_a_dot_was_read_is_of_dots(text, word):
    _, transcripts, is_leader = join_leaders(
        box_quads(np.array([(100, 50, 220, 80), (240, 70, 440, 78)])), read("Rope", text)
    )
    assert transcripts[is_leader.argmax()].text == word
