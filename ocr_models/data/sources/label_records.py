"""Labels as JSON objects and Parquet rows hold them.

``words`` is a list of objects with ``text`` and ``quad`` (8 numbers or 4 points) or ``box`` (xmin, ymin, xmax, ymax;
null where the place is not known), and ``ignore`` if it is to be ignored; the lists ``texts``, ``quads`` (of quads or
boxes) and ``ignore`` side by side are the same. A ``text`` without words is what the whole picture says.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ocr_models.data.sources.labels import TextLabel, label_crop, label_page
from ocr_models.data.sources.source import LabelledPicture
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task

LABEL_KEYS = ("id", "text", "words", "quads", "texts", "ignore")
_LISTS = ("quads", "texts", "ignore")
_NO_WORDS = "a text, but no words: give --task recognition for pictures of single texts"


def has_words(record: Mapping[str, Any]) -> bool:
    """Whether it labels the words of a page."""
    return record.get("words") is not None or record.get("quads") is not None or record.get("texts") is not None


def check_task(root: str, records: Sequence[Mapping[str, Any]], task: Task) -> None:
    """Raises UsageError where no record can give examples of the task."""
    if task == Task.DETECTION and records and not any(map(has_words, records)):
        raise UsageError(f"{root}: {_NO_WORDS}")


def label_record(name: str, data: bytes, record: Mapping[str, Any], image_id: str, task: Task) -> LabelledPicture:
    """A picture by its record, which may name it (``id``). Raises DocumentError for broken pictures and records."""
    image_id = str(record["id"]) if record.get("id") is not None else image_id
    if has_words(record):
        return label_page(name, data, parse_words(record), task, image_id)
    if record.get("text") is None:
        raise DocumentError(Stage.LABEL, "neither words nor a text; expected one of them")
    if task != Task.RECOGNITION:
        raise DocumentError(Stage.LABEL, _NO_WORDS)
    return label_crop(name, data, str(record["text"]), image_id)


def parse_words(record: Mapping[str, Any]) -> list[TextLabel]:
    """The labels of a page. Raises DocumentError with stage "label" where one can't be read."""
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
