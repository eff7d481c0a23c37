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
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any


def _check_neighbors() -> None:
    """Raises ImportError if a folder or module of the user's stands where this package's other two would be imported.

    The three are installed side by side. In the command, the message is all that is shown.
    """
    here = Path(__file__).resolve().parents[1]
    for name in ("ocr_models", "pipelines"):
        spec = sys.modules[name].__spec__ if name in sys.modules else importlib.util.find_spec(name)
        found = Path(spec.origin).resolve() if spec and spec.origin else None
        if found != here / name / "__init__.py":
            message = (
                f"Pagebeam's package {name} in {here} can't be imported: Python finds {found or 'nothing'} before it; "
                "rename that, or take its folder from sys.path (PYTHONPATH, or the script's or the current folder)"
            )
            if Path(sys.argv[0]).stem == "pagebeam" or sys.orig_argv[1:3] == ["-m", "pagebeam"]:
                raise SystemExit(f"pagebeam: {message}")
            raise ImportError(message)


_check_neighbors()

from ocr_models import __version__  # noqa: E402
from ocr_models.errors import DocumentError, PagebeamError, UsageError  # noqa: E402

if TYPE_CHECKING:
    from ocr_models.pages.page_reader import PageReader
    from ocr_models.pages.read_document import read_document
    from ocr_models.pages.word_crops import cut_words
    from ocr_models.records import OcrPage, TableCell, TextBlock, TextLine, Word
    from pipelines.inputs.transforms import ReadDocuments
    from pipelines.output.read_rows import read_rows
    from pipelines.reading.ocr_reader import OcrPages
    from pipelines.reading.run_inference import WordDetectorHandler, WordRecognizerHandler
    from pipelines.reading.transforms import WritePages

__all__ = [
    "DocumentError",
    "OcrPage",
    "OcrPages",
    "PageReader",
    "PagebeamError",
    "ReadDocuments",
    "TableCell",
    "TextBlock",
    "TextLine",
    "UsageError",
    "Word",
    "WordDetectorHandler",
    "WordRecognizerHandler",
    "WritePages",
    "__version__",
    "cut_words",
    "read_document",
    "read_rows",
]

_LAZY = {
    "OcrPage": "ocr_models.records",
    "OcrPages": "pipelines.reading.ocr_reader",
    "PageReader": "ocr_models.pages.page_reader",
    "ReadDocuments": "pipelines.inputs.transforms",
    "TableCell": "ocr_models.records",
    "TextBlock": "ocr_models.records",
    "TextLine": "ocr_models.records",
    "Word": "ocr_models.records",
    "WordDetectorHandler": "pipelines.reading.run_inference",
    "WordRecognizerHandler": "pipelines.reading.run_inference",
    "WritePages": "pipelines.reading.transforms",
    "cut_words": "ocr_models.pages.word_crops",
    "read_document": "ocr_models.pages.read_document",
    "read_rows": "pipelines.output.read_rows",
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
