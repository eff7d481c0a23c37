"""Pages are gray pictures with black bars as words."""

from __future__ import annotations

import io
import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.pagebeam_rows import CHANGED, read_pages
from ocr_models.data.sources.source import LabelledPicture, LocalFiles, RejectedPicture, SourceOptions
from ocr_models.errors import UsageError
from ocr_models.io.images import decode_image
from ocr_models.io.sequence_example import serialize_example
from ocr_models.io.tfrecord import write_records
from ocr_models.records import Example, Task
from tests.run_folders import box, page_row, write_run
from tests.text_pdfs import prose, set_text, write_text_pdf

SURE, UNSURE = box(20, 30, 80, 50), box(100, 30, 160, 50)
WORDS = [("sure", 0.9, SURE, 0), ("unsure", 0.55, UNSURE, 0)]


def picture(shade=0):
    image = np.full((120, 200), 240, np.uint8)
    image[30:50, 20:80] = image[30:50, 100:160] = shade
    return image


def write_picture(path, shade=0):
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), picture(shade))
    return path


def read(run_dir, **options):
    source = pickle.loads(pickle.dumps(open_source("pagebeam", str(run_dir), SourceOptions(**options))))
    return [picture for item in source.items(LocalFiles()) for picture in source.read(item, item.path)]


def test_what_was_read_comes_as_labels(tmp_path):
    first, second = write_picture(tmp_path / "in" / "a.png"), write_picture(tmp_path / "in" / "b" / "c.png", 90)
    run_dir = write_run(tmp_path / "out", "1", [page_row(first, WORDS), page_row(second, WORDS[:1])])

    a, c = read(run_dir)

    assert (a.name, c.name) == ("a.png", "b/c.png")
    assert a.examples[0].texts == ("sure", "unsure") and not a.examples[0].ignore.any()
    assert a.examples[0].quads[0].ravel().tolist() == SURE
    np.testing.assert_array_equal(decode_image(a.examples[0].data).pixels, picture())


def test_words_are_cut_as_the_recognizer_saw_them(tmp_path):
    run_dir = write_run(tmp_path / "out", "1", [page_row(write_picture(tmp_path / "a.png"), WORDS)])

    words = read(run_dir, task=Task.RECOGNITION)[0].examples

    assert [word.texts for word in words] == [("sure",), ("unsure",)]
    # 20 pixels high: margins of 2 beside and 0.8 above, at whole pixels 64 by 22.
    assert (words[0].width_px, words[0].height_px) == (64, 22)


def test_pages_that_failed_and_files_that_are_being_written_are_passed_over(tmp_path):
    first, second = (write_picture(tmp_path / name, shade) for name, shade in (("a.png", 0), ("b.png", 9)))
    write_run(tmp_path / "out", "1", [page_row(first, [("read", 0.9, SURE, 0)]), page_row(second, [], status="failed")])
    (tmp_path / "out/pages/_2-00000.parquet.tmp").write_bytes(b"PAR1")

    assert [page.texts for page in read_pages(LocalFiles(), str(tmp_path / "out"))] == [("read",)]


def test_document_that_changed_or_went_is_rejected_alone(tmp_path):
    paths = [write_picture(tmp_path / name) for name in ("changed.png", "gone.png", "same.png")]
    run_dir = write_run(tmp_path / "out", "1", [page_row(path, WORDS) for path in paths])
    write_picture(paths[0], shade=7)
    paths[1].unlink()

    changed, gone, same = read(run_dir)

    assert changed == RejectedPicture("changed.png", "open", CHANGED)
    assert gone.name == "gone.png" and gone.reason.startswith("the file can't be opened ([Errno 2] No such file")
    assert isinstance(same, LabelledPicture) and same.name == "same.png"


def test_pages_of_every_kind_of_document_are_found_again(tmp_path):
    pdf = write_text_pdf(tmp_path / "a.pdf", [set_text(prose(1)), set_text(prose(2))])
    tiff = tmp_path / "b.tiff"
    frames = [Image.fromarray(picture(shade)) for shade in (0, 90)]
    frames[0].save(tiff, save_all=True, append_images=frames[1:])
    records = tmp_path / "c.tfrecord"
    with records.open("wb") as file:
        write_records(file, [serialize_example(Example("x", _png(picture(s)), "png", 120, 200)) for s in (0, 60)])
    rows = [
        page_row(pdf, WORDS, page_index=1, page_count=2, dpi=144.0),
        page_row(tiff, WORDS, page_index=1, page_count=2),
        page_row(records, WORDS, page_index=1, page_count=2),
    ]

    found = read(write_run(tmp_path / "out", "1", rows))

    assert [one.name for one in found] == ["a.pdf#2", "b.tiff#2", "c.tfrecord#2"]
    pixels = [decode_image(one.examples[0].data).pixels for one in found]
    assert pixels[0].shape == (1190, 840)  # 595 by 420 points at 2 pixels a point
    np.testing.assert_array_equal(pixels[1], picture(90))
    np.testing.assert_array_equal(pixels[2], picture(60))


def test_page_on_its_side_comes_upright(tmp_path):
    image = picture()
    image[30:37, 20:160] = 120  # the upper third of the words, which shows what is up
    document = tmp_path / "a.png"
    cv2.imwrite(str(document), np.rot90(image, 3))  # clockwise: a point (x, y) goes to (120 - y, x)
    quad = [90, 20, 90, 80, 70, 80, 70, 20]
    run_dir = write_run(tmp_path / "out", "1", [page_row(document, [("up", 0.9, quad, 0)], rotation_deg=90)])

    page = read(run_dir)[0].examples[0]

    np.testing.assert_array_equal(decode_image(page.data).pixels, image)
    assert page.quads[0].ravel().tolist() == SURE


def test_folder_without_a_finished_run_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no finished run"):
        read(tmp_path)
    document = write_picture(tmp_path / "a.png")
    run_dir = write_run(tmp_path / "out", "1", [page_row(document, [], status="blank")])
    with pytest.raises(UsageError, match="have read no page"):
        read(run_dir)


def _png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
