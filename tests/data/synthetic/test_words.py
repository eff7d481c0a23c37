from __future__ import annotations

import numpy as np

from ocr_models.charset import LATIN
from ocr_models.data.synthetic.words import PAIR_MAX_LENGTH, render_words


def test_same_seed_gives_the_same_crops(text_source, fonts):
    first, second = (render_words(text_source, fonts, np.random.default_rng(7), 40) for _ in range(2))
    assert [word.text for word in first] == [word.text for word in second]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_crops_are_gray_and_texts_of_the_charset(text_source, fonts):
    words = render_words(text_source, fonts, np.random.default_rng(8), 300)
    assert len(words) == 300
    for word in words:
        assert word.image.dtype == np.uint8 and word.image.ndim == 2
        assert 10 <= word.image.shape[0] <= 90 and word.image.shape[1] >= 3
        assert word.text and set(word.text) <= {*LATIN, " "}


def test_some_crops_hold_two_words(text_source, fonts):
    texts = [word.text for word in render_words(text_source, fonts, np.random.default_rng(8), 600)]
    pairs = [text for text in texts if " " in text]
    assert 0.02 < len(pairs) / len(texts) < 0.12
    assert all(text == " ".join(text.split()) and len(text) <= PAIR_MAX_LENGTH for text in pairs)


def test_clean_crops_show_something(text_source, fonts):
    words = render_words(text_source, fonts, np.random.default_rng(9), 300, degrade=False)
    seen = [int(word.image.max()) - int(word.image.min()) > 15 for word in words]
    assert np.mean(seen) > 0.97  # dots below the baseline may lie outside a crop that was moved up
