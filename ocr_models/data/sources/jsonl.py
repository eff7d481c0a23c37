"""JSON Lines with an object for each picture, or a folder of JSON files with one object each.

``image`` is the path of the picture, relative to the file or absolute; ``image_base64`` is the picture itself. Without
either, the picture is the one with the file's name beside it or in ``images/`` there. The module ``label_records``
describes the labels.
"""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from ocr_models.data.sources.label_records import LABEL_KEYS, LabelRecord, check_task, label_record, locate_record
from ocr_models.data.sources.labels import read_or_reject
from ocr_models.data.sources.source import (
    Files,
    LabelledPicture,
    Listing,
    PictureNames,
    RejectedPicture,
    SourceItem,
    file_stem,
    list_source,
    no_picture,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task

_EXTENSIONS = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class JsonlSource:
    """All ``.jsonl``, ``.ndjson`` and ``.json`` files below ``root``, or the one at ``root``."""

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
        records = [item.labels.labels for item in items if isinstance(item.labels, LabelRecord)]
        check_task(self.root, records, self.task)
        yield from items

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        record = item.labels
        span = record.span if isinstance(record, LabelRecord) else None

        def label(data: bytes) -> LabelledPicture:
            return label_record(item.name, _embedded(data) if span else data, record, self.task)

        return read_or_reject(item, path, label, span)


def _objects(files: Files, table: str, path: str) -> Iterator[tuple[str, tuple[int, int], bytes]]:
    """Yields each object of a file: its name, the positions of its first byte and after its last, and its bytes."""
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
            raise ValueError("it is another JSON value")
    except ValueError as error:
        return SourceItem(name, None, DocumentError(Stage.LABEL, f"expected a JSON object ({error})"))
    labels = {key: record[key] for key in LABEL_KEYS if record.get(key) is not None}
    if record.get("image_base64") is not None:
        return SourceItem(name, listing.paths[table], LabelRecord(name, labels, span))
    if record.get("image"):
        return locate_record(name, labels, str(record["image"]), table, listing, pictures)
    found = pictures.find_stem(file_stem(table), posixpath.dirname(table))
    if found is None:
        return SourceItem(name, None, no_picture(file_stem(table)))
    return SourceItem(name, listing.paths[found], LabelRecord(found, labels))


def _embedded(line: bytes) -> bytes:
    """Decodes an object's ``image_base64``."""
    try:
        return base64.b64decode(json.loads(line.decode("utf-8-sig"))["image_base64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise DocumentError(Stage.DECODE, f"image_base64 isn't base64 ({error})") from error
