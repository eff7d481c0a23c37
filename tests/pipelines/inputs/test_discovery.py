from __future__ import annotations

import gzip
import os

import pytest

from ocr_models.errors import UsageError
from pipelines.inputs.discovery import find_documents
from tests.pipelines import samples


def names(pattern: object) -> list[str]:
    return sorted(uri.rpartition("/")[2] for uri in find_documents(str(pattern)))


def test_a_folder_gives_what_looks_like_a_document_by_name_or_content(tmp_path):
    samples.write_png(tmp_path / "a.png", 1)
    samples.write_png(tmp_path / "deep/down/scan0001", 2)
    samples.write_png(tmp_path / "wrong.txt", 3)
    samples.write_png(tmp_path / ".hidden/b.png", 4)
    (tmp_path / "notes.txt").write_text("not a document")
    (tmp_path / "BMW").write_text("BMW is not a bitmap")
    (tmp_path / "log.gz").write_bytes(gzip.compress(b"not a TFRecord file"))
    (tmp_path / "LIES.PDF").write_text("not a document, but it says so")

    assert names(tmp_path) == ["LIES.PDF", "a.png", "scan0001", "wrong.txt"]
    assert names(tmp_path / "*.txt") == ["notes.txt", "wrong.txt"]  # a glob is taken at its word
    assert names(tmp_path / "**") == names(tmp_path / "**")


def test_a_name_with_glob_characters_is_a_name_first(tmp_path):
    samples.write_png(tmp_path / "scan [1].png", 1)

    assert names(tmp_path / "scan [1].png") == ["scan [1].png"]


def test_what_is_no_file_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "away.png").symlink_to(tmp_path / "gone.png")

    assert names(tmp_path) == []


def test_an_unknown_file_system_is_a_usage_error():
    with pytest.raises(UsageError, match="nosuch://bucket"):
        list(find_documents("nosuch://bucket/*.pdf"))
