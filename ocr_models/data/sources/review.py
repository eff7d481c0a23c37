"""A finished review: the crops beside its CSV, with the texts that a person typed."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from ocr_models.charset import normalize_text
from ocr_models.data.sources.labels import label_crop
from ocr_models.data.sources.source import Files, LabelledPicture, RejectedPicture, SourceItem
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.io.spreadsheets import restore
from ocr_models.records import Example, Task

_COLUMNS = {"crop", "text", "source_uri", "page_index"}


@dataclass(frozen=True)
class ReviewedWord:
    """A word that a person has read: the name of its crop, the crop's bytes (None if unreadable), and its text."""

    crop: str
    png: bytes | None
    text: str


@dataclass(frozen=True)
class ReviewSource:
    """The corrected words of a review, as one picture per page, so that the words of a page stay in one split.

    Rows without a text are not used: they weren't reviewed or show no text.

    Attributes:
        root: the CSV, ``review.csv`` or ``words.csv``, with ``crops/`` beside it.
        task: recognition.
    """

    root: str
    task: Task = Task.RECOGNITION
    format = "review"

    def items(self, files: Files) -> Iterator[SourceItem]:
        rows = [row for row in _read_table(files, self.root) if row["text"]]
        if not rows:
            raise UsageError(f"{self.root}: no row has a text; type what the crops say into the column 'text'")
        rows.sort(key=lambda row: (row["source_uri"], int(row["page_index"]), row["crop"]))
        folder = posixpath.dirname(self.root)
        for _, of_page in itertools.groupby(rows, key=lambda row: (row["source_uri"], row["page_index"])):
            words = tuple(_read_word(files, folder, row) for row in of_page)
            # Crops are named after their page. They are small enough to come with the item.
            yield SourceItem(posixpath.basename(words[0].crop).rpartition("-")[0], None, words)

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        examples: list[Example] = []
        digest = hashlib.sha256()
        for word in item.labels:
            try:
                if word.png is None:
                    raise DocumentError(Stage.OPEN, "the crop can't be read; keep the folder crops/ beside the CSV")
                examples += label_crop(word.crop, word.png, word.text).examples
                digest.update(word.png)
            except DocumentError as error:
                yield RejectedPicture(word.crop, error.stage, str(error), word.png)
        if examples:
            # The picture of the page isn't available: this hash is near no other.
            perceptual_hash = int.from_bytes(digest.digest()[:8], "big")
            yield LabelledPicture(item.name, digest.hexdigest(), perceptual_hash, tuple(examples))


def _read_table(files: Files, path: str) -> list[dict[str, str]]:
    """The rows, their texts normalized as in data sets. Spreadsheets may separate cells by semicolons or tabs."""
    try:
        text = files.read(path).decode("utf-8-sig")
        header = text.partition("\n")[0]
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
        rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path}: not a CSV file in UTF-8 ({error}); give the CSV that the review sheet saved"
        ) from error
    if missing := _COLUMNS - set(table.fieldnames or ()):
        raise UsageError(f"{path}: no column {', '.join(sorted(missing))}; give the CSV that the review sheet saved")
    for number, row in enumerate(rows, start=2):
        if not any(row.values()):  # spreadsheets add such rows
            continue
        if any(row[column] is None for column in _COLUMNS) or not row["page_index"].isdecimal():
            raise UsageError(f"{path}: row {number} is not as the review sheet saved it; correct its columns")
        row["text"] = normalize_text(restore(row["text"])).strip()
        row["source_uri"] = restore(row["source_uri"])
    return rows


def _read_word(files: Files, folder: str, row: dict[str, str]) -> ReviewedWord:
    try:
        return ReviewedWord(row["crop"], files.read(posixpath.join(folder, row["crop"])), row["text"])
    except OSError:
        return ReviewedWord(row["crop"], None, row["text"])
