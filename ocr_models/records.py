"""The values that flow from a document to a row: frozen dataclasses without behavior.

Geometry follows one convention everywhere. A ``quad`` is a float32 array of shape (4, 2), in pixels, clockwise
from the text's own top-left corner, with the origin at the top-left of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np


@dataclass(frozen=True)
class TextBox:
    """A word as the detector found it.

    Attributes:
        quad: float32 (4, 2), pixels of the image that was given to the detector.
        confidence: 0 to 1, the mean text probability of the cells that voted for the box.
    """

    quad: np.ndarray
    confidence: float


@dataclass(frozen=True)
class Transcript:
    """What the recognizer read in one crop.

    Attributes:
        text: the characters, possibly none.
        confidence: 0 to 1, for the word as a whole; calibrated, if the recognizer has a temperature.
        char_confidences: 0 to 1, one for each character that the network read, whatever a lexicon made of it.
        network_confidence: 0 to 1, for the word as a whole, which no temperature changes; None if it is the same.
        places: 0 to 1, how far along the crop each character of ``text`` was seen.
    """

    text: str
    confidence: float
    char_confidences: tuple[float, ...] = ()
    network_confidence: float | None = None
    places: tuple[float, ...] = ()


@dataclass(frozen=True)
class Word:
    """A word read on a page: its quad in pixels of the page as given, and the index of its line."""

    text: str
    confidence: float
    quad: np.ndarray
    line: int


@dataclass(frozen=True)
class TextLine:
    """A line of words in reading order; lines are themselves in reading order on the page."""

    text: str
    quad: np.ndarray
    confidence: float


@dataclass(frozen=True)
class OcrPage:
    """A page that was read.

    Attributes:
        text: the page as a person would read it; lines end with a newline, an empty line parts two blocks.
        words: in reading order.
        lines: in reading order; ``words[i].line`` points here.
        rotation_deg: how far the page's content is turned clockwise from upright: 0, 90, 180 or 270.
        mean_confidence: of the words, weighted by their characters; 0 where there are none.
    """

    text: str
    words: tuple[Word, ...]
    lines: tuple[TextLine, ...]
    rotation_deg: int
    mean_confidence: float


@dataclass(frozen=True)
class PageTruth:
    """A page picture with the words that are known to stand on it: what the detector is trained with.

    Attributes:
        image: uint8 (H, W), gray.
        quads: float32 (N, 4, 2), pixels.
        texts: N strings; "" where the text is not known.
        ignore: bool (N,), True for regions that count neither as text nor as background.
    """

    image: np.ndarray
    quads: np.ndarray
    texts: tuple[str, ...]
    ignore: np.ndarray


@dataclass(frozen=True)
class WordTruth:
    """A word crop with its text: what the recognizer is trained with. ``image`` is uint8 (H, W), gray."""

    image: np.ndarray
    text: str


class Task(StrEnum):
    """What the examples of a data set teach, what a bundle is trained for, and what is scored."""

    DETECTION = "detection"  # pages with the quads, and mostly the texts, of their words or lines
    RECOGNITION = "recognition"  # crops, each with its one text
    OCR = "ocr"  # words found and read: taught and labelled as detection is, scored as a whole
    CAPTION = "caption"  # pictures, each with one caption; a picture with several has as many examples

    @property
    def labels(self) -> Task:
        """The task whose examples have the labels that this one is scored with."""
        return Task.DETECTION if self == Task.OCR else self


LABEL_TASKS = tuple(task for task in Task if task.labels == task)
"""What the examples of a data set can be labelled for."""


@dataclass(frozen=True)
class Example:
    """A labelled picture: one record of a data set.

    Attributes:
        image_id: names the picture, the same in every run.
        data: the encoded picture, upright without EXIF's help.
        image_format: "png" or "jpeg" in data sets of ours.
        height_px: of the picture.
        width_px: likewise.
        quads: float32 (N, 4, 2), pixels. A recognition example has one, the picture's own edge. A quad of zeros stands
            where the place of a text is not known (``geometry.known_places``).
        texts: N strings; "" where the text is not known.
        ignore: bool (N,), True for regions that count neither as text nor as background (ICDAR's "###").
        caption: tokens of a caption, without ``<S>`` and ``</S>``.
        caption_ids: their ids in the data set's vocabulary, with those of ``<S>`` and ``</S>``.
    """

    image_id: str
    data: bytes
    image_format: str
    height_px: int
    width_px: int
    quads: np.ndarray = field(default_factory=lambda: np.zeros((0, 4, 2), np.float32))
    texts: tuple[str, ...] = ()
    ignore: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    caption: tuple[str, ...] = ()
    caption_ids: tuple[int, ...] = ()
