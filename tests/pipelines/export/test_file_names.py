from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.export.file_names import FileNames

PATHS = st.lists(
    st.sampled_from(["a", "b", "..", "a.pdf", "b.tif", "a.tif.pdf", "a.tif", "a.PDF", "x" * 250, "x" * 249 + "y"]),
    min_size=1,
    max_size=4,
).map(lambda parts: "/" + "/".join(parts))


def test_folders_stay_below_the_one_that_all_documents_are_in():
    names = FileNames(["/scans/1890/a.tif", "/scans/1891/a.tif", "/scans/1891/march/a.pdf"])

    assert names.of_document("/scans/1890/a.tif", ".hocr") == "1890/a.tif.hocr"
    assert names.of_document("/scans/1891/march/a.pdf", ".hocr") == "1891/march/a.pdf.hocr"
    assert names.of_page("/scans/1891/a.tif", 1, 3, ".xml") == "1891/a.tif.0002.xml"
    assert names.of_page("/scans/1890/a.tif", 0, 1, ".xml") == "1890/a.tif.xml"


def test_one_document_and_several_file_systems():
    assert FileNames(["/scans/a.tif"]).of_document("/scans/a.tif", ".txt") == "a.tif.txt"
    names = FileNames(["gs://bucket/a.tif", "/scans/a.tif"])
    assert names.of_document("gs://bucket/a.tif", ".txt") == "gs:/_/bucket/a.tif.txt"
    assert names.of_document("/scans/a.tif", ".txt") == "_/scans/a.tif.txt"


def test_a_searchable_pdf_of_a_pdf_keeps_its_name():
    names = FileNames(["/s/a.pdf", "/s/b.pdf"])

    assert names.of_document("/s/a.pdf", ".pdf") == "a.pdf"
    assert names.of_document("/s/Smith et al. 2020.PDF", ".pdf") == "Smith et al. 2020.PDF"
    assert names.of_document("/s/a.tif", ".pdf") == "a.tif.pdf"
    assert names.of_document("/s/a.tif.pdf", ".pdf") == "a.tif.pdf.pdf"


@given(st.sets(PATHS, min_size=2, max_size=6), st.sampled_from([".pdf", ".hocr", ".txt"]))
def test_no_two_documents_have_the_same_name_and_none_leaves_the_folder(uris, extension):
    names = FileNames(uris)

    paths = [names.of_document(uri, extension) for uri in uris]

    assert len(set(paths)) == len(uris)
    for path in paths:
        assert path.lower().endswith(extension) and not {"", ".", ".."} & set(path.split("/"))
        assert all(len(part.encode()) <= 200 for part in path.split("/"))
