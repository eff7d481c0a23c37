"""The values on the way from a document to a row, and the examples of data sets: frozen dataclasses without behavior.

Geometry follows one convention everywhere. A ``quad`` is a float32 array of shape (4, 2), in pixels, clockwise
from the text's own top-left corner, with the origin at the top-left of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np


@dataclass(frozen=True)
class TextBox:
    """A word that the detector found.

    Attributes:
        quad: float32 (4, 2), in pixels of the picture given to the detector.
        confidence: 0 to 1, the mean text probability of the cells that the box was merged from.
    """

    quad: np.ndarray
    confidence: float


@dataclass(frozen=True)
class Transcript:
    """The text that the recognizer read in one crop.

    Attributes:
        text: the characters; may be empty.
        confidence: 0 to 1, of the whole text; calibrated if the recognizer has a temperature.
        char_confidences: 0 to 1, one for each character that the network read, even if a lexicon changed it.
        network_confidence: 0 to 1, of the whole text, without a temperature; None if it equals ``confidence``.
        places: 0 to 1, the position of each character of ``text`` along the width of the crop.
    """

    text: str
    confidence: float
    char_confidences: tuple[float, ...] = ()
    network_confidence: float | None = None
    places: tuple[float, ...] = ()


class TextLayerUse(StrEnum):
    """When the words of a PDF page are taken from the text that is in it."""

    AUTO = "auto"  # where that text is seen, maps to characters and covers the ink of the page
    HIDDEN = "hidden"  # also where hidden text, as another OCR lays it under a scan, covers most of the ink
    NEVER = "never"  # pages are rendered and read


class TextSource(StrEnum):
    """Where the words of a page come from."""

    TEXT_LAYER = "text_layer"
    HIDDEN_TEXT = "hidden_text"  # also from the text layer, where another OCR put it
    OCR = "ocr"


MIN_CONFIDENCE = 0.75
"""The least confidence, before calibration, of words in a page's text, unless asked for otherwise. On development pages
most words below were the texture of a picture or read wrong."""


@dataclass(frozen=True)
class Word:
    """A word read on a page.

    Attributes:
        text: as read.
        confidence: 0 to 1; 0 for a word in a script that the recognizer doesn't know.
        quad: float32 (4, 2), pixels of the page as given.
        line: index of its line.
        in_text: whether the page's text has it; False for words that were read with too little confidence, and for
            those in a script that the recognizer doesn't know.
    """

    text: str
    confidence: float
    quad: np.ndarray
    line: int
    in_text: bool = True


@dataclass(frozen=True)
class TextLine:
    """A line of words in reading order. The lines of a page are in reading order, too.

    ``text`` has those of its words that are in the page's text, and is empty if none is. ``block`` is the index of its
    block.
    """

    text: str
    quad: np.ndarray
    confidence: float
    block: int = 0


class BlockKind(StrEnum):
    """What a block of a page is."""

    TEXT = "text"  # a paragraph, an item of a list, or whatever else stands together
    HEADING = "heading"
    TABLE = "table"
    HEADER = "header"  # at the top of a page, outside its text
    FOOTER = "footer"  # the same at the bottom
    PAGE_NUMBER = "page_number"  # a header or footer that is nothing else


@dataclass(frozen=True)
class TableCell:
    """A cell of a table.

    Attributes:
        row: index of its first row, from 0.
        column: index of its first column, from 0 at the left.
        row_span: number of rows that it covers.
        column_span: number of columns that it covers.
        words: indices of its words on the page, in reading order.
    """

    row: int
    column: int
    row_span: int
    column_span: int
    words: tuple[int, ...]


@dataclass(frozen=True)
class TextBlock:
    """A block of a page: consecutive lines.

    Attributes:
        kind: what it is.
        quad: float32 (4, 2), pixels of the page as given.
        level: 1 to 3, of a heading, by its size in comparison with the page's text; None of other blocks.
        column: index of its text column from the left; 0 if there is one column.
        cells: of a table, row by row; each of its words is in one. None of other blocks.
    """

    kind: BlockKind
    quad: np.ndarray
    level: int | None = None
    column: int = 0
    cells: tuple[TableCell, ...] | None = None


@dataclass(frozen=True)
class OcrPage:
    """A page that was read.

    Attributes:
        text: the lines in reading order; each ends with a newline, and an empty line separates two blocks.
        words: in reading order.
        lines: in reading order; ``words[i].line`` is an index into them.
        rotation_deg: by how much the page's content is turned clockwise from upright: 0, 90, 180 or 270.
        mean_confidence: of the words, weighted by their characters; 0 if there are none.
        is_complete: False if the page has more words than are kept.
        unknown_script_share: 0 to 1, of the characters: those of words in a script that the recognizer doesn't know.
        text_source: whether the words were read or are those of the page's text layer, with confidence 1, which says
            nothing of hidden text.
        blocks: in reading order; ``lines[i].block`` is an index into them.
    """

    text: str
    words: tuple[Word, ...]
    lines: tuple[TextLine, ...]
    rotation_deg: int
    mean_confidence: float
    is_complete: bool = True
    unknown_script_share: float = 0.0
    text_source: TextSource = TextSource.OCR
    blocks: tuple[TextBlock, ...] = ()


@dataclass(frozen=True)
class PageTruth:
    """A page and the words that are known to be on it, to train the detector.

    Attributes:
        image: uint8 (H, W), gray.
        quads: float32 (N, 4, 2), pixels.
        texts: N strings; "" if the text is not known.
        ignore: bool (N,), True for regions that count neither as text nor as background.
    """

    image: np.ndarray
    quads: np.ndarray
    texts: tuple[str, ...]
    ignore: np.ndarray


@dataclass(frozen=True)
class WordTruth:
    """A word crop, uint8 (H, W), gray, with its text, to train the recognizer."""

    image: np.ndarray
    text: str


class Task(StrEnum):
    """The task of the examples of a data set, of a bundle, or of an evaluation."""

    DETECTION = "detection"  # examples are pages with the quads and usually the texts of their words or lines
    RECOGNITION = "recognition"  # examples are crops, each with one text
    OCR = "ocr"  # words are found and read; labelled as for detection, but scored as a whole
    CAPTION = "caption"  # examples are pictures with one caption each; a picture with several has as many examples

    @property
    def labels(self) -> Task:
        """The task whose examples have the labels by which this one is scored."""
        return Task.DETECTION if self == Task.OCR else self


LABEL_TASKS = tuple(task for task in Task if task.labels == task)
"""The tasks that the examples of a data set can be labelled for."""


@dataclass(frozen=True)
class Example:
    """A labelled picture: one record of a data set.

    Attributes:
        image_id: the name of the picture, the same in every run.
        data: the encoded picture, which is upright without EXIF.
        image_format: "png" or "jpeg" in data sets that pagebeam prepared.
        height_px: of the picture.
        width_px: of the picture.
        quads: float32 (N, 4, 2), pixels. A recognition example has one, the edge of the picture. A quad of zeros means
            that the place of a text is not known (``geometry.known_places``).
        texts: N strings; "" if the text is not known.
        ignore: bool (N,), True for regions that count neither as text nor as background (ICDAR's "###").
        caption: the tokens of a caption, without ``<S>`` and ``</S>``.
        caption_ids: the ids of the tokens in the data set's vocabulary, including those of ``<S>`` and ``</S>``.
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
