from __future__ import annotations

import numpy as np
import pytest

from ocr_models.geometry import box_quads, quad_boxes
from ocr_models.pages.leader_marks import part_at_leaders
from ocr_models.records import Transcript

QUAD = box_quads(np.array([[100.0, 50.0, 500.0, 90.0]]))[0]
READ = Transcript("P....f......7", 0.2, network_confidence=0.3)


def crop(*marks):
    """A white crop, 40 by 400 pixels, with black boxes: x0, y0, x1, y1."""
    image = np.full((40, 400), 255, np.uint8)
    for x0, y0, x1, y1 in marks:
        image[y0:y1, x0:x1] = 0
    return image


DOTS = [(100 + 10 * i, 30, 104 + 10 * i, 34) for i in range(20)]  # from 100 to 294
WORD = [(10 + 12 * i, 8, 16 + 12 * i, 34) for i in range(6)]  # strokes from 10 to 76
NUMBER = [(330, 8, 340, 34)]


def test_words_beside_a_leader_are_to_be_read_alone():
    quads, parts = part_at_leaders(crop(*WORD, *DOTS, *NUMBER), QUAD, READ)
    assert [part and part.text for part in parts] == [None, "." * 20, None]
    assert parts[1].network_confidence == 0.3
    # The crop's 400 columns are the quad's 400 pixels and margins of 4 on each side.
    x = np.array([[0, 76], [100, 294], [330, 400]]) * 408 / 400 + 96
    np.testing.assert_allclose(quad_boxes(quads)[:, [0, 2]], x.clip(100, 500), atol=1.1)


@pytest.mark.parametrize(
    "marks",
    [
        [*WORD, *DOTS[:7], *NUMBER],
        [
            *WORD,
            *((x0, y0 + 9 * (i % 2) - 9, x1, y1 + 9 * (i % 2) - 9) for i, (x0, y0, x1, y1) in enumerate(DOTS[:12])),
        ],
        [(10 + 12 * i, 8, 16 + 12 * i, 34) for i in range(30)],
        [],
    ],
    ids=["few dots", "dots at several heights", "strokes", "blank"],
)
def test_pieces_without_leaders_stay(marks):
    quads, parts = part_at_leaders(crop(*marks), QUAD, READ)
    assert quads.shape == (0, 4, 2)
    assert parts == []
