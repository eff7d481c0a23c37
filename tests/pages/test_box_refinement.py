"""Words as rows of black bars on white: letters 6 wide with 1 between them, 10 between words, boxes 20 high."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_models.pages.box_refinement import fit_words

TOP, HEIGHT = 20, 20


def page(*words: tuple[int, int], ink: int = 0, paper: int = 255) -> tuple[np.ndarray, np.ndarray]:
    """A picture (60, 300) of words given as (x, letters), and their true boxes."""
    image = np.full((60, 300), paper, np.uint8)
    boxes = []
    for x, letters in words:
        for i in range(letters):
            image[TOP + 4 : TOP + 16, x + 7 * i : x + 7 * i + 6] = ink
        boxes.append((x, TOP, x + 7 * letters - 1, TOP + HEIGHT))
    return image, np.array(boxes, np.float32)


THREE_WORDS = ((20, 4), (57, 3), (87, 5))  # 20-47, 57-77, 87-121


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (120, 170)])
def test_true_boxes_stay(ink, paper):
    image, boxes = page(*THREE_WORDS, ink=ink, paper=paper)
    np.testing.assert_allclose(fit_words(image, boxes), boxes, atol=1.01)  # smoothing widens ink by a pixel


@pytest.mark.parametrize("shift", [-5, -3, 3, 5])
def test_borders_off_by_some_pixels_come_back(shift):
    image, boxes = page(*THREE_WORDS)
    wrong = boxes.copy()
    wrong[:2, 2] += shift  # the first word ends in the second's first letter, or too early
    wrong[1:, 0] += shift
    np.testing.assert_allclose(fit_words(image, wrong), boxes, atol=1.01)


@pytest.mark.parametrize("shift", [-4, 4])
def test_ends_of_a_line_come_back(shift):
    image, boxes = page((20, 4))
    np.testing.assert_allclose(fit_words(image, boxes + np.array([shift, 0, -shift, 0])), boxes, atol=1.01)


def test_two_boxes_of_one_word_are_joined():
    image, boxes = page((20, 8), (86, 4))  # 20-75 and 86-113
    cut = np.array([[20, TOP, 47, TOP + HEIGHT], [48, TOP, 75, TOP + HEIGHT], boxes[1]])
    np.testing.assert_allclose(fit_words(image, cut), boxes, atol=1.01)


def test_box_over_two_words_is_parted():
    image, boxes = page((20, 4), (57, 3), (87, 5), (131, 4))
    over = np.array([boxes[0], [*boxes[1][:2], *boxes[2][2:]], boxes[3]])
    np.testing.assert_allclose(fit_words(image, over), boxes, atol=1.01)


@pytest.mark.parametrize(("gap", "count"), [(6, 1), (8, 2)])
def test_figures_of_a_number_stay_together(gap, count):
    """The white beside a narrow figure, such as 1, is nearly as wide as the spaces of 7 pixels on its line."""
    image, boxes = page((20, 4), (54, 3), (81, 5), (122, 3), (149, 3))
    for x in (176, 182 + gap):
        image[TOP + 4 : TOP + 16, x : x + 6] = 0
    number = [[176, TOP, 188 + gap, TOP + HEIGHT]]
    assert len(fit_words(image, np.concatenate([boxes, number]))) == len(boxes) + count


def test_tops_and_bottoms_are_those_of_the_neighbors():
    image, boxes = page(*THREE_WORDS)
    uneven = boxes.copy()
    uneven[1, [1, 3]] += [-2, 1]
    np.testing.assert_allclose(fit_words(image, uneven)[:, [1, 3]], boxes[:, [1, 3]])


def test_page_without_contrast_or_words():
    flat = np.full((60, 300), 200, np.uint8)
    boxes = page(*THREE_WORDS)[1]
    np.testing.assert_allclose(fit_words(flat, boxes), boxes)
    assert fit_words(flat, np.zeros((0, 4))).shape == (0, 4)


def test_a_period_at_the_end_of_a_line_belongs_to_its_word():
    image, boxes = page((20, 4))  # ends at 47
    image[TOP + 13 : TOP + 17, 51:54] = 0  # smoothed, 2 pixels of white stand before it: a tenth of the height
    np.testing.assert_allclose(fit_words(image, boxes), [[20, TOP, 54, TOP + HEIGHT]], atol=1.01)


def test_two_words_alone_on_a_line_are_parted_by_what_is_usual_on_the_page():
    line, boxes = page(*((20 + 26 * i, 3) for i in range(6)))  # 20 wide, with 6 between them
    pair, _ = page((20, 3), (46, 3))
    alone = np.array([[20, TOP, 66, TOP + HEIGHT]], np.float32)
    assert len(fit_words(pair, alone)) == 1  # 6 might be the white between letters

    fitted = fit_words(np.vstack([line, pair]), np.vstack([boxes, alone + np.array([0, 60, 0, 60])]))

    assert len(fitted) == 6 + 2
