"""Pictures and their labels as JSON objects and Parquet rows have them.

``image`` names the picture. ``words`` is a list of objects, each with a ``text``, a ``quad`` (8 numbers or 4 points) or
a ``box`` (xmin, ymin, xmax, ymax; null if the place is not known), and ``ignore`` if it is to be ignored. The parallel
lists ``texts``, ``quads`` (quads or boxes) and ``ignore`` mean the same. A ``text`` without words is the text of the
whole picture.
"""

from __future__ import annotations

import itertools
import math
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ocr_models.data.sources.labels import TextLabel, label_crop, label_page
from ocr_models.data.sources.source import LabelledPicture, Listing, PictureNames, SourceItem, no_picture
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task

LABEL_KEYS = ("id", "text", "words", "quads", "texts", "ignore")
_LISTS = ("quads", "texts", "ignore")
_NO_WORDS = "a text, but no words: give --task recognition for pictures of single texts"


@dataclass(frozen=True)
class LabelRecord:
    """The object or row of one picture.

    Attributes:
        image_id: the name of the picture in the source, or that of the record if the picture isn't in the source.
        labels: the values of its ``LABEL_KEYS``.
        span: in bytes, where the record begins and ends in its file, if the picture is in the record itself.
    """

    image_id: str
    labels: Mapping[str, Any]
    span: tuple[int, int] | None = None


def locate_record(
    name: str, labels: Mapping[str, Any], wanted: str, table: str, listing: Listing, pictures: PictureNames
) -> SourceItem:
    """The item of a record that names its picture.

    Args:
        name: of the item.
        labels: of the record.
        wanted: the picture: a path relative to the table, which may lead out of the source, an absolute path, or a URI.
        table: the name of the file with the record.
        listing: of the source.
        pictures: of the listing.
    """
    found = pictures.find(wanted, posixpath.dirname(table))
    path: str | None = None
    if found:
        path = listing.paths[found]
    elif posixpath.isabs(wanted) or "://" in wanted:
        path = wanted
    elif wanted.startswith("../"):
        path = posixpath.join(posixpath.dirname(listing.paths[table]), wanted)
    return SourceItem(name, path, LabelRecord(found or name, labels) if path else no_picture(wanted))


def has_words(record: Mapping[str, Any]) -> bool:
    """Tells whether a record labels the words of a page."""
    return record.get("words") is not None or record.get("quads") is not None or record.get("texts") is not None


def check_task(root: str, records: Sequence[Mapping[str, Any]], task: Task) -> None:
    """Raises UsageError if no record can give examples for the task."""
    if task == Task.DETECTION and records and not any(map(has_words, records)):
        raise UsageError(f"{root}: {_NO_WORDS}")


def label_record(name: str, data: bytes, record: LabelRecord, task: Task) -> LabelledPicture:
    """Labels a picture with its record, whose ``id``, if it has one, becomes the image's id.

    Raises:
        DocumentError: the picture or the record is broken.
    """
    labels = record.labels
    image_id = str(labels["id"]) if labels.get("id") is not None else record.image_id
    if has_words(labels):
        return label_page(name, data, parse_words(labels), task, image_id)
    if labels.get("text") is None:
        raise DocumentError(Stage.LABEL, "neither words nor a text; expected one of them")
    if task != Task.RECOGNITION:
        raise DocumentError(Stage.LABEL, _NO_WORDS)
    return label_crop(name, data, str(labels["text"]), image_id)


def parse_words(record: Mapping[str, Any]) -> list[TextLabel]:
    """The labels of a page. Raises DocumentError with stage "label" if one can't be read."""
    words = record.get("words")
    if words is None:
        quads, texts, ignore = (list(record[key]) if record.get(key) is not None else [] for key in _LISTS)
        if len({len(of_words) for of_words in (quads, texts, ignore) if of_words}) > 1:
            found = f"{len(quads)} quads, {len(texts)} texts and {len(ignore)} ignore flags"
            raise DocumentError(Stage.LABEL, f"{found}; expected as many of each")
        words = [
            {"quad": quad, "text": text, "ignore": ignored}
            for quad, text, ignored in itertools.zip_longest(quads, texts, ignore)
        ]
    return [_parse_word(i, word) for i, word in enumerate(words)]


def _parse_word(index: int, word: Any) -> TextLabel:
    try:
        place = word.get("quad") if word.get("quad") is not None else word.get("box")
        corners = () if place is None else tuple(map(float, np.asarray(place, np.float64).ravel().tolist()))
        if len(corners) not in (0, 4, 8) or not all(map(math.isfinite, corners)):
            raise ValueError
    except (AttributeError, TypeError, ValueError) as error:
        raise DocumentError(Stage.LABEL, f"word {index} is {word!r}; expected a text, and a quad or box") from error
    ignored = bool(word.get("ignore"))
    return TextLabel("" if ignored else str(word.get("text") or ""), corners, ignored)
