from __future__ import annotations

import json

import numpy as np
import pytest

from ocr_models.data.sources.coco_text import CocoTextSource
from ocr_models.data.sources.source import LocalFiles, RejectedPicture
from ocr_models.errors import UsageError
from ocr_models.records import Task
from tests.data.sources.files import boxes_of, read_all, write, write_picture

TABLE = {
    "imgs": {
        "7": {"id": 7, "file_name": "COCO_train2014_000000000007.jpg", "width": 160, "height": 120, "set": "train"},
        "8": {"id": 8, "file_name": "COCO_train2014_000000000008.jpg", "width": 160, "height": 120, "set": "val"},
        "9": {"id": 9, "file_name": "COCO_train2014_000000000009.jpg", "width": 160, "height": 120, "set": "val"},
    },
    "anns": {
        "1": {"id": 1, "image_id": 7, "bbox": [10, 20, 30, 12.5], "utf8_string": "Stop", "legibility": "legible"},
        "2": {"id": 2, "image_id": 7, "bbox": [50, 20, 30, 12], "legibility": "illegible", "language": "na"},
        # From the top right on, counterclockwise.
        "3": {
            "id": 3,
            "image_id": 7,
            "bbox": [90, 20, 40, 20],
            "mask": [130, 20, 90, 24, 90, 40, 130, 36],
            "utf8_string": "go",
            "legibility": "legible",
            "language": "english",
        },
    },
    "imgToAnns": {"7": [1, 2, 3], "8": [], "9": []},
}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "COCO_Text.json", json.dumps(TABLE))
    write_picture(tmp_path / "train2014" / "COCO_train2014_000000000007.jpg")
    write_picture(tmp_path / "train2014" / "COCO_train2014_000000000008.jpg", seed=2)
    return tmp_path


def test_annotations_come_through(folder):
    pictures = read_all("coco-text", folder)
    picture = pictures["train2014/COCO_train2014_000000000007.jpg"]
    [example] = picture.examples
    assert example.texts == ("Stop", "", "go") and example.ignore.tolist() == [False, True, False]
    assert boxes_of(picture)[:2] == [[10, 20, 40, 32.5], [50, 20, 80, 32]]
    np.testing.assert_array_equal(example.quads[2], [[90, 24], [130, 20], [130, 36], [90, 40]])
    assert picture.repairs == ()
    assert boxes_of(pictures["train2014/COCO_train2014_000000000008.jpg"]) == []


def test_picture_that_is_not_there_is_rejected(folder):
    rejected = read_all("coco-text", folder)["COCO_train2014_000000000009.jpg"]
    assert isinstance(rejected, RejectedPicture) and rejected.stage == "open"


def test_file_of_labels_can_be_named(folder):
    write(folder / "other.json", "{}")
    with pytest.raises(UsageError, match="2 JSON files"):
        read_all("coco-text", folder)
    assert len(read_all("coco-text", folder / "COCO_Text.json")) == 3


def test_words_are_cut_for_recognition(folder):
    picture = read_all("coco-text", folder, Task.RECOGNITION)["train2014/COCO_train2014_000000000007.jpg"]
    assert [(example.image_id.split("#")[1], example.texts) for example in picture.examples] == [
        ("0", ("Stop",)),
        ("2", ("go",)),
    ]


def test_polygon_of_many_points_gets_the_smallest_box_around_it(folder):
    table = json.loads(json.dumps(TABLE))
    # An octagon in the box 20, 30, 60, 40 with its corners cut off.
    octagon = [22, 30, 58, 30, 60, 32, 60, 38, 58, 40, 22, 40, 20, 38, 20, 32]
    table["anns"]["1"] = {"image_id": 7, "mask": octagon, "utf8_string": "Stop"}
    write(folder / "COCO_Text.json", json.dumps(table))
    [example] = read_all("coco-text", folder)["train2014/COCO_train2014_000000000007.jpg"].examples
    np.testing.assert_allclose(example.quads[0], [[20, 30], [60, 30], [60, 40], [20, 40]], atol=1e-4)


def test_annotations_of_textocr(folder):
    table = json.loads(json.dumps(TABLE))
    places = {
        "The": [10, 10, 40, 10, 40, 20, 10, 20],
        ".": [50, 10, 80, 10, 80, 20, 50, 20],
        "slanted": [10, 60, 20, 80, 90, 50, 80, 30],
    }
    table["anns"] = {
        f"7_{text}": {"image_id": "7", "bbox": [10, 30, 80, 50], "utf8_string": text, "points": points}
        for text, points in places.items()
    }
    table["anns"]["8_1"] = {"image_id": "8", "bbox": [9, 9, 9, 9], "utf8_string": ".", "legibility": "legible"}
    write(folder / "COCO_Text.json", json.dumps(table))
    pictures = read_all("coco-text", folder)
    [example] = pictures["train2014/COCO_train2014_000000000007.jpg"].examples
    assert example.texts == ("The", "", "slanted") and example.ignore.tolist() == [False, True, False]
    np.testing.assert_array_equal(example.quads[2], [[10, 60], [80, 30], [90, 50], [20, 80]])
    [example] = pictures["train2014/COCO_train2014_000000000008.jpg"].examples
    assert example.texts == (".",)  # COCO-Text's own full stop


def test_annotation_without_a_place_rejects_its_picture(folder):
    table = json.loads(json.dumps(TABLE))
    del table["anns"]["1"]["bbox"]
    write(folder / "COCO_Text.json", json.dumps(table))
    rejected = read_all("coco-text", folder)["train2014/COCO_train2014_000000000007.jpg"]
    assert isinstance(rejected, RejectedPicture) and rejected.stage == "label" and "Stop" in rejected.reason


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"imgs": [], "anns": {}}'])
def test_other_json_is_refused(folder, text):
    path = write(folder / "COCO_Text.json", text)
    with pytest.raises(UsageError, match="COCO-Text"):
        list(CocoTextSource(str(path), Task.DETECTION).items(LocalFiles()))
