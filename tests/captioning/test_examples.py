from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ocr_models.captioning.examples import CaptionedImage, read_captions, read_records, split, write_records
from ocr_models.captioning.records import CaptionRecord, serialize_caption_record, write_tfrecord
from ocr_models.captioning.vocabulary import Vocabulary
from ocr_models.errors import UsageError
from tests.captioning.pictures import picture, write_pictures


@pytest.fixture
def images(tmp_path):
    return read_captions(*write_pictures(tmp_path))


@pytest.fixture
def vocabulary(images):
    return Vocabulary.build([caption for image in images for caption in image.captions], 2)


def test_captions_of_one_picture_come_together(images):
    assert [image.image_id for image in images] == ["red-0.png", "green-0.png", "blue-0.png", "yellow-0.png"]
    assert images[0].captions == (
        ("a", "red", "box", ",", "on", "white", "paper", "."),
        ("there", "is", "a", "red", "box", "on", "white", "paper"),
    )
    np.testing.assert_array_equal(images[1].pixels(), picture("green"))


def test_records_give_the_same_pictures_and_captions(images, vocabulary, tmp_path):
    write_records(images[:2], vocabulary, tmp_path / "one.tfrecord")
    write_records(images[2:], vocabulary, tmp_path / "two.tfrecord")
    again = read_records([tmp_path / "one.tfrecord", tmp_path / "two.tfrecord"], vocabulary)
    assert [(x.image_id, x.captions, x.read()) for x in again] == [(x.image_id, x.captions, x.read()) for x in images]


def test_records_without_names_and_words_are_told_apart_by_their_pictures(vocabulary, tmp_path):
    ids = tuple(vocabulary.encode(("a", "box")))
    payloads = [serialize_caption_record(CaptionRecord("", data, (), ids)) for data in (b"one", b"two", b"one")]
    write_tfrecord(tmp_path / "records", payloads)
    images = read_records([tmp_path / "records"], vocabulary)
    assert [(image.read(), len(image.captions)) for image in images] == [(b"one", 2), (b"two", 1)]
    assert images[0].captions[0] == ("a", "box")


def test_records_of_another_vocabulary_are_refused(images, vocabulary, tmp_path):
    write_records(images, vocabulary, tmp_path / "records")
    other = Vocabulary([*vocabulary.words[:3], *reversed(vocabulary.words[3:])])
    with pytest.raises(UsageError, match="but the vocabulary gives"):
        read_records([tmp_path / "records"], other)
    with pytest.raises(UsageError, match="but the vocabulary has 4 words"):
        read_records([tmp_path / "records"], Vocabulary(vocabulary.words[:4]))


@pytest.mark.parametrize("content", [None, b"no records, but text that is long enough for a header"])
def test_file_that_has_no_records_is_refused(content, vocabulary, tmp_path):
    if content is not None:
        (tmp_path / "records").write_bytes(content)
    with pytest.raises(UsageError, match=str(tmp_path / "records")):
        read_records([tmp_path / "records"], vocabulary)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,text\nred-0.png,a box\n", "columns image,caption"),
        ("image,caption\nred-0.png\n", "columns image,caption"),
        ("image,caption\nnone.png,a box\n", "no such picture"),
        (None, "can't be read"),
    ],
)
def test_table_that_does_not_fit_is_refused(tmp_path, table, message):
    folder, captions = write_pictures(tmp_path)
    captions.unlink()
    if table is not None:
        captions.write_text(table)
    with pytest.raises(UsageError, match=message):
        read_captions(folder, captions)


def test_broken_picture_is_named(images, tmp_path):
    images[0].path.write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"picture red-0.png: .*; leave it out"):
        images[0].pixels()


def test_split_is_by_name_alone(tmp_path):
    images = [CaptionedImage(f"{i}.jpg", tmp_path, None, (("a",),)) for i in range(1000)]
    training, validation = split(images)
    assert len(training) + len(validation) == 1000
    assert 60 <= len(validation) <= 140
    # More pictures, other captions and another order move none to the other side.
    more = [dataclasses.replace(x, captions=()) for x in reversed(images)] + [
        CaptionedImage("new.jpg", tmp_path, None, ())
    ]
    assert {x.image_id for x in validation} <= {x.image_id for x in split(more)[1]}
    assert not {x.image_id for x in validation} & {x.image_id for x in split(more)[0]}
