"""Prepares labelled pictures for shards, in the decoding child processes. It imports neither Beam nor TensorFlow."""

from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ocr_models.data.sources.source import LabelledPicture, RejectedPicture, Source, SourceItem
from ocr_models.errors import Stage
from ocr_models.io.sequence_example import serialize_example
from ocr_models.io.tfrecord import record_bytes
from ocr_models.records import Example

SIZE_STEP_PX = 16  # bin size of the histograms of width and height
_HASH_MODULUS = 1 << 256


@dataclass
class DataSetCounts:
    """Counts of pictures, which can be summed in any order.

    Attributes:
        pictures: number of pictures.
        examples: number of records made of them.
        record_bytes: size of these records in a TFRecord file.
        texts: number of labelled texts, or captions, without those that are ignored or not known.
        ignored: number of regions to ignore.
        text_lengths: number of these texts by length in characters, or of captions by length in tokens.
        widths: number of examples by width in pixels, rounded down to a multiple of ``SIZE_STEP_PX``.
        heights: number of examples by height in pixels, rounded in the same way.
        characters: how often each character occurs in the texts.
        tokens: how often each token occurs in the captions.
        hash_sum: sum, modulo 2^256, of each picture's SHA-256 of its name, bytes and labels.
    """

    pictures: int = 0
    examples: int = 0
    record_bytes: int = 0
    texts: int = 0
    ignored: int = 0
    text_lengths: Counter[int] = field(default_factory=Counter)
    widths: Counter[int] = field(default_factory=Counter)
    heights: Counter[int] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    hash_sum: int = 0

    def add(self, other: DataSetCounts) -> None:
        """Adds other counts to these."""
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)
        self.hash_sum %= _HASH_MODULUS

    @staticmethod
    def sum(parts: Iterable[DataSetCounts]) -> DataSetCounts:
        """The counts of several parts."""
        total = DataSetCounts()
        for part in parts:
            total.add(part)
        return total


@dataclass(frozen=True)
class PreparedPicture:
    """A picture whose records are ready to be written.

    Attributes:
        name: name of the picture, the same in every run.
        digest: SHA-256 of the picture's bytes, in hex.
        perceptual_hash: 64 bits, few of which differ between pictures that look alike.
        labels_digest: SHA-256 of all labels, in hex.
        payloads: its examples as serialized SequenceExamples.
        packed_counts: ``DataSetCounts`` of this picture, pickled: objects for millions of pictures would fill memory.
        repairs: which labels were repaired, and why.
        rejected_labels: which labels were left out, and why.
    """

    name: str
    digest: str
    perceptual_hash: int
    labels_digest: str
    payloads: tuple[bytes, ...]
    packed_counts: bytes
    repairs: tuple[str, ...] = ()
    rejected_labels: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        return sum(map(len, self.payloads))


@dataclass(frozen=True)
class PreparedPictures:
    """The pictures read from an item of a source."""

    pictures: tuple[PreparedPicture | RejectedPicture, ...]

    @property
    def nbytes(self) -> int:
        return sum(
            picture.nbytes if isinstance(picture, PreparedPicture) else len(picture.data or b"")
            for picture in self.pictures
        )


@dataclass(frozen=True)
class PrepareItem:
    """Asks for all pictures of an item of a source; ``path`` is the local file with the item's bytes, if it has any."""

    source: Source
    item: SourceItem
    path: str | None
    stage = Stage.DECODE

    def answer(self) -> PreparedPictures:
        return PreparedPictures(tuple(map(_prepare, self.source.read(self.item, self.path))))


def _prepare(picture: LabelledPicture | RejectedPicture) -> PreparedPicture | RejectedPicture:
    return picture if isinstance(picture, RejectedPicture) else prepare_picture(picture)


def prepare_picture(picture: LabelledPicture) -> PreparedPicture:
    """Serializes and counts a picture's examples."""
    payloads = tuple(map(serialize_example, picture.examples))
    labels = digest_labels(picture.examples)
    counts = count_examples(picture.examples)
    counts.record_bytes = sum(map(record_bytes, payloads))
    identity = f"{picture.name}\0{picture.digest}\0{labels}"
    counts.hash_sum = int.from_bytes(hashlib.sha256(identity.encode()).digest(), "big")
    return PreparedPicture(
        picture.name,
        picture.digest,
        picture.perceptual_hash,
        labels,
        payloads,
        pickle.dumps(counts),
        picture.repairs,
        picture.rejected_labels,
    )


def count_examples(examples: Sequence[Example]) -> DataSetCounts:
    """The counts of one picture's examples, without bytes and hash."""
    counts = DataSetCounts(pictures=1, examples=len(examples))
    for example in examples:
        counts.widths[example.width_px // SIZE_STEP_PX * SIZE_STEP_PX] += 1
        counts.heights[example.height_px // SIZE_STEP_PX * SIZE_STEP_PX] += 1
        counts.ignored += int(example.ignore.sum())
        texts = [text for text, ignore in zip(example.texts, example.ignore, strict=True) if text and not ignore]
        lengths = [*map(len, texts), *([len(example.caption)] if example.caption else [])]
        counts.texts += len(lengths)
        counts.text_lengths.update(lengths)
        counts.characters.update("".join(texts))
        counts.tokens.update(example.caption)
    return counts


def digest_labels(examples: Iterable[Example]) -> str:
    """SHA-256, in hex, of everything that examples say about their picture."""
    digest = hashlib.sha256()
    for example in examples:
        shape = f"{example.width_px}x{example.height_px}, {len(example.texts)} texts, {len(example.caption)} tokens"
        digest.update("\0".join([shape, *example.texts, *example.caption, ""]).encode())
        digest.update(example.quads.astype("<f4").tobytes() + example.ignore.tobytes())
    return digest.hexdigest()
