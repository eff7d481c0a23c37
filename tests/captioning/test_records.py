from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.captioning.records import (
    CaptionRecord,
    parse_caption_record,
    read_tfrecord,
    serialize_caption_record,
    write_tfrecord,
)
from ocr_models.errors import DocumentError
from ocr_models.tfrecord_pages import masked_crc32c, page_image_bytes

RECORD = CaptionRecord("dog.jpg", b"\xff\xd8 a picture", ("a", "dögg"), (0, 7, 300, 1))

records = st.builds(
    CaptionRecord,
    st.text(max_size=20),
    st.binary(min_size=1, max_size=300),
    st.lists(st.text(min_size=1, max_size=5), max_size=4).map(tuple),
    st.lists(st.integers(0, 1 << 40), min_size=1, max_size=6).map(tuple),
)


@given(records)
def test_records_come_back(record):
    assert parse_caption_record(serialize_caption_record(record)) == record
    assert page_image_bytes(serialize_caption_record(record)) == record.data  # pipelines read them as pictures


def test_bytes_of_a_record():
    payload = serialize_caption_record(CaptionRecord("i", b"d", (), (300,)))
    # Int64List.value = 1, packed: tag 0x0A, 2 bytes, 300 as a varint is 0xAC 0x02; Feature.int64_list = 3 is tag 0x1A.
    feature = b"\x1a\x04\x0a\x02\xac\x02"
    # FeatureList.feature = 1; the map's value = 2.
    assert payload.endswith(b"\x0a\x11image/caption_ids\x12\x08\x0a\x06" + feature)


def test_tensorflow_reads_what_is_written(tmp_path):
    tf = pytest.importorskip("tensorflow")
    write_tfrecord(tmp_path / "captions.tfrecord", [serialize_caption_record(RECORD)] * 2)
    payloads = list(tf.data.TFRecordDataset(str(tmp_path / "captions.tfrecord")))  # checks both checksums
    assert len(payloads) == 2
    context, lists = tf.io.parse_single_sequence_example(
        payloads[1],
        {name: tf.io.FixedLenFeature([], tf.string) for name in ("image/id", "image/data", "image/format")},
        {
            "image/caption": tf.io.FixedLenSequenceFeature([], tf.string),
            "image/caption_ids": tf.io.FixedLenSequenceFeature([], tf.int64),
        },
    )
    assert context["image/data"].numpy() == RECORD.data and context["image/id"].numpy() == b"dog.jpg"
    assert context["image/format"].numpy() == b"jpeg"
    assert [word.decode() for word in lists["image/caption"].numpy()] == ["a", "dögg"]
    assert lists["image/caption_ids"].numpy().tolist() == [0, 7, 300, 1]


def test_what_tensorflow_writes_is_read():
    tf = pytest.importorskip("tensorflow")
    example = tf.train.SequenceExample()
    example.context.feature["image/data"].bytes_list.value.append(b"picture")
    for i in (0, 500, 1):
        example.feature_lists.feature_list["image/caption_ids"].feature.add().int64_list.value.append(i)
    assert parse_caption_record(example.SerializeToString()) == CaptionRecord("", b"picture", (), (0, 500, 1))


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=4))
def test_offsets_lead_to_the_records(tmp_path_factory, payloads):
    path = tmp_path_factory.mktemp("records") / "some.tfrecord"
    write_tfrecord(path, payloads)
    file = io.BytesIO(path.read_bytes())
    for (offset, payload), written in zip(list(read_tfrecord(file)), payloads, strict=True):
        assert payload == written
        file.seek(offset)
        assert next(read_tfrecord(file)) == (offset, written)


def test_checksum_of_the_payload(tmp_path):
    write_tfrecord(tmp_path / "one", [b"123456789"])
    assert (tmp_path / "one").read_bytes()[-4:] == struct.pack("<I", masked_crc32c(b"123456789"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_an_error(payload):
    try:
        parse_caption_record(payload)
    except DocumentError as error:
        assert error.stage == "decode"


@pytest.mark.parametrize("record", [CaptionRecord("i", b"", ("a",), (0, 1)), CaptionRecord("i", b"d", ("a",), ())])
def test_record_without_picture_or_ids_is_refused(record):
    with pytest.raises(DocumentError, match="'image/data' or no 'image/caption_ids'"):
        parse_caption_record(serialize_caption_record(record))
