"""Born-digital PDFs as labelled pages: rendered, with the words of their text layers as the truth."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium

from ocr_models.data.augmentation import degrade_page
from ocr_models.data.pdf_pages import open_pdf, read_pdf_page
from ocr_models.data.sources.labels import label_pixels
from ocr_models.data.sources.source import Files, LabelledPicture, RejectedPicture, SourceItem, list_source
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.io.documents import MAX_RENDERED_PIXELS
from ocr_models.io.pdf_text import open_pdf_page
from ocr_models.records import PageTruth, Task

_EXTENSIONS = (".pdf", ".pdf.gz")


@dataclass(frozen=True)
class PdfSource:
    """The pages of all ``*.pdf`` and ``*.pdf.gz`` in a folder. Each is an item; "doc.pdf#3" is the third page.

    Attributes:
        root: the folder, or one file.
        task: detection or recognition.
        dpi: the resolution at which pages are rendered.
        degrade: whether pages are made to look printed, scanned, faxed or photographed.
        seed: determines the degradation, together with the name of the page.
    """

    root: str
    task: Task = Task.DETECTION
    dpi: float = 200
    degrade: bool = False
    seed: int = 1
    format = "pdf"

    def items(self, files: Files) -> Iterator[SourceItem]:
        listing = list_source(files, self.root)
        names = [name for name in listing.chosen if name.lower().endswith(_EXTENSIONS)]
        if not names:
            raise UsageError(f"{self.root}: no *.pdf or *.pdf.gz there; give a folder of born-digital PDFs")
        for name in names:
            path = listing.paths[name]
            try:
                for page_index in range(files.count_pdf_pages(path)):
                    yield SourceItem(f"{name}#{page_index + 1}", path, page_index)
            except DocumentError as error:
                yield SourceItem(name, path, error)

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        assert path is not None  # all of its items have one
        try:
            if isinstance(item.labels, DocumentError):
                raise item.labels
            truth = _read_page(path, item.labels, self.dpi)
            yield label_pixels(item.name, self._degraded(item.name, truth) if self.degrade else truth, self.task)
        except DocumentError as error:
            yield RejectedPicture(item.name, error.stage, str(error))

    def _degraded(self, name: str, truth: PageTruth) -> PageTruth:
        key = hashlib.sha256(f"{name}\0{self.seed}".encode()).digest()[:8]
        rng = np.random.default_rng(int.from_bytes(key, "big"))
        image, quads = degrade_page(truth.image, truth.quads, rng)
        return PageTruth(image, quads, truth.texts, truth.ignore)


def _read_page(path: str, page_index: int, dpi: float) -> PageTruth:
    try:
        page = open_pdf_page(_open(path), page_index)
        width_pt, height_pt = page.get_size()
        if width_pt * height_pt * (dpi / 72) ** 2 > MAX_RENDERED_PIXELS:
            size = f"{width_pt:g}×{height_pt:g} points"
            raise DocumentError(Stage.RENDER, f"the page of {size} is too large at {dpi:g} dpi; give a lower --dpi")
        return read_pdf_page(page, dpi)
    except (pdfium.PdfiumError, IndexError) as error:
        raise DocumentError(Stage.RENDER, f"the page is broken ({error})") from error


@functools.lru_cache(2)
def _open(path: str) -> pdfium.PdfDocument:
    """Keeps the last documents open, since their pages are usually requested one after the other."""
    return open_pdf(Path(path))
