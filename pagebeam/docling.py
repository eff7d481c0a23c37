"""An OCR engine for docling, which finds it by its entry point if ``allow_external_plugins`` is set:

    options = PdfPipelineOptions(allow_external_plugins=True, ocr_options=pagebeam.docling.PagebeamOcrOptions())

Written for docling 2.143. Its interface: https://docling-project.github.io/docling/concepts/plugins/
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import Page
from docling.datamodel.document import ConversionResult
from docling.datamodel.pipeline_options import OcrOptions
from docling.datamodel.settings import settings
from docling.models.base_ocr_model import BaseOcrModel
from docling.utils.profiling import TimeRecorder
from docling_core.types.doc import BoundingBox, CoordOrigin
from docling_core.types.doc.page import BoundingRectangle, TextCell
from pydantic import Field

from ocr_models.pages.read_document import shipped_reader
from pipelines.export.exported_page import ExportedLine, page_of_reading

_SCALE = 200 / 72  # pages are read at 200 dpi, as by pagebeam run

_reading = threading.Lock()  # docling may use threads; the engine has threads of its own


class PagebeamOcrOptions(OcrOptions):
    """Options of the engine. It reads all languages in Latin letters at once: ``lang`` changes nothing."""

    kind: ClassVar[Literal["pagebeam"]] = "pagebeam"
    canonicalize_lang: ClassVar[bool] = False
    lang: list[str] = Field(default_factory=list)
    scale: float = _SCALE


class PagebeamOcrModel(BaseOcrModel):
    """Reads the regions that docling asks for with the shipped models; a cell is a line."""

    multiple_languages = True

    def __init__(
        self,
        enabled: bool,
        artifacts_path: Path | None,
        options: PagebeamOcrOptions,
        accelerator_options: AcceleratorOptions,
    ) -> None:
        super().__init__(
            enabled=enabled, artifacts_path=artifacts_path, options=options, accelerator_options=accelerator_options
        )
        if enabled:
            shipped_reader()

    def __call__(self, conv_res: ConversionResult, page_batch: Iterable[Page]) -> Iterator[Page]:
        for page in page_batch:
            if self.enabled and page._backend is not None and page._backend.is_valid():
                with TimeRecorder(conv_res, "ocr"):
                    regions = self.get_ocr_rects(page)
                    cells = [cell for region in regions if region.area() for cell in self._read(page, region)]
                    self.post_process_cells(cells, page, conv_res)
                if settings.debug.visualize_ocr:
                    self.draw_ocr_rects_and_cells(conv_res, page, regions)
            yield page

    @classmethod
    def get_options_type(cls) -> type[OcrOptions]:
        return PagebeamOcrOptions

    def _read(self, page: Page, region: BoundingBox) -> list[TextCell]:
        """The lines in a region of a page, which is in points from the top left."""
        assert page._backend is not None
        image = page._backend.get_page_image(scale=self.options.scale, cropbox=region)
        pixels = np.asarray(image.convert("L"))
        with _reading:
            [read] = shipped_reader().read_pages([pixels])
        lines = page_of_reading(read, image.size, None).lines
        return [_cell(line, index, region, self.options.scale) for index, line in enumerate(lines)]


def _cell(line: ExportedLine, index: int, region: BoundingBox, scale: float) -> TextCell:
    x, y = [region.l + n / scale for n in line.quad[::2]], [region.t + n / scale for n in line.quad[1::2]]
    corners = {f"r_{axis}{i}": n[3 - i] for axis, n in (("x", x), ("y", y)) for i in range(4)}  # from the lower left on
    rect = BoundingRectangle(**corners, coord_origin=CoordOrigin.TOPLEFT)
    confidence = 1.0 if line.confidence is None else line.confidence
    return TextCell(index=index, text=line.text, orig=line.text, rect=rect, from_ocr=True, confidence=confidence)


def ocr_engines() -> dict[str, Any]:
    """What docling calls at the entry point."""
    return {"ocr_engines": [PagebeamOcrModel]}
