from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocr_models.geometry import box_quads
from ocr_models.pages.lone_letters import tell_by_height
from ocr_models.records import Transcript

# Three numbers whose figures are 20 pixels high, and a letter beside them.
BOXES = np.array([[10, 10, 60, 40], [80, 10, 130, 40], [150, 10, 200, 40], [220, 10, 250, 40]], float)


def page_with_ring(height):
    image = np.full((60, 260), 250, np.uint8)
    for x0, y0, _, _ in BOXES[:3].astype(int):
        image[y0 + 5 : y0 + 25, x0 + 3 : x0 + 15] = 20
        image[y0 + 5 : y0 + 25, x0 + 20 : x0 + 32] = 20
    cv2.ellipse(image, (235, 34 - height // 2), (6, height // 2), 0, 0, 360, 20, 2)
    return image


def read(height, text="o", count=3):
    transcripts = [*(Transcript("14", 0.99) for _ in range(count)), Transcript(text, 0.9)]
    quads = box_quads(BOXES[3 - count :])
    return tell_by_height(page_with_ring(height), quads, transcripts)[-1].text


def test_letter_as_high_as_figures_is_a_figure_or_capital():
    assert read(20) == "0"
    assert read(20, "v") == "V"
    assert read(20, "n") == "n"  # of another form than "N"


def test_low_letter_stays():
    assert read(14) == "o"


@pytest.mark.parametrize("count", [0, 2])
def test_letter_without_enough_words_around_it_stays(count):
    assert read(20, count=count) == "o"


@pytest.mark.parametrize(("has_word_beside", "text"), [(True, "o"), (False, "0")])
def test_letter_of_a_larger_line_stays(has_word_beside, text):
    """The "o" of a title is as high as the figures of the text above; a figure in a cell may have a loose box, too."""
    page = np.vstack([page_with_ring(20)] * 2)
    ring = [220, 65, 250, 103]  # 1.27 times as high as the boxes of the numbers
    boxes = np.array([*BOXES[:3], ring, [256, 65, 259, 103]])
    transcripts = [*(Transcript("14", 0.99) for _ in range(3)), Transcript("o", 0.9), Transcript("vino", 0.99)]
    count = 5 if has_word_beside else 4

    assert tell_by_height(page, box_quads(boxes[:count]), transcripts[:count])[3].text == text
