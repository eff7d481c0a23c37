"""Reads the output of OCR tools as pages: text, hOCR, ALTO, PAGE XML, and the Parquet of ``pagebeam run``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import NoReturn

import numpy as np

from ocr_models.errors import UsageError
from ocr_models.geometry import box_quads
from ocr_models.io.layout_xml import FORMATS as LAYOUTS
from ocr_models.io.layout_xml import XmlLine, parse_layout


@dataclass(frozen=True)
class PredictedWord:
    """A word that a tool read.

    Attributes:
        text: as read.
        quad: float32 (4, 2), in pixels of the page; None if the tool doesn't state it.
        confidence: 0 to 1; None if the tool doesn't state it.
    """

    text: str
    quad: np.ndarray | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class PredictedPage:
    """A page that a tool read.

    Attributes:
        name: the document's file name without its extensions; "name#1" for its second page, and so on.
        text: the text of the page, in lines.
        words: in reading order.
        scale: gives the factors for x and y from its places to the pixels of a picture, by the picture's width and
            height, or None if the picture isn't of this page; None if places are in pixels of the picture.
    """

    name: str
    text: str
    words: tuple[PredictedWord, ...]
    scale: Callable[[int, int], tuple[float, float] | None] | None = None

    def on_picture(self, width_px: int, height_px: int) -> PredictedPage:
        """The page with places in pixels of a picture; if the picture isn't of this page, without places."""
        if self.scale is None:
            return self
        factors = self.scale(width_px, height_px)
        words = tuple(
            replace(
                word, quad=None if factors is None or word.quad is None else word.quad * np.array(factors, np.float32)
            )
            for word in self.words
        )
        return replace(self, words=words, scale=None)


_Lines = list[list[PredictedWord]]
_NUMBERED = re.compile(r"(.+)#([0-9]+|[0-9]+-[0-9]+)")  # a page, or a range of pages


def read_predictions(path: str | Path, prediction_format: str) -> dict[str, PredictedPage]:
    """Reads the output of a tool.

    Args:
        path: a file, or a folder whose files at any depth are read: text as ``*.txt`` with a form feed between pages,
            hOCR as ``*.hocr`` or ``*.html``, ALTO or PAGE XML as ``*.xml``; or the output folder of ``pagebeam run``.
        prediction_format: "text", "hocr", "alto", "page" or "pagebeam".

    Returns:
        The pages by name.

    Raises:
        UsageError: there is no file of this format, one is broken, or two pages have the same name.
    """
    if prediction_format not in PREDICTION_FORMATS:
        raise UsageError(
            f"{prediction_format}: no such format of predictions; give one of " + ", ".join(sorted(PREDICTION_FORMATS))
        )
    pages: dict[str, PredictedPage] = {}
    origins: dict[str, str] = {}
    for origin, page in PREDICTION_FORMATS[prediction_format](Path(path)):
        if page.name in pages:
            raise UsageError(
                f"{path}: page {page.name} was read twice, in {origins[page.name]} and in {origin}; pages are scored "
                "by file name: give one folder at a time, or rename the documents"
            )
        pages[page.name], origins[page.name] = page, origin
    if not pages:
        raise UsageError(f"{path}: there is no page in it; give the output of an OCR tool")
    return pages


_Pages = Iterator[tuple[str, PredictedPage]]  # each page with the file or run that it comes from


def _text_pages(path: Path) -> _Pages:
    for file in _files(path, ".txt"):
        texts = file.read_text(encoding="utf-8-sig", errors="replace").split("\f")
        if len(texts) > 1 and not texts[-1].strip():
            del texts[-1]  # a form feed ends each page
        for index, text in enumerate(texts):
            yield str(file), PredictedPage(page_name(file.name, index), text, tuple(map(PredictedWord, text.split())))


def _hocr_pages(path: Path) -> _Pages:
    for file in _files(path, ".hocr", ".html", ".htm", ".xhtml"):
        parser = _HocrParser()
        parser.feed(file.read_text(encoding="utf-8-sig", errors="replace"))
        parser.close()
        if not parser.pages:
            _refuse(file, 'hOCR (no element of class "ocr_page")')
        if parser.is_cut_off:
            _refuse(file, "whole hOCR (it ends before its last page does)")
        yield from _named(file, parser.pages)


class _HocrParser(HTMLParser):
    """Collects the pages of an hOCR file as lines of words. hOCR may be HTML, which an XML parser can't read.

    hOCR need not mark words, nor even lines: a line without words has those of its text, and a page without lines and
    words those of its own. Their places are not known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[_Lines] = []
        self._word: list[str] | None = None  # the parts of an open word's text
        self._properties = ""
        self._has_characters = False  # of the open word, each an element
        self._line: list[str] | None = None  # the parts of an open line's text that are in no word
        self._rest: list[str] = []  # the parts of the page's text that are in no word and no line
        self._word_tag, self._line_tag, self._page_tag = "", "", ""
        self._word_depth, self._line_depth, self._page_depth = 0, 0, 0

    @property
    def is_cut_off(self) -> bool:
        """Whether a page is still open after the whole file was fed."""
        return self._page_depth > 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._word_depth += self._word is not None and tag == self._word_tag
        self._line_depth += self._line is not None and tag == self._line_tag
        self._page_depth += tag == self._page_tag
        self._rest.append(" ")  # text of different elements
        attributes = dict(attrs)
        classes = (attributes.get("class") or "").split()
        if "ocr_page" in classes:
            self._end_page()
            self.pages.append([])
            self._page_tag, self._page_depth = tag, 1
        elif self.pages and _HOCR_LINES.intersection(classes):
            self._end_line()
            self.pages[-1].append([])
            self._line, self._line_tag, self._line_depth = [], tag, 1
        elif self.pages and _HOCR_WORDS.intersection(classes):
            self._word, self._word_tag, self._word_depth = [], tag, 1
            self._properties, self._has_characters = attributes.get("title") or "", False
        elif "ocrx_cinfo" in classes:
            self._has_characters = True
        elif tag == "br":
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._word is not None and tag == self._word_tag:
            self._word_depth -= 1
            if not self._word_depth:
                words = "".join(self._word).split()
                self._end_word(["".join(words)] if self._has_characters else words)
                self._word = None
        if self._line is not None and tag == self._line_tag:
            self._line_depth -= 1
            if not self._line_depth:
                self._end_line()
        if tag == self._page_tag:
            self._page_depth -= 1
            if not self._page_depth:
                self._end_page()
                self._page_tag = ""

    def handle_data(self, data: str) -> None:
        if self._word is not None:
            self._word.append(data)
        elif self._line is not None:
            self._line.append(data)
        elif self._page_tag:
            self._rest.append(data)

    def _end_line(self) -> None:
        if self._line is not None and not self.pages[-1][-1]:
            self.pages[-1][-1] = _words_of("".join(self._line))
        self._line = None

    def _end_page(self) -> None:
        self._end_line()
        if self.pages and not any(self.pages[-1]):
            self.pages[-1] = [_words_of("".join(self._rest))]
        self._rest = []

    def _end_word(self, words: list[str]) -> None:
        text = " ".join(words)
        if len(words) > 1:  # a line, marked as a word
            lines = self.pages[-1] or [[]]
            lines[-1] += _words_of(text)
            self.pages[-1] = lines
        elif text:
            box = _HOCR_BOX.search(self._properties)
            confidence = _HOCR_CONFIDENCE.search(self._properties)
            lines = self.pages[-1] or [[]]
            lines[-1].append(
                PredictedWord(
                    text,
                    _quad(*map(float, box.groups())) if box else None,
                    float(confidence[1]) / 100 if confidence else None,
                )
            )
            self.pages[-1] = lines


def _words_of(text: str) -> list[PredictedWord]:
    """The words of a text of several; their places in it are not known."""
    return [PredictedWord(word) for word in text.split()]


_HOCR_LINES = frozenset(("ocr_line", "ocrx_line", "ocr_header", "ocr_footer", "ocr_caption", "ocr_textfloat"))
_HOCR_WORDS = frozenset(("ocrx_word", "ocr_word"))
_NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?)"
_HOCR_BOX = re.compile(rf"\bbbox\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}")
_HOCR_CONFIDENCE = re.compile(rf"\bx_wconf\s+{_NUMBER}")


def _layout_pages(layout: str, path: Path) -> _Pages:
    expected = LAYOUTS[layout]
    for file in _files(path, ".xml", ".alto"):
        try:
            found, pages = parse_layout(file.read_bytes())
        except ValueError as error:
            _refuse(file, f"{expected} ({error})")
        if found != layout:
            _refuse(file, f"{expected} (it is {LAYOUTS.get(found, f'XML with the root {found}')})")
        for index, page in enumerate(pages):
            text = "".join(f"{line.text}\n" for line in page.lines if line.text)
            words = tuple(word for line in page.lines for word in _line_words(line))
            yield str(file), PredictedPage(page_name(file.name, index), text, words, replace(page, lines=()).scale)


def _line_words(line: XmlLine) -> list[PredictedWord]:
    """The words of a line; if it has none, or several in one, those of its text, whose places are not known."""
    words: list[PredictedWord] = []
    for word in line.words or (line,):
        if len(word.text.split()) > 1:
            words += _words_of(word.text)
        elif word.text:
            words.append(PredictedWord(word.text, _corner_quad(word.corners), word.confidence))
    return words


def _corner_quad(corners: tuple[float, ...]) -> np.ndarray | None:
    if len(corners) == 4:
        return _quad(*corners)
    return np.array(corners, np.float32).reshape(4, 2) if corners else None


def _pagebeam_pages(path: Path) -> _Pages:
    import pyarrow as pa
    import pyarrow.dataset

    folder = path / "pages" if (path / "pages").is_dir() else path
    wanted = ["source_uri", "page_index", "run_id", "text", "words"]
    try:
        rows = pyarrow.dataset.dataset(folder, format="parquet", partitioning="hive")
        wanted += ["also_at"] if "also_at" in rows.schema.names else []  # not before version 3
        for batch in rows.to_batches(columns=wanted):
            for row in batch.to_pylist():
                words = tuple(
                    PredictedWord(word["text"], np.array(word["quad"], np.float32).reshape(4, 2), word["confidence"])
                    for word in row["words"] or ()
                    if word.get("in_text") is not False  # rows of version 1 have only words that are
                )
                # A page that failed has neither text nor words: it counts as a page on which nothing was read.
                places = [row["source_uri"], *(row.get("also_at") or ())]
                for name in dict.fromkeys(page_name(uri, row["page_index"]) for uri in places):
                    yield f"{row['source_uri']} of run {row['run_id']}", PredictedPage(name, row["text"] or "", words)
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(f"{path}: not the output of pagebeam run: {error}; give the folder of --output") from error


def _files(path: Path, *endings: str) -> list[Path]:
    """The path itself if it is a file, or else all files below it with one of these extensions, sorted."""
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.suffix.lower() in endings)
    if not files:
        raise UsageError(f"{path}: no {' or '.join('*' + ending for ending in endings)} there; give a folder with some")
    return files


def _named(file: Path, pages: list[_Lines]) -> _Pages:
    for index, lines in enumerate(pages):
        text = "".join(" ".join(word.text for word in line) + "\n" for line in lines if line)
        yield (
            str(file),
            PredictedPage(page_name(file.name, index), text, tuple(word for line in lines for word in line)),
        )


_DOCUMENT = re.compile(
    r"(.+)\.(?:png|jpe?g|jpe|jfif|jp2|j2k|jpx|webp|bmp|gif|hei[cf]|avif|tiff?|pdf)(?:\.([0-9]{4,9}))?", re.IGNORECASE
)


def page_name(document: str, page_index: int) -> str:
    """The name of a page in a tool's output: "a" for the first page of "scans/a.pdf", "a#1" for its second.

    Some tools add an extension to the document's: the name is also "a" for "a.pdf.txt". ``pagebeam export`` adds the
    number of a page, too: it is "a#1" for "a.pdf.0002.xml".
    """
    stem = PurePosixPath(document).stem
    if named := _DOCUMENT.fullmatch(stem):
        stem = named[1]
        page_index += max(int(named[2] or 1) - 1, 0)
    return f"{stem}#{page_index}" if page_index else stem


def prediction_name(picture_name: str) -> str:
    """The name of a labelled picture in a tool's output: "a#1" for "scans/a.pdf#2", the second page."""
    numbered = _NUMBERED.fullmatch(picture_name)  # "#" may also be a part of the name, as in "scan #3.jpg"
    document, page = numbered.groups() if numbered else (picture_name, "")
    return page_name(document, max(int(page) - 1, 0) if page.isdecimal() else 0)


def _quad(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return box_quads(np.array([[left, top, right, bottom]]))[0]


def _refuse(file: Path, expected: str) -> NoReturn:
    raise UsageError(f"{file}: not {expected}; make it again, or remove it: then its pages count as not read")


PREDICTION_FORMATS: dict[str, Callable[[Path], _Pages]] = {
    "text": _text_pages,
    "hocr": _hocr_pages,
    **{layout: partial(_layout_pages, layout) for layout in LAYOUTS},
    "pagebeam": _pagebeam_pages,
}
