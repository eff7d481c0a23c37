from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.errors import DocumentError
from ocr_models.io.tfrecord import (
    is_tfrecord,
    iter_records,
    masked_crc32c,
    open_tfrecord,
    record_bytes,
    unpacked,
    write_records,
)
from tests.pipelines.samples import tfrecord_bytes


def test_checksum_of_a_known_string():
    # CRC-32C of "123456789" is 0xE3069283; turned right by 15 bits 0x2507C60D; plus 0xA282EAD8
    assert masked_crc32c(b"123456789") == 0xC78AB0E5


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_records_come_back(payloads):
    file = tfrecord_bytes(payloads)

    assert is_tfrecord(file)
    assert list(iter_records(io.BytesIO(file))) == payloads
    assert sum(map(record_bytes, payloads)) == len(file)


@pytest.mark.parametrize("left_bytes", range(1, 12 + 3 + 4))  # of the last record: header, payload and footer
def test_file_that_is_cut_short_gives_the_records_before(left_bytes):
    records = iter_records(io.BytesIO(tfrecord_bytes([b"one", b"two"])[: 19 + left_bytes]))

    assert next(records) == b"one"
    with pytest.raises(DocumentError, match="cut short"):
        next(records)


def test_damaged_length_is_noticed():
    file = bytearray(tfrecord_bytes([b"one"]))
    file[3] ^= 1

    with pytest.raises(DocumentError, match="checksum"):
        next(iter_records(io.BytesIO(file)))


def test_damaged_payload_is_noticed_on_request():
    file = io.BytesIO()
    write_records(file, [b"one", b"two"])
    damaged = bytearray(file.getvalue())
    damaged[12] ^= 1  # the first byte behind the header

    assert list(iter_records(io.BytesIO(damaged))) == [b"nne", b"two"]
    with pytest.raises(DocumentError, match="doesn't fit its checksum"):
        next(iter_records(io.BytesIO(damaged), verify=True))


@pytest.mark.parametrize("packed", [False, True])
def test_files_open_gzipped_or_not(packed, tmp_path):
    path = tmp_path / "some.tfrecord"
    with gzip.open(path, "wb") if packed else path.open("wb") as file:
        write_records(file, [b"one", b"two"])

    with open_tfrecord(path) as file:
        assert list(iter_records(file, verify=True)) == [b"one", b"two"]


@pytest.mark.parametrize("content", [b"", b"\x1f", b"plain text"])
def test_unpacked_gives_what_is_not_gzipped_from_its_beginning(content):
    file = io.BytesIO(content)
    assert unpacked(file) is file and file.read() == content


def test_tensorflow_reads_what_is_written(tmp_path):
    tf = pytest.importorskip("tensorflow")
    with (tmp_path / "some.tfrecord").open("wb") as file:
        write_records(file, [b"one", b"two" * 1000])

    records = tf.data.TFRecordDataset(str(tmp_path / "some.tfrecord"))  # checks both checksums
    assert [record.numpy() for record in records] == [b"one", b"two" * 1000]
