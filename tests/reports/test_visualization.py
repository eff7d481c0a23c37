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

    page, labels = picture[:, :400], picture[:, -400:]
    for half in (page, labels):
        rows, columns = np.nonzero(red(half))
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (60, 120, 40, 160)
        assert np.abs(half[90, 200].astype(int) - 140).max() < 20  # the left edge of the ignored one
    assert not blue(page).any()  # the text is beside the page, in its quad
    rows, columns = np.nonzero(blue(labels))
    assert 60 < rows.min() < rows.max() < 120 and 40 <= columns.min() < columns.max() < 160
    assert rows.max() - rows.min() > 20  # of 60: large enough to be read


def test_texts_are_written_in_the_direction_of_their_quads():
    upward = np.float32([[20, 190], [20, 10], [50, 10], [50, 190]])  # read from below
    page = example(quads=upward[None], texts=("long text",), ignore=np.array([False]))

    labels = draw_labels(np.full((200, 200, 3), 255, np.uint8), page)[:, -200:]

    rows, columns = np.nonzero(blue(labels))
    assert rows.max() - rows.min() > 3 * (columns.max() - columns.min())
    assert rows.max() > 180 and 20 < columns.min() < columns.max() < 50


def test_a_page_with_small_text_is_shown_from_the_beginnings_of_its_lines_so_that_labels_can_be_read():
    x, y = (corner.ravel() for corner in np.meshgrid(np.arange(800, 3000, 100), np.arange(0, 3000, 50)))
    quads = np.float32([[x, y], [x + 90, y], [x + 90, y + 30], [x, y + 30]]).transpose(2, 0, 1)
    data = cv2.imencode(".png", np.full((3000, 3000), 255, np.uint8))[1].tobytes()
    labelled = example(quads=quads, texts=("word",) * len(x), ignore=np.zeros(len(x), bool))
    large = dataclasses.replace(labelled, data=data, width_px=3000, height_px=3000)

    sheet = draw_examples([large])

    page, labels = sheet[:600, :600], sheet[:600, 610:1210]
    rows = np.flatnonzero(red(page).sum(axis=1) > 100)  # the horizontal edges of words
    assert rows.max() - rows.min() > 500 and np.median(np.diff(rows)[np.diff(rows) > 1]) >= 12
    assert blue(labels).any(axis=1).mean() > 0.2
    assert 5 < np.nonzero(red(page))[1].min() < 15  # no word is cut on the left


def test_a_sheet_shows_each_kind_of_example():
    quad = np.float32([[[20, 30], [80, 30], [80, 60], [20, 60]]])
    page = example(quads=quad, texts=("word",), ignore=np.array([False]))
    edge = np.float32([[[0, 0], [200, 0], [200, 100], [0, 100]]])
    crop = example(quads=edge, texts=("word",), ignore=np.array([False]))
    captioned = example(caption=("a", "dog", "runs"))

    pages, crops, captions = (draw_examples([one] * 5) for one in (page, crop, captioned))

    assert pages.shape[1] == 2 * (1210 + 10) and red(pages).any()  # two in a row, with their labels, and three below
    assert crops.shape[1] == 5 * (300 + 10) and not red(crops).any()
    for sheet, columns in ((crops, 5), (captions, 5)):
        cells = np.split(blue(sheet), columns, axis=1)
        assert all(cell.sum() > 20 for cell in cells)  # what is written below


def test_a_broken_picture_is_an_empty_cell_that_says_so():
    broken = dataclasses.replace(example(), data=b"no picture")

    sheet = draw_examples([broken, example()])

    assert (sheet[:100, :100] == 230).all() and blue(sheet[:, :600]).any()
