from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.errors import DocumentError
from ocr_models.tfrecord_pages import is_tfrecord, iter_records, masked_crc32c, page_image_bytes, record_bytes
from tests.pipelines.samples import sequence_example, tfrecord_bytes


def test_checksum_of_a_known_string():
    # CRC-32C of "123456789" is 0xE3069283; turned right by 15 bits 0x2507C60D; plus 0xA282EAD8
    assert masked_crc32c(b"123456789") == 0xC78AB0E5


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_records_come_back(payloads):
    file = tfrecord_bytes(payloads)

    assert is_tfrecord(file)
    assert list(iter_records(io.BytesIO(file))) == payloads
    assert sum(map(record_bytes, payloads)) == len(file)


@given(st.binary(min_size=1, max_size=20_000))
def test_image_comes_back_from_a_sequence_example(image):
    assert page_image_bytes(sequence_example(image)) == image


def test_file_that_is_cut_short_gives_the_records_before():
    records = iter_records(io.BytesIO(tfrecord_bytes([b"one", b"two"])[:-1]))

    assert next(records) == b"one"
    with pytest.raises(DocumentError, match="cut short"):
        next(records)


def test_damaged_length_is_noticed():
    file = bytearray(tfrecord_bytes([b"one"]))
    file[3] ^= 1

    with pytest.raises(DocumentError, match="checksum"):
        next(iter_records(io.BytesIO(file)))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_image_or_an_error(record):
    try:
        page_image_bytes(record)
    except DocumentError as error:
        assert error.stage == "decode"
