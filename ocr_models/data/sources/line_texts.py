"""Pictures of lines, each with its text in ``NAME.gt.txt`` beside it, as tesstrain, GT4HistOCR and kraken have them.

The picture is ``NAME.png`` or of another type, or as ocropus writes it: ``NAME.nrm.png`` (gray), ``NAME.bin.png``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ocr_models.data.sources.labels import label_crop, read_labels, read_or_reject, text_lines
from ocr_models.data.sources.source import (
    Files,
    LabelledPicture,
    RejectedPicture,
    SourceItem,
    is_picture,
    list_source,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task

_TEXT = ".gt.txt"
_VERSIONS = (".nrm", ".bin")


@dataclass(frozen=True)
class LineTextsSource:
    """Pictures below ``root``, each with a ``NAME.gt.txt`` beside it.

    Of several pictures of a line, the first named above is used, so that a line isn't in several splits.
    """

    root: str
    task: Task = Task.RECOGNITION
    format = "gt-txt"

    def items(self, files: Files) -> Iterator[SourceItem]:
        listing = list_source(files, self.root)
        texts = dict.fromkeys(name for name in listing.chosen if name.endswith(_TEXT))
        if not texts:
            raise UsageError(
                f"{self.root}: no *{_TEXT} there; --format gt-txt expects one beside each picture of a line"
            )
        of_stem = defaultdict(list)
        for name in filter(is_picture, listing.paths):
            of_stem[name.rpartition(".")[0]].append(name)
        taken: set[str] = set()
        for text in texts:
            stem = text.removesuffix(_TEXT)
            stems = [stem, *(stem + version for version in _VERSIONS if stem + version + _TEXT not in texts)]
            pictures = [name for of_version in stems for name in of_stem.get(of_version, [])]
            taken.update(pictures)
            name = pictures[0] if pictures else text
            labels = read_labels(files, listing.paths[text])
            found = labels if isinstance(labels, DocumentError) else (labels, text, tuple(pictures[1:]))
            yield SourceItem(name, listing.paths[name] if pictures else None, found)
        for name in filter(is_picture, listing.chosen):
            if name not in taken:
                missing = f"no {name.rpartition('.')[0]}{_TEXT} beside it"
                yield SourceItem(name, listing.paths[name], DocumentError(Stage.LABEL, missing))

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        return read_or_reject(item, path, lambda data: _label(item.name, data, *item.labels))


def _label(name: str, data: bytes, text: bytes, text_name: str, unused: tuple[str, ...]) -> LabelledPicture:
    labelled = label_crop(name, data, read_line(text, text_name))
    return replace(labelled, repairs=tuple(f"{other}: not used, as it shows the same line" for other in unused))


def read_line(data: bytes, name: str = "NAME.gt.txt") -> str:
    """The text of a line in the bytes of its file ``name``, UTF-8 with or without a byte order mark.

    Raises:
        DocumentError: with stage "label", if there is not just one line.
    """
    lines = [line.strip() for text in text_lines(data) for line in re.split(r"[\r\f]", text) if line.strip()]
    if len(lines) != 1:
        found = f"{len(lines)} lines of text" if lines else "no text"
        raise DocumentError(Stage.LABEL, f"{name}: {found}; expected one line, the text in the picture")
    return lines[0]
