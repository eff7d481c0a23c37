from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.errors import DocumentError
from ocr_models.io.sequence_example import page_image_bytes, parse_example, serialize_example
from ocr_models.records import Example
from tests.pipelines.samples import sequence_example

PAGE = Example(
    "page-1",
    b"\x89PNG a picture",
    "png",
    30,
    40,
    np.array([[[1, 2], [11, 2], [11, 7.5], [1, 7.5]], [[0, 0], [9, 0], [9, 9], [0, 9]]], np.float32),
    ("Straße", ""),
    np.array([False, True]),
)


def assert_same(example: Example, other: Example) -> None:
    for name, value in vars(example).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(other, name))
            assert value.dtype == getattr(other, name).dtype
        else:
            assert value == getattr(other, name), name


@st.composite
def examples(draw):
    count = draw(st.integers(0, 4))
    numbers = st.floats(-1e6, 1e6, width=32)
    return Example(
        draw(st.text(max_size=20)),
        draw(st.binary(min_size=1, max_size=300)),
        draw(st.sampled_from(["png", "jpeg"])),
        draw(st.integers(1, 9999)),
        draw(st.integers(1, 9999)),
        np.array(draw(st.lists(numbers, min_size=8 * count, max_size=8 * count)), np.float32).reshape(-1, 4, 2),
        tuple(draw(st.lists(st.text(max_size=9), min_size=count, max_size=count))),
        np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool),
        tuple(draw(st.lists(st.text(min_size=1, max_size=5), max_size=4))),
        tuple(draw(st.lists(st.integers(0, 1 << 40), max_size=6))),
    )


@given(examples())
def test_examples_come_back(example):
    payload = serialize_example(example)

    assert_same(parse_example(payload), example)
    assert page_image_bytes(payload) == example.data
    assert serialize_example(parse_example(payload)) == payload


def test_bytes_of_a_feature_list():
    payload = serialize_example(Example("", b"d", "", 0, 0, caption_ids=(300,)))
    # Int64List.value = 1, packed: tag 0x0A, 2 bytes, 300 as a varint is 0xAC 0x02; Feature.int64_list = 3 is tag 0x1A.
    feature = b"\x1a\x04\x0a\x02\xac\x02"
    # FeatureList.feature = 1; the map's value = 2.
    assert payload.endswith(b"\x0a\x11image/caption_ids\x12\x08\x0a\x06" + feature)


def test_tensorflow_reads_what_is_written():
    tf = pytest.importorskip("tensorflow")
    texts = {"image/id", "image/format", "image/data"}
    context, lists = tf.io.parse_single_sequence_example(
        serialize_example(PAGE),
        {name: tf.io.FixedLenFeature([], tf.string) for name in texts}
        | {name: tf.io.FixedLenFeature([], tf.int64) for name in ("image/height", "image/width")},
        {
            "image/text/quad": tf.io.FixedLenSequenceFeature([8], tf.float32),
            "image/text/string": tf.io.FixedLenSequenceFeature([], tf.string),
            "image/text/ignore": tf.io.FixedLenSequenceFeature([], tf.int64),
        },
    )

    assert {name: context[name].numpy() for name in texts} == {
        "image/id": b"page-1",
        "image/format": b"png",
        "image/data": b"\x89PNG a picture",
    }
    assert (context["image/height"].numpy(), context["image/width"].numpy()) == (30, 40)
    np.testing.assert_array_equal(lists["image/text/quad"].numpy().reshape(-1, 4, 2), PAGE.quads)
    assert [text.decode() for text in lists["image/text/string"].numpy()] == ["Straße", ""]
    assert lists["image/text/ignore"].numpy().tolist() == [0, 1]


def test_what_tensorflow_writes_is_read():
    tf = pytest.importorskip("tensorflow")
    example = tf.train.SequenceExample()
    example.context.feature["image/data"].bytes_list.value.append(b"picture")
    for i in (0, 500, 1):
        example.feature_lists.feature_list["image/caption_ids"].feature.add().int64_list.value.append(i)

    assert_same(parse_example(example.SerializeToString()), Example("", b"picture", "", 0, 0, caption_ids=(0, 500, 1)))


@given(st.binary(min_size=1, max_size=20_000))
def test_picture_comes_back_from_a_record_made_by_hand(image):
    assert page_image_bytes(sequence_example(image)) == image


@pytest.mark.parametrize("read", [page_image_bytes, parse_example])
@given(payload=st.binary(max_size=200))
def test_any_bytes_are_an_example_or_an_error(read, payload):
    try:
        read(payload)
    except DocumentError as error:
        assert error.stage == "decode"


def test_lists_of_different_lengths_are_refused():
    tf = pytest.importorskip("tensorflow")
    example = tf.train.SequenceExample.FromString(serialize_example(PAGE))
    del example.feature_lists.feature_list["image/text/string"].feature[1]

    with pytest.raises(DocumentError, match="2 quads, 1 strings and 2 ignore flags"):
        parse_example(example.SerializeToString())
