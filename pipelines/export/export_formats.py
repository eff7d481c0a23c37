"""The formats of ``pagebeam export``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from pipelines.export.alto import write_alto
from pipelines.export.exported_page import ExportedPage
from pipelines.export.hocr import write_hocr
from pipelines.export.markdown import write_markdown
from pipelines.export.page_xml import write_page_xml
from pipelines.export.plain_formats import write_json_lines, write_text, write_tsv


class Unit(StrEnum):
    """What a file of a format holds."""

    PAGE = "page"
    DOCUMENT = "document"
    ALL = "all"  # all pages of all documents


@dataclass(frozen=True)
class ExportFormat:
    """A format.

    Attributes:
        name: as of ``--format``.
        extension: of its files, which is added to the document's.
        unit: what a file holds.
        write: writes a file of pages; None if that takes the original.
        holds_empty: whether pages without a row, or that failed, are empty pages in a file, so that the others keep
            their numbers.
        is_pdfa: whether the files must be PDF/A.
    """

    name: str
    extension: str
    unit: Unit
    write: Callable[[BinaryIO, Iterable[ExportedPage]], None] | None
    holds_empty: bool = False
    needs: tuple[str, ...] = ()
    is_pdfa: bool = False


_OF_PDFS = ("fontTools", "img2pdf")
_FORMATS = (
    ExportFormat("pdf", ".pdf", Unit.DOCUMENT, None, needs=_OF_PDFS),
    ExportFormat("pdfa", ".pdf", Unit.DOCUMENT, None, needs=_OF_PDFS, is_pdfa=True),
    ExportFormat("hocr", ".hocr", Unit.DOCUMENT, write_hocr, holds_empty=True),
    ExportFormat("alto", ".xml", Unit.PAGE, write_alto),
    ExportFormat("page", ".xml", Unit.PAGE, write_page_xml),
    ExportFormat("tsv", ".tsv", Unit.DOCUMENT, write_tsv),
    ExportFormat("txt", ".txt", Unit.DOCUMENT, write_text, holds_empty=True),
    ExportFormat("md", ".md", Unit.DOCUMENT, write_markdown),
    ExportFormat("jsonl", ".jsonl", Unit.ALL, write_json_lines),
)
FORMATS = {form.name: form for form in _FORMATS}
