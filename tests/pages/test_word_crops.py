"""Words are gray bars whose upper third is black, so that it shows which side of a crop is up."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads, quarter_turn_matrix, transform_quads
from ocr_models.pages.page_reader import PageReader
from ocr_models.pages.word_crops import cut_read_words, cut_words
from ocr_models.records import TextBox, Transcript

BOXES = np.array([[60, 200, 150, 224], [160, 200, 220, 224], [230, 200, 300, 224], [60, 260, 130, 284]])


def draw():
    image = np.full((600, 400), 255, np.uint8)
    for i, (x0, y0, x1, y1) in enumerate(BOXES.tolist()):
        image[y0:y1, x0:x1] = 100 + 20 * i
        image[y0 : y0 + 8, x0:x1] = 0
    return image


class KeepingRecognizer:
    """Reads every word as its number, and keeps the crops that it was last given."""

    def read(self, crops):
        self.crops = crops
        upright = [crop[: len(crop) // 2].mean() < crop[len(crop) // 2 :].mean() for crop in crops]
        return [Transcript(f"word{i}", 0.9 if up else 0.1) for i, up in enumerate(upright)]


class TruthfulDetector:
    """Finds the words where they are on a page that is 400 pixels wide, also when it is shown smaller."""

    def __init__(self, quads):
        self._quads = quads

    def detect_at(self, image, scale):
        return [TextBox(quad * np.float32(image.shape[1] / 400), 0.9) for quad in self._quads]


def test_crop_has_margins_of_a_tenth_beside_and_a_twenty_fifth_above():
    # The first word is 24 pixels high: 0.10 * 24 = 2.4 more on the left and right, 0.04 * 24 = 0.96 above and below.
    image = draw()
    np.testing.assert_array_equal(cut_words(image, box_quads(BOXES[:1]))[0], image[199:225, 58:152])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_crops_of_a_turned_page_are_those_of_the_upright_one(turns):
    image, quads = draw(), box_quads(BOXES)
    turned_quads = transform_quads(quarter_turn_matrix(turns, *image.shape), quads)

    # The page was turned counterclockwise so often, so its content stands turned clockwise by what is left to four.
    crops = cut_read_words(np.rot90(image, turns), turned_quads, 90 * ((4 - turns) % 4))

    for crop, upright in zip(crops, cut_words(image, quads), strict=True):
        np.testing.assert_array_equal(crop, upright)


@pytest.mark.parametrize("degrees", [0.0, 1.0, 6.0])
def test_crops_are_what_the_page_reader_read(degrees):
    import cv2

    level = cv2.getRotationMatrix2D((200, 300), -degrees, 1.0)  # clockwise
    image = cv2.warpAffine(draw(), level, (400, 600), borderMode=cv2.BORDER_REPLICATE)
    recognizer = KeepingRecognizer()
    reader = PageReader(TruthfulDetector(transform_quads(level, box_quads(BOXES))), recognizer, "d", "r")

    page = reader.read_pages([image])[0]
    again = cut_read_words(image, np.stack([word.quad for word in page.words]), page.rotation_deg)

    assert len(again) == len(recognizer.crops) == len(BOXES)
    for word, crop in zip(page.words, again, strict=True):
        read = recognizer.crops[int(word.text.removeprefix("word"))]
        assert abs(np.subtract(crop.shape, read.shape)).max() <= 1  # a rounding apart
        rows, columns = np.minimum(crop.shape, read.shape)
        # A pixel apart at the most, the two differ along the edges of the bar only.
        assert (np.abs(crop[:rows, :columns].astype(int) - read[:rows, :columns]) > 30).mean() < 0.15
