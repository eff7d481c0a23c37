"""Pages of documents as pictures."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from ocr_models.errors import DocumentError
from ocr_models.pages.document_page import DocumentPage
from ocr_models.pages.read_document import read_document
from ocr_models.records import OcrPage, Word

QUAD = np.float32([[10, 20], [60, 20], [60, 40], [10, 40]])


class OneWordReader:
    def read_pages(self, images):
        return [
            OcrPage("word\n", (Word("word", 0.3, QUAD, 0), Word("", 0.99, QUAD + 50, 0)), (), 0, 0.3) for _ in images
        ]


@pytest.fixture
def page(tmp_path) -> DocumentPage:
    Image.new("L", (200, 100), 255).save(tmp_path / "page.png")
    [page] = read_document(tmp_path / "page.png", OneWordReader())
    return page


def test_words_are_drawn_where_they_are_in_the_color_of_their_confidence(page):
    picture = page.draw()

    assert picture.shape == (100, 410, 3)
    # The colors of the lowest and the highest class; lines are smoothed.
    assert picture[20, 35].tolist() == pytest.approx([194, 24, 91], abs=30)
    assert picture[70, 85].tolist() == pytest.approx([36, 103, 179], abs=30)
    assert picture[30, 35].tolist() == [255, 255, 255]  # inside of the quad is the page
    assert (picture[21:39, 230:260] < 200).any()  # beside it, the text


def test_a_notebook_shows_a_png_of_limited_size(page, tmp_path):
    Image.new("L", (2000, 3000), 255).save(tmp_path / "page.png")

    data = page._repr_png_()

    assert Image.open(io.BytesIO(data)).size == (2 * 800 + 10, 1200)


def test_a_page_of_which_the_file_is_gone_shows_as_text(page, tmp_path):
    (tmp_path / "page.png").unlink()

    assert page._repr_png_() is None
    with pytest.raises(DocumentError):
        page.draw()


def test_pages_can_be_pickled(page):
    assert pickle.loads(pickle.dumps(page)).text == "word\n"
