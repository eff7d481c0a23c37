"""The split and shard of a picture: functions of its content, so they are the same in every run.

The split, the shard and the contact sheet are chosen by parts of a SHA-256 that don't overlap, so that the choices are
independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ocr_models.data.dataset_files import SPLITS
from ocr_models.errors import UsageError

SHARD_BYTES = 100_000_000
_HEX_64_BITS = 16


@dataclass(frozen=True)
class SplitFractions:
    """How a data set is split.

    Attributes:
        train: share of pictures for training, 0 to 1.
        validation: share of pictures for validation, 0 to 1.
        test: share of pictures for testing, 0 to 1.
    """

    train: float = 0.9
    validation: float = 0.05
    test: float = 0.05

    def __post_init__(self) -> None:
        parts = self.as_dict().values()
        if min(parts) < 0 or not math.isclose(sum(parts), 1, abs_tol=1e-6) or not self.train:
            raise UsageError(
                f"splits {self.train:g},{self.validation:g},{self.test:g}: give the shares of train, validation and "
                "test, which add up to 1, such as 0.9,0.05,0.05; that of train can't be 0"
            )

    def as_dict(self) -> dict[str, float]:
        return {split: getattr(self, split) for split in SPLITS}

    def split_of(self, digest: str) -> str:
        """The split of a picture, by the SHA-256 of its bytes in hex."""
        position = _fraction(digest, 0)
        used = [(split, share) for split, share in self.as_dict().items() if share]
        for split, share in used[:-1]:
            position -= share
            if position < 0:
                return split
        return used[-1][0]

    def shard_counts(self, split_bytes: dict[str, int], train_shards: int | None = None) -> dict[str, int]:
        """The number of shards of each split that isn't empty.

        Args:
            split_bytes: size of the records of each split.
            train_shards: number of shards of the training split; the others get shards in proportion to their shares.
                None: as many as it takes for shards of about ``SHARD_BYTES``.
        """
        counts = {}
        for split, share in self.as_dict().items():
            if split_bytes.get(split):
                wanted = train_shards * share / self.train if train_shards else split_bytes[split] / SHARD_BYTES
                counts[split] = max(round(wanted) if train_shards else math.ceil(wanted), 1)
        return counts


def parse_splits(text: str) -> SplitFractions:
    """Parses splits from a text such as "0.9,0.05,0.05". Raises UsageError for any other text."""
    try:
        train, validation, test = map(float, text.split(","))
    except ValueError as error:
        raise UsageError(f"splits {text!r}: expected three numbers, such as 0.9,0.05,0.05") from error
    return SplitFractions(train, validation, test)


def shard_of(digest: str, shard_count: int) -> int:
    """The shard of a picture within its split."""
    return int(digest[_HEX_64_BITS : 2 * _HEX_64_BITS], 16) % shard_count


def sample_order(digest: str) -> str:
    """The key to sort pictures by for a random choice that is the same in every run."""
    return digest[2 * _HEX_64_BITS :]


def _fraction(digest: str, start: int) -> float:
    return int(digest[start : start + _HEX_64_BITS], 16) / 16**_HEX_64_BITS
