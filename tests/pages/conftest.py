"""The shipped models, and a sample as they read it."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from ocr_models.pages.page_reader import PageReader

LETTER = Path(__file__).parents[2] / "docs" / "samples" / "letter.jpg"


@pytest.fixture(scope="module")
def reader():
    return PageReader.load("east-fast", "crnn-fast")


@pytest.fixture(scope="module")
def letter():
    return cv2.imread(str(LETTER), cv2.IMREAD_GRAYSCALE)


@pytest.fixture(scope="module")
def page(reader, letter):
    (page,) = reader.read_pages([letter])
    return page
