"""Reads the output of OCR tools as pages: plain text, hOCR, ALTO, and the Parquet of ``pagebeam run``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import NoReturn
from xml.etree import ElementTree

import numpy as np

from ocr_models.errors import UsageError
from ocr_models.geometry import box_quads


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
    """

    name: str
    text: str
    words: tuple[PredictedWord, ...]


_Lines = list[list[PredictedWord]]
_NUMBERED = re.compile(r"(.+)#([0-9]+|[0-9]+-[0-9]+)")  # a page, or a range of pages


def read_predictions(path: str | Path, prediction_format: str) -> dict[str, PredictedPage]:
    """Reads the output of a tool.

    Args:
        path: a file, or a folder whose files at any depth are read: text as ``*.txt`` with a form feed between pages,
            hOCR as ``*.hocr`` or ``*.html``, ALTO 2 to 4 in pixels as ``*.xml``; or the output folder of
            ``pagebeam run``.
        prediction_format: "text", "hocr", "alto" or "pagebeam".

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
                "by file name: give one run (DIR/pages/run=ID) or folder at a time, or rename the documents"
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


def _alto_pages(path: Path) -> _Pages:
    for file in _files(path, ".xml", ".alto"):
        try:
            root = ElementTree.fromstring(file.read_bytes(), ElementTree.XMLParser(target=_NoDoctype()))
        except (ElementTree.ParseError, LookupError, ValueError) as error:
            _refuse(file, f"ALTO ({error})")
        if _tag(root) != "alto":
            _refuse(file, f"ALTO (its root is <{_tag(root)}>, not <alto>)")
        unit = next((e.text or "" for e in root.iter() if _tag(e) == "MeasurementUnit"), "pixel").strip()
        if unit != "pixel":
            _refuse(file, f"ALTO in pixels (it is in {unit})")
        try:
            yield from _named(file, [_alto_lines(page) for page in root.iter() if _tag(page) == "Page"])
        except (KeyError, ValueError) as error:
            _refuse(file, f"ALTO (a <String> without a usable {error})")


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses document types: ALTO has none, and they can declare entities that exhaust memory."""

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> NoReturn:
        raise ValueError(f"it has a document type, {name}")


def _alto_lines(page: ElementTree.Element) -> _Lines:
    return [_alto_line(line) for line in page.iter() if _tag(line) == "TextLine"]


def _alto_line(line: ElementTree.Element) -> list[PredictedWord]:
    words: list[PredictedWord] = []
    for element in line:
        content = element.get("CONTENT", "")
        if _tag(element) == "String" and len(content.split()) > 1:  # some tools write a line as one string
            words += _words_of(content)
        elif _tag(element) == "String" and content.strip():
            confidence = element.get("WC")
            words.append(PredictedWord(content, _alto_quad(element), None if confidence is None else float(confidence)))
        elif _tag(element) == "HYP" and words:  # on the page, the hyphen at the end of a line is part of the word
            words[-1] = PredictedWord(words[-1].text + content, words[-1].quad, words[-1].confidence)
    return words


def _alto_quad(string: ElementTree.Element) -> np.ndarray | None:
    places = [string.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    if None in places:
        return None
    x, y, width, height = (float(place or 0) for place in places)
    return _quad(x, y, x + width, y + height)


def _tag(element: ElementTree.Element) -> str:
    """The name of an element without its namespace, which depends on the version."""
    return element.tag.rpartition("}")[2]


def _pagebeam_pages(path: Path) -> _Pages:
    import pyarrow as pa
    import pyarrow.dataset

    folder = path / "pages" if (path / "pages").is_dir() else path
    wanted = ["source_uri", "page_index", "run_id", "text", "words"]
    try:
        batches = pyarrow.dataset.dataset(folder, format="parquet", partitioning="hive").to_batches(columns=wanted)
        for batch in batches:
            for row in batch.to_pylist():
                name = page_name(row["source_uri"], row["page_index"])
                words = tuple(
                    PredictedWord(word["text"], np.array(word["quad"], np.float32).reshape(4, 2), word["confidence"])
                    for word in row["words"] or ()
                    if word.get("in_text") is not False  # rows of version 1 have only words that are
                )
                # A page that failed has neither text nor words: it counts as a page on which nothing was read.
                yield f"{row['source_uri']} of run {row['run_id']}", PredictedPage(name, row["text"] or "", words)
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(
            f"{path}: not the output of pagebeam run: {error}; give the folder of --output, or DIR/pages/run=ID"
        ) from error


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


_DOCUMENT = re.compile(r"(.+)\.(?:png|jpe?g|jpe|jfif|jp2|webp|bmp|gif|tiff?|pdf)", re.IGNORECASE)


def page_name(document: str, page_index: int) -> str:
    """The name of a page in a tool's output: "a" for the first page of "scans/a.pdf", "a#1" for its second.

    Some tools add an extension to the document's: the name is also "a" for "a.pdf.txt".
    """
    stem = PurePosixPath(document).stem
    named = _DOCUMENT.fullmatch(stem)
    stem = named[1] if named else stem
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
    "alto": _alto_pages,
    "pagebeam": _pagebeam_pages,
}
