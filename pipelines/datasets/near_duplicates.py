"""Pictures that look alike: pairs whose 64-bit perceptual hashes differ in few bits, found without comparing all.

Two hashes that differ in at most 3 bits are equal in at least one of four parts of 16 bits, so only pictures that share
a part are compared. A part takes every fourth bit of the hash, because neighboring bits see the same margin in many
pictures.
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
MAX_COMPARED = 20_000  # hashes that share a part; if there are more, only the first are compared
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class LookAlikes:
    """All pictures of one perceptual hash.

    Attributes:
        hash: their hash.
        names: the first name in each split that has such pictures.
        counts: number of pictures in each split.
        second: the second name in one of the splits; None if no split has two.
    """

    hash: int
    names: dict[str, str]
    counts: dict[str, int]
    second: str | None = None


@dataclass(frozen=True)
class NearPair:
    """Two pictures that look alike; pairs across splits come first in order."""

    same_split: bool
    distance: int
    names: tuple[str, str]
    splits: tuple[str, str]

    @property
    def order(self) -> tuple[bool, int, tuple[str, str]]:
        return self.same_split, self.distance, self.names


@dataclass(frozen=True)
class NearDuplicates:
    """The pairs that were found; mergeable.

    Attributes:
        pairs: number of pairs of pictures.
        across_splits: number of pairs whose pictures are in different splits.
        not_compared: number of hashes not compared, because too many share a part.
        listed: the first pairs in order, one for each pair of hashes.
    """

    pairs: int = 0
    across_splits: int = 0
    not_compared: int = 0
    listed: tuple[NearPair, ...] = ()

    @staticmethod
    def sum(parts: Iterable[NearDuplicates]) -> NearDuplicates:
        """The sum of several parts."""
        parts = list(parts)
        listed = itertools.chain.from_iterable(part.listed for part in parts)
        return NearDuplicates(
            sum(part.pairs for part in parts),
            sum(part.across_splits for part in parts),
            sum(part.not_compared for part in parts),
            tuple(heapq.nsmallest(MAX_LISTED, listed, key=lambda pair: pair.order)),
        )


def look_alikes(perceptual_hash: int, pictures: Iterable[tuple[str, str]]) -> LookAlikes:
    """Summarizes the pictures of one hash, each given by its name and split."""
    names: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for name, split in pictures:
        counts[split] += 1
        names[split] = sorted([*names.get(split, []), name])[:2]
    second = min((found[1] for found in names.values() if len(found) > 1), default=None)
    return LookAlikes(perceptual_hash, {split: names[split][0] for split in sorted(names)}, dict(counts), second)


def parts_of(perceptual_hash: int) -> Iterator[tuple[int, int]]:
    """The parts of a hash, each given by its number and its bits."""
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
    """The pairs of hashes that share this part and no earlier one, and differ in at most ``MAX_DISTANCE`` bits."""
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
        beside = near.astype(np.float64) @ counts[start:]  # (rows, splits): number of pictures near each row
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
        part: number of the part, which all hashes share.
        rows: uint64 (M,), the first M of ``hashes``.
        hashes: uint64 (N,).

    Returns:
        The pairs that count, each once, bool (M, N); and the number of bits, uint8 (M, N).
    """
    differences = rows[:, None] ^ hashes
    distances = np.bitwise_count(differences)
    near = np.triu(distances <= MAX_DISTANCE, k=1)
    for earlier in range(part):  # such a pair was counted for that part
        near &= (differences & np.uint64(_part_mask(earlier))) != 0
    return near, distances


def _closest(first: LookAlikes, second: LookAlikes) -> NearPair:
    """The pair to show for two hashes, across splits if there is one."""
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
