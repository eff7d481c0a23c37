"""Words are given as they stand on the page, from the left to the right."""

from __future__ import annotations

import pytest

from ocr_models.pages.right_to_left import reading_order


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("one two three", "one two three"),
        ("ג ב א", "א ב ג"),
        ("one ב א two", "one א ב two"),
        ("ד one two ב א", "א ב one two ד"),
        ("שלום 1948", "שלום 1948"),
        ("ב 1948 א", "א 1948 ב"),
    ],
)
def test_words_are_read_in_the_direction_of_their_script(printed, read):
    texts = printed.split()
    assert [texts[i] for i in reading_order(range(len(texts)), texts)] == read.split()
