"""ICDAR's focused and incidental scene text: pictures, each with a file ``gt_NAME.txt`` that lists its words.

In ICDAR 2015 (task 4.1), a line has eight numbers, the corners clockwise from the text's top-left, and the
transcription, separated by commas; the transcription may contain commas. In ICDAR 2013 (task 2.1), a line has the four
numbers of a box, separated by commas or spaces, and the transcription, with or without quotes; in quotes, ``\\"`` means
a quote. In ICDAR MLT, a line has eight numbers, the script and the transcription. "###" marks a text that is to be
ignored.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ocr_models.data.sources.labels import TextLabel, label_page, read_labels, read_or_reject, text_lines, unquote
from ocr_models.data.sources.source import (
    Files,
    LabelledPicture,
    RejectedPicture,
    SourceItem,
    file_stem,
    is_picture,
    list_source,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task

_NUMBER = r"([-+]?\d+(?:\.\d*)?)"
_QUAD_LINE = re.compile(r"\s*" + r"\s*,\s*".join([_NUMBER] * 8) + r"\s*(?:,(.*))?")
_BOX_LINE = re.compile(r"\s*" + r"(?:\s*,\s*|\s+)".join([_NUMBER] * 4) + r"(?:\s*,\s*|\s+)(.*)")
_SCRIPTS = ("Arabic", "Latin", "Chinese", "Japanese", "Korean", "Bangla", "Hindi", "Symbols", "Mixed", "None")
_SCRIPT_AND_TEXT = re.compile(rf"\s*(?:{'|'.join(_SCRIPTS)})\s*,(.*)")
# No coordinate has leading zeros, so that "1,000,000" is a text.
_COORDINATE = r"\s*[-+]?(?:0|[1-9]\d*)(?:\.\d*)?\s*,"
_FIFTH_POINT = re.compile(_COORDINATE * 2 + ".*")
_IGNORED = "###"


@dataclass(frozen=True)
class IcdarSource:
    """Pictures below ``root`` with their label files.

    The ``gt_NAME.txt`` of a picture is beside it, in ``gt/`` there or one level up, or the only one of its name.
    """

    root: str
    task: Task
    format = "icdar"

    def items(self, files: Files) -> Iterator[SourceItem]:
        paths = list_source(files, self.root).paths
        truths = _Truths(
            [name for name in paths if posixpath.basename(name).startswith("gt_") and name.endswith(".txt")]
        )
        if not truths.names:
            raise UsageError(f"{self.root}: no gt_*.txt there; --format icdar expects one for each picture")
        for name in filter(is_picture, paths):
            truth = truths.take(name)
            expected = f"no gt_{file_stem(name)}.txt for it in its folder, in gt/ near it or once below the source"
            labels = read_labels(files, paths[truth]) if truth else DocumentError(Stage.LABEL, expected)
            yield SourceItem(name, paths[name], labels if isinstance(labels, DocumentError) else (labels, truth))
        for name in truths.untaken():
            yield SourceItem(name, None, (b"", name))

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        return read_or_reject(
            item, path, lambda data: label_page(item.name, data, parse_icdar(*item.labels), self.task)
        )


class _Truths:
    """Label files, and which of them were assigned to a picture."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._taken: set[str] = set()
        for name in names:
            self._by_stem[file_stem(name).removeprefix("gt_")].append(name)

    def take(self, picture: str) -> str | None:
        """The label file of a picture: the nearest, or the only one of its name; None if there is none."""
        candidates = self._by_stem.get(file_stem(picture), [])
        folder = posixpath.dirname(picture)
        for place in (folder, posixpath.join(folder, "gt"), posixpath.join(posixpath.dirname(folder), "gt")):
            near = [name for name in candidates if posixpath.dirname(name) == place]
            if near:
                break
        else:
            near = candidates if len(candidates) == 1 else []
        self._taken.update(near)
        return near[0] if near else None

    def untaken(self) -> list[str]:
        return [name for name in self.names if name not in self._taken]


def parse_icdar(data: bytes, name: str = "gt_NAME.txt") -> list[TextLabel]:
    """The labels in the bytes of the file ``name``, UTF-8 with or without a byte order mark.

    Since a transcription may begin with numbers, one line doesn't tell which of the formats it has: a file is taken to
    have eight numbers per line if at least half of its lines do, and a script if all of these have one.

    Raises:
        DocumentError: with stage "label", if a line can't be parsed. Skipping it would teach that its text is
            background.
    """
    numbered = [(number, line) for number, line in enumerate(text_lines(data), start=1) if line.strip()]
    lines = [line for _, line in numbered]
    quads = [_QUAD_LINE.fullmatch(line) for line in lines]
    has_quads = 2 * sum(match is not None for match in quads) >= len(lines)
    matches = quads if has_quads else [_BOX_LINE.fullmatch(line) for line in lines]
    rows = []
    for (number, line), match in zip(numbered, matches, strict=True):
        expected = "x1,y1,x2,y2,x3,y3,x4,y4,text" if has_quads else 'xmin,ymin,xmax,ymax,"text"'
        if match and has_quads and _FIFTH_POINT.fullmatch(match[9] or ""):
            match = None
            expected += ", but more than eight numbers are there; give polygons as quads, or in --format jsonl"
        if match is None:
            raise DocumentError(Stage.LABEL, f"{name}: line {number} is {line!r}; expected {expected}")
        *corners, text = match.groups(default="")
        rows.append((tuple(map(float, corners)), text))
    if not has_quads:
        return [_label(corners, unquote(text.strip())) for corners, text in rows]
    after_script = [_SCRIPT_AND_TEXT.fullmatch(text) for _, text in rows]
    if all(after_script):
        return [_label(corners, match[1]) for (corners, _), match in zip(rows, after_script, strict=True) if match]
    if 2 * sum(map(bool, after_script)) > len(rows):
        number, line = numbered[after_script.index(None)]
        expected = f"a script before the text, as on most lines: {', '.join(_SCRIPTS)}"
        raise DocumentError(Stage.LABEL, f"{name}: line {number} is {line!r}; expected {expected}")
    return [_label(corners, text) for corners, text in rows]


def _label(corners: tuple[float, ...], text: str) -> TextLabel:
    text = text.strip()
    is_ignored = text == _IGNORED
    return TextLabel("" if is_ignored else text, corners, is_ignored)
