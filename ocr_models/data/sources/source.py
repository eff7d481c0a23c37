"""Labelled sources: pictures and labels, as ``pagebeam prepare`` and ``pagebeam evaluate`` read them.

``Source.items`` lists a source once, on the machine that starts the run; ``Source.read`` reads it item by item, in
child processes on any machine. A bad picture costs only itself.
"""

from __future__ import annotations

import os
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ocr_models.data.pdf_pages import count_pdf_pages
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.io.files import open_regular
from ocr_models.records import Example, Task

PICTURE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jp2")


class Files(Protocol):
    """The operations on a file system that sources need."""

    def list(self, folder: str) -> list[str]:
        """All files below a folder, at any depth, sorted, without hidden ones; of a path to a file, that file."""

    def read(self, path: str) -> bytes:
        """The content of a file. Raises OSError if it can't be read."""

    def open(self, path: str) -> BinaryIO:
        """Opens a seekable file. Raises OSError if it can't be read."""

    def count_pdf_pages(self, path: str) -> int:
        """The number of pages of a PDF, gzipped or not. Raises DocumentError if it can't be opened."""


class LocalFiles:
    """The files of this machine."""

    def list(self, folder: str) -> list[str]:
        if os.path.isfile(folder):
            return [folder]
        return sorted(_walk(folder, frozenset())) if os.path.isdir(folder) else []

    def read(self, path: str) -> bytes:
        with self.open(path) as file:
            return file.read()

    def open(self, path: str) -> BinaryIO:
        return open_regular(path)

    def count_pdf_pages(self, path: str) -> int:
        return count_pdf_pages(Path(path))


def _walk(folder: str, above: frozenset[str]) -> Iterator[str]:
    """Yields all files below a folder except hidden ones. Follows links to folders unless they lead back up."""
    here = os.path.realpath(folder)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                yield from _walk(entry.path, above | {here}) if entry.is_dir() else [entry.path]


@dataclass(frozen=True)
class SourceItem:
    """A unit of reading: a picture with its labels, or a part of a file with many pictures.

    Attributes:
        name: unique in the source and the same on any machine: "images/a.jpg", "train-images#0-999", "doc.pdf#3".
        path: the file that is needed to read it; None if there is none.
        labels: its labels or other data of the format, small and picklable; or a DocumentError that says why there are
            none.
    """

    name: str
    path: str | None
    labels: Any


@dataclass(frozen=True)
class LabelledPicture:
    """A picture that was read, as examples.

    Attributes:
        name: unique in the source, such as its item's name.
        digest: SHA-256, in hex, of the picture's bytes in the source, or of the encoded picture if the source has only
            pixels.
        perceptual_hash: 64 bits, ``pictures.difference_hash`` of the upright picture in gray.
        examples: one, or one for each word or caption; none if no label was usable.
        repairs: the changes made to labels, each with the label's text.
        rejected_labels: the labels that are left out, and why, such as "text 3 ('abc'): outside the picture".
    """

    name: str
    digest: str
    perceptual_hash: int
    examples: tuple[Example, ...]
    repairs: tuple[str, ...] = ()
    rejected_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class RejectedPicture:
    """A picture that is left out.

    Attributes:
        name: unique in the source, such as its item's name.
        stage: where it failed: "open", "decode", "label", …
        reason: why it failed.
        data: the picture's bytes; None if they couldn't be read.
    """

    name: str
    stage: str
    reason: str
    data: bytes | None = None


class Source(Protocol):
    """A labelled source. Each format has one frozen, picklable dataclass."""

    @property
    def format(self) -> str:
        """Its name on the command line."""

    @property
    def task(self) -> Task:
        """The task of its examples."""

    def items(self, files: Files) -> Iterator[SourceItem]:
        """All items, in an order that depends on names alone.

        Raises:
            UsageError: the source isn't of this format.
        """

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        """The pictures of an item, whose file is at a local path."""


@dataclass(frozen=True)
class SourceOptions:
    """Options of a source; most formats need none.

    Attributes:
        task: of the examples; None for the format's default. Pages can be cut into words for recognition.
        dpi: the resolution at which PDFs are rendered.
        degrade: whether clean renderings are degraded as by a scanner.
        count: the number of synthetic pictures.
        seed: of synthetic pictures and degradation.
        fonts: folders of fonts for synthetic pictures.
        lexicons: files with one word per line for synthetic pictures.
    """

    task: Task | None = None
    dpi: float = 200
    degrade: bool = False
    count: int = 0
    seed: int = 1
    fonts: tuple[str, ...] = ()
    lexicons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The files of a source: their ``paths`` by names relative to its folder, and the names that are chosen."""

    paths: dict[str, str]
    chosen: tuple[str, ...]


def list_source(files: Files, root: str) -> Listing:
    """Lists the folder of a source. If ``root`` is a file, its folder is listed, but only the file is chosen.

    Raises:
        UsageError: there is no file.
    """
    found = files.list(root)
    if not found:
        raise UsageError(f"{root}: no files there; give a folder with the labelled pictures, or the file of labels")
    if found != [root]:
        paths = _by_name(found, root)
        return Listing(paths, tuple(paths))
    folder = posixpath.dirname(root)
    return Listing(_by_name(files.list(folder or "."), folder or "."), (posixpath.basename(root),))


def _by_name(found: list[str], folder: str) -> dict[str, str]:
    return {path.removeprefix(folder.rstrip("/")).lstrip("/"): path for path in sorted(found)}


def is_picture(name: str) -> bool:
    """Tells whether a file has the extension of a picture."""
    return name.lower().endswith(PICTURE_EXTENSIONS)


def file_stem(name: str) -> str:
    """The file name without folders and without its last extension."""
    return posixpath.splitext(posixpath.basename(name))[0]


class PictureNames:
    """Finds the pictures of a listing by the names that label files give them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(filter(is_picture, names))
        self._by_base: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._names):
            self._by_base[posixpath.basename(name)].append(name)
            self._by_stem[file_stem(name)].append(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def find(self, wanted: str, folder: str) -> str | None:
        """The picture that a label file in ``folder`` names: there, in ``images/`` there, or the only one so named."""
        wanted = posixpath.normpath(wanted)
        for place in (folder, posixpath.join(folder, "images")):
            name = posixpath.normpath(posixpath.join(place, wanted))
            if name in self._names:
                return name
        ending = [
            name for name in self._by_base.get(posixpath.basename(wanted), []) if f"/{name}".endswith(f"/{wanted}")
        ]
        return ending[0] if len(ending) == 1 else None

    def find_stem(self, wanted: str, folder: str) -> str | None:
        """The picture with this file stem in ``folder`` or its ``images/``."""
        places = (folder, posixpath.join(folder, "images"))
        return next((name for name in self._by_stem.get(wanted, []) if posixpath.dirname(name) in places), None)


def no_picture(wanted: str) -> DocumentError:
    """The error for labels whose picture isn't found."""
    return DocumentError(Stage.OPEN, f"picture {wanted}: not found, or in several places; put one where its labels say")
