from __future__ import annotations

import numpy as np
import pytest

from ocr_models.visualization import draw_alignments


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
