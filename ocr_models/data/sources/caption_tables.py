"""Pictures with captions: a CSV table with the columns ``image`` and ``caption``, or the tables of COCO and Flickr.

COCO's JSON has ``images`` (``id``, ``file_name``) and ``annotations`` (``image_id``, ``caption``). Flickr30k's table
has columns ``image_name| comment_number| comment``, without quotes. A line of Flickr8k.token.txt, and of Flickr30k's
older .token, is ``NAME.jpg#0``, a tab and a caption. A picture is at the path in the table, in ``images/`` beside the
table, or anywhere below it if its name occurs only once.
"""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
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

_EXTENSIONS = (".txt", ".csv", ".json", ".token")
_FLICKR_HEADER = ["image_name", "comment_number", "comment"]
_FLICKR_LINE = re.compile(r"([^\t]+)#(\d+)\t(.*)")
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
        table_of: dict[tuple[str, str], str] = {}
        bad = []
        for table in listing.chosen:
            if table.lower().endswith(_EXTENSIONS):
                for number, (wanted, caption, index) in enumerate(_read_table(files, listing.paths[table]), start=1):
                    if not wanted or caption is None:
                        bad.append(SourceItem(f"{table}#{number}", None, DocumentError(Stage.LABEL, _EXPECTED)))
                        continue
                    if index and table_of.setdefault((wanted, index), table) != table:
                        both = f"{table_of[wanted, index]} and {table}"
                        raise UsageError(
                            f"{self.root}: caption {index} of {wanted} is in {both} (Flickr8k has a table of lemmas, "
                            "too); give one of these files"
                        )
                    name = pictures.find(wanted, posixpath.dirname(table))
                    captions[name or wanted, listing.paths[name] if name else None].append(caption)
        if not captions:
            raise UsageError(
                f"{self.root}: no table of captions; expected CSV with the header image,caption, or COCO's or Flickr's"
            )
        for (name, path), of_picture in sorted(captions.items(), key=lambda item: item[0][0]):
            yield SourceItem(name, path, tuple(of_picture) if path else no_picture(name))
        yield from bad

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        return read_or_reject(item, path, lambda data: label_captions(item.name, data, item.labels))


_Row = tuple[str | None, str | None, str | None]


def _read_table(files: Files, path: str) -> list[_Row]:
    """The picture, the caption and its number in each row, None if missing; no rows if it isn't a table of captions."""
    try:
        text = files.read(path).decode("utf-8-sig")
        return _read_json(text) if path.lower().endswith(".json") else _read_flickr(text) or _read_csv(text)
    except (AttributeError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path}: no readable table of captions ({error!r}); mend it, or name the right one"
        ) from error


def _read_flickr(text: str) -> list[_Row]:
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    if lines and _cells(lines[0]) == _FLICKR_HEADER:
        rows = (_cells(line) for line in lines[1:])
        return [(row[0], row[2], row[1]) if len(row) == len(_FLICKR_HEADER) else (row[0], None, None) for row in rows]
    if lines and _FLICKR_LINE.fullmatch(lines[0]):
        matches = map(_FLICKR_LINE.fullmatch, lines)
        return [(match[1], match[3], match[2]) if match else (None, None, None) for match in matches]
    return []


def _cells(line: str) -> list[str]:
    """The cells of a line of Flickr30k's table; a bar may be a part of the caption, the last one."""
    return [cell.strip() for cell in line.split("|", len(_FLICKR_HEADER) - 1)]


def _read_csv(text: str) -> list[_Row]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if not {"image", "caption"} <= set(rows.fieldnames or ()):
        return []
    too_many = rows.restkey  # the row has too many cells: an unquoted comma would cut its caption short
    return [(row["image"], None if too_many in row else row["caption"], None) for row in rows]


def _read_json(text: str) -> list[_Row]:
    table = json.loads(text)
    if not isinstance(table, dict) or not {"images", "annotations"} <= set(table):
        return []
    names = {image["id"]: str(image["file_name"]) for image in table["images"]}
    return [(names.get(row.get("image_id")), row.get("caption"), None) for row in table["annotations"]]
