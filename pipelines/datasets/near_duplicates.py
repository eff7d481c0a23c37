"""Pictures that look alike: pairs whose 64-bit perceptual hashes differ in few bits, found without comparing all.

A pair that differs in at most 3 bits is equal in one of four parts of 16 bits, so only pictures that share a part are
compared. A part takes every fourth bit of the hash, since neighboring bits see the same margin of many pictures.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

MAX_DISTANCE = 3  # bits
PARTS = MAX_DISTANCE + 1
MAX_LISTED = 100
MAX_COMPARED = 20_000  # hashes that share a part; of more, only the first are compared
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class LookAlikes:
    """All pictures of one perceptual hash.

    Attributes:
        hash: theirs.
        names: the first name in each split that has one of them.
        counts: how many are in each split.
        second: another picture of the same split as the first, if there is one.
    """

    hash: int
    names: dict[str, str]
    counts: dict[str, int]
    second: str | None = None


@dataclass(frozen=True)
class NearPair:
    """Two pictures that look alike; those in different splits come first in order."""

    same_split: bool
    distance: int
    names: tuple[str, str]
    splits: tuple[str, str]

    @property
    def order(self) -> tuple[bool, int, tuple[str, str]]:
        return self.same_split, self.distance, self.names


@dataclass(frozen=True)
class NearDuplicates:
    """What was found; mergeable.

    Attributes:
        pairs: pairs of pictures.
        across_splits: those whose pictures are in different splits.
        not_compared: hashes passed over since too many share a part.
        listed: the first pairs in their order, one for each two hashes.
    """

    pairs: int = 0
    across_splits: int = 0
    not_compared: int = 0
    listed: tuple[NearPair, ...] = ()

    @staticmethod
    def sum(parts: Iterable[NearDuplicates]) -> NearDuplicates:
        """All that several parts found."""
        parts = list(parts)
        listed = itertools.chain.from_iterable(part.listed for part in parts)
        return NearDuplicates(
            sum(part.pairs for part in parts),
            sum(part.across_splits for part in parts),
            sum(part.not_compared for part in parts),
            tuple(heapq.nsmallest(MAX_LISTED, listed, key=lambda pair: pair.order)),
        )


def look_alikes(perceptual_hash: int, pictures: Iterable[tuple[str, str]]) -> LookAlikes:
    """Sums up the pictures of one hash, each a name and its split."""
    names: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for name, split in pictures:
        counts[split] += 1
        names[split] = sorted([*names.get(split, []), name])[:2]
    second = min((found[1] for found in names.values() if len(found) > 1), default=None)
    return LookAlikes(perceptual_hash, {split: names[split][0] for split in sorted(names)}, dict(counts), second)


def parts_of(perceptual_hash: int) -> Iterator[tuple[int, int]]:
    """The parts of a hash, each as its number and its bits."""
    for part in range(PARTS):
        yield part, perceptual_hash & _part_mask(part)


def equal_pairs(group: LookAlikes) -> NearDuplicates:
    """The pairs among the pictures of one hash."""
    total = sum(group.counts.values())
    pairs = total * (total - 1) // 2
    same = sum(count * (count - 1) // 2 for count in group.counts.values())
    listed = []
    (first_split, first_name), *others = group.names.items()
    for split, name in others:
        listed.append(_pair(0, (first_name, first_split), (name, split)))
    if not others and group.second:
        listed.append(_pair(0, (first_name, first_split), (group.second, first_split)))
    return NearDuplicates(pairs, pairs - same, 0, tuple(listed))


def near_pairs(part: int, groups: Iterable[LookAlikes]) -> NearDuplicates:
    """The pairs of hashes that share this part, differ in ``MAX_DISTANCE`` bits at most, and share no part before."""
    ordered = sorted(groups, key=lambda group: group.hash)
    compared = ordered[:MAX_COMPARED]
    hashes = np.array([group.hash for group in compared], np.uint64)
    splits = sorted({split for group in compared for split in group.counts})
    counts = np.array([[group.counts.get(split, 0) for split in splits] for group in compared])  # (N, splits)
    only_split = np.where((counts > 0).sum(1) == 1, counts.argmax(1), -1)
    found = [NearDuplicates(not_compared=len(ordered) - len(compared))]
    for start in range(0, len(compared), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        near, distances = _compare(part, hashes[rows], hashes[start:])
        if not near.any():
            continue
        beside = near.astype(np.float64) @ counts[start:]  # (rows, splits): pictures near to each row's
        pairs = float(counts[rows].sum(1) @ beside.sum(1))
        across = pairs - float((counts[rows] * beside).sum())
        first, second = np.nonzero(near)
        same = (only_split[rows][first] == only_split[start:][second]) & (only_split[rows][first] >= 0)
        shown = np.argsort(same * np.uint8(PARTS) + distances[near], kind="stable")[:MAX_LISTED]
        listed = (_closest(compared[start + first[i]], compared[start + second[i]]) for i in shown)
        found.append(NearDuplicates(round(pairs), round(across), 0, tuple(listed)))
    return NearDuplicates.sum(found)


def _compare(part: int, rows: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs of hashes count for a part, and in how many bits all pairs differ.

    Args:
        part: the number of the part, which all share.
        rows: uint64 (M,), the first M of ``hashes``.
        hashes: uint64 (N,).

    Returns:
        bool (M, N), each pair once; and uint8 (M, N).
    """
    differences = rows[:, None] ^ hashes
    distances = np.bitwise_count(differences)
    near = np.triu(distances <= MAX_DISTANCE, k=1)
    for earlier in range(part):  # where such a pair was counted already
        near &= (differences & np.uint64(_part_mask(earlier))) != 0
    return near, distances


def _closest(first: LookAlikes, second: LookAlikes) -> NearPair:
    """One pair to show for two hashes, across splits if there is such a pair."""
    distance = (first.hash ^ second.hash).bit_count()
    candidates = [
        _pair(distance, (name, split), (other_name, other_split))
        for split, name in first.names.items()
        for other_split, other_name in second.names.items()
    ]
    return min(candidates, key=lambda pair: pair.order)


def _pair(distance: int, one: tuple[str, str], other: tuple[str, str]) -> NearPair:
    (name, split), (other_name, other_split) = sorted([one, other])
    return NearPair(split == other_split, distance, (name, other_name), (split, other_split))


def _part_mask(part: int) -> int:
    return sum(1 << bit for bit in range(part, 64, PARTS))
