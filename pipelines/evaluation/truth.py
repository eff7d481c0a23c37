"""Reads labelled pictures for scoring: the labels from a source or a shard, and the pixels.

It runs in the decoding child processes and imports neither Beam nor TensorFlow.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ocr_models.data.sources.source import LabelledPicture, RejectedPicture, Source, SourceItem
from ocr_models.errors import DocumentError, Stage
from ocr_models.io.images import ColorMode, decode_image
from ocr_models.io.sequence_example import parse_example, serialize_example
from ocr_models.records import Example, Task
from pipelines.decoding.file_requests import RecordPlace


@dataclass(frozen=True)
class TruthPicture:
    """A labelled picture, ready to be read by a model and scored.

    Attributes:
        name: its id in data sets, usually the path of its file below the source's folder.
        pixels: uint8, (H, W) in gray or (H, W, 3) in RGB.
        example: its labels, without the encoded picture.
        digest: SHA-256, in hex, of the picture with its labels.
        references: all of its captions, as tokens.
        rejected_labels: which labels were left out, and why.
    """

    name: str
    pixels: np.ndarray
    example: Example
    digest: str
    references: tuple[tuple[str, ...], ...] = ()
    rejected_labels: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes


@dataclass(frozen=True)
class FailedPicture:
    """A picture that can't be scored: where it failed, and why."""

    name: str
    stage: str
    reason: str
    nbytes = 0


@dataclass(frozen=True)
class TruthPictures:
    """The pictures read from an item of a source, or from a record."""

    pictures: tuple[TruthPicture | FailedPicture, ...]

    @property
    def nbytes(self) -> int:
        return sum(picture.nbytes for picture in self.pictures)


@dataclass(frozen=True)
class ReadItem:
    """Asks for all pictures of an item of a source; ``path`` is the local file with the item's bytes, if it has any."""

    source: Source
    item: SourceItem
    path: str | None
    color_mode: ColorMode
    stage = Stage.OPEN

    def answer(self) -> TruthPictures:
        found = self.source.read(self.item, self.path)
        return TruthPictures(tuple(of_one for picture in found for of_one in self._pictures(picture)))

    def _pictures(self, picture: LabelledPicture | RejectedPicture) -> Iterator[TruthPicture | FailedPicture]:
        if isinstance(picture, RejectedPicture):
            yield FailedPicture(picture.name, picture.stage, picture.reason)
        elif not picture.examples:
            reasons = "; ".join(picture.rejected_labels) or "it has none"
            yield FailedPicture(picture.name, Stage.LABEL, f"no label can be used: {reasons}")
        elif self.source.task == Task.CAPTION:  # one example per caption of one picture
            yield _decode(picture.name, picture.examples, self.color_mode, picture.rejected_labels)
        else:
            for i, example in enumerate(picture.examples):
                yield _decode(picture.name, [example], self.color_mode, () if i else picture.rejected_labels)


@dataclass(frozen=True)
class ReadRecord:
    """Asks for the picture in a record of a data set's shard; ``name`` is its name if it has no id."""

    place: RecordPlace
    name: str
    color_mode: ColorMode
    stage = Stage.DECODE

    def answer(self) -> TruthPictures:
        try:
            example = parse_example(self.place.read())
        except DocumentError as error:
            return TruthPictures((FailedPicture(self.name, error.stage, str(error)),))
        return TruthPictures((_decode(self.name, [example], self.color_mode),))


def _decode(
    name: str, examples: Sequence[Example], color_mode: ColorMode, rejected_labels: tuple[str, ...] = ()
) -> TruthPicture | FailedPicture:
    """Decodes the picture that all the examples share; ``name`` is its name if it has no id."""
    first = examples[0]
    name = first.image_id or name
    try:
        pixels = decode_image(first.data, color_mode).pixels
    except DocumentError as error:
        return FailedPicture(name, error.stage, str(error))
    digest = hashlib.sha256(b"".join(map(serialize_example, examples))).hexdigest()
    references = tuple(example.caption for example in examples if example.caption)
    return TruthPicture(name, pixels, dataclasses.replace(first, data=b""), digest, references, rejected_labels)
