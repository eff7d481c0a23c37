"""METS as a list of inputs: which files are taken, from where, and in which order."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ocr_models.errors import UsageError
from pipelines.inputs.input_list import InputList
from pipelines.inputs.mets import read_mets

MAX = ("MAX", "image/tiff", {"M1": "max/1.tif", "M2": "max/2.tif", "M3": "max/3.tif"})
DEFAULT = ("DEFAULT", "image/jpeg", {"D1": "default/1.jpg", "D2": "default/2.jpg"})
FULLTEXT = ("FULLTEXT", "text/xml", {"F1": "alto/1.xml"})
PAGES = [("P2", "2", ["M2", "D2"]), ("P1", "1", ["D1", "M1", "F1"]), ("P3", "3", ["M3"])]


def mets(groups, pages=PAGES, loctype="URL", before="", type_="PHYSICAL") -> bytes:
    files = "".join(
        f'<m:fileGrp USE="{use}">'
        + "".join(
            f'<m:file ID="{file_id}" MIMETYPE="{mime_type}"><m:FLocat LOCTYPE="{loctype}" x:href="{href}"/></m:file>'
            for file_id, href in files.items()
        )
        + "</m:fileGrp>"
        for use, mime_type, files in groups
    )
    divs = "".join(
        f'<m:div TYPE="page" ID="{page}" ORDER="{order}">'
        + "".join(f'<m:fptr FILEID="{file_id}"/>' for file_id in file_ids)
        + "</m:div>"
        for page, order, file_ids in pages
    )
    return (
        f'<?xml version="1.0"?>{before}<m:mets xmlns:m="http://www.loc.gov/METS/" xmlns:x="http://www.w3.org/1999/xlink">'
        '<m:amdSec><file xmlns="urn:other" ID="wrapped"/></m:amdSec>'
        f'<m:fileSec>{files}</m:fileSec><m:structMap TYPE="LOGICAL"><m:div ID="L"/></m:structMap>'
        f'<m:structMap TYPE="{type_}"><m:div ID="BOOK" TYPE="physSequence">{divs}</m:div></m:structMap></m:mets>'
    ).encode()


def read(data: bytes, group: str | None = None, path: str = "/books/7/mets.xml"):
    return read_mets(io.BytesIO(data), path, group)


def test_the_best_group_is_read_in_the_physical_order():
    found = read(mets([DEFAULT, FULLTEXT, MAX]))

    assert found.files == [(f"/books/7/max/{n}.tif", f"M{n}") for n in (1, 2, 3)]
    assert str(found) == "3 files of the group MAX (others: DEFAULT)"


def test_another_group_can_be_chosen_and_pages_without_a_file_are_named():
    found = read(mets([DEFAULT, FULLTEXT, MAX]), "DEFAULT")

    assert [file_id for _, file_id in found.files] == ["D1", "D2"]
    assert str(found) == "2 files of the group DEFAULT (others: MAX); 1 pages have none in it: P3"


def test_without_numbers_the_order_is_that_of_the_file():
    pages = [(page, "", files) for page, _, files in PAGES]

    assert [file_id for _, file_id in read(mets([MAX], pages)).files] == ["M2", "M1", "M3"]


@pytest.mark.parametrize(
    ("href", "loctype", "path", "expected"),
    [
        ("a%20b.tif", "URL", "/books/7/mets.xml", "/books/7/a b.tif"),
        ("a%20b.tif", "OTHER", "/books/7/mets.xml", "/books/7/a%20b.tif"),
        ("../8/a.tif", "URL", "gs://books/7/mets.xml", "gs://books/8/a.tif"),
        ("./a.tif", "URL", "mets.xml", "a.tif"),
        ("/scans/a.tif", "URL", "gs://books/7/mets.xml", "/scans/a.tif"),
        ("file:///scans/a%20b.tif", "URL", "/books/7/mets.xml", "file:///scans/a%20b.tif"),
        ("gs://scans/a.tif", "URL", "/books/7/mets.xml", "gs://scans/a.tif"),
        ("file:max/a%20b.tif", "URL", "/books/7/mets.xml", "/books/7/max/a b.tif"),
        ("file:./a.tif", "OTHER", "gs://books/7/mets.xml", "gs://books/7/a.tif"),
    ],
)
def test_references_are_those_of_the_folder_of_the_file(href, loctype, path, expected):
    data = mets([("MAX", "image/tiff", {"M1": href})], [("P1", "1", ["M1"])], loctype)

    assert read(data, path=path).files == [(expected, "M1")]


def test_a_file_of_several_pages_comes_once():
    data = mets([("DEFAULT", "application/pdf", {"D": "book.pdf"})], [(f"P{n}", f"{n}", ["D"]) for n in (1, 2)])

    assert read(data).files == [("/books/7/book.pdf", "D")]


def test_files_on_the_web_are_left_for_those_that_are_here():
    on_the_web = ("MAX", "image/tiff", {f"M{n}": f"https://example.org/{n}.tif" for n in (1, 2, 3)})

    assert read(mets([on_the_web, DEFAULT])).group == "DEFAULT"


def test_one_file_on_the_web_leaves_the_others_of_its_group_to_be_read(tmp_path):
    group = ("MAX", "image/tiff", {"M1": "1.tif", "M2": "https://example.org/2.tif"})
    (tmp_path / "mets.xml").write_bytes(mets([group]))
    (tmp_path / "1.tif").write_bytes(b"II*\0")
    inputs = InputList(str(tmp_path / "mets.xml"))

    here, on_the_web = sorted(inputs.files(), key=lambda file: file.input_id)

    assert (here.uri, here.error) == (str(tmp_path / "1.tif"), None)
    assert on_the_web.uri == "https://example.org/2.tif" and "no file system for https" in on_the_web.error
    assert "1 of them are on the web, from where nothing is fetched" in inputs.describe()


@pytest.mark.parametrize(
    ("data", "group", "why"),
    [
        (mets([("A", "image/png", MAX[2]), ("B", "image/png", DEFAULT[2])]), None, "give --file-group one of: A, B"),
        (mets([MAX, DEFAULT]), "THUMBS", "no file group THUMBS with files of pages; give --file-group one of: MAX, D"),
        (mets([FULLTEXT]), None, "names no files that are pictures or PDFs"),
        (mets([("MAX", "image/png", {"M1": "http://example.org/1.png"})]), None, "are on the web"),
        (mets([("MAX", "image/png", {"M1": "http://example.org/1.png"})]), "MAX", "are on the web"),
        (mets([MAX], []), None, "names no files"),
        (mets([MAX])[:-9], None, "it is broken XML"),
        (mets([MAX], before='<!DOCTYPE mets [<!ENTITY a "b">]>'), None, "has a document type"),
        (b"<alto/>", None, "no METS: its first element is alto"),
    ],
)
def test_what_cant_be_read_is_refused(data, group, why, tmp_path):
    (tmp_path / "mets.xml").write_bytes(data)

    with pytest.raises(UsageError, match=f"--from-file {tmp_path}/mets.xml: ") as caught:
        InputList(str(tmp_path / "mets.xml"), file_group=group).check()

    assert why in str(caught.value)


def test_divs_may_be_in_each_other_at_any_depth():
    book = b'<m:div ID="BOOK"'
    data = (
        mets([MAX])
        .replace(book, b"<m:div>" * 5000 + book)
        .replace(b"</m:structMap></m:mets>", b"</m:div>" * 5000 + b"</m:structMap></m:mets>")
    )

    assert [file_id for _, file_id in read(data).files] == ["M1", "M2", "M3"]


def test_options_of_other_lists_are_refused(tmp_path):
    (tmp_path / "mets.xml").write_bytes(mets([MAX]))
    (tmp_path / "list.txt").write_text("a.png\n")

    with pytest.raises(UsageError, match="METS has no columns"):
        InputList(str(tmp_path / "mets.xml"), id_column="id").check()
    with pytest.raises(UsageError, match="it isn't METS"):
        InputList(str(tmp_path / "list.txt"), file_group="MAX").check()


def test_a_list_says_which_files_it_has(tmp_path):
    (tmp_path / "mets.xml").write_bytes(b"\xef\xbb\xbf\n" + mets([MAX])[21:])
    (tmp_path / "list.txt").write_text("a.png\n")

    assert InputList(str(tmp_path / "mets.xml")).describe() == f"{tmp_path}/mets.xml: 3 files of the group MAX"
    assert InputList(str(tmp_path / "list.txt")).describe() is None


def test_pages_of_a_work_are_read_with_their_ids(run, tmp_path, capsys):
    from PIL import Image

    from tests.pipelines import samples

    for n in (1, 2, 3):
        Path(tmp_path / "max").mkdir(exist_ok=True)
        samples.write_tiff(tmp_path / f"max/{n}.tif", [Image.fromarray(samples.page_pixels(0, 60 + n))])
    (tmp_path / "mets.xml").write_bytes(mets([MAX, DEFAULT]))

    status, rows = run("--from-file", tmp_path / "mets.xml")

    assert status == 0 and {row["input_id"]: row["width_px"] for row in rows} == {"M1": 61, "M2": 62, "M3": 63}
    assert "3 files of the group MAX (others: DEFAULT)" in capsys.readouterr().err
