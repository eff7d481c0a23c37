"""Pictures with captions, from a folder with a table or from TFRecord files, and how they are split.

Nothing but names, places and captions is kept in memory; the pictures' bytes are read when they are needed.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr_models.captioning.records import (
    CaptionRecord,
    parse_caption_record,
    read_tfrecord,
    serialize_caption_record,
    write_tfrecord,
)
from ocr_models.captioning.vocabulary import Vocabulary, tokenize
from ocr_models.errors import DocumentError, UsageError
from ocr_models.images import ColorMode, decode_image

_VALIDATION_PARTS = 10  # one picture of so many is for validation


@dataclass(frozen=True)
class CaptionedImage:
    """A picture somewhere on disk, and its captions as tokens.

    Attributes:
        image_id: its name.
        path: the picture's file, or a TFRecord file.
        offset: where in a TFRecord file the picture's record begins; None for a picture's own file.
        captions: what people wrote, tokenized.
    """

    image_id: str
    path: Path
    offset: int | None
    captions: tuple[tuple[str, ...], ...]

    def read(self) -> bytes:
        """The encoded picture."""
        if self.offset is None:
            return self.path.read_bytes()
        with self.path.open("rb") as file:
            file.seek(self.offset)
            _, payload = next(read_tfrecord(file))
        return parse_caption_record(payload).data

    def pixels(self) -> np.ndarray:
        """The picture, uint8 (H, W, 3) RGB, as ``pagebeam caption`` sees it. Raises UsageError if it is broken."""
        try:
            return decode_image(self.read(), ColorMode.RGB).pixels
        except DocumentError as error:
            raise UsageError(f"{self.path}: picture {self.image_id}: {error}; leave it out or replace it") from error


def read_captions(images: Path, captions: Path) -> list[CaptionedImage]:
    """Reads a table of captions: CSV with the columns "image", a file's name in the folder, and "caption".

    Raises:
        UsageError: there is no such table, it has other columns, or it names a picture that isn't there.
    """
    by_name: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    try:
        with captions.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                by_name[row["image"]].append(tokenize(row["caption"]))
    except OSError as error:
        raise UsageError(f"{captions}: can't be read ({error.strerror}); give a CSV file of captions") from error
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{captions}: expected UTF-8 CSV with the columns image,caption ({error!r})") from error
    for name in by_name:
        if not (images / name).is_file():
            raise UsageError(f"{images / name}: no such picture, but {captions} has captions of it")
    return [CaptionedImage(name, images / name, None, tuple(texts)) for name, texts in by_name.items()]


def read_records(files: Iterable[Path], vocabulary: Vocabulary) -> list[CaptionedImage]:
    """Reads TFRecord files of ``CaptionRecord``; those of one ``image/id`` are one picture.

    Raises:
        UsageError: a file is missing or damaged, or its ids are those of another vocabulary.
    """
    places: dict[str, tuple[Path, int]] = {}
    captions: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for path in files:
        try:
            with path.open("rb") as file:
                for offset, payload in read_tfrecord(file):
                    record = parse_caption_record(payload)
                    image_id = record.image_id or hashlib.sha256(record.data).hexdigest()
                    places.setdefault(image_id, (path, offset))
                    captions[image_id].append(_words(record, vocabulary, path))
        except (OSError, DocumentError) as error:
            raise UsageError(f"{path}: {error}; expected a TFRecord file of captioned pictures") from error
    return [CaptionedImage(image_id, *place, tuple(captions[image_id])) for image_id, place in places.items()]


def write_records(images: Iterable[CaptionedImage], vocabulary: Vocabulary, path: Path) -> None:
    """Writes a TFRecord file that ``read_records`` reads, one record for each caption."""
    write_tfrecord(
        path,
        (
            serialize_caption_record(
                CaptionRecord(image.image_id, image.read(), caption, tuple(vocabulary.encode(caption)))
            )
            for image in images
            for caption in image.captions
        ),
    )


def split(images: Sequence[CaptionedImage]) -> tuple[list[CaptionedImage], list[CaptionedImage]]:
    """Training and validation pictures: a picture's name alone decides, so that no run ever moves one over."""
    parts: tuple[list[CaptionedImage], list[CaptionedImage]] = ([], [])
    for image in images:
        digest = hashlib.sha256(image.image_id.encode()).digest()
        parts[int.from_bytes(digest[:4], "big") % _VALIDATION_PARTS == 0].append(image)
    return parts


def _words(record: CaptionRecord, vocabulary: Vocabulary, path: Path) -> tuple[str, ...]:
    """The tokens of a caption; where a record has none, those of its ids."""
    if max(record.caption_ids) >= len(vocabulary):
        raise UsageError(f"{path}: word id {max(record.caption_ids)}, but the vocabulary has {len(vocabulary)} words")
    words = record.caption or vocabulary.decode(record.caption_ids)
    if vocabulary.encode(words) != list(record.caption_ids):
        raise UsageError(
            f"{path}: the ids of {' '.join(words)!r} are {record.caption_ids}, but the vocabulary gives "
            f"{vocabulary.encode(words)}; give the vocabulary that the records were written with"
        )
    return words
