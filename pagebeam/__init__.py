"""The public interface of Pagebeam: what programs import.

Read local documents, without Beam:

    for page in pagebeam.read_document("scan.pdf"):
        print(page.text)

Run OCR as a step of a Beam pipeline:

    documents = root | pagebeam.ReadDocuments(["scans"])
    rows = documents | pagebeam.OcrPages()
    rows | pagebeam.WritePages("ocr-out", expected=documents)

Read the rows of an output folder: ``pagebeam.read_rows("ocr-out")``.

Importing this package is quick: each name loads what it needs (TensorFlow, Beam) on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ocr_models import __version__
from ocr_models.errors import DocumentError, PagebeamError, UsageError

if TYPE_CHECKING:
    from ocr_models.pages.page_reader import PageReader
    from ocr_models.pages.read_document import read_document
    from ocr_models.records import OcrPage, TextLine, Word
    from pipelines.inputs.transforms import ReadDocuments
    from pipelines.reading.ocr_reader import OcrPages
    from pipelines.reading.read_rows import read_rows
    from pipelines.reading.transforms import WritePages

__all__ = [
    "DocumentError",
    "OcrPage",
    "OcrPages",
    "PageReader",
    "PagebeamError",
    "ReadDocuments",
    "TextLine",
    "UsageError",
    "Word",
    "WritePages",
    "__version__",
    "read_document",
    "read_rows",
]

_LAZY = {
    "OcrPage": "ocr_models.records",
    "OcrPages": "pipelines.reading.ocr_reader",
    "PageReader": "ocr_models.pages.page_reader",
    "ReadDocuments": "pipelines.inputs.transforms",
    "TextLine": "ocr_models.records",
    "Word": "ocr_models.records",
    "WritePages": "pipelines.reading.transforms",
    "read_document": "ocr_models.pages.read_document",
    "read_rows": "pipelines.reading.read_rows",
}

if not TYPE_CHECKING:  # with a module's __getattr__, a type checker would accept any name

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return __all__
