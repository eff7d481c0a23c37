"""Pictures of single words with lists of their labels, as in IIIT5K, ICDAR 2013 (task 2.3) and many other data sets.

A line of a list has the path of a picture, relative to the list's folder, and its label, separated by a space, a tab or
a comma: ``train/1009_2.png You`` or ``word_1.png, "Tiredness"``. In a quoted label, ``\\"`` and ``""`` mean a quote.
MJSynth's lists have the index of the word in a lexicon instead: ``1/2/34_WORD_4548.jpg 4548``. The word is taken from
the file name, which says how it is written in the picture.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass

from ocr_models.data.sources.labels import label_crop, read_or_reject, text_lines, unquote
from ocr_models.data.sources.source import (
    PICTURE_EXTENSIONS,
    Files,
    LabelledPicture,
    PictureNames,
    RejectedPicture,
    SourceItem,
    file_stem,
    list_source,
    no_picture,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.records import Task

_LIST_EXTENSIONS = (".txt", ".csv", ".tsv")
_EXTENSION = "|".join(map(re.escape, PICTURE_EXTENSIONS))
_LINE = re.compile(rf'"?(.+?(?:{_EXTENSION}))"?(?:\s*\t\s*|\s*,\s*|\s+)(.*)', re.IGNORECASE)
_MJSYNTH_NAME = re.compile(r"\d+_(.+)_(\d+)")
_EXPECTED = "a picture's path and a label on each line"


@dataclass(frozen=True)
class WordsSource:
    """Pictures below ``root``, with all lists (``.txt``, ``.csv``, ``.tsv``) below it or, if it is a file, that list.

    Pictures that are in no list or have several labels are rejected, as are lines that can't be parsed.
    """

    root: str
    task: Task = Task.RECOGNITION
    format = "words"

    def items(self, files: Files) -> Iterator[SourceItem]:
        listing = list_source(files, self.root)
        pictures, bad = PictureNames(listing.paths), []
        labels: dict[str, set[str]] = defaultdict(set)
        for table in listing.chosen:
            if table.lower().endswith(_LIST_EXTENSIONS):
                lines = _read_list(files, listing.paths[table])
                words_in_names = _has_words_in_names([line for _, line in lines])
                if not words_in_names:
                    _check_labels(table, [line for _, line in lines], listing.paths)
                for number, line in lines:
                    match = _LINE.fullmatch(line)
                    name = pictures.find(match[1], posixpath.dirname(table)) if match else None
                    if match and name:
                        labels[name].add(_word_in_name(match[1]) if words_in_names else unquote(match[2]))
                    else:
                        problem = (
                            no_picture(match[1]) if match else DocumentError(Stage.LABEL, f"{line!r}: {_EXPECTED}")
                        )
                        bad.append(SourceItem(f"{table}#{number}", None, problem))
        if not labels:
            raise UsageError(f"{self.root}: no list there names a picture of it; expected {_EXPECTED}")
        chosen = set(listing.chosen)
        for name in pictures:
            if name in labels or name in chosen:
                yield SourceItem(name, listing.paths[name], _only_label(labels[name]))
        yield from bad

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        return read_or_reject(item, path, lambda data: label_crop(item.name, data, item.labels))


def _read_list(files: Files, path: str) -> list[tuple[int, str]]:
    """The lines of a list, except empty ones, with their numbers; none if the file is no list, such as a license."""
    try:
        lines = [(i, line.strip()) for i, line in enumerate(text_lines(files.read(path)), start=1) if line.strip()]
    except DocumentError as error:
        raise UsageError(f"{path}: {error}") from error
    return lines if any(_LINE.fullmatch(line) for _, line in lines) else []


def _has_words_in_names(lines: list[str]) -> bool:
    """Tells whether this is a list of MJSynth: each label is the index in the file name, and a word has one index."""
    index_of: dict[str, str] = {}
    for match in filter(None, map(_LINE.fullmatch, lines)):
        parts = _MJSYNTH_NAME.fullmatch(file_stem(match[1]))
        if not parts or match[2] != parts[2] or index_of.setdefault(parts[1].lower(), parts[2]) != parts[2]:
            return False
    return True


def _word_in_name(path: str) -> str:
    return file_stem(path).split("_", 1)[1].rpartition("_")[0]


def _check_labels(table: str, lines: list[str], names: Container[str]) -> None:
    """Raises UsageError if the labels seem to be indices of words, which would be learned as texts."""
    lexicon = posixpath.join(posixpath.dirname(table), "lexicon.txt")
    labels = [match[2] for match in map(_LINE.fullmatch, lines) if match]
    if lexicon in names and labels and all(map(str.isdecimal, labels)):
        raise UsageError(
            f"{table}: its labels are numbers, it seems of lines in {lexicon}; write the words instead, or, if the "
            f"pictures show the numbers, move {lexicon} away"
        )


def _only_label(labels: set[str]) -> str | DocumentError:
    if len(labels) == 1:
        return next(iter(labels))
    said = f"it has several labels: {', '.join(map(repr, sorted(labels)))}" if labels else "no list names it"
    return DocumentError(Stage.LABEL, said)
