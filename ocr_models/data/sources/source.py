"""Labelled sources: what ``pagebeam prepare`` and ``pagebeam evaluate`` read pictures and their labels from.

A source is listed once, by ``Source.items`` where the run is started, and read item by item, by ``Source.read`` in
child processes on any machine. One bad picture costs nothing but itself.
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
from ocr_models.records import Example, Task

PICTURE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff")


class Files(Protocol):
    """The files of one file system, as far as sources need them."""

    def list(self, folder: str) -> list[str]:
        """All files below a folder, at any depth, sorted, without hidden ones; a file names itself."""

    def read(self, path: str) -> bytes:
        """All of a file. Raises OSError where it can't be read."""

    def open(self, path: str) -> BinaryIO:
        """A file, seekable, for the sources that need only a part of it. Raises OSError where it can't be read."""

    def count_pdf_pages(self, path: str) -> int:
        """The pages of a PDF, gzipped or not. Raises DocumentError where it can't be opened."""


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
        return open(path, "rb")

    def count_pdf_pages(self, path: str) -> int:
        return count_pdf_pages(Path(path))


def _walk(folder: str, above: frozenset[str]) -> Iterator[str]:
    """All files below a folder but hidden ones; links to folders are followed, unless they lead back up."""
    here = os.path.realpath(folder)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                yield from _walk(entry.path, above | {here}) if entry.is_dir() else [entry.path]


@dataclass(frozen=True)
class SourceItem:
    """What is read in one go: a picture with its labels, or a part of a file of many.

    Attributes:
        name: unique in the source and the same on any machine: "images/a.jpg", "train-images#0-999", "doc.pdf#3".
        path: the file whose bytes are needed to read it; None if there is none.
        labels: what else is known of it; small, and picklable. A DocumentError says why nothing is known.
    """

    name: str
    path: str | None
    labels: Any


@dataclass(frozen=True)
class LabelledPicture:
    """A picture that was read, as examples.

    Attributes:
        name: unique in the source, such as its item's name.
        digest: sha256, in hex, of the picture's bytes as the source has them; of the encoded picture where the source
            has pixels only.
        perceptual_hash: 64 bits, ``pictures.difference_hash`` of the upright picture in gray.
        examples: one, or one for each word or caption; none where no label was of use.
        repairs: what was done to labels, each with its text.
        rejected_labels: which labels are left out, and why, such as "text 3 ('abc'): outside the picture".
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
        reason: what was wrong with it.
        data: the picture's bytes, as far as they could be read.
    """

    name: str
    stage: str
    reason: str
    data: bytes | None = None


class Source(Protocol):
    """A frozen, picklable dataclass for each format."""

    @property
    def format(self) -> str:
        """Its name on the command line."""

    @property
    def task(self) -> Task:
        """What its examples teach."""

    def items(self, files: Files) -> Iterator[SourceItem]:
        """All items, in an order that depends on names alone.

        Raises:
            UsageError: the source isn't of this format.
        """

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        """The pictures of an item, whose file is at a local path."""


@dataclass(frozen=True)
class SourceOptions:
    """What a source may be told; most formats need nothing of it.

    Attributes:
        task: what examples shall teach; None for the format's own. Pages can be cut into words for recognition.
        dpi: the resolution that PDFs are rendered at.
        degrade: whether clean renderings are degraded as a scanner would.
        count: how many synthetic pictures are drawn.
        seed: which ones.
        fonts: folders of fonts for them.
        lexicons: files with one word a line for them.
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
    """The files of a source: ``paths`` by their names relative to its folder, and the names that were asked for."""

    paths: dict[str, str]
    chosen: tuple[str, ...]


def list_source(files: Files, root: str) -> Listing:
    """Lists the folder of a source. Where its root is a file, this is the only one chosen of the folder it is in.

    Raises:
        UsageError: there is nothing.
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
    """Whether a file's name is a picture's."""
    return name.lower().endswith(PICTURE_EXTENSIONS)


def file_stem(name: str) -> str:
    """The file name without folders and without its last extension."""
    return posixpath.splitext(posixpath.basename(name))[0]


class PictureNames:
    """The pictures among the names of a listing, to be found by what labels call them."""

    def __init__(self, names: Iterable[str]):
        self._names = frozenset(filter(is_picture, names))
        self._by_base: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._names):
            self._by_base[posixpath.basename(name)].append(name)
            self._by_stem[file_stem(name)].append(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def find(self, wanted: str, folder: str) -> str | None:
        """The picture that labels in a folder call so: there, in ``images/`` there, or the only one that ends so."""
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
        """The picture of this stem in a folder or in ``images/`` there."""
        places = (folder, posixpath.join(folder, "images"))
        return next((name for name in self._by_stem.get(wanted, []) if posixpath.dirname(name) in places), None)


def no_picture(wanted: str) -> DocumentError:
    """What is wrong with labels of a picture that isn't found."""
    return DocumentError(Stage.OPEN, f"picture {wanted}: not there, or in several places; put one where its labels say")
