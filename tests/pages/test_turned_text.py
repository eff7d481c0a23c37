"""Slanted pages, and text turned beside upright text, read by the shipped models on pages made of a sample."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest

from ocr_models.geometry import box_quads, quad_angles
from ocr_models.pages.found_page import FoundPage
from ocr_models.pages.turned_text import turned_strips
from ocr_models.records import Transcript


def slanted(image, degrees):
    """The image turned clockwise, on white ground that holds all of it."""
    side = int(np.hypot(*image.shape))
    turn = cv2.getRotationMatrix2D((image.shape[1] / 2, image.shape[0] / 2), -degrees, 1.0)
    turn[:, 2] += (side - np.array(image.shape[::-1])) / 2
    return cv2.warpAffine(image, turn, (side, side), borderValue=255, flags=cv2.INTER_CUBIC)


@pytest.mark.parametrize(("degrees", "rotation_deg"), [(10, 0), (-20, 0), (40, 0), (110, 90)])
def test_slanted_page_is_read_as_the_page(reader, letter, page, degrees, rotation_deg):
    (read,) = reader.read_pages([slanted(letter, degrees)])
    expected, found = (Counter(p.text.split()) for p in (page, read))
    assert (expected & found).total() > 0.95 * expected.total()
    assert read.rotation_deg == rotation_deg
    slants = np.rad2deg(quad_angles(np.stack([word.quad for word in read.words])))
    assert np.median(slants) == pytest.approx(degrees, abs=1.5)  # the letter itself lies by 1 degree


@pytest.mark.parametrize("turns", [1, 3])
def test_note_on_the_margin_follows_the_text(reader, letter, page, turns):
    line = max(page.lines, key=lambda line: len(line.text) * (line.confidence > 0.98))
    (x0, y0), (x1, y1) = line.quad[0].astype(int) - 6, line.quad[2].astype(int) + 6
    note = np.rot90(letter[y0:y1, x0:x1], turns)
    margin = np.full((len(letter), 160), 255, np.uint8)
    margin[300 : 300 + len(note), 40 : 40 + note.shape[1]] = note
    (read,) = reader.read_pages([np.hstack([margin, letter])])
    assert read.text == f"{page.text}\n{line.text}\n"
    assert read.rotation_deg == 0
    words = [word for word in read.words if word.line == len(read.lines) - 1]
    assert [word.text for word in words] == line.text.split()
    angles = np.rad2deg(quad_angles(np.stack([word.quad for word in words])))
    np.testing.assert_allclose(angles, -90 if turns == 1 else 90, atol=3)


def test_note_on_the_margin_of_a_slanted_page_is_read(reader, letter, page):
    line = max(page.lines, key=lambda line: len(line.text) * (line.confidence > 0.98))
    (x0, y0), (x1, y1) = line.quad[0].astype(int) - 6, line.quad[2].astype(int) + 6
    note = np.rot90(letter[y0:y1, x0:x1])
    margin = np.full((len(letter), 160), 255, np.uint8)
    margin[300 : 300 + len(note), 40 : 40 + note.shape[1]] = note
    (read,) = reader.read_pages([slanted(np.hstack([margin, letter]), 20)])
    assert read.text.endswith(f"\n\n{line.text}\n")


def found(*boxes):
    blank = np.zeros((9, 9), np.uint8)
    return FoundPage(blank, box_quads(np.array(boxes).reshape(-1, 4)), np.zeros((0, 4, 2)), np.eye(2, 3), 0, 0.0)


def test_doubtful_boxes_one_above_the_other_make_a_strip():
    stack = [(60, y, 80, y + 20) for y in (100, 122, 144, 166)]
    page = found((200, 100, 300, 130), *stack)
    sure, doubtful = Transcript("Reading", 0.9), Transcript("o", 0.3)
    np.testing.assert_array_equal(turned_strips(page, [sure, *[doubtful] * 4]), [[40, 100]])
    assert len(turned_strips(page, [sure, *[Transcript("7", 0.9)] * 4])) == 0  # a column of numbers
    assert len(turned_strips(found(*stack[:3]), [doubtful] * 3)) == 0
    assert len(turned_strips(found(*([60, y, 160, y + 20] for y in range(100, 200, 22))), [doubtful] * 5)) == 0
    assert len(turned_strips(found(), [])) == 0
