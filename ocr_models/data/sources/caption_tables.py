"""Pictures with captions: a CSV table with the columns ``image`` and ``caption``, or COCO's caption JSON.

The JSON has ``images`` (``id``, ``file_name``) and ``annotations`` (``image_id``, ``caption``). A picture is at the
path in the table, in ``images/`` beside the table, or anywhere below it if its name occurs only once.
"""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ocr_models.data.sources.labels import label_captions, read_or_reject
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
from ocr_models.records import Task

_EXTENSIONS = (".txt", ".csv", ".json")
_EXPECTED = "expected a picture and one caption, in quotes if it has commas"


@dataclass(frozen=True)
class CaptionsSource:
    """All tables of captions below ``root``, or the one at ``root``. The examples have tokens, but no ids yet."""

    root: str
    task: Task = Task.CAPTION
    format = "captions"

    def items(self, files: Files) -> Iterator[SourceItem]:
        listing = list_source(files, self.root)
        pictures = PictureNames(listing.paths)
        captions: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        bad = []
        for table in listing.chosen:
            if table.lower().endswith(_EXTENSIONS):
                for number, (wanted, caption) in enumerate(_read_table(files, listing.paths[table]), start=1):
                    if not wanted or caption is None:
                        bad.append(SourceItem(f"{table}#{number}", None, DocumentError(Stage.LABEL, _EXPECTED)))
                        continue
                    name = pictures.find(wanted, posixpath.dirname(table))
                    captions[name or wanted, listing.paths[name] if name else None].append(caption)
        if not captions:
            raise UsageError(
                f"{self.root}: no table of captions; expected CSV with a header image,caption or the JSON of COCO"
            )
        for (name, path), of_picture in sorted(captions.items(), key=lambda item: item[0][0]):
            yield SourceItem(name, path, tuple(of_picture) if path else no_picture(name))
        yield from bad

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        return read_or_reject(item, path, lambda data: label_captions(item.name, data, item.labels))


_Row = tuple[str | None, str | None]


def _read_table(files: Files, path: str) -> list[_Row]:
    """The picture and caption of each row, None if missing; no rows if the file isn't a table of captions."""
    try:
        text = files.read(path).decode("utf-8-sig")
        return _read_json(text) if path.lower().endswith(".json") else _read_csv(text)
    except (AttributeError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path}: no readable table of captions ({error!r}); mend it, or name the right one"
        ) from error


def _read_csv(text: str) -> list[_Row]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if not {"image", "caption"} <= set(rows.fieldnames or ()):
        return []
    too_many = rows.restkey  # the row has too many cells: an unquoted comma would cut its caption short
    return [(row["image"], None if too_many in row else row["caption"]) for row in rows]


def _read_json(text: str) -> list[_Row]:
    table = json.loads(text)
    if not isinstance(table, dict) or not {"images", "annotations"} <= set(table):
        return []
    names = {image["id"]: str(image["file_name"]) for image in table["images"]}
    return [(names.get(row.get("image_id")), row.get("caption")) for row in table["annotations"]]
