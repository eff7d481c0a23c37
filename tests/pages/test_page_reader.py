"""Pages of bars instead of letters, with a detector and a recognizer that know nothing but them.

A word is a gray rectangle whose shade says which word it is. Its upper third is darker than all shades: only a crop
that shows it level and on top is read with confidence. No bar is so dark that it is taken for dark ground.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from ocr_models.geometry import (
    box_quads,
    invert_affine,
    quad_boxes,
    quad_sizes,
    quarter_turn_matrix,
    transform_quads,
)
from ocr_models.pages.page_reader import PageReader
from ocr_models.records import TextBox, Transcript

VOCABULARY = [("Reading", 0.9), ("pages", 0.9), ("turned", 0.9), ("any", 0.9), ("way", 0.9), ("is", 0.9), ("easy", 0.9)]
DOUBTFUL, TEXTURE, NOTHING = len(VOCABULARY), len(VOCABULARY) + 1, len(VOCABULARY) + 2
VOCABULARY += [("doubtful", 0.75), ("texture", 0.15), ("", 0.0)]
TEXT = "Reading pages turned\nany way is easy\n"


def draw(*words, height=600, width=400):
    """A page of (index in VOCABULARY, xmin, ymin, xmax, ymax), and the quads of its words."""
    image = np.full((height, width), 255, np.uint8)
    for index, x0, y0, x1, y1 in words:
        image[y0:y1, x0:x1] = _shade(index)
        image[y0 : y0 + (y1 - y0) // 3, x0:x1] = _TOP
    return image, box_quads(np.array([word[1:] for word in words]).reshape(-1, 4))


def two_lines(top=200, word_height=24):
    """TEXT in two lines from (60, top) on, all of it larger or smaller with the words."""
    places = [(0, 0, 90), (1, 100, 160), (2, 170, 240), (3, 0, 50), (4, 60, 110), (5, 120, 160), (6, 170, 220)]
    zoom = word_height / 24
    tops = [top, top + round(40 * zoom)]
    return [
        (index, 60 + round(zoom * x0), tops[index > 2], 60 + round(zoom * x1), tops[index > 2] + word_height)
        for index, x0, x1 in places
    ]


_TOP, _DARKEST, _STEP = 100, 150, 9


def _shade(index):
    return _DARKEST + _STEP * index


class BarDetector:
    """Finds the bars, within ±45° as EAST does, the later ones first. Of bars of less than 8 pixels it misses half."""

    def __init__(self):
        self.scales, self.shapes = [], []

    def detect_at(self, image, scale):
        self.scales.append(scale)
        self.shapes.append(image.shape)
        _, labels = cv2.connectedComponents((image < 245).astype(np.uint8))
        quads = [self._quad(labels == label) for label in range(labels.max(), 0, -1)]
        if quads and np.median(quad_sizes(np.stack(quads))[:, 1]) * scale < 8:
            quads = quads[::2]
        return [TextBox(quad, 0.9) for quad in quads]

    @staticmethod
    def _quad(mask):
        center, (width, height), degrees = cv2.minAreaRect(np.argwhere(mask)[:, ::-1].astype(np.float32))
        if abs(degrees) > 45:
            degrees, width, height = degrees - np.copysign(90, degrees), height, width
        # From the centers of the pixels to their outer edges.
        level = box_quads(np.array([[-width - 1, -height - 1, width + 1, height + 1]]) / 2)
        turn = cv2.getRotationMatrix2D((0, 0), -degrees, 1)
        turn[:, 2] = np.array(center) + 0.5
        return transform_quads(turn, level)[0]


class BarRecognizer:
    """Reads a bar by its shade; what isn't upright and level it reads as nonsense, with little confidence."""

    def read(self, crops):
        return [self._read(crop) for crop in crops]

    @staticmethod
    def _read(crop):
        height, width = crop.shape
        middle = slice(width // 5, width - width // 5)
        is_upright = (crop[round(0.2 * height), middle] < 125).all() and (crop[round(0.8 * height), middle] > 125).all()
        if width < height or not is_upright:
            return Transcript("rnrnrnrn", 0.24)
        index = round((float(np.median(crop[round(0.6 * height) : round(0.8 * height), middle])) - _DARKEST) / _STEP)
        return Transcript(*VOCABULARY[index])


def reader(**options):
    return PageReader(BarDetector(), BarRecognizer(), "bars@1", "bars@2", **options)


def read(image, **options):
    (page,) = reader(**options).read_pages([image])
    return page


def assert_quads(items, expected, atol=1.0):
    np.testing.assert_allclose([item.quad for item in items], expected, atol=atol)


def turned_clockwise(image, quads, quarter_turns):
    turns = -quarter_turns % 4
    return np.rot90(image, turns), transform_quads(quarter_turn_matrix(turns, *image.shape), quads)


def assert_same_page(first, second):
    assert (first.text, first.rotation_deg) == (second.text, second.rotation_deg)
    assert first.mean_confidence == second.mean_confidence
    for items, others in ((first.words, second.words), (first.lines, second.lines)):
        assert [(item.text, item.confidence) for item in items] == [(other.text, other.confidence) for other in others]
        for item, other in zip(items, others, strict=True):
            np.testing.assert_array_equal(item.quad, other.quad)


def test_upright_page():
    image, quads = draw(*two_lines())
    page = read(image)
    assert page.text == TEXT and page.rotation_deg == 0
    assert_quads(page.words, quads)
    assert [word.line for word in page.words] == [0, 0, 0, 1, 1, 1, 1]
    # Both lines begin at 60; the first ends with "turned" at 300, the second with "easy" at 280.
    assert_quads(page.lines, box_quads(np.array([[60, 200, 300, 224], [60, 240, 280, 264]])))


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_turned_page_is_read_and_its_quads_are_where_its_words_are(quarter_turns):
    image, quads = turned_clockwise(*draw(*two_lines()), quarter_turns)
    page = read(image)
    assert page.text == TEXT
    assert page.rotation_deg == 90 * quarter_turns
    assert_quads(page.words, quads)  # corner by corner, from the text's own top-left


@pytest.mark.parametrize("quarter_turns", [0, 1])
@pytest.mark.parametrize("degrees", [-3, 3])
def test_skew_page_is_leveled(degrees, quarter_turns):
    image, quads = draw(*two_lines())
    turn = cv2.getRotationMatrix2D((200, 300), degrees, 1.0)
    skew = cv2.warpAffine(image, turn, (400, 600), borderMode=cv2.BORDER_REPLICATE)
    skew, quads = turned_clockwise(skew, transform_quads(turn, quads), quarter_turns)
    page = read(skew)
    assert page.text == TEXT and page.rotation_deg == 90 * quarter_turns
    assert_quads(page.words, quads, atol=2.0)


@pytest.mark.parametrize("degrees", [-12, 12])
def test_words_in_the_corners_of_a_skew_page_are_read(degrees):
    """Leveled, they lie beyond the edges that the page had."""
    turn = cv2.getRotationMatrix2D((300, 400), degrees, 1.0)
    corners = transform_quads(invert_affine(turn), np.array([[[160, 130], [440, 130], [440, 670], [160, 670]]]))[0]
    words = [(3 + i, x - 45, y - 12, x + 45, y + 12) for i, (x, y) in enumerate(corners.round().astype(int))]
    image, _ = draw(*words, height=800, width=600)
    page = read(cv2.warpAffine(image, turn, (600, 800), borderValue=255)[100:700, 100:500])
    assert sorted(page.text.split()) == sorted(text for text, _ in VOCABULARY[3:7])


def test_one_slanted_word_is_cut_level():
    image, _ = draw(*two_lines())
    stamp, quad = draw((DOUBTFUL, 150, 400, 270, 424))
    turn = cv2.getRotationMatrix2D((200, 412), 20, 1.0)
    image = np.minimum(image, cv2.warpAffine(stamp, turn, (400, 600), borderValue=255))
    page = read(image)
    assert page.text == f"{TEXT}\ndoubtful\n"
    assert_quads(page.words[-1:], transform_quads(turn, quad), atol=2.0)


@pytest.mark.parametrize(("tall_px", "shapes"), [(15, [(600, 400)]), (60, [(600, 400), (150, 100)])])
def test_sure_page_is_looked_at_once_and_from_afar_if_it_has_tall_ink_beside_words(tall_px, shapes):
    class BlindDetector(BarDetector):  # for what is taller than words, as in headlines
        def detect_at(self, image, scale):
            return [box for box in super().detect_at(image, scale) if np.ptp(box.quad[:, 0]) > 20]

    image, _ = draw(*two_lines())
    image[400 : 400 + tall_px, 60:70] = 0
    detector = BlindDetector()
    PageReader(detector, BarRecognizer(), "bars@1", "bars@2").read_pages([image])
    assert detector.shapes == shapes


@pytest.mark.parametrize(
    ("side", "word_height", "scales"),
    [
        (600, 6, [1.0, 2.0]),  # 14 / 6 = 2.3 would make the text 14 pixels high, but 2 is the limit
        (2260, 15, [0.5] + 2 * [7 / 7.5]),  # 7.5 pixels at 1130 / 2260: 0.5 * 14 / 7.5, which is two tiles
        (2260, 6, [0.5] + 3 * [2.0]),  # 3 pixels; 2 * 2260 = 4520 are seen in three tiles
        (6780, 24, 5 * [1.0]),  # a strip 600 wide, which is less than the 800 that a page is seen at
        (600, 24, [1.0]),
        (600, 50, [1.0, 14 / 50]),
    ],
)
def test_small_and_large_text_gets_a_second_look(side, word_height, scales):
    """The first look at small text misses words, the second finds them all."""
    image, quads = draw(*two_lines(word_height=word_height), height=side, width=600)
    detector = BarDetector()
    (page,) = PageReader(detector, BarRecognizer(), "bars@1", "bars@2").read_pages([image])
    np.testing.assert_allclose(detector.scales, scales, rtol=1e-6)
    assert page.text == TEXT
    assert_quads(page.words, quads)


def test_words_without_confidence_are_kept_but_not_in_the_text():
    image, quads = draw(*two_lines(), (TEXTURE, 60, 400, 160, 424), (NOTHING, 60, 440, 160, 464))
    page = read(image)
    assert page.text == TEXT
    assert [word.in_text for word in page.words] == [True] * 7 + [False]  # where nothing was read there is no word
    assert_quads(page.words, quads[:8])
    assert (page.lines[2].text, page.words[7].line) == ("", 2)


def test_bound_for_the_text_can_be_set():
    image, _ = draw((DOUBTFUL, 60, 100, 160, 124), (6, 170, 100, 230, 124), (TEXTURE, 60, 200, 160, 224))
    texts = [read(image, min_confidence=bound).text for bound in (0.0, 0.5, 0.8, 1.0)]
    assert texts[1:] == ["doubtful easy\n", "easy\n", ""]
    assert texts[0].startswith("doubtful easy\n\n") and len(texts[0].split()) == 3


def test_word_left_out_of_the_text_still_holds_its_line_together():
    page = read(draw((3, 60, 100, 120, 124), (TEXTURE, 130, 100, 230, 124), (4, 240, 100, 300, 124))[0])
    assert len(page.lines) == 1 and len(page.lines[0].text.split()) == 2


def test_page_of_texture_alone_has_no_text():
    page = read(draw((TEXTURE, 60, 400, 160, 424))[0])
    assert page.text == "" and [word.in_text for word in page.words] == [False]


def test_confidence_counts_by_characters():
    page = read(draw((DOUBTFUL, 60, 100, 160, 124), (6, 170, 100, 230, 124))[0])
    # "doubtful" is 8 characters at 0.75, "easy" 4 at 0.9: (8 * 0.75 + 4 * 0.9) / 12
    assert page.text == "doubtful easy\n"
    assert page.mean_confidence == page.lines[0].confidence == pytest.approx(0.8)


class DoubtingRecognizer(BarRecognizer):
    """Reads the same, and says that it is right half as often as the network has it."""

    def read(self, crops):
        return [replace(t, confidence=t.confidence / 2, network_confidence=t.confidence) for t in super().read(crops)]


@pytest.mark.parametrize("quarter_turns", [0, 1])
def test_temperature_changes_no_page_but_for_its_confidences(quarter_turns):
    image, quads = draw(*two_lines(), (DOUBTFUL, 60, 500, 160, 524), (TEXTURE, 60, 400, 160, 424))
    image, _ = turned_clockwise(image, quads, quarter_turns)
    plain = read(image)
    (page,) = PageReader(BarDetector(), DoubtingRecognizer(), "bars@1", "bars@2").read_pages([image])
    assert (page.text, page.rotation_deg) == (plain.text, plain.rotation_deg) and "doubtful" in page.text
    assert [word.confidence for word in page.words] == [word.confidence / 2 for word in plain.words]
    assert [line.confidence for line in page.lines] == pytest.approx([line.confidence / 2 for line in plain.lines])
    assert page.mean_confidence == pytest.approx(plain.mean_confidence / 2)


def test_text_lines_and_words_tell_the_same():
    page = read(draw(*two_lines(100), *two_lines(300), (DOUBTFUL, 60, 500, 160, 524))[0])
    assert page.text == f"{TEXT}\n{TEXT}\ndoubtful\n"
    assert [line for line in page.text.split("\n") if line] == [line.text for line in page.lines]
    for number, line in enumerate(page.lines):
        words = [word for word in page.words if word.line == number]
        assert line.text == " ".join(word.text for word in words)
        boxes = quad_boxes(np.stack([word.quad for word in words]))
        np.testing.assert_allclose(
            quad_boxes(line.quad[None])[0], [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]
        )
    assert [word.line for word in page.words] == sorted(word.line for word in page.words)


def test_empty_page():
    page = read(np.full((600, 400), 255, np.uint8))
    assert (page.text, page.words, page.lines) == ("", (), ())
    assert (page.rotation_deg, page.mean_confidence) == (0, 0)


def test_no_pages():
    assert reader().read_pages([]) == []


def test_pages_read_together_are_read_as_alone():
    page, quads = draw(*two_lines())
    empty = np.full((50, 50), 255, np.uint8)
    images = [page, turned_clockwise(page, quads, 2)[0], empty, draw((DOUBTFUL, 60, 100, 160, 124))[0]]
    for together, alone in zip(reader().read_pages(images), map(read, images), strict=True):
        assert_same_page(together, alone)


def test_words_at_the_edge_are_cut_within_the_page():
    image, quads = draw((0, 0, 0, 90, 24), (1, 310, 576, 400, 600))
    page = read(image)
    assert [word.text for word in page.words] == ["Reading", "pages"]
    assert_quads(page.words, quads)


def test_words_in_one_box_are_parted_where_the_space_is():
    """A box of 100 by 20 pixels has margins of 2: 0.25 along the crop of 104 is 24 into the box, and 0.75 is 76."""

    class SpaceRecognizer:
        def read(self, crops):
            assert len(crops) == 1
            places = (0.1, 0.25, 0.4, 0.6, 0.75, 0.9)
            return [Transcript("a bc d", 0.9, (0.8, 1.0, 0.7, 0.6, 1.0, 0.9), places=places)]

    image = np.full((200, 300), 255, np.uint8)
    image[100:120, 50:150] = 0
    (page,) = PageReader(BarDetector(), SpaceRecognizer(), "bars@1", "spaces@1").read_pages([image])
    assert page.text == "a bc d\n"
    assert [(word.text, word.line) for word in page.words] == [("a", 0), ("bc", 0), ("d", 0)]
    assert_quads(
        page.words, box_quads(np.array([[50, 100, 74, 120], [74, 100, 126, 120], [126, 100, 150, 120]])), atol=1
    )


def test_doubtful_word_is_read_again_closer_and_the_surer_reading_stays():
    """A box of 20 rows and margins of 0.8 are 22 rows; 8 % less above and below are 17 and margins, 18."""

    class HeightRecognizer:
        def __init__(self, closer):
            self.heights, self.closer = [], closer

        def read(self, crops):
            heights = [crop.shape[0] for crop in crops]
            self.heights.append(heights)
            return [Transcript("Tall", 0.78) if h > 20 else Transcript("close", self.closer) for h in heights]

    image = np.full((200, 300), 255, np.uint8)
    image[100:120, 50:150] = 0
    for closer, text, mean in ((0.9, "close", 0.84), (0.74, "Tall", 0.76)):
        recognizer = HeightRecognizer(closer)
        (page,) = PageReader(BarDetector(), recognizer, "bars@1", "heights@1").read_pages([image])
        assert page.text == f"{text}\n"
        assert page.words[0].confidence == pytest.approx(mean)
        (first,), (second,) = recognizer.heights[:2]
        assert first == 22 and second == 18


class LineRecognizer:
    """Reads a crop as the words of its bars, with a space where white is between two; keeps the crops' widths."""

    def read(self, crops):
        self.widths = [crop.shape[1] for crop in crops]
        return [self._read(crop) for crop in crops]

    def part(self, transcript, start, stop):
        return replace(transcript, text=transcript.text[start:stop], places=transcript.places[start:stop])

    @staticmethod
    def _read(crop):
        row = crop[len(crop) * 2 // 3].astype(int)  # of shades, below the dark top
        inside = row < 245
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int))).reshape(-1, 2)
        text, places = "", []
        for start, stop in edges:
            if text:
                text, places = f"{text} ", [*places, float(start - 5)]
            word = VOCABULARY[round((np.median(row[start:stop]) - _DARKEST) / _STEP)][0]
            text, places = text + word, [*places, *np.linspace(start + 1, stop - 2, len(word))]
        return Transcript(text, 0.95, (0.95,) * len(text), None, tuple(x / crop.shape[1] for x in places))


def test_lines_are_read_whole_and_split_at_their_spaces():
    image, quads = draw(*two_lines())
    recognizer = LineRecognizer()
    reader = PageReader(BarDetector(), recognizer, "d", "r", reads_lines=True)
    (page,) = reader.read_pages([image])
    assert page.text == TEXT
    assert sorted(recognizer.widths) == [224, 244]  # lines of 220 and 240 in height 24, and 0.1 * 24 on both sides
    np.testing.assert_allclose([word.quad for word in page.words], quads, atol=3)
