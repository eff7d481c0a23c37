from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from ocr_models.records import Example
from ocr_models.reports.visualization import draw_alignments, draw_examples, draw_labels


def test_attention_is_red_where_it_was():
    crop = np.full((32, 40), 255, np.uint8)
    alignments = np.zeros((2, 10), np.float32)
    alignments[0, 0] = alignments[1, 9] = 1  # the first four columns, then the last four

    picture = draw_alignments(crop, ["é", "end"], alignments)

    assert picture.shape == (32 * 4 + 2 * 26, 40 + 40 * 4, 3)
    first, second = (picture[32 * 4 + 26 * row + 13, 40:] for row in (0, 1))
    assert (first[:16] == [178, 34, 34]).all() and (first[16:] == 255).all()
    assert (second[-16:] == [178, 34, 34]).all() and (second[:-16] == 255).all()
    labels = picture[32 * 4 :, :40].reshape(2, -1)
    assert labels.min(axis=1).max() < 128  # something dark stands before each row
    assert (picture[: 32 * 4] == 255).all()


def test_every_step_needs_a_label():
    with pytest.raises(ValueError, match="1 labels, but alignments of 2 steps"):
        draw_alignments(np.zeros((32, 40), np.uint8), ["a"], np.zeros((2, 10)))


def example(**labels: object) -> Example:
    gray = np.full((100, 200), 255, np.uint8)
    return Example("a.png", cv2.imencode(".png", gray)[1].tobytes(), "png", 100, 200, **labels)


def red(picture: np.ndarray) -> np.ndarray:
    return (picture[..., 0].astype(int) - picture[..., 2] > 150) & (picture[..., 1] < 60)


def blue(picture: np.ndarray) -> np.ndarray:
    return picture[..., 2].astype(int) - picture[..., 0] > 100


def test_quads_are_drawn_where_they_are_and_ignored_ones_in_gray():
    quads = np.float32([[[20, 30], [80, 30], [80, 60], [20, 60]], [[100, 30], [150, 30], [150, 60], [100, 60]]])
    page = example(quads=quads, texts=("Wörd", ""), ignore=np.array([False, True]))

    picture = draw_labels(np.full((200, 400, 3), 255, np.uint8), page, scale=2)

    rows, columns = np.nonzero(red(picture))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (60, 120, 40, 160)
    assert np.abs(picture[90, 200].astype(int) - 140).max() < 20  # the left edge of the ignored one
    assert not blue(picture[:, :400]).any()  # nothing is written over the page
    rows, columns = np.nonzero(blue(picture[:, 400:]))  # the text is beside it, in its place
    assert rows.min() >= 60 and rows.max() <= 120 and columns.min() >= 40 and columns.max() <= 160
    assert rows.max() - rows.min() > 25  # and nearly as high as the quad


def test_a_sheet_shows_each_kind_of_example():
    quad = np.float32([[[20, 30], [80, 30], [80, 60], [20, 60]]])
    page = example(quads=quad, texts=("word",), ignore=np.array([False]))
    edge = np.float32([[[0, 0], [200, 0], [200, 100], [0, 100]]])
    crop = example(quads=edge, texts=("word",), ignore=np.array([False]))
    captioned = example(caption=("a", "dog", "runs"))

    pages, crops, captions = (draw_examples([one] * 5) for one in (page, crop, captioned))

    assert pages.shape[1] == 5 * (600 + 10) and red(pages).any()
    assert crops.shape[1] == 5 * (300 + 10) and not red(crops).any()
    for sheet, columns in ((crops, 5), (captions, 5)):
        cells = np.split(blue(sheet), columns, axis=1)
        assert all(cell.sum() > 20 for cell in cells)  # what is written below


def test_a_broken_picture_is_an_empty_cell_that_says_so():
    broken = dataclasses.replace(example(), data=b"no picture")

    sheet = draw_examples([broken, example()])

    assert (sheet[:100, :100] == 230).all() and blue(sheet[:, :600]).any()


def test_slanted_and_turned_texts_are_written_along_their_quads():
    upright = np.float32([[40, 20], [60, 20], [60, 90], [40, 90]])  # 20 wide, 70 high
    turned = upright[[1, 2, 3, 0]]  # its text runs downwards, so that its own top left is at the right
    page = example(quads=np.stack([turned]), texts=("down",), ignore=np.array([False]))

    beside = draw_labels(np.full((100, 200, 3), 255, np.uint8), page)[:, 200:]

    rows, columns = np.nonzero(blue(beside))
    assert rows.min() >= 20 and rows.max() <= 90 and columns.min() >= 40 and columns.max() <= 60
    assert rows.max() - rows.min() > 25 > columns.max() - columns.min() > 6


@pytest.mark.parametrize(("line_px", "width"), [(30, 1000), (4, 1600), (200, 600)])
def test_a_page_is_drawn_as_large_as_its_print_needs(line_px, width):
    """A page of 2000 pixels with words 30 high is halved, so that they are 15 high; smaller print has a limit."""
    quad = np.float32([[[100, 100], [300, 100], [300, 100 + line_px], [100, 100 + line_px]]])
    gray = cv2.imencode(".png", np.full((2000, 2000), 255, np.uint8))[1].tobytes()
    page = Example("a.png", gray, "png", 2000, 2000, quads=quad, texts=("word",), ignore=np.array([False]))

    assert draw_examples([page]).shape[1] == 2 * width + 10


def test_texts_without_a_place_are_below():
    page = example(quads=np.zeros((1, 4, 2), np.float32), texts=("nowhere on it",), ignore=np.array([False]))

    sheet = draw_examples([page])

    assert not blue(sheet[:100]).any() and blue(sheet[100:]).sum() > 100
