from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import LabelledPicture, LocalFiles, RejectedPicture, SourceOptions
from ocr_models.errors import UsageError
from ocr_models.records import Task
from tests.data.sources.files import boxes_of, encode, read_all, scene, write, write_picture

PICTURES = [encode(scene(seed=i)) for i in range(5)]


def test_a_row_group_is_an_item(tmp_path):
    table = pa.table({"image": pa.array(PICTURES, pa.binary()), "text": [f"word {i}" for i in range(5)]})
    pq.write_table(table, tmp_path / "train.parquet", row_group_size=2)
    source = open_source("parquet", str(tmp_path), SourceOptions(task=Task.RECOGNITION))
    items = list(source.items(LocalFiles()))
    assert [item.name for item in items] == [f"train.parquet#group{i}" for i in range(3)]
    pictures = [list(source.read(item, item.path)) for item in items]
    assert list(map(len, pictures)) == [2, 2, 1]
    examples = [example for group in pictures for picture in group for example in picture.examples]
    assert [example.image_id for example in examples] == [f"train.parquet#{i}" for i in range(5)]
    assert [example.texts for example in examples] == [(f"word {i}",) for i in range(5)]
    assert [example.data for example in examples] == PICTURES


def test_pictures_and_words_as_hugging_face_has_them(tmp_path):
    words = [{"text": "a", "box": [10.0, 20, 40, 30]}, {"text": "b", "box": None}]
    rows = [
        {"image": {"bytes": PICTURES[0], "path": "a.png"}, "words": words, "more": 1},
        {"image": {"bytes": None, "path": "b.png"}, "words": words, "more": 2},
        {"image": {"bytes": PICTURES[0][:99], "path": "c.png"}, "words": words, "more": 3},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    pictures = read_all("parquet", tmp_path)
    assert boxes_of(pictures["a.parquet#0"]) == [[10, 20, 40, 30], [0, 0, 0, 0]]
    assert pictures["a.parquet#0"].examples[0].texts == ("a", "b")
    assert (pictures["a.parquet#1"].stage, pictures["a.parquet#1"].data) == ("open", None)
    assert (pictures["a.parquet#2"].stage, pictures["a.parquet#2"].data) == ("decode", PICTURES[0][:99])


def test_lists_side_by_side(tmp_path):
    rows = {
        "image": [PICTURES[0], PICTURES[1]],
        "id": ["first", "second"],
        "quads": [[[10.0, 20, 40, 30]], [[50.0, 20, 90, 20, 90, 30, 50, 30]]],
        "texts": [["one"], ["two"]],
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    pictures = read_all("parquet", tmp_path)
    assert [p.examples[0].image_id for p in pictures.values()] == ["first", "second"]
    assert [p.examples[0].texts for p in pictures.values()] == [("one",), ("two",)]
    assert list(map(boxes_of, pictures.values())) == [[[10, 20, 40, 30]], [[50, 20, 90, 30]]]


def test_pictures_by_their_paths(tmp_path):
    data = write_picture(tmp_path / "images" / "a.png")
    write_picture(tmp_path / "b.png", seed=2)
    table = pa.table({"image": ["a.png", "b.png", "c.png"], "text": ["one", None, "three"]})
    pq.write_table(table, tmp_path / "a.parquet")
    pictures = read_all("parquet", tmp_path, Task.RECOGNITION)
    assert pictures["a.parquet#0"].examples[0].data == data
    assert pictures["a.parquet#0"].examples[0].image_id == "images/a.png"
    assert {name: p.stage for name, p in pictures.items() if isinstance(p, RejectedPicture)} == {
        "a.parquet#1": "label",
        "a.parquet#2": "open",
    }


def test_broken_table_costs_no_other(tmp_path):
    pq.write_table(pa.table({"image": PICTURES, "text": list("abcde")}), tmp_path / "good.parquet")
    write(tmp_path / "bad.parquet", (tmp_path / "good.parquet").read_bytes()[:-10])
    pictures = read_all("parquet", tmp_path, Task.RECOGNITION)
    assert pictures["bad.parquet"].stage == "open"
    assert sum(isinstance(picture, LabelledPicture) for picture in pictures.values()) == 5


def test_tables_without_what_is_needed_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no \.parquet"):
        write_picture(tmp_path / "a.png")
        read_all("parquet", tmp_path)
    pq.write_table(pa.table({"image": PICTURES, "text": list("abcde")}), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="--task recognition"):
        read_all("parquet", tmp_path)
    pq.write_table(pa.table({"picture": PICTURES}), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="expected one named image"):
        read_all("parquet", tmp_path)
