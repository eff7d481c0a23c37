"""METS (Library of Congress, version 1.12 and 2): the pages of a digitized work, in order, and where their files are.

A page has files in several groups, such as ``MAX`` and ``THUMBS`` of the DFG's profile; one group's are read.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import unquote
from xml.etree import ElementTree

from ocr_models.io.files import local_path
from ocr_models.io.layout_xml import NoDoctype
from pipelines.runtime.storage import is_remote, join

_ROOTS = ("{http://www.loc.gov/METS/}mets", "{http://www.loc.gov/METS/v2}mets")
_HREFS = ("{http://www.w3.org/1999/xlink}href", "LOCREF")  # of version 1 and 2
# Groups with the pictures of the pages, the best first: of the DFG's profile, of the Library of Congress, of OCR-D
_PREFERRED = ("max", "master", "ocr-d-img", "default")
_READ_TYPES = ("image/", "application/pdf")
_ON_THE_WEB = ("http:", "https:", "ftp:")
_NOT_FETCHED = "on the web, from where nothing is fetched; download them, and name the copies in the METS file"
_FILE = "file:"
_CHUNK_BYTES = 1 << 20
_SHOWN = 3


@dataclass(frozen=True)
class MetsPages:
    """The files of one group, in the order of the physical structure.

    Attributes:
        files: the place and the ``ID`` of each. One that has several pages comes once.
        group: the group that was taken.
        others: other groups of files that can be read.
        without: the ``ID`` of each page that has no file in the group.
    """

    files: list[tuple[str, str]]
    group: str
    others: list[str]
    without: list[str]

    def __str__(self) -> str:
        others = f" (others: {', '.join(self.others)})" if self.others else ""
        shown = ", ".join(self.without[:_SHOWN]) + (", …" if len(self.without) > _SHOWN else "")
        without = f"; {len(self.without):,} pages have none in it: {shown}" if self.without else ""
        on_the_web = sum(_is_web_address(place) for place, _ in self.files)
        web = f"; {on_the_web:,} of them are {_NOT_FETCHED}" if on_the_web else ""
        return f"{len(self.files):,} files of the group {self.group}{others}{without}{web}"


def read_mets(file: BinaryIO, path: str, group: str | None) -> MetsPages:
    """Reads the pages of a METS file.

    Args:
        file: the METS file.
        path: where it is; its relative references are those of its folder.
        group: the ``USE`` of the file group to take; None for the best of those that are named as is usual, or for the
            only one.

    Raises:
        ValueError: it is broken, no METS, or has no such group.
    """
    parts = _parse(file)
    of_group: dict[str, dict[str, str]] = {}
    for file_id, found in parts.files.items():
        if found.place and (found.mime_type.startswith(_READ_TYPES) or not found.mime_type):
            of_group.setdefault(found.group, {})[file_id] = found.place
    pages = parts.pages()
    linked = {file_id for page in pages for file_id in page.file_ids}
    of_group = {use: files for use, files in of_group.items() if linked & files.keys()}
    chosen = _choose(of_group, group)
    places, without = {}, []
    for page in pages:
        mine = [file_id for file_id in page.file_ids if file_id in of_group[chosen]]
        places.update({file_id: _absolute(of_group[chosen][file_id], path) for file_id in mine})
        if not mine:
            without.append(page.id)
    files = [(place, file_id) for file_id, place in places.items()]
    return MetsPages(files, chosen, [use for use in of_group if use != chosen], without)


def _choose(of_group: dict[str, dict[str, str]], wanted: str | None) -> str:
    names = ", ".join(of_group) or "none"
    if wanted is not None:
        if wanted not in of_group:
            raise ValueError(f"it has no file group {wanted} with files of pages; give --file-group one of: {names}")
        if _is_on_the_web(of_group[wanted]):
            raise ValueError(f"the files of the group {wanted} are {_NOT_FETCHED}")
        return wanted
    here = {use.lower(): use for use, files in of_group.items() if not _is_on_the_web(files)}
    if of_group and not here:
        raise ValueError(f"all its files of pages are {_NOT_FETCHED}")
    if len(here) == 1:
        return next(iter(here.values()))
    for name in _PREFERRED:
        if name in here:
            return here[name]
    if not here:
        raise ValueError("its structure names no files that are pictures or PDFs")
    raise ValueError(f"it has several file groups; give --file-group one of: {names}")


def _is_on_the_web(files: dict[str, str]) -> bool:
    return all(map(_is_web_address, files.values()))


def _is_web_address(place: str) -> bool:
    return place.lower().startswith(_ON_THE_WEB)


def _absolute(place: str, path: str) -> str:
    """The place of a file that a METS file at this path names, if it is a relative one."""
    if is_remote(place) or local_path(place).startswith("/"):
        return place
    if place.lower().startswith(_FILE):  # "file:a.tif" isn't in RFC 8089, but in METS files
        place = unquote(place[len(_FILE) :])
    folder, _, _ = path.rpartition("/")
    if is_remote(path):
        scheme, _, rest = join(folder, place).partition("://")
        return f"{scheme}://{posixpath.normpath(rest)}"
    return os.path.join(folder, os.path.normpath(place))


@dataclass
class _File:
    group: str
    mime_type: str
    place: str = ""


@dataclass
class _Div:
    id: str
    order: str
    file_ids: list[str] = field(default_factory=list)
    divs: list[_Div] = field(default_factory=list)

    def pages(self) -> Iterator[_Div]:
        """The divs that name files, in order."""
        waiting = [self]
        while waiting:  # without recursion, as nobody limits how deep they are
            div = waiting.pop()
            if div.file_ids:
                yield div
            has_order = all(below.order.isdecimal() for below in div.divs)
            below = sorted(div.divs, key=lambda below: int(below.order)) if has_order else div.divs
            waiting += reversed(below)


class _Parts(NoDoctype):
    """Collects files and structures while the file is parsed, and keeps nothing else of it."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, _File] = {}
        self._maps: list[tuple[str, _Div]] = []
        self._groups: list[str] = []
        self._open_files: list[str] = []
        self._open_divs: list[_Div] = []
        self._namespace = ""  # with its braces; what METS wraps may have elements of the same names

    def pages(self) -> list[_Div]:
        """The pages of the physical structure, or else of the first one."""
        maps = sorted(self._maps, key=lambda found: found[0].lower() != "physical")
        return list(maps[0][1].pages()) if maps else []

    def start(self, tag: str, attributes: dict[str, str]) -> Any:
        if not self._namespace:
            if tag not in _ROOTS:
                raise ValueError(f"it is XML, but no METS: its first element is {tag}")
            self._namespace = tag.removesuffix("mets")
        name, get = self._name(tag), attributes.get
        if name == "fileGrp":
            self._groups.append(get("USE") or (self._groups[-1] if self._groups else get("ID", "")))
        elif name == "file":
            file_id = get("ID", "")
            self.files[file_id] = _File(get("USE") or "".join(self._groups[-1:]), get("MIMETYPE", ""))
            self._open_files.append(file_id)
        elif name == "FLocat" and self._open_files:
            href = next((attributes[name] for name in _HREFS if name in attributes), "")
            file = self.files[self._open_files[-1]]
            file.place = file.place or (unquote(href) if get("LOCTYPE") == "URL" and ":" not in href else href)
        elif name == "structMap":
            self._open_divs = [_Div("", "")]
            self._maps.append((get("TYPE", ""), self._open_divs[0]))
        elif name == "div" and self._open_divs:
            self._open_divs.append(_Div(get("ID", get("LABEL", "?")), get("ORDER", "")))
            self._open_divs[-2].divs.append(self._open_divs[-1])
        elif name in ("fptr", "area") and self._open_divs and get("FILEID"):
            self._open_divs[-1].file_ids.append(attributes["FILEID"])

    def end(self, tag: str) -> Any:
        opened: dict[str, list[Any]] = {"fileGrp": self._groups, "file": self._open_files, "div": self._open_divs}
        if last := opened.get(self._name(tag)):
            last.pop()

    def _name(self, tag: str) -> str:
        return tag.removeprefix(self._namespace)

    def data(self, data: str) -> None:
        pass

    def close(self) -> Any:
        return self


def _parse(file: BinaryIO) -> _Parts:
    parts = _Parts()
    parser = ElementTree.XMLParser(target=parts)
    try:
        while chunk := file.read(_CHUNK_BYTES):
            parser.feed(chunk)
        parser.close()
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(f"it is broken XML ({error})") from error
    return parts
