from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from ocr_models.data.sources.source import SourceItem
from ocr_models.errors import DocumentError
from pipelines.inputs.source_files import SourceFiles, fingerprint_files
from tests.text_pdfs import set_text, write_text_pdf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "deep/er/b.png", "labels.txt", "note.txt", ".hidden", "out/old.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "in"


def names(folder: Path, paths: object) -> list[str]:
    return sorted(Path(path).relative_to(folder).as_posix() for path in paths)


def test_files_are_listed_at_any_depth_without_the_output_and_hidden_ones(folder):
    files = SourceFiles(excluded=str(folder / "out"))

    assert names(folder, files.list(str(folder))) == ["a.png", "deep/er/b.png", "labels.txt", "note.txt"]
    assert files.list(str(folder / "a.png")) == [str(folder / "a.png")]


def test_only_files_that_were_of_use_count(folder):
    files = SourceFiles(excluded=str(folder / "out"))
    files.list(str(folder))
    assert files.read(str(folder / "labels.txt")) == b"labels.txt"
    items = [SourceItem("a.png", str(folder / "a.png"), None), SourceItem("lost.png", None, None)]

    assert names(folder, files.used(items, [str(folder)])) == ["a.png", "labels.txt"]


def test_a_source_without_files_of_its_own_depends_on_all_that_it_is_given(folder):
    files = SourceFiles(excluded=str(folder / "out"))

    used = files.used([SourceItem("drawn#0", None, None)], [str(folder / "deep"), str(folder / "note.txt")])

    assert names(folder, used) == ["deep/er/b.png", "note.txt"]


def test_a_file_that_cannot_be_read_is_an_os_error(folder):
    with pytest.raises(OSError):
        SourceFiles(excluded="out").read(str(folder / "nothing"))


def test_the_fingerprint_tells_changes_but_not_where_the_source_is(folder):
    def fingerprint(root: Path):
        return fingerprint_files([str(root / name) for name in ("labels.txt", "a.png", "lost")], str(root))

    before = fingerprint(folder)
    assert (before.files, before.bytes) == (3, len("a.png") + len("labels.txt"))
    moved = folder.rename(folder.with_name("moved"))
    assert fingerprint(moved) == before

    status = (moved / "a.png").stat()
    (moved / "a.png").write_text("b.png")
    os.utime(moved / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(moved) == before  # same size, same time: nobody looks into the files
    os.utime(moved / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert fingerprint(moved).sha256 != before.sha256


def test_pdf_pages_are_counted_where_a_hostile_pdf_does_no_harm(tmp_path):
    files = SourceFiles(excluded=str(tmp_path / "out"))
    plain = write_text_pdf(tmp_path / "book.pdf", [set_text("one"), set_text("two")])
    (tmp_path / "book.pdf.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.4 and nothing else")

    assert [files.count_pdf_pages(str(tmp_path / name)) for name in ("book.pdf", "book.pdf.gz")] == [2, 2]
    with pytest.raises(DocumentError, match="can't be opened"):
        files.count_pdf_pages(str(tmp_path / "torn.pdf"))
