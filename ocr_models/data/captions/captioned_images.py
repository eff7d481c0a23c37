"""Pictures with captions, from the shards of a data set.

Only names, positions and captions are kept in memory; the bytes of a picture are read when they are needed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr_models.data.dataset import find_shards, find_vocabulary, parse_record, read_payloads
from ocr_models.errors import DocumentError, UsageError
from ocr_models.io.images import ColorMode, decode_image
from ocr_models.io.sequence_example import page_image_bytes
from ocr_models.io.tfrecord import iter_records, open_tfrecord, record_bytes
from ocr_models.records import Example
from ocr_models.vocabulary import Vocabulary


@dataclass(frozen=True)
class CaptionedImage:
    """A picture in a shard, and its captions as tokens.

    Attributes:
        image_id: the name of the picture.
        path: the shard.
        offset: the position in bytes of the picture's record in the shard, after unpacking.
        captions: the captions, tokenized.
    """

    image_id: str
    path: Path
    offset: int
    captions: tuple[tuple[str, ...], ...]

    def read(self) -> bytes:
        """The encoded picture."""
        with open_tfrecord(self.path) as file:
            file.seek(self.offset)
            return page_image_bytes(next(iter_records(file)))

    def pixels(self) -> np.ndarray:
        """The picture, uint8 (H, W, 3) RGB, decoded as by ``pagebeam caption``. Raises UsageError if it is broken."""
        try:
            return decode_image(self.read(), ColorMode.RGB).pixels
        except DocumentError as error:
            raise UsageError(f"{self.path}: picture {self.image_id}: {error}; leave it out or replace it") from error


def read_captions(pattern: str, split: str = "train") -> list[CaptionedImage]:
    """Reads shards of caption examples and groups them by ``picture_id``.

    Args:
        pattern: a glob or folder, as for ``dataset.find_shards``.
        split: the split to read if ``pattern`` is a folder.

    Raises:
        UsageError: there is no shard or no vocabulary beside it, a shard is damaged, or its ids don't fit the
            vocabulary.
    """
    vocabulary = find_vocabulary(pattern, split)
    places: dict[str, tuple[Path, int]] = {}
    captions: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for path in find_shards(pattern, split):
        offset = 0
        for index, payload in enumerate(read_payloads(path)):
            record = parse_record(payload, path, index)
            image_id = picture_id(record)
            places.setdefault(image_id, (path, offset))
            captions[image_id].append(_words(record, vocabulary, path))
            offset += record_bytes(payload)
    return [CaptionedImage(image_id, *place, tuple(captions[image_id])) for image_id, place in places.items()]


def picture_id(example: Example) -> str:
    """Identifies a captioned picture: its name or, if it has none, the hash of its content."""
    return example.image_id or hashlib.sha256(example.data).hexdigest()


def _words(record: Example, vocabulary: Vocabulary, path: Path) -> tuple[str, ...]:
    """The tokens of a caption; if the record has none, the words of its ids."""
    if not record.caption_ids:
        raise UsageError(f"{path}: a record without caption ids; expected a data set of --format captions")
    if max(record.caption_ids) >= len(vocabulary):
        raise UsageError(f"{path}: word id {max(record.caption_ids)}, but the vocabulary has {len(vocabulary)} words")
    words = record.caption or vocabulary.decode(record.caption_ids)
    if vocabulary.encode(words) != list(record.caption_ids):
        raise UsageError(
            f"{path}: the ids of {' '.join(words)!r} are {record.caption_ids}, but the vocabulary gives "
            f"{vocabulary.encode(words)}; put the vocabulary beside the shards that they were written with"
        )
    return words
