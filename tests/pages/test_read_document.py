"""Documents read without Beam: the samples with the shipped models, and broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ocr_models.pages.read_document as module
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.pages.read_document import read_document
from ocr_models.records import OcrPage
from tests.shards import striped_word, word_example, write_shard
from tests.text_pdfs import set_text, write_text_pdf

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"


class ShapeReader:
    """Reads of a page its size; remembers how many pages it was given at a time."""

    def __init__(self):
        self.batches = []

    def read_pages(self, images):
        self.batches.append(len(images))
        return [OcrPage(f"{image.shape[1]}x{image.shape[0]}", (), (), 0, 0.0) for image in images]


def texts(*args, **options):
    return [page.text for page in read_document(*args, ShapeReader(), **options)]


@pytest.fixture
def tiff(tmp_path):
    """Eleven pages, each one pixel wider than the one before."""
    frames = [Image.fromarray(np.full((30, 20 + i), 255, np.uint8)) for i in range(11)]
    frames[0].save(tmp_path / "pages.tif", save_all=True, append_images=frames[1:])
    return tmp_path / "pages.tif"


@pytest.mark.parametrize(
    ("name", "page_count", "words"),
    [("letter.jpg", 1, {"Harbour"}), ("cargo.tif", 3, {"Cargo", "Herring"}), ("ledger.pdf", 2, {"Ledger"})],
)
def test_samples_are_read_with_the_shipped_models(name, page_count, words):
    pages = list(read_document(SAMPLES / name))
    assert len(pages) == page_count and all(page.text for page in pages)
    assert {word.text for page in pages for word in page.words} >= words


def test_shipped_models_are_loaded_once():
    assert module.shipped_reader() is module.shipped_reader()


def test_pages_come_in_order_in_batches(tiff):
    reader = ShapeReader()
    assert [page.text for page in read_document(str(tiff), reader)] == [f"{20 + i}x30" for i in range(11)]
    assert reader.batches == [8, 3]


def test_pages_are_chosen_by_index(tiff):
    assert texts(tiff, pages=[3, 0]) == ["23x30", "20x30"]
    assert texts(tiff, pages=(i for i in range(9, 11))) == ["29x30", "30x30"]
    assert texts(tiff, pages=[]) == []


def test_pdf_is_rendered_at_the_dpi(tmp_path):
    pdf = write_text_pdf(tmp_path / "a.pdf", ["", ""])
    assert len(texts(pdf, text_layer="never")) == 2
    (wide,), (narrow,) = (texts(pdf, pages=[0], dpi=dpi, text_layer="never") for dpi in (144, 72))
    assert [int(side) for side in wide.split("x")] == [2 * int(side) for side in narrow.split("x")]


def test_pages_come_in_order_whether_they_are_read_or_not(tmp_path):
    scan = "q 420 0 0 595 0 0 cm BI /W 2 /H 1 /CS /G /BPC 8 /F /AHx ID 00ff> EI Q"
    printed = [set_text(line) for line in ("first page", "second page")]
    pdf = write_text_pdf(tmp_path / "a.pdf", [printed[0], scan, printed[1], f"{scan} 3 Tr {printed[1]}"])
    assert texts(pdf, dpi=72) == ["first page\n", "420x595", "second page\n", "420x595"]
    assert texts(pdf, dpi=72, text_layer="never") == ["420x595"] * 4


def test_text_layer_is_a_choice_of_three(tmp_path):
    with pytest.raises(UsageError, match="text_layer is 'always'; give one of 'auto', 'hidden', 'never'"):
        texts(write_text_pdf(tmp_path / "a.pdf", [""]), text_layer="always")


@pytest.mark.parametrize("index", [-1, 11])
def test_page_that_the_document_lacks(tiff, index):
    with pytest.raises(UsageError, match=f"no page of index {index}; give indices from 0 to 10"):
        texts(tiff, pages=[index])


def test_reading_goes_on_behind_a_page_that_cannot_be_decoded(tiff):
    content = tiff.read_bytes()
    with Image.open(tiff) as image:
        image.seek(2)
        (offset,) = image.tag_v2[273]  # where its pixels are
        image.seek(3)
        (length,) = image.tag_v2[279]
    cut = tiff.with_name("cut.tif")
    cut.write_bytes(content[: offset + length // 2])
    pages = read_document(cut, ShapeReader())
    assert [next(pages).text, next(pages).text] == ["20x30", "21x30"]
    with pytest.raises(DocumentError, match=r"cut\.tif, page 3: ") as failure:
        next(pages)
    assert failure.value.stage == Stage.DECODE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "broken: the file is empty"),
        (b"plain text", "broken: the content is no PNG"),
        (b"%PDF-1.7 and no more", "broken: the PDF is broken"),
        (b"\x89PNG\r\n\x1a\n and no more", "broken: the image's header can't be read"),
    ],
)
def test_broken_file_is_named(tmp_path, content, message):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(DocumentError, match=message):
        texts(tmp_path / "broken")


def test_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DocumentError, match=r"nowhere\.pdf: the file can't be read \(No such file or directory\)"):
        read_document(tmp_path / "nowhere.pdf")


def test_tfrecord_is_for_the_pipeline(tmp_path):
    write_shard(tmp_path / "shard", [word_example(striped_word("ab"), "ab")])
    with pytest.raises(DocumentError, match=r"shard: a TFRecord file, not one document; read it with the pipeline"):
        read_document(tmp_path / "shard")
