"""COCO-Text and TextOCR: one JSON file that labels the texts in pictures.

``imgs`` maps ids to ``file_name``; ``anns`` maps ids to ``image_id``, ``bbox`` (x, y, width, height), ``mask`` or
``polygon`` (x and y of each corner), ``utf8_string`` and ``legibility``: Veit et al., "COCO-Text: Dataset and Benchmark
for Text Detection and Recognition in Natural Images", 2016. ``imgToAnns`` adds nothing and isn't read. TextOCR has
``points`` instead of ``mask``, and no ``legibility``: there, the text "." means that a text can't be read.
"""

from __future__ import annotations

import json
import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ocr_models.data.sources.labels import TextLabel, label_page, read_or_reject
from ocr_models.data.sources.source import (
    Files,
    LabelledPicture,
    PictureNames,
    RejectedPicture,
    SourceItem,
    list_source,
    no_picture,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.geometry import outline_quad
from ocr_models.records import Task

_OUTLINES = ("mask", "polygon", "points")
_KEYS = ("bbox", *_OUTLINES, "utf8_string", "legibility")
_UNREADABLE = "."


@dataclass(frozen=True)
class CocoTextSource:
    """The pictures that a JSON file lists. The file is ``root``, or the only one below it, as are the pictures.

    Texts that are illegible or have no transcription are to be ignored.
    """

    root: str
    task: Task
    format = "coco-text"

    def items(self, files: Files) -> Iterator[SourceItem]:
        listing = list_source(files, self.root)
        table = [name for name in listing.chosen if name.endswith(".json")]
        if len(table) != 1:
            raise UsageError(
                f"{self.root}: {len(table)} JSON files; give COCO-Text's JSON file, or a folder with no other"
            )
        pictures, folder = PictureNames(listing.paths), posixpath.dirname(table[0])
        for wanted, of_picture in sorted(_read_table(files, listing.paths[table[0]]).items()):
            name = pictures.find(wanted, folder)
            if name:
                yield SourceItem(name, listing.paths[name], of_picture)
            else:
                yield SourceItem(wanted, None, no_picture(wanted))

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        return read_or_reject(
            item, path, lambda data: label_page(item.name, data, [*map(_label, item.labels)], self.task)
        )


def _read_table(files: Files, path: str) -> dict[str, list[dict[str, Any]]]:
    """The annotations of each picture, by file name."""
    try:
        table = json.loads(files.read(path))
        of_picture: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for annotation in table["anns"].values():
            kept = {key: annotation[key] for key in _KEYS if key in annotation}
            of_picture[str(annotation["image_id"])].append(kept)
        return {str(image["file_name"]): of_picture[image_id] for image_id, image in table["imgs"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{path}: expected the JSON of COCO-Text, with imgs and anns ({error!r})") from error


def _label(annotation: dict[str, Any]) -> TextLabel:
    text = annotation.get("utf8_string") or ""
    # Where legibility is stated, "." is a full stop.
    is_ignored = annotation["legibility"] != "legible" if "legibility" in annotation else text == _UNREADABLE
    is_ignored |= not text
    try:
        polygon = next((annotation[key] for key in _OUTLINES if annotation.get(key)), None)
        if polygon:
            corners = tuple(outline_quad(np.array(polygon, np.float32).reshape(-1, 2)).ravel().tolist())
        else:
            x, y, width, height = map(float, annotation["bbox"])
            corners = (x, y, x + width, y + height)
    except (KeyError, TypeError, ValueError) as error:
        raise DocumentError(Stage.LABEL, f"annotation {annotation}: no readable bbox or mask") from error
    return TextLabel("" if is_ignored else text, corners, is_ignored)
