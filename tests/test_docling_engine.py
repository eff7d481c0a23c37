"""docling, if it is installed, with the engine. Its models for layout aren't needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("docling.models.base_ocr_model", reason="docling is in the extra docling")

from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import InputFormat, Page
from docling.datamodel.pipeline_options import OcrMode
from docling.models.factories import get_ocr_factory

from pagebeam.docling import PagebeamOcrModel, PagebeamOcrOptions

ROOT = Path(__file__).parents[1]


def read(document: Path, degrees: int = 0) -> list:
    """The cells of a document's first page by docling's own classes, with the whole page as its region."""
    from docling.backend.pypdfium2_backend import PyPdfiumDocumentBackend
    from docling.datamodel.document import ConversionResult, InputDocument

    source = InputDocument(document, InputFormat.PDF, PyPdfiumDocumentBackend)
    page = Page(page_no=1)
    page._backend = source._backend.load_page(0)
    page.size = page._backend.get_size()
    page.parsed_page = page._backend.get_segmented_page()
    options = PagebeamOcrOptions(mode=OcrMode.FULL_PAGE)
    model = PagebeamOcrModel(True, None, options, AcceleratorOptions())
    [page] = model(ConversionResult(input=source), [page])
    return page.parsed_page.textline_cells


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    import img2pdf

    with Image.open(ROOT / "docs/samples/letter.jpg") as image:
        image.crop((0, 0, image.width, 1000)).save(tmp_path / "letter.png", dpi=(200, 200))
    (tmp_path / "letter.pdf").write_bytes(img2pdf.convert(str(tmp_path / "letter.png")))
    return tmp_path / "letter.pdf"


def test_docling_finds_the_engine_by_its_entry_point():
    factory = get_ocr_factory(allow_external_plugins=True)

    assert "pagebeam" in factory.registered_kind
    model = factory.create_instance(
        PagebeamOcrOptions(), enabled=False, artifacts_path=None, accelerator_options=AcceleratorOptions()
    )
    assert isinstance(model, PagebeamOcrModel)


def test_cells_are_lines_at_their_places(letter):
    cells = {cell.text: cell for cell in read(letter)}

    cell = cells["Ms. Ingrid Sørensen"]
    assert cell.from_ocr and cell.confidence > 0.9
    box = cell.rect.to_bounding_box()
    with Image.open(letter.with_suffix(".png")) as image:
        left, top, right, bottom = (round(n * 200 / 72) for n in (box.l, box.t, box.r, box.b))
        pixels = np.asarray(image.convert("L"))
    assert pixels[top:bottom, left:right].min() < 100  # there is ink in it, and none around it
    assert pixels[top - 4 : bottom + 4, left - 30 : left - 8].min() > 150
