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
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any


def _check_packages() -> None:
    """Raises ImportError if a package of ours is hidden by another one of its name, such as a user's ``pipelines``."""
    for name in ("ocr_models", "pipelines"):
        ours = Path(__file__).parents[1] / name / "__init__.py"
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        found = spec.origin if spec else getattr(sys.modules.get(name), "__file__", None)
        if ours.exists() and not (found and os.path.exists(found) and os.path.samefile(found, ours)):
            raise ImportError(
                f"Pagebeam's package {name} is hidden by another one of this name, {found}, whose folder comes first "
                "on Python's path; rename it, or remove its folder from PYTHONPATH or start Python elsewhere"
            )


try:
    _check_packages()
except ImportError as error:
    if Path(sys.argv[0]).stem != "pagebeam":
        raise
    raise SystemExit(f"pagebeam: {error}") from None  # to a user of the command, a traceback says nothing

from ocr_models import __version__  # noqa: E402  after the check
from ocr_models.errors import DocumentError, PagebeamError, UsageError  # noqa: E402

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
    "command": "pipelines.cli.main",  # the entry point, which is here so that the check above comes first
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
