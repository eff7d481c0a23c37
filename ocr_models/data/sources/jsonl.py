"""JSON Lines, an object for each picture, or a folder of JSON files with an object each.

``image`` is the picture's path from the file on, or an absolute one; ``image_base64`` the picture itself. Without
either, it is the picture of the file's name beside it or in ``images/`` there. ``records`` says what labels may be.
"""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ocr_models.data.sources.label_records import LABEL_KEYS, check_task, label_record
from ocr_models.data.sources.labels import read_or_reject
from ocr_models.data.sources.source import (
    Files,
    LabelledPicture,
    Listing,
    PictureNames,
    RejectedPicture,
    SourceItem,
    list_source,
    locate_picture,
    no_picture,
    stem,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task

_EXTENSIONS = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class _Record:
    """The object of a picture.

    Attributes:
        image_id: the picture's path, or where the object stands.
        labels: those of its keys that are labels.
        span: where the object begins and ends in its file, in bytes, if the picture is in it.
    """

    image_id: str
    labels: dict[str, Any]
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class JsonlSource:
    """All ``.jsonl``, ``.ndjson`` and ``.json`` files below ``root``, or one of them."""

    root: str
    task: Task = Task.DETECTION
    format = "jsonl"

    def items(self, files: Files) -> Iterator[SourceItem]:
        listing = list_source(files, self.root)
        pictures = PictureNames(listing.paths)
        tables = [name for name in listing.chosen if name.lower().endswith(_EXTENSIONS)]
        if not tables:
            raise UsageError(
                f"{self.root}: no .jsonl or .json there; --format jsonl expects an object for each picture"
            )
        items = [
            _item(name, span, data, table, listing, pictures)
            for table in tables
            for name, span, data in _objects(files, table, listing.paths[table])
        ]
        records = [item.labels.labels for item in items if isinstance(item.labels, _Record)]
        check_task(self.root, records, self.task)
        yield from items

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        record = item.labels
        span = record.span if isinstance(record, _Record) else None

        def label(data: bytes) -> LabelledPicture:
            return label_record(item.name, _embedded(data) if span else data, record.labels, record.image_id, self.task)

        return read_or_reject(item, path, label, span)


def _objects(files: Files, table: str, path: str) -> Iterator[tuple[str, tuple[int, int], bytes]]:
    """Each object of a file: its name, where it begins and ends, and its bytes."""
    with files.open(path) as file:
        if table.lower().endswith(".json"):
            data = file.read()
            yield table, (0, len(data)), data
            return
        start = 0
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"{table}#{number}", (start, start + len(line)), line
            start += len(line)


def _item(
    name: str, span: tuple[int, int], data: bytes, table: str, listing: Listing, pictures: PictureNames
) -> SourceItem:
    try:
        record = json.loads(data.decode("utf-8-sig"))
        if not isinstance(record, dict):
            raise ValueError("it is something else")
    except ValueError as error:
        return SourceItem(name, None, DocumentError(Stage.LABEL, f"expected a JSON object ({error})"))
    labels = {key: record[key] for key in LABEL_KEYS if record.get(key) is not None}
    if record.get("image_base64") is not None:
        return SourceItem(name, listing.paths[table], _Record(name, labels, span))
    if record.get("image"):
        wanted = str(record["image"])
        path, found = locate_picture(wanted, table, listing, pictures)
    else:
        wanted = stem(table)
        found = pictures.find_stem(wanted, posixpath.dirname(table))
        path = listing.paths[found] if found else None
    return SourceItem(name, path, _Record(found or name, labels) if path else no_picture(wanted))


def _embedded(line: bytes) -> bytes:
    """The picture in an object's ``image_base64``."""
    try:
        return base64.b64decode(json.loads(line.decode("utf-8-sig"))["image_base64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise DocumentError(Stage.DECODE, f"image_base64 is no base64 ({error})") from error
