from __future__ import annotations

import json

import pytest

from ocr_models.data.sources.source import LabelledPicture, RejectedPicture
from ocr_models.errors import UsageError
from tests.data.sources.files import read_all, write, write_picture


def tokens(picture: LabelledPicture | RejectedPicture) -> list[str]:
    assert isinstance(picture, LabelledPicture)
    return [" ".join(example.caption) for example in picture.examples]


TABLE = """image,caption
red.jpg,"A red box, on white paper ."
blue.jpg,Something blue
red.jpg,There is a red box
"""


def test_an_example_for_each_caption(tmp_path):
    data = write_picture(tmp_path / "images" / "red.jpg")
    write_picture(tmp_path / "images" / "blue.jpg", seed=2)
    write(tmp_path / "captions.txt", TABLE)
    pictures = read_all("captions", tmp_path)
    assert list(pictures) == ["images/blue.jpg", "images/red.jpg"]
    red = pictures["images/red.jpg"]
    assert tokens(red) == ["a red box , on white paper .", "there is a red box"]
    for example in red.examples:
        assert (example.image_id, example.data, example.caption_ids) == ("images/red.jpg", data, ())
        assert (example.height_px, example.width_px, len(example.quads)) == (120, 160, 0)


def test_table_may_be_named(tmp_path):
    write_picture(tmp_path / "images" / "red.jpg")
    write_picture(tmp_path / "images" / "blue.jpg", seed=2)
    table = write(tmp_path / "captions.txt", TABLE)
    write(tmp_path / "notes.csv", "who,what\nme,nothing\n")
    assert read_all("captions", table).keys() == read_all("captions", tmp_path).keys()


def test_captions_of_coco(tmp_path):
    write_picture(tmp_path / "val2014" / "COCO_val2014_000000000042.jpg")
    table = {
        "images": [
            {"id": 42, "file_name": "COCO_val2014_000000000042.jpg"},
            {"id": 43, "file_name": "COCO_val2014_000000000043.jpg"},
        ],
        "annotations": [
            {"image_id": 42, "id": 1, "caption": "A shoe rack."},
            {"image_id": 43, "id": 2, "caption": "Nobody sees it."},
            {"image_id": 42, "id": 3, "caption": "Shoes"},
        ],
    }
    write(tmp_path / "annotations" / "captions_val2014.json", json.dumps(table))
    pictures = read_all("captions", tmp_path)
    assert tokens(pictures["val2014/COCO_val2014_000000000042.jpg"]) == ["a shoe rack .", "shoes"]
    lost = pictures["COCO_val2014_000000000043.jpg"]
    assert isinstance(lost, RejectedPicture) and lost.stage == "open"


def test_captions_without_a_word_are_told(tmp_path):
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png")
    write(tmp_path / "captions.csv", '\ufeffimage,caption\na.png,"Two, in quotes"\na.png," "\nb.png," "\n')
    pictures = read_all("captions", tmp_path)
    assert tokens(pictures["a.png"]) == ["two , in quotes"]
    assert pictures["a.png"].rejected_labels == ("caption 1 (' '): no words",)
    assert isinstance(pictures["b.png"], RejectedPicture) and pictures["b.png"].stage == "label"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("who,what\nme,nothing\n", "no table of captions"),
        (b"image,caption\na.png,caf\xe9\n", "no readable table"),
    ],
)
def test_table_of_another_kind_is_refused(tmp_path, text, expected):
    write_picture(tmp_path / "a.png")
    write(tmp_path / "captions.csv", text)
    with pytest.raises(UsageError, match=expected):
        read_all("captions", tmp_path)


def test_bad_rows_cost_themselves_only(tmp_path):
    write_picture(tmp_path / "a.png")
    rows = ["image,caption", "a.png,a dog", "a.png", "a.png,a dog, running", ",two cats", 'a.png,"a dog, asleep"']
    write(tmp_path / "captions.csv", "\n".join(rows))
    images, annotations = [{"id": 1, "file_name": "a.png"}], [{"image_id": 2, "caption": "whose"}, {"image_id": 1}]
    write(tmp_path / "coco.json", json.dumps({"images": images, "annotations": annotations}))

    pictures = read_all("captions", tmp_path)

    assert tokens(pictures.pop("a.png")) == ["a dog", "a dog , asleep"]
    assert sorted(pictures) == ["captions.csv#2", "captions.csv#3", "captions.csv#4", "coco.json#1", "coco.json#2"]
    assert all(isinstance(row, RejectedPicture) and row.stage == "label" for row in pictures.values())


def test_a_name_that_is_a_number_is_a_picture_that_is_not_there(tmp_path):
    table = {"images": [{"id": 1, "file_name": 5}], "annotations": [{"image_id": 1, "caption": "a dog"}]}
    write(tmp_path / "coco.json", json.dumps(table))
    assert isinstance(read_all("captions", tmp_path)["5"], RejectedPicture)


def test_captions_of_flickr30k(tmp_path):
    for name in ("36979", "65567"):
        write_picture(tmp_path / "flickr30k_images" / f"{name}.jpg", seed=int(name) % 7)
    rows = [
        '36979.jpg| 0| Two friends , "Al" and Bo , enjoy time',
        "36979.jpg| 1|  a | b",
        "65567.jpg| 4   A dog runs across the grass .",  # one of the 158,915 rows is broken in this way
        "65567.jpg| 3| A cat",
    ]
    write(tmp_path / "results.csv", "\ufeffimage_name| comment_number| comment\r\n" + "\r\n".join(rows))

    pictures = read_all("captions", tmp_path)

    assert tokens(pictures["flickr30k_images/36979.jpg"]) == ['two friends , " al " and bo , enjoy time', "a | b"]
    assert tokens(pictures["flickr30k_images/65567.jpg"]) == ["a cat"]
    assert "expected a picture and one caption" in pictures["results.csv#3"].reason


def test_captions_of_flickr8k(tmp_path):
    write_picture(tmp_path / "Flicker8k_Dataset" / "1_a.jpg")
    table = write(
        tmp_path / "Flickr8k.token.txt", '1_a.jpg#0\tA child , "pink" .\n1_a.jpg#1\tA girl\nb.jpg.1#0\tA man\n'
    )
    write(tmp_path / "Flickr8k.lemma.token.txt", "1_a.jpg#0\tA child , pink .\n")

    pictures = read_all("captions", table)

    assert tokens(pictures["Flicker8k_Dataset/1_a.jpg"]) == ['a child , " pink " .', "a girl"]
    assert "picture b.jpg.1: not found" in pictures["b.jpg.1"].reason
    with pytest.raises(UsageError, match=r"caption 0 of 1_a.jpg is in Flickr8k.lemma.token.txt and Flickr8k.token.txt"):
        read_all("captions", tmp_path)
