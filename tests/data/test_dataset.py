from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from ocr_models.charset import Charset
from ocr_models.data.dataset import (
    check_task,
    find_charset,
    find_shards,
    find_vocabulary,
    read_dataset_json,
    read_examples,
)
from ocr_models.errors import UsageError
from ocr_models.records import Task
from tests.shards import page_example, striped_word, word_example, write_captions, write_shard

PAGE = np.full((40, 60), 255, np.uint8)
LEFT_HALF = [[0, 0], [30, 0], [30, 40], [0, 40]]
STATED = {"task": "recognition", "options": {"task": None, "seed": 1}, "splits": {}, "sources": {}}


@pytest.fixture
def words(tmp_path):
    """Two shards for training, the second one gzipped, and one for validation."""
    texts = ["ab", "cd", "ef"]
    for name, text in zip(["train-00000-of-00002", "train-00001-of-00002", "validation-00000"], texts, strict=True):
        write_shard(tmp_path / name, [word_example(striped_word(text), text, f"id of {text}")])
    packed = tmp_path / "train-00001-of-00002"
    packed.write_bytes(gzip.compress(packed.read_bytes()))
    Charset("abcd").save(tmp_path / "charset.txt")
    return tmp_path


def test_examples_are_read_in_the_order_of_their_shards(words):
    assert [example.image_id for example in read_examples(f"{words}/train-*")] == ["id of ab", "id of cd"]
    assert [example.texts for example in read_examples(str(words))] == [("ab",), ("cd",)]
    assert [example.texts for example in read_examples(str(words), "validation")] == [("ef",)]


def test_folder_with_signs_of_a_glob_in_its_name_is_found(tmp_path):
    path = write_shard(tmp_path / "a[1]*" / "train-00000-of-00001.tfrecord", [])
    assert find_shards(str(path.parent)) == [path]


def test_pattern_without_files_is_refused(words):
    with pytest.raises(UsageError, match=r"test-\*: no file matches .*; give a glob of TFRecord shards"):
        list(read_examples(f"{words}/test-*"))
    with pytest.raises(UsageError, match="no file matches"):
        find_shards(str(words), "test")


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:40] + b"?" + data[41:], lambda _: b"no"])
def test_damaged_shard_is_named(words, damage):
    path = words / "train-00000-of-00002"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UsageError, match=rf"{path}, record \d: .*; expected a TFRecord shard"):
        list(read_examples(str(words)))


def test_task_is_told_by_the_summary_or_by_the_first_record(words, tmp_path):
    check_task(str(words), Task.RECOGNITION)
    pages = write_shard(tmp_path / "pages" / "train-0", [page_example(PAGE, [LEFT_HALF], ["a"])]).parent
    check_task(str(pages), Task.DETECTION)
    check_task(str(write_captions(tmp_path / "captions")), Task.CAPTION)
    with pytest.raises(UsageError, match="pages: a data set for detection, but one for recognition was expected; "):
        check_task(str(pages), Task.RECOGNITION)
    (words / "dataset.json").write_text(json.dumps(STATED | {"task": "detection"}))
    with pytest.raises(UsageError, match="prepare it with --task recognition"):
        check_task(str(words), Task.RECOGNITION)
    (words / "dataset.json").write_text("{}")
    with pytest.raises(UsageError, match=r"dataset\.json: this is not the dataset\.json of"):
        check_task(str(words), Task.RECOGNITION)


def test_dataset_json_of_the_first_versions_is_read_as_one_of_now():
    old = {"flavor": "recognition", "options": {"flavor": None, "below": None, "seed": 1}, "splits": {}, "sources": {}}
    assert read_dataset_json(json.dumps(old).encode(), "data/dataset.json") == STATED


@pytest.mark.parametrize("content", [b"", b"[]", b'{"task": "ocr"}', json.dumps(STATED | {"task": "ocr"}).encode()])
def test_other_json_is_no_dataset_json(content):
    with pytest.raises(UsageError, match=r"^data/dataset\.json: this is not the dataset\.json of"):
        read_dataset_json(content, "data/dataset.json")


def test_charset_is_the_one_beside_the_shards(words, tmp_path):
    assert find_charset(str(words)).characters == "abcd"
    write_shard(tmp_path / "more" / "train-0", [])
    with pytest.raises(UsageError, match=r"more/charset\.txt: no such file; pagebeam prepare writes it"):
        find_charset(f"{tmp_path}/**/train-*")
    Charset("xa").save(tmp_path / "more" / "charset.txt")
    assert find_charset(f"{tmp_path}/**/train-*").characters == "abcdx"


def test_vocabularies_of_several_folders_must_be_the_same(tmp_path):
    one, two = (write_captions(tmp_path / name) for name in ("one", "two"))
    assert find_vocabulary(f"{tmp_path}/*/train-*").words == find_vocabulary(str(one)).words
    (two / "vocabulary.txt").write_text("<S>\n</S>\n<UNK>\na\n")
    with pytest.raises(UsageError, match=r"two/vocabulary\.txt: its words differ from those in"):
        find_vocabulary(f"{tmp_path}/*/train-*")


def test_empty_shards_tell_no_task_but_may_not_be_all(words):
    write_shard(words / "train-00000-of-00002", [])
    check_task(str(words), Task.RECOGNITION)  # by the second shard
    write_shard(words / "train-00001-of-00002", [])
    with pytest.raises(UsageError, match="no record in any shard for train"):
        check_task(str(words), Task.RECOGNITION)
