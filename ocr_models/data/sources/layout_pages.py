"""ALTO and PAGE XML beside pictures, as HTR-United, eScriptorium, Transkribus and OCR-D lay them out.

An XML file names its picture. The picture is at that place as seen from the XML's folder or the folder above, or has
the named file name, or the XML's own, in the XML's folder, in ``images/`` there, in the folder above, or in another
folder beside the XML's.
"""

from __future__ import annotations

import posixpath
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ocr_models.data.sources.labels import TextLabel, label_picture, read_labels, read_or_reject
from ocr_models.data.sources.pictures import CheckedPicture, read_picture
from ocr_models.data.sources.source import (
    Files,
    LabelledPicture,
    Listing,
    RejectedPicture,
    SourceItem,
    file_stem,
    is_picture,
    list_source,
    no_picture,
)
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.io.layout_xml import FORMATS, XmlLine, XmlPage, parse_layout
from ocr_models.records import Task

_EXTENSIONS = (".xml", ".alto")


@dataclass(frozen=True)
class LayoutSource:
    """All ALTO or PAGE XML files below ``root``, or the one at ``root``, with the pictures that they name.

    The texts are words or, where a line's words aren't marked, whole lines.

    Attributes:
        root: a folder, or a file.
        task: ``DETECTION`` or ``RECOGNITION``.
        format: "alto" or "page".
    """

    root: str
    task: Task
    format: str

    def items(self, files: Files) -> Iterator[SourceItem]:
        listing = list_source(files, self.root)
        pictures = _Pictures(listing, files)
        labels: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        bad, others = [], set()
        for name in listing.chosen:
            if name.lower().endswith(_EXTENSIONS):
                try:
                    data = _read(files, listing.paths[name])
                    layout, page = _only_page(name, data)
                    if layout == self.format:
                        labels[pictures.find(name, page)].append((name, zlib.compress(data)))
                    else:
                        others.add(layout)  # such as METS
                except DocumentError as error:
                    bad.append(SourceItem(name, None, error))
        if not labels and not bad:
            found = f"; there is {', '.join(sorted(FORMATS.get(other, other) for other in others))}" if others else ""
            raise UsageError(
                f"{self.root}: no {FORMATS[self.format]} there{found}; give the folder of XML and pictures"
            )
        names = {path: name for name, path in listing.paths.items()}
        for path, of_picture in sorted(labels.items()):
            yield SourceItem(names.get(path, of_picture[0][0]), path, _only_labels(of_picture))
        for name in filter(is_picture, listing.chosen):
            if listing.paths[name] not in labels:
                missing = f"no {FORMATS[self.format]} file there names it, or has its name"
                yield SourceItem(name, listing.paths[name], DocumentError(Stage.LABEL, missing))
        yield from bad

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        return read_or_reject(item, path, lambda data: _label(item, data, self.task))


def _read(files: Files, path: str) -> bytes:
    data = read_labels(files, path)
    if isinstance(data, DocumentError):
        raise data
    return data


def _only_page(name: str, data: bytes) -> tuple[str, XmlPage]:
    try:
        layout, pages = parse_layout(data)
    except ValueError as error:
        raise DocumentError(Stage.LABEL, f"{name}: not readable as XML of a page ({error}); mend it") from error
    if layout in FORMATS and len(pages) != 1:
        raise DocumentError(Stage.LABEL, f"{name}: {len(pages)} pages; expected one file for each picture")
    return layout, pages[0] if pages else XmlPage(None, None, True, ())


def _only_labels(of_picture: list[tuple[str, bytes]]) -> tuple[str, bytes] | DocumentError:
    if len(of_picture) == 1:
        return of_picture[0]
    names = ", ".join(name for name, _ in of_picture)
    return DocumentError(Stage.LABEL, f"{len(of_picture)} XML files are of it: {names}; give the folder or file of one")


class _Pictures:
    """Finds the pictures of XML files."""

    def __init__(self, listing: Listing, files: Files) -> None:
        self._paths, self._files = listing.paths, files
        self._near: dict[str, list[str]] = defaultdict(list)
        for name in filter(is_picture, listing.paths):
            self._near[posixpath.basename(name)].append(name)
            self._near[file_stem(name)].append(name)

    def find(self, xml: str, page: XmlPage) -> str:
        """The path of the picture of an XML file. Raises DocumentError if it isn't found."""
        wanted = (page.image or "").replace("\\", "/")
        folder = posixpath.dirname(xml)
        for place in (folder, posixpath.dirname(folder)) if wanted else ():
            name = posixpath.normpath(posixpath.join(place, wanted))
            if name in self._paths and is_picture(name):
                return self._paths[name]
        stem = file_stem(xml).removesuffix(".alto").removesuffix(".page")
        for file_name in (posixpath.basename(wanted), file_stem(wanted), stem):
            near = _nearest(self._near.get(file_name, []), folder)
            if near:
                return self._paths[near]
        return self._find_outside(xml, wanted)

    def _find_outside(self, xml: str, wanted: str) -> str:
        """The path of a picture beside or above the folder of the source."""
        path = self._paths[xml]
        above = posixpath.dirname(posixpath.dirname(path))
        for candidate in (wanted, posixpath.basename(wanted)) if above and is_picture(wanted) else ():
            outside = posixpath.join(above, candidate)
            if self._files.list(outside) == [outside]:
                return outside
        raise no_picture(f"{wanted or file_stem(xml)} of {xml}")


def _nearest(names: list[str], folder: str) -> str | None:
    """The only one of these names in a folder, in ``images/`` there, above it, or else in the folders beside it."""
    above = posixpath.dirname(folder)
    for place in (folder, posixpath.join(folder, "images"), above):
        near = [name for name in names if posixpath.dirname(name) == place]
        if near:
            return near[0] if len(near) == 1 else None
    beside = [name for name in names if folder and posixpath.dirname(posixpath.dirname(name)) == above]
    return beside[0] if len(beside) == 1 else None


def _label(item: SourceItem, data: bytes, task: Task) -> LabelledPicture:
    xml, packed = item.labels
    _, page = _only_page(xml, zlib.decompress(packed))
    picture, factors = _on_page(read_picture(data), page, xml)
    lines = [label for line in page.lines if not line.is_region for label in _line_labels(line, factors)]
    regions = [TextLabel("", _scaled(line.corners, factors), ignore=True) for line in page.lines if line.is_region]
    regions = [region for region in regions if region.corners and not _has_text(region, lines)]
    labelled = label_picture(item.name, picture, lines + regions, task)
    remarks = [
        (sum(" " in label.text for label in lines), "lines whose words aren't marked: one text each"),
        (len(regions), "regions of text without lines: ignored"),
        (page.in_pixels and page.size and factors != (1, 1), f"places scaled by {factors[0]:.4g} to fit the picture"),
    ]
    said = tuple(
        f"{xml}: {count} {what}" if count is not True else f"{xml}: {what}" for count, what in remarks if count
    )
    return replace(labelled, repairs=said + labelled.repairs)


def _on_page(picture: CheckedPicture, page: XmlPage, xml: str) -> tuple[CheckedPicture, tuple[float, float]]:
    """The picture, and the factors from places in its XML to its pixels.

    Tools measure a picture that EXIF turns as it is stored or as it is seen: the page's size tells.
    """
    upright = picture.width_px, picture.height_px
    is_turned = abs(picture.to_upright[0, 0]) < 0.5
    factors = page.scale(*(upright[::-1] if is_turned else upright))
    if factors is None and is_turned:
        picture, factors = replace(picture, to_upright=np.eye(2, 3)), page.scale(*upright)
    if factors is None:
        size = "doesn't state the page's size" if page.size is None else "is of a page of {:g}×{:g}".format(*page.size)
        expected = "in pixels, or with a page's WIDTH and HEIGHT in proportion to the picture's"
        found = f"{picture.width_px}×{picture.height_px}"
        raise DocumentError(Stage.LABEL, f"{xml} {size}, but the picture has {found} pixels; expected XML {expected}")
    return picture, factors


def _line_labels(line: XmlLine, factors: tuple[float, float]) -> list[TextLabel]:
    """The words of a line if all have a place, or else the line."""
    is_one = len(line.words) == 1 and " " in line.words[0].text and line.corners
    words = line.words if line.words and all(word.corners for word in line.words) and not is_one else (line,)
    return [TextLabel(word.text, _scaled(word.corners, factors)) for word in words]


def _scaled(corners: tuple[float, ...], factors: tuple[float, float]) -> tuple[float, ...]:
    return tuple(number * factors[i % 2] for i, number in enumerate(corners))


def _has_text(region: TextLabel, texts: list[TextLabel]) -> bool:
    """Whether the middle of a text is in a region: zones for damage or pictures may lie over labelled lines."""
    xs, ys = region.corners[::2], region.corners[1::2]
    middles = ((np.mean(text.corners[::2]), np.mean(text.corners[1::2])) for text in texts if text.corners)
    return any(min(xs) < x < max(xs) and min(ys) < y < max(ys) for x, y in middles)
