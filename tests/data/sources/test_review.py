from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import LocalFiles, RejectedPicture, SourceOptions
from ocr_models.errors import UsageError
from ocr_models.records import Task

HEADER = ("crop", "text", "read", "confidence", "source_uri", "page_index", "quad")


@pytest.fixture
def write_review(tmp_path):
    def write(*rows, header=HEADER):
        """Writes a CSV with rows of (crop, text, source_uri, page_index), and the crops."""
        (tmp_path / "crops").mkdir(exist_ok=True)
        for i, (crop, *_) in enumerate(rows):
            cv2.imwrite(str(tmp_path / crop), np.full((20, 40 + i), 100 + i, np.uint8))
        with (tmp_path / "review.csv").open("w", encoding="utf-8-sig", newline="") as file:
            table = csv.writer(file)
            table.writerow(header)
            table.writerows([crop, text, "read", "0.5", uri, page, "0 0 1 0 1 1 0 1"] for crop, text, uri, page in rows)
        return tmp_path / "review.csv"

    return write


def read(path):
    source = open_source("review", str(path), SourceOptions())
    assert source.task == Task.RECOGNITION
    return [picture for item in source.items(LocalFiles()) for picture in source.read(item, item.path)]


def test_corrected_words_come_by_page_and_those_without_a_text_do_not(write_review):
    pictures = read(
        write_review(
            ("crops/bb-0001.png", "two", "/b.png", 0),
            ("crops/aa-0002.png", ' say "a, b" ', "/a.pdf", 0),
            ("crops/aa-0003.png", "", "/a.pdf", 0),
            ("crops/aa-0001.png", "oﬃce", "/a.pdf", 0),
            ("crops/cc-0001.png", "three", "/a.pdf", 10),
        )
    )

    assert [picture.name for picture in pictures] == ["aa", "cc", "bb"]
    assert [[example.texts[0] for example in picture.examples] for picture in pictures] == [
        ["office", 'say "a, b"'],
        ["three"],
        ["two"],
    ]
    assert pictures[0].examples[0].image_id == "crops/aa-0001.png"
    assert (pictures[0].examples[0].width_px, pictures[0].examples[0].height_px) == (43, 20)
    assert len({picture.digest for picture in pictures}) == 3


def test_crop_that_is_gone_or_broken_is_rejected_alone(write_review):
    path = write_review(*((f"crops/aa-000{i}.png", f"word{i}", "/a.pdf", 0) for i in range(3)))
    (path.parent / "crops/aa-0000.png").unlink()
    (path.parent / "crops/aa-0001.png").write_bytes(b"no picture")

    gone, broken, kept = read(path)

    assert isinstance(gone, RejectedPicture) and gone.stage == "open" and "crops/" in gone.reason
    assert isinstance(broken, RejectedPicture) and broken.data == b"no picture"
    assert [example.texts for example in kept.examples] == [("word2",)]


def test_sheet_that_nobody_filled_in_is_a_usage_error(write_review):
    with pytest.raises(UsageError, match="no row has a text"):
        read(write_review(("crops/aa-0001.png", "", "/a.pdf", 0)))


def test_table_of_something_else_is_a_usage_error(write_review, tmp_path):
    with pytest.raises(UsageError, match="no column crop, page_index, source_uri"):
        read(write_review(header=("text", "read")))
    (tmp_path / "latin1.csv").write_bytes(b"crop,text\nna\xefve")
    with pytest.raises(UsageError, match="UTF-8"):
        read(tmp_path / "latin1.csv")
    with pytest.raises(UsageError, match="row 2"):
        read(write_review(("crops/aa-0001.png", "word", "/a.pdf", "first")))


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_sheet_that_a_spreadsheet_saved_is_read(write_review, delimiter):
    path = write_review(("crops/aa-0001.png", "a, b; c", "/a.pdf", 0))
    rows = [*csv.reader(path.read_text("utf-8-sig").splitlines()), [""] * len(HEADER)]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerows(rows)

    [picture] = read(path)

    assert [example.texts for example in picture.examples] == [("a, b; c",)]
