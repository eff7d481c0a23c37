from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from ocr_models.data.sources.source import RejectedPicture
from ocr_models.errors import UsageError
from ocr_models.geometry import known_places
from ocr_models.records import Task
from tests.data.sources.files import boxes_of, encode, read_all, scene, write, write_picture


def lines(*objects) -> str:
    return "\n".join(json.dumps(o) for o in objects) + "\n"


def test_words_come_through(tmp_path):
    data = write_picture(tmp_path / "scans" / "a.png")
    words = [
        {"text": "box", "box": [10, 20, 40, 30]},
        {"text": "flat", "quad": [50, 20, 90, 20, 90, 30, 50, 30]},
        {"text": "points", "quad": [[50, 40], [90, 40], [90, 50], [50, 50]]},
        {"text": "no", "box": [100, 20, 140, 30], "ignore": True},
    ]
    write(tmp_path / "train.jsonl", lines({"image": "scans/a.png", "words": words}))
    picture = read_all("jsonl", tmp_path)["train.jsonl#1"]
    [example] = picture.examples
    assert (example.image_id, example.data) == ("scans/a.png", data)
    assert example.texts == ("box", "flat", "points", "")
    assert example.ignore.tolist() == [False, False, False, True]
    assert boxes_of(picture) == [[10, 20, 40, 30], [50, 20, 90, 30], [50, 40, 90, 50], [100, 20, 140, 30]]


def test_lists_side_by_side_are_the_same(tmp_path):
    write_picture(tmp_path / "a.png")
    record = {"image": "a.png", "texts": ["one", "two"], "quads": [[10, 20, 40, 30], [50, 20, 90, 20, 90, 30, 50, 30]]}
    write(tmp_path / "a.jsonl", lines(record, {**record, "ignore": [True, False]}, {**record, "texts": ["one"]}))
    pictures = read_all("jsonl", tmp_path)
    assert pictures["a.jsonl#1"].examples[0].texts == ("one", "two")
    assert pictures["a.jsonl#2"].examples[0].texts == ("", "two")
    assert pictures["a.jsonl#3"].reason.startswith("2 quads, 1 texts and 0 ignore flags")


def test_picture_in_the_line_itself(tmp_path):
    first, second = encode(scene(seed=1)), encode(scene(seed=2), "JPEG")
    write(
        tmp_path / "a.jsonl",
        lines(
            {"image_base64": base64.b64encode(first).decode(), "words": [], "text": "é"},
            {"image_base64": base64.b64encode(second).decode(), "words": [], "id": "mine"},
            {"image_base64": "?", "words": []},
        ),
    )
    pictures = read_all("jsonl", tmp_path)
    assert pictures["a.jsonl#1"].examples[0].data == first
    assert pictures["a.jsonl#2"].examples[0].data == second
    assert pictures["a.jsonl#1"].examples[0].image_id == "a.jsonl#1"
    assert pictures["a.jsonl#2"].examples[0].image_id == "mine"
    assert pictures["a.jsonl#3"].stage == "decode"


def test_text_without_words_is_a_recognition_example(tmp_path):
    write_picture(tmp_path / "a.png")
    write(tmp_path / "a.jsonl", lines({"image": "a.png", "text": "hello", "id": 7}))
    [example] = read_all("jsonl", tmp_path, Task.RECOGNITION)["a.jsonl#1"].examples
    assert (example.image_id, example.texts) == ("7", ("hello",))
    assert example.quads.tolist() == [[[0, 0], [160, 0], [160, 120], [0, 120]]]
    with pytest.raises(UsageError, match="--task recognition"):
        read_all("jsonl", tmp_path)


def test_folder_of_truth_files_finds_pictures_by_their_names(tmp_path):
    write_picture(tmp_path / "images" / "v1.2.gz_a.png")
    words = [{"text": "THE", "box": None}, {"text": "CHILD", "box": None}, {"text": "OF", "box": [10, 20, 40, 30]}]
    write(tmp_path / "v1.2.gz_a.json", json.dumps({"words": words}))
    picture = read_all("jsonl", tmp_path)["v1.2.gz_a.json"]
    [example] = picture.examples
    assert example.image_id == "images/v1.2.gz_a.png"
    assert example.texts == ("THE", "CHILD", "OF")
    assert known_places(example.quads).tolist() == [False, False, True]
    assert not example.ignore.any() and picture.rejected_labels == ()


def test_words_without_places_cannot_be_cut(tmp_path):
    write_picture(tmp_path / "a.png")
    placed, unplaced = {"text": "OF", "box": [10, 20, 40, 30]}, {"text": "THE", "box": None}
    write(
        tmp_path / "a.jsonl",
        lines({"image": "a.png", "words": [unplaced, placed]}, {"image": "a.png", "words": [unplaced]}),
    )
    pictures = read_all("jsonl", tmp_path, Task.RECOGNITION)
    assert [example.image_id for example in pictures["a.jsonl#1"].examples] == ["a.png#1"]
    assert pictures["a.jsonl#1"].rejected_labels == ("text 0 ('THE'): its place in the page is not known",)
    assert isinstance(pictures["a.jsonl#2"], RejectedPicture) and pictures["a.jsonl#2"].stage == "label"


def test_nothing_is_left_out_silently(tmp_path):
    write_picture(tmp_path / "a.png")
    bad_words = [{"text": "x", "box": [1, 2, 3]}], [{"text": "x", "quad": ["a"] * 8}], ["x"], [{"box": [0, 0, None, 9]}]
    objects = [{"image": "a.png", "words": words} for words in bad_words]
    text = "no JSON\n[1]\n\n" + lines({"image": "lost.png", "words": []}, *objects, {"image": "a.png"})
    write(tmp_path / "a.jsonl", text)
    pictures = read_all("jsonl", tmp_path)
    assert {name: picture.stage for name, picture in pictures.items()} == {
        "a.jsonl#1": "label",
        "a.jsonl#2": "label",
        "a.jsonl#4": "open",
        **{f"a.jsonl#{i}": "label" for i in range(5, 10)},
    }


def test_picture_outside_of_the_source(tmp_path):
    write_picture(tmp_path / "pictures" / "a.png")
    objects = {"image": "../pictures/a.png", "words": []}, {"image": str(tmp_path / "pictures/a.png"), "words": []}
    write(tmp_path / "labels" / "a.jsonl", lines(*objects, {"image": "../b.png", "words": []}))
    pictures = read_all("jsonl", tmp_path / "labels")
    # No path of this machine gets into examples.
    assert [pictures[f"a.jsonl#{i}"].examples[0].image_id for i in (1, 2)] == ["a.jsonl#1", "a.jsonl#2"]
    assert pictures["a.jsonl#3"].stage == "open"


def test_labels_turn_with_exif(tmp_path):
    write_picture(tmp_path / "a.jpg", orientation=3)  # upside down: x' = 160 - x, y' = 120 - y
    words = [{"text": "box", "box": [10, 20, 40, 30]}, {"text": "quad", "quad": [90, 30, 50, 30, 50, 20, 90, 20]}]
    write(tmp_path / "a.jsonl", lines({"image": "a.jpg", "words": words}))
    [example] = read_all("jsonl", tmp_path)["a.jsonl#1"].examples
    np.testing.assert_allclose(example.quads[0], [[120, 90], [150, 90], [150, 100], [120, 100]], atol=1e-4)
    np.testing.assert_allclose(example.quads[1], [[70, 90], [110, 90], [110, 100], [70, 100]], atol=1e-4)
