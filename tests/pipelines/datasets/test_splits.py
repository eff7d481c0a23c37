from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.data.dataset_files import SHARD_NAME, missing_shards, shard_name
from ocr_models.errors import UsageError
from pipelines.datasets.splits import SplitFractions, parse_splits, shard_of


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.mark.parametrize(
    ("first_byte", "split"),
    # A first byte of b is a place from b / 256 on: 0.5 ends at 0x80, 0.75 at 0xc0.
    [("00", "train"), ("7f", "train"), ("80", "validation"), ("bf", "validation"), ("c0", "test"), ("ff", "test")],
)
def test_the_first_bits_of_the_digest_choose_the_split(first_byte, split):
    assert SplitFractions(0.5, 0.25, 0.25).split_of(first_byte + "00" * 31) == split


def test_the_last_split_with_a_share_takes_what_rounding_leaves():
    assert SplitFractions(0.7, 0.3, 0).split_of("ff" * 32) == "validation"
    assert SplitFractions(1, 0, 0).split_of("ff" * 32) == "train"


def test_splits_and_shards_have_about_their_shares():
    splits = SplitFractions(0.8, 0.1, 0.1)
    found = [splits.split_of(digest(number)) for number in range(10_000)]
    shards = [shard_of(digest(number), 4) for number in range(10_000) if found[number] == "train"]

    # Standard deviations: √(10000 × 0.8 × 0.2) = 40, √(10000 × 0.1 × 0.9) = 30, √(8000 × 0.25 × 0.75) = 39
    assert abs(found.count("train") - 8000) < 160
    assert abs(found.count("test") - 1000) < 120
    assert all(abs(shards.count(shard) - len(shards) / 4) < 160 for shard in range(4))


@pytest.mark.parametrize(
    ("train_shards", "expected"),
    [
        (None, {"train": 3, "validation": 1}),  # 201 MB and 1 byte in shards of 100 MB at most on average
        (20, {"train": 20, "validation": 2}),  # 20 × 0.09 / 0.9
        (1, {"train": 1, "validation": 1}),
    ],
)
def test_numbers_of_shards_follow_size_or_share(train_shards, expected):
    sizes = {"train": 201_000_000, "validation": 1}  # and nothing happened to fall into the test split

    assert SplitFractions(0.9, 0.09, 0.01).shard_counts(sizes, train_shards) == expected


@given(st.integers(0, 99), st.integers(100, 99999), st.booleans())
def test_shard_names_say_what_they_are(shard, count, compressed):
    name = shard_name("validation", shard, count, compressed)

    match = SHARD_NAME.fullmatch(name)
    assert match and match.groups() == ("validation", f"{shard:05d}", f"{count:05d}", ".gz" if compressed else None)


def test_shards_that_are_promised_and_missing():
    names = ["train-00000-of-00003.tfrecord", "train-00002-of-00003.tfrecord", "test-00000-of-00001.tfrecord", "x"]

    assert missing_shards(names) == ["train-00001-of-00003.tfrecord"]


@pytest.mark.parametrize("text", ["0.9,0.1", "a,b,c", "0.5,0.6,-0.1", "0.9,0.2,0.05", "0,1,0", ""])
def test_shares_that_make_no_sense_are_refused(text):
    with pytest.raises(UsageError, match="splits"):
        parse_splits(text)


def test_shares_may_be_rounded():
    assert parse_splits("0.3333333, 0.3333333, 0.3333333").train == 0.3333333
