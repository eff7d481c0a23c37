from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads
from ocr_models.pages.line_pieces import find_pieces
from ocr_models.pages.piece_ends import cover_marks, reach_ends

HEIGHT = 20  # of words; their letters are 6 wide and have 3 pixels between them


def page_with(*letters, columns=400):
    """A white page with black letters, each from x to x + 6 and from y 33 to 46, or as (x0, y0, x1, y1)."""
    page = np.full((80, columns), 255, np.uint8)
    for letter in letters:
        x0, y0, x1, y1 = letter if isinstance(letter, tuple) else (letter, 33, letter + 6, 46)
        page[y0:y1, x0:x1] = 0
    return page


def reach(page, *ends):
    """The ends of pieces of one word each, after they were reached."""
    boxes = np.array([[x0, 30, x1, 30 + HEIGHT] for x0, x1 in ends], float)
    reached = reach_ends(page, boxes, [[i] for i in range(len(boxes))], box_quads(boxes))
    np.testing.assert_array_equal(reached[:, 1::2], boxes[:, 1::2])
    return reached[:, 0::2].tolist()


WORD = range(100, 163, 9)  # seven letters, from 100 to 160


@pytest.mark.parametrize("x0, x1", [(100, 160), (100, 142), (118, 160), (121, 139)])
def test_box_over_a_part_of_a_word_reaches_its_ends(x0, x1):
    # Blurring adds a pixel at each end.
    ((left, right),) = reach(page_with(*WORD), (x0, x1))
    assert left == pytest.approx(100, abs=1) and right == pytest.approx(160, abs=1)


def test_word_is_reached_over_a_space_but_not_over_the_gap_of_columns():
    page = page_with(*WORD, 168, 177, 199, 208)  # gaps of 8 and 16 pixels: 0.4 and 0.8 heights
    ((_, right),) = reach(page, (100, 160))
    assert right == pytest.approx(183, abs=1)


def test_piece_reaches_the_next_one_and_joins_it():
    page = page_with(*range(100, 280, 9))
    assert reach(page, (100, 130), (220, 277))[0][1] == 220
    quads = box_quads(np.array([[100, 30, 130, 50], [220, 30, 277, 50]], float))
    _, places = find_pieces(page, quads)
    assert len(places) == 1
    np.testing.assert_allclose(places[0, :2, 0], [100, 277], atol=2)


@pytest.mark.parametrize(
    "ink",
    [
        pytest.param((160, 38, 300, 40), id="a level rule"),
        pytest.param((165, 20, 300, 70), id="a picture"),
        pytest.param((162, 60, 180, 70), id="the next line"),
    ],
)
def test_what_is_no_text_is_not_reached(ink):
    ((_, right),) = reach(page_with(*WORD, ink), (100, 160))
    assert right == pytest.approx(160, abs=1)


def test_dirt_as_far_away_as_a_word_is_not_reached():
    """Twice as large as the other tests: a speck of 4 pixels is a tenth of the height, and 14 pixels are a third."""
    page = np.kron(page_with(*WORD), np.ones((2, 2), np.uint8))
    page[86:90, 334:338] = 0
    boxes = np.array([[200, 60, 320, 100]], float)
    assert reach_ends(page, boxes, [[0]], box_quads(boxes))[0, 2] == pytest.approx(320, abs=1)


def test_period_is_reached():
    ((_, right),) = reach(page_with(*WORD, (162, 43, 165, 46)), (100, 160))
    assert right == pytest.approx(165, abs=1)


def test_ends_move_by_twelve_heights_at_most():
    page = page_with(*range(100, 700, 9), columns=800)
    ((_, right),) = reach(page, (100, 160))
    assert 160 + 11 * HEIGHT < right <= 160 + 12 * HEIGHT


def test_page_without_words():
    page = page_with()
    image, places = find_pieces(page, np.zeros((0, 4, 2), np.float32))
    assert image is page
    assert places.shape == (0, 4, 2)


def seven() -> np.ndarray:
    """A page with a 7: a bar over columns 40 to 56 and a stroke under it, rows 20 to 46."""
    page = np.full((80, 100), 255, np.uint8)
    page[20:23, 40:57] = 0
    for row in range(23, 46):
        right = 57 - (row - 20) // 3
        page[row, right - 4 : right] = 0
    return page


def test_a_figure_that_stands_alone_is_seen_with_all_of_its_strokes():
    cut = np.array([[44.0, 22.0, 56.0, 48.0]])  # without most of the bar, as the detector gives it

    assert cover_marks(seven(), cut, [[0]]).tolist() == [[40, 20, 57, 48]]
    assert cover_marks(255 - seven(), cut, [[0]]).tolist() == [[40, 20, 57, 48]]  # light on dark
    assert cover_marks(seven(), cut, [[]]).tolist() == cut.tolist()  # in no piece


def test_ink_that_is_not_of_the_figure_stays_outside():
    page = seven()
    page[:, 36:38] = 0  # an upright rule beside it
    page[52:56, 44:50] = 0  # a mark below, none of which is in the box
    cut = np.array([[44.0, 22.0, 56.0, 48.0]])

    assert cover_marks(page, cut, [[0]]).tolist() == [[40, 20, 57, 48]]


@pytest.mark.parametrize("box", [[44.0, 22.0, 44.2, 22.2], [-9.0, -9.0, -2.0, 1.0], [95.0, 70.0, 120.0, 99.0]])
def test_a_box_off_the_ink_or_the_page_stays_as_it_is(box):
    assert cover_marks(seven(), np.array([box]), [[0]]).tolist() == [box]
