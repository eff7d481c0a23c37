from __future__ import annotations

import gzip
import hashlib
import pickle

import numpy as np
import pytest

from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import LabelledPicture, LocalFiles, RejectedPicture, SourceOptions
from ocr_models.errors import UsageError
from ocr_models.io.images import decode_image
from ocr_models.records import Task
from tests.text_pdfs import prose, set_text, write_text_pdf

PROSE = prose(1)


@pytest.fixture
def folder(tmp_path):
    """A PDF of three pages, the second nearly empty, and a gzipped PDF in a folder below."""
    write_text_pdf(tmp_path / "book.pdf", [set_text(PROSE), set_text("Just a few words"), set_text(prose(2))])
    (tmp_path / "more").mkdir()
    plain = write_text_pdf(tmp_path / "more" / "leaf.pdf", [set_text(prose(3))])
    (tmp_path / "more" / "leaf.pdf.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return tmp_path


def read(folder, **options):
    source = pickle.loads(pickle.dumps(open_source("pdf", str(folder), SourceOptions(**{"dpi": 144, **options}))))
    return {picture.name: picture for item in source.items(LocalFiles()) for picture in source.read(item, item.path)}


def test_each_page_is_a_picture_with_its_text_layer_for_truth(folder):
    pictures = read(folder)

    assert list(pictures) == ["book.pdf#1", "book.pdf#2", "book.pdf#3", "more/leaf.pdf.gz#1"]
    page = pictures["book.pdf#1"].examples[0]
    assert (page.image_format, page.width_px, page.height_px) == ("png", 840, 1190)  # A5 at 2 pixels a point
    assert list(page.texts) == PROSE.split()
    # It begins 40 points in; for the height see tests/data/test_pdf_pages.py.
    np.testing.assert_allclose(page.quads[0, 0], [80, 91.76], atol=2.0)
    assert list(pictures["more/leaf.pdf.gz#1"].examples[0].texts) == prose(3).split()


def test_refused_page_says_why_and_costs_no_other(folder):
    reason = "the text layer has 4 words, fewer than 20"
    assert read(folder)["book.pdf#2"] == RejectedPicture("book.pdf#2", "label", reason)


def test_broken_pdf_is_rejected_alone(folder):
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 and nothing else")
    (folder / "torn.pdf.gz").write_bytes(b"\x1f\x8bnothing else")

    pictures = read(folder)

    assert [pictures[name].stage for name in ("broken.pdf", "torn.pdf.gz")] == ["open", "open"]
    assert sum(isinstance(picture, LabelledPicture) for picture in pictures.values()) == 3


def test_local_copy_may_have_any_name(folder):
    source = open_source("pdf", str(folder), SourceOptions(dpi=72))
    item = list(source.items(LocalFiles()))[-1]
    copy = folder / "downloaded"
    copy.write_bytes((folder / item.name.partition("#")[0]).read_bytes())

    assert [len(picture.examples) for picture in source.read(item, str(copy))] == [1]


def test_page_looks_the_same_in_every_order_and_process(folder):
    whole = read(folder, degrade=True)
    source = open_source("pdf", str(folder), SourceOptions(dpi=144, degrade=True))
    last = list(source.items(LocalFiles()))[-1]

    assert next(iter(source.read(last, last.path))).digest == whole[last.name].digest
    assert read(folder, degrade=True, seed=2)["book.pdf#3"].digest != whole["book.pdf#3"].digest
    assert read(folder)["book.pdf#3"].digest != whole["book.pdf#3"].digest


def test_words_for_recognition_are_cut_with_their_texts(folder):
    picture = read(folder, task=Task.RECOGNITION)["book.pdf#1"]

    assert [example.texts[0] for example in picture.examples] == PROSE.split()
    # 12 points at 2 pixels are 24; with 0.04 of that on both sides 25.92, cut at whole pixels.
    assert {example.height_px for example in picture.examples} <= {25, 26, 27}
    crop = decode_image(picture.examples[0].data).pixels
    assert crop.min() < 100 and crop.shape == (picture.examples[0].height_px, picture.examples[0].width_px)


def test_digest_is_that_of_the_rendered_picture(folder):
    picture = read(folder)["book.pdf#1"]
    assert picture.digest == hashlib.sha256(picture.examples[0].data).hexdigest()


def test_absurdly_large_page_is_rejected(folder):
    reasons = {picture.reason for picture in read(folder, dpi=2000).values()}
    assert reasons == {"the page of 420×595 points is too large at 2000 dpi; give a lower --dpi"}


def test_folder_without_pdfs_is_a_usage_error(tmp_path):
    (tmp_path / "notes.txt").write_text("no PDF")
    with pytest.raises(UsageError, match=r"no \*.pdf"):
        read(tmp_path)
