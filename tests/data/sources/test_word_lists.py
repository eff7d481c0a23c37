from __future__ import annotations

import pytest

from ocr_models.data.sources.source import RejectedPicture
from ocr_models.errors import UsageError
from ocr_models.records import Task
from tests.data.sources.files import read_all, texts, write, write_picture


def reasons(pictures) -> dict[str, tuple[str, str]]:
    return {name: (p.stage, p.reason) for name, p in pictures.items() if isinstance(p, RejectedPicture)}


def test_words_of_iiit5k(tmp_path):
    data = write_picture(tmp_path / "train" / "1009_2.png")
    write_picture(tmp_path / "test" / "2.png", seed=2)
    write(tmp_path / "traindata.txt", "train/1009_2.png You\n")
    write(tmp_path / "testdata.txt", "./test/2.png a label of words\n")
    write(tmp_path / "readme.txt", "This is no list.\n")
    pictures = read_all("words", tmp_path)
    assert texts(pictures) == {"train/1009_2.png": "You", "test/2.png": "a label of words"}
    [example] = pictures["train/1009_2.png"].examples
    assert (example.data, example.image_id) == (data, "train/1009_2.png")
    assert example.quads.tolist() == [[[0, 0], [160, 0], [160, 120], [0, 120]]]
    assert example.ignore.tolist() == [False]


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ('word 1.png, "Tiredness"', "Tiredness"),
        ('word 1.png, "a \\"b\\" c\\\\"', 'a "b" c\\'),
        ('word 1.png,"a ""b"", c"', 'a "b", c'),
        ("word 1.png\tTab bed", "Tab bed"),
        ("word 1.png,plain, with comma", "plain, with comma"),
        ('"word 1.png",quoted', "quoted"),
        ('word 1.png "', '"'),
        ("word 1.png other.png", "other.png"),
        ("\ufeffword 1.png é", "é"),
    ],
)
def test_labels_as_lists_write_them(tmp_path, line, label):
    write_picture(tmp_path / "word 1.png")
    write(tmp_path / "gt.txt", line + "\r\n")
    assert texts(read_all("words", tmp_path)) == {"word 1.png": label}


def write_list(folder, lines):
    for line in lines:
        write_picture(folder / line.split()[0])
    write(folder / "annotation.txt", "\n".join(lines) + "\n")


def test_words_of_mjsynth_are_in_the_file_names(tmp_path):
    write(tmp_path / "lexicon.txt", "harbour\nledger\n2020\n")
    write_list(tmp_path, ["./1/1/1_Harbour_0.png 0", "./1/1/2_LEDGER_1.png 1", "./1/1/3_2020_2.png 2"])
    assert texts(read_all("words", tmp_path)) == {
        "1/1/1_Harbour_0.png": "Harbour",
        "1/1/2_LEDGER_1.png": "LEDGER",
        "1/1/3_2020_2.png": "2020",
    }


@pytest.mark.parametrize(
    "lines", [["1_arial_7.png 7", "2_arial_3.png 3"], ["1_a_7.png 7", "2_b_3.png 12"], ["1_a_7.png 7", "b_3.png 3"]]
)
def test_numbers_of_other_lists_are_the_labels(tmp_path, lines):
    write_list(tmp_path, lines)
    assert texts(read_all("words", tmp_path)) == dict(line.split() for line in lines)


def test_indices_of_a_lexicon_are_no_labels(tmp_path):
    write(tmp_path / "lexicon.txt", "harbour\nledger\n")
    write_list(tmp_path, ["a.png 0", "b.png 1"])
    with pytest.raises(UsageError, match=r"annotation\.txt: its labels are numbers.*lexicon\.txt"):
        read_all("words", tmp_path)


def test_nothing_is_left_out_silently(tmp_path):
    for name in ("good", "empty", "twice", "same", "unlisted"):
        write_picture(tmp_path / f"{name}.png")
    lines = [
        "good.png good",
        "header",
        'empty.png ""',
        "twice.png a",
        "twice.png b",
        "",
        "same.png a",
        "same.png a",
        "lost.png a",
    ]
    write(tmp_path / "gt.txt", "\n".join(lines))
    pictures = read_all("words", tmp_path)
    assert texts(pictures) == {"good.png": "good", "same.png": "a"}
    rejected = reasons(pictures)
    assert {name: stage for name, (stage, _) in rejected.items()} == {
        "empty.png": "label",
        "twice.png": "label",
        "unlisted.png": "label",
        "gt.txt#2": "label",
        "gt.txt#9": "open",
    }
    assert rejected["twice.png"][1] == "it has several labels: 'a', 'b'"
    assert "lost.png" in rejected["gt.txt#9"][1] and "header" in rejected["gt.txt#2"][1]


def test_list_that_is_named_is_the_only_one(tmp_path):
    write_picture(tmp_path / "1.png")
    write_picture(tmp_path / "2.png")
    write(tmp_path / "train.txt", "1.png one")
    write(tmp_path / "test.txt", "2.png two")
    assert texts(read_all("words", tmp_path / "train.txt")) == {"1.png": "one"}
    assert reasons(read_all("words", tmp_path / "train.txt")) == {}


def test_other_folders_and_tasks_are_refused(tmp_path):
    write_picture(tmp_path / "1.png")
    with pytest.raises(UsageError, match="no list"):
        read_all("words", tmp_path)
    with pytest.raises(UsageError, match="--task detection"):
        read_all("words", tmp_path, Task.DETECTION)
