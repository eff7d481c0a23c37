from __future__ import annotations

import gzip

import numpy as np
import pytest

from ocr_models.data.captions.captioned_images import read_captions
from ocr_models.errors import UsageError
from ocr_models.records import Example
from ocr_models.vocabulary import Vocabulary
from tests.captioning.pictures import picture
from tests.shards import write_captions, write_shard


def test_captions_of_one_picture_come_together(tmp_path):
    images = read_captions(str(write_captions(tmp_path)))
    assert [image.image_id for image in images] == ["red-0", "green-0", "blue-0", "yellow-0"]
    assert images[0].captions == (
        ("a", "red", "box", ",", "on", "white", "paper", "."),
        ("there", "is", "a", "red", "box", "on", "white", "paper"),
    )
    np.testing.assert_array_equal(images[1].pixels(), picture("green"))


def test_splits_of_a_folder_and_packed_shards_are_read(tmp_path):
    write_captions(tmp_path, copies=2)
    shard = write_captions(tmp_path, split="validation") / "validation-00000-of-00001.tfrecord"
    shard.write_bytes(gzip.compress(shard.read_bytes()))
    images = read_captions(str(tmp_path), "validation")
    assert len(images) == 4 and len(read_captions(str(tmp_path))) == 8
    np.testing.assert_array_equal(images[3].pixels(), picture("yellow"))


def test_records_without_names_and_words_are_told_apart_by_their_pictures(tmp_path):
    Vocabulary(["<S>", "</S>", "<UNK>", "a", "box"]).save(tmp_path / "vocabulary.txt")
    examples = [Example("", data, "", 0, 0, caption_ids=(0, 3, 4, 1)) for data in (b"one", b"two", b"one")]
    images = read_captions(str(write_shard(tmp_path / "train-0", examples)))
    assert [(image.read(), len(image.captions)) for image in images] == [(b"one", 2), (b"two", 1)]
    assert images[0].captions[0] == ("a", "box")


def test_records_of_another_vocabulary_are_refused(tmp_path):
    words = Vocabulary.load(write_captions(tmp_path) / "vocabulary.txt").words
    Vocabulary([*words[:3], *reversed(words[3:])]).save(tmp_path / "vocabulary.txt")
    with pytest.raises(UsageError, match="but the vocabulary gives"):
        read_captions(str(tmp_path))
    Vocabulary(words[:4]).save(tmp_path / "vocabulary.txt")
    with pytest.raises(UsageError, match="but the vocabulary has 4 words"):
        read_captions(str(tmp_path))


def test_file_that_has_no_records_is_refused(tmp_path):
    shard = write_captions(tmp_path) / "train-00000-of-00001.tfrecord"
    shard.write_bytes(b"no records, but text that is long enough for a header")
    with pytest.raises(UsageError, match=str(shard)):
        read_captions(str(tmp_path))
    shard.unlink()
    with pytest.raises(UsageError, match="no file matches"):
        read_captions(str(tmp_path))


def test_broken_picture_is_named(tmp_path):
    Vocabulary(["<S>", "</S>", "<UNK>"]).save(tmp_path / "vocabulary.txt")
    write_shard(tmp_path / "train-0", [Example("torn", b"no picture", "png", 6, 4, caption_ids=(0, 2, 1))])
    with pytest.raises(UsageError, match=r"picture torn: .*; leave it out"):
        read_captions(str(tmp_path))[0].pixels()
