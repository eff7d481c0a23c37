from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets import near_duplicates
from pipelines.datasets.near_duplicates import (
    MAX_DISTANCE,
    NearDuplicates,
    equal_pairs,
    look_alikes,
    near_pairs,
    parts_of,
)

Pictures = list[tuple[int, str, str]]
"""Hash, name, split."""


def find(pictures: Pictures) -> NearDuplicates:
    """What the graph does, in plain loops."""
    by_hash, by_part = defaultdict(list), defaultdict(list)
    for perceptual_hash, name, split in pictures:
        by_hash[perceptual_hash].append((name, split))
    groups = [look_alikes(perceptual_hash, members) for perceptual_hash, members in by_hash.items()]
    for group in groups:
        for part in parts_of(group.hash):
            by_part[part].append(group)
    near = (near_pairs(part, members) for (part, _), members in by_part.items())
    return NearDuplicates.sum([*map(equal_pairs, groups), *near])


def count_all(pictures: Pictures) -> tuple[int, int]:
    """The same by comparing all with all."""
    near = [
        (one[2], other[2])
        for one, other in itertools.combinations(pictures, 2)
        if (one[0] ^ other[0]).bit_count() <= MAX_DISTANCE
    ]
    return len(near), sum(split != other for split, other in near)


# Few bits of 64 may differ, so that there are near pairs.
hashes = st.sets(st.sampled_from([0, 1, 2, 3, 21, 22, 40, 41, 63]), max_size=5).map(
    lambda bits: sum(1 << bit for bit in bits)
)


@given(st.lists(st.tuples(hashes, st.sampled_from(["train", "test"])), max_size=30))
def test_parts_find_every_pair_once(found):
    pictures = [(perceptual_hash, f"{i:02d}", split) for i, (perceptual_hash, split) in enumerate(found)]

    result = find(pictures)

    assert (result.pairs, result.across_splits) == count_all(pictures)


def test_pairs_across_splits_are_listed_first():
    pictures = [(0b111, "a", "train"), (0b110, "b", "train"), (0b100, "c", "test"), (1 << 60, "far", "test")]

    result = find(pictures)

    assert [(pair.names, pair.distance, pair.splits) for pair in result.listed] == [
        (("b", "c"), 1, ("train", "test")),
        (("a", "c"), 2, ("train", "test")),
        (("b", "far"), 3, ("train", "test")),
        (("a", "b"), 1, ("train", "train")),
        (("c", "far"), 2, ("test", "test")),
    ]
    assert (result.pairs, result.across_splits) == (5, 3)


@pytest.mark.parametrize(
    ("members", "pairs", "across", "listed"),
    [
        ([("b", "train"), ("a", "train"), ("c", "train")], 3, 0, [("a", "b")]),
        ([("b", "train"), ("a", "train"), ("c", "test")], 3, 2, [("a", "c")]),
        ([("a", "train")], 0, 0, []),
    ],
)
def test_pictures_of_one_hash_are_pairs(members, pairs, across, listed):
    result = equal_pairs(look_alikes(7, members))

    assert (result.pairs, result.across_splits) == (pairs, across)
    assert [pair.names for pair in result.listed] == listed


def test_what_is_too_much_to_compare_is_counted(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MAX_COMPARED", 2)
    groups = [look_alikes(perceptual_hash, [(str(perceptual_hash), "train")]) for perceptual_hash in (1, 2, 3, 4)]

    result = near_pairs(3, groups)  # bits 0 to 2 are in parts 0 to 2, in which 1 and 2 differ; they share part 3

    assert (result.pairs, result.not_compared) == (0, 2)  # a pair that shares part 2 was counted there


def test_lists_are_cut_to_the_first(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MAX_LISTED", 5)
    rng = np.random.default_rng(1)
    pictures = [(int(bits), f"{bits:03d}", "train") for bits in rng.permutation(16)]

    result = find(pictures)

    assert result.pairs == 16 * 15 // 2 - 8  # all but the pairs of complements, which differ in 4 bits
    assert [pair.names for pair in result.listed] == [
        ("000", "001"),
        ("000", "002"),
        ("000", "004"),
        ("000", "008"),
        ("001", "003"),
    ]
