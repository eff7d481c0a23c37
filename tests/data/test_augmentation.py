from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocr_models.data import augmentation as degrade
from ocr_models.data.augmentation import Look, degrade_page, degrade_word

EMPTY = np.zeros((0, 4, 2), np.float32)


def _word(height: int = 32, width: int = 120) -> np.ndarray:
    image = np.full((height, width), 255, np.uint8)
    image[height // 4 : height // 2, 10 : width - 10 : 6] = 0
    return image


@pytest.mark.parametrize("shape", [(32, 120), (12, 5), (80, 900)])
def test_word_keeps_shape_type_and_input(shape):
    rng, image = np.random.default_rng(0), _word(*shape)
    before = image.copy()
    for _ in range(200):
        out = degrade_word(image, rng)
        assert out.shape == shape and out.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


def test_same_seed_gives_the_same_picture():
    first, second = ([degrade_word(_word(), rng) for _ in range(30)] for rng in map(np.random.default_rng, (4, 4)))
    np.testing.assert_array_equal(first, second)


def test_about_a_third_of_the_words_stay_clean():
    rng, image = np.random.default_rng(1), _word()
    same = np.mean([np.array_equal(degrade_word(image, rng), image) for _ in range(600)])
    assert 0.15 < same < 0.45


@pytest.mark.parametrize("kind", [kind for _, kind in degrade._KINDS])
def test_every_kind_keeps_the_shape_of_a_page(kind):
    image = _word(300, 1500)
    for seed in range(5):
        out = kind(image, np.random.default_rng(seed), 1.0)
        assert out.shape == image.shape and out.dtype == np.uint8


@pytest.mark.parametrize("look", list(Look))
def test_words_of_a_look_are_rarely_clean(look):
    rng, image = np.random.default_rng(2), _word()
    words = [degrade_word(image, rng, look) for _ in range(100)]
    assert np.mean([np.array_equal(word, image) for word in words]) < 0.2
    assert all(word.shape == image.shape for word in words)


def test_page_without_words_has_none_afterwards():
    for seed in range(12):
        image, quads = degrade_page(_word(200, 160), EMPTY, np.random.default_rng(seed))
        assert image.ndim == 2 and quads.shape == (0, 4, 2) and quads.dtype == np.float32


def test_quads_move_with_what_they_enclose():
    page = np.full((600, 500), 255, np.uint8)
    corners = np.float32([[100, 80], [400, 80], [400, 500], [100, 500]])
    for x, y in corners.astype(int):
        cv2.circle(page, (int(x), int(y)), 7, 0, -1)
    quads = np.stack([corners + 0.5] * 2)  # OpenCV's pixel (x, y) has its center at (x + 0.5, y + 0.5)
    for seed in range(40):
        image, moved = degrade._move_page(page, quads, np.random.default_rng(seed), perspective=seed % 2 == 0)
        for x, y in moved[1]:
            left, top = max(0, int(x) - 15), max(0, int(y) - 15)
            part = image[top : int(y) + 15, left : int(x) + 15]
            rows, columns = np.nonzero(part < 100)
            if part.size == 0 or not rows.size or rows.min() == 0 or columns.min() == 0:
                continue  # the marker was cut off by the page's edge or touches a dark border
            assert abs(columns.mean() + left + 0.5 - x) < 1 and abs(rows.mean() + top + 0.5 - y) < 1


def test_strongly_turned_page_grows_to_hold_its_quads(monkeypatch):
    monkeypatch.setattr(degrade, "_draw_angle", lambda rng: 25.0)
    corners = np.float32([[[5, 5], [395, 5], [395, 595], [5, 595]]])
    image, moved = degrade._move_page(np.full((600, 400), 255, np.uint8), corners, np.random.default_rng(0), False)
    assert (moved >= 0).all() and (moved <= image.shape[::-1]).all()
