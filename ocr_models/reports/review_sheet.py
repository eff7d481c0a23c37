"""The sheet on which a person corrects doubtful words: one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from ocr_models.io.spreadsheets import FORMULA, neutralize
from ocr_models.reports.templating import template_environment

COLUMNS = ("crop", "text", "read", "confidence", "source_uri", "page_index", "quad")
"""The columns of ``words.csv`` and of the CSV that the sheet saves."""


@dataclass(frozen=True)
class DoubtfulWord:
    """A word to review.

    Attributes:
        crop: the path of its picture below the folder of the review.
        png: its picture.
        read: the text that was read.
        confidence: 0 to 1.
        source_uri: the document that it is in.
        page_index: from 0.
        quad: 8 numbers separated by spaces: x and y of 4 corners in pixels of the page as given.
        before: the words before it in its line.
        after: the words after it in its line.
    """

    crop: str
    png: bytes
    read: str
    confidence: float
    source_uri: str
    page_index: int
    quad: str
    before: str
    after: str

    @property
    def image_src(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode()

    def cells(self) -> tuple[str, ...]:
        """The row of the word in the order of ``COLUMNS``, without a text yet, for a CSV file."""
        confidence, source_uri = f"{self.confidence:.4f}", neutralize(self.source_uri)
        return self.crop, "", neutralize(self.read), confidence, source_uri, str(self.page_index), self.quad


def render_sheet(words: Sequence[DoubtfulWord], notes: Sequence[str], sheet_id: str, folder: str) -> str:
    """Renders the sheet as HTML. All text is escaped: what was read on a page can't become markup.

    Args:
        words: in the order in which they are shown first.
        notes: lines for the reviewer, such as the pages that couldn't be opened.
        sheet_id: the key under which the browser stores the progress of this sheet.
        folder: the folder of the sheet and its crops.
    """
    in_place = sorted(range(len(words)), key=lambda i: (words[i].source_uri, words[i].page_index, words[i].crop))
    places = {index: place for place, index in enumerate(in_place)}
    return (
        template_environment()
        .get_template("review.html")
        .render(
            words=words,
            notes=notes,
            sheet_id=sheet_id,
            folder=folder,
            columns=COLUMNS,
            places=places,
            formula=FORMULA,
        )
    )
