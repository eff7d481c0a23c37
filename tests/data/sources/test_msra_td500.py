from __future__ import annotations

import numpy as np
import pytest

from ocr_models.data.sources.msra_td500 import parse_turned_boxes
from ocr_models.data.sources.source import RejectedPicture
from ocr_models.errors import DocumentError, UsageError
from ocr_models.geometry import quad_angles, quad_sizes
from ocr_models.records import Task
from tests.data.sources.files import read_all, write, write_picture


def test_boxes_are_turned_about_their_center(tmp_path):
    write_picture(tmp_path / "IMG_0001.jpg")
    write(tmp_path / "IMG_0001.gt", "0 0 40 50 60 20 0.0\n1 1 40 50 60 20 0.5235988\n")  # the second by 30 degrees
    [example] = read_all("msra-td500", tmp_path)["IMG_0001.jpg"].examples
    assert example.texts == ("", "") and example.ignore.tolist() == [False, True]
    np.testing.assert_allclose(example.quads[0], [[40, 50], [100, 50], [100, 70], [40, 70]])
    np.testing.assert_allclose(example.quads[1].mean(axis=0), [70, 60], atol=1e-4)
    np.testing.assert_allclose(quad_sizes(example.quads), [[60, 20]] * 2, rtol=1e-5)
    np.testing.assert_allclose(quad_angles(example.quads), [0, np.pi / 6], atol=1e-6)
    # The right end of its top edge: the center, 30 · (cos 30°, sin 30°) on, 10 · (sin 30°, -cos 30°) up.
    np.testing.assert_allclose(example.quads[1][1], [70 + 25.981 + 5, 60 + 15 - 8.660], atol=1e-2)


def test_nothing_is_left_out_silently(tmp_path):
    write_picture(tmp_path / "a.jpg")
    write_picture(tmp_path / "b.jpg")
    write(tmp_path / "b.gt", "0 0 40 50 60 20\n")
    write(tmp_path / "c.gt", "")
    pictures = read_all("msra-td500", tmp_path)
    assert all(isinstance(picture, RejectedPicture) for picture in pictures.values())
    assert {name: picture.stage for name, picture in pictures.items()} == {
        "a.jpg": "label",
        "b.jpg": "label",
        "c.gt": "open",
    }
    assert pictures["b.jpg"].reason.startswith("line 1 is '0 0 40 50 60 20'; expected index difficult")


@pytest.mark.parametrize("line", ["0 0 1 2 3 4 nan", "0 0 a 2 3 4 0", "0 0 1 2 3 4 5 6"])
def test_bad_line_is_refused(line):
    with pytest.raises(DocumentError):
        parse_turned_boxes(line.encode())


def test_there_are_no_words_to_read(tmp_path):
    with pytest.raises(UsageError, match="--task recognition"):
        read_all("msra-td500", tmp_path, Task.RECOGNITION)
