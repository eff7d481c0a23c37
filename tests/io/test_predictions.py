"""Small handmade files, and real output of Tesseract and ``pagebeam run``."""

from __future__ import annotations

import shutil
import subprocess

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from ocr_models.errors import UsageError
from ocr_models.io.predictions import PredictedPage, read_predictions
from pipelines.output.schemas import PAGES

HOCR = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title></title>
<meta name='ocr-capabilities' content='ocr_page ocrx_word'></head><body>
 <div class='ocr_page' title='image "a.png"; bbox 0 0 100 50; ppageno 0'>
  <div class='ocr_carea' title="bbox 1 2 90 40"><p class='ocr_par'>
   <span class='ocr_line' title="bbox 1 2 90 12">
    <span class='ocrx_word' title='bbox 1 2 30 12; x_wconf 96'>R&amp;D</span>
    <span class='ocrx_word' title='bbox 40 2 90 12; x_wconf 7'><strong>it<em>&#39;s</em></strong></span>
    <span class='ocrx_word' title='bbox 91 2 92 12; x_wconf 95'> </span>
   </span>
   <span class='ocr_header' title="bbox 1 20 50 40">
    <span class='ocrx_word' title='bbox 1 20 50 40'>
     <span class='ocrx_cinfo' title='x_bboxes 1 20 25 40'>o</span>
     <span class='ocrx_cinfo' title='x_bboxes 26 20 50 40'>k</span>
    </span>
   </span></p></div>
 </div>
 <div class='ocr_page' title='bbox 0 0 100 50; ppageno 1'></div>
 <div class='ocr_page' title='bbox 0 0 100 50; ppageno 2'><span class='ocrx_word'>alone</span></div>
</body></html>
"""

ALTO = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#">
 <Description><MeasurementUnit>{unit}</MeasurementUnit></Description>
 <Layout>
  <Page><PrintSpace><ComposedBlock><TextBlock>
   <TextLine>
    <String HPOS="1" VPOS="2" WIDTH="29" HEIGHT="10" WC="0.96" CONTENT="R&amp;D"/><SP WIDTH="10"/>
    <String HPOS="40.5" VPOS="2" WIDTH="20" HEIGHT="10" CONTENT="depart" SUBS_TYPE="HypPart1"/><HYP CONTENT="-"/>
   </TextLine>
   <TextLine><String CONTENT="ment"/></TextLine>
  </TextBlock></ComposedBlock></PrintSpace></Page>
  <Page><PrintSpace/></Page>
 </Layout>
</alto>
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def texts(page):
    return [word.text for word in page.words]


def box(word):
    return None if word.quad is None else [*word.quad[0].tolist(), *word.quad[2].tolist()]


def test_text(tmp_path):
    write(tmp_path / "letter.txt", "Dear  Sir,\nyours\n")
    write(tmp_path / "deep/fax.txt", "one\n\ftwo\n\f\f")
    pages = read_predictions(tmp_path, "text")
    assert sorted(pages) == ["fax", "fax#1", "fax#2", "letter"]
    assert (pages["letter"].text, texts(pages["letter"])) == ("Dear  Sir,\nyours\n", ["Dear", "Sir,", "yours"])
    assert [texts(pages[name]) for name in ("fax", "fax#1", "fax#2")] == [["one"], ["two"], []]
    assert all(word.quad is None and word.confidence is None for word in pages["letter"].words)


def test_hocr(tmp_path):
    pages = read_predictions(write(tmp_path / "scan.hocr", HOCR), "hocr")
    assert list(pages) == ["scan", "scan#1", "scan#2"]
    words = pages["scan"].words
    assert texts(pages["scan"]) == ["R&D", "it's", "ok"]  # white space alone isn't a word
    assert [box(word) for word in words] == [[1, 2, 30, 12], [40, 2, 90, 12], [1, 20, 50, 40]]
    assert [word.confidence for word in words] == [0.96, 0.07, None]
    assert pages["scan"].text == "R&D it's\nok\n"
    assert pages["scan#1"] == PredictedPage("scan#1", "", ())
    assert (texts(pages["scan#2"]), box(pages["scan#2"].words[0])) == (["alone"], None)


LINES = """<html><body><div class="ocr_page">
<p><span class="ocr_line" title="bbox 1 2 90 12">Harbour <b>mas</b><span>ter</span></span>
<span class="ocr_line">forty<br/>ships</span></p></div>
<div class="ocr_page"><span class="ocrx_line"><span class="ocrx_word" title="bbox 1 2 9 9">one</span> , </span>
a note outside</div>
<div class="ocr_page"><p class="ocr_par">no</p><p>lines</p></div>
<div class="ocr_page"><span class="ocr_line"><span class="ocrx_word" title="bbox 1 2 90 12">a whole line</span></span>
</div><div class="ocr_page"></div><div>a footer</div></body></html>"""


def test_hocr_without_words_has_those_of_its_lines(tmp_path):
    pages = read_predictions(write(tmp_path / "a.hocr", LINES), "hocr")
    assert pages["a"].text == "Harbour master\nforty ships\n"
    assert texts(pages["a"]) == ["Harbour", "master", "forty", "ships"]
    assert texts(pages["a#1"]) == ["one"]  # where words are marked, other text is none
    assert [texts(pages[name]) for name in ("a#2", "a#3", "a#4")] == [["no", "lines"], ["a", "whole", "line"], []]
    assert [pages[name].words[0].quad is None for name in ("a", "a#1", "a#2", "a#3")] == [True, False, True, True]


def test_alto_with_lines_as_strings_has_their_words_without_places(tmp_path):
    alto = ALTO.format(version=4, unit="pixel").replace('CONTENT="R&amp;D"', 'CONTENT="Harbour master"')
    words = read_predictions(write(tmp_path / "a.xml", alto), "alto")["a"].words
    assert [(word.text, word.quad is None) for word in words[:3]] == [
        ("Harbour", True),
        ("master", True),
        ("depart-", False),
    ]


def test_names_may_keep_the_extension_of_the_document(tmp_path):
    for name in ("a.png.txt", "b.v2.txt", "c.PDF.txt"):
        write(tmp_path / name, "one\ftwo")
    assert sorted(read_predictions(tmp_path, "text")) == ["a", "a#1", "b.v2", "b.v2#1", "c", "c#1"]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_alto(tmp_path, version):
    pages = read_predictions(write(tmp_path / "scan.xml", ALTO.format(version=version, unit="pixel")), "alto")
    assert list(pages) == ["scan", "scan#1"]
    page = pages["scan"]
    assert (texts(page), page.text) == (["R&D", "depart-", "ment"], "R&D depart-\nment\n")
    assert [box(word) for word in page.words] == [[1, 2, 30, 12], [40.5, 2, 60.5, 12], None]
    assert [word.confidence for word in page.words] == [0.96, None, None]
    assert pages["scan#1"].words == ()


PAGE = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
 <Page imageFilename="scan.png" imageWidth="200" imageHeight="100"><TextRegion id="r"><Coords points="0,0 9,0 9,9"/>
  <TextLine id="l1"><Coords points="1,2 61,2 61,12 1,12"/>
   <Word id="w1"><Coords points="1,2 30,2 30,12 1,12"/>
    <TextEquiv conf="0.96"><Unicode>R&amp;D</Unicode></TextEquiv></Word>
   <Word id="w2"><Coords points="40,2 60,2 60,12 40,12"/><TextEquiv><Unicode>group</Unicode></TextEquiv></Word>
   <TextEquiv index="1"><Unicode>R&amp;D grout</Unicode></TextEquiv>
   <TextEquiv index="0"><Unicode>R&amp;D group</Unicode></TextEquiv></TextLine>
  <TextLine id="l2"><Coords points="1,20 61,20 61,32 1,32"/>
   <TextEquiv><Unicode>of three</Unicode></TextEquiv></TextLine>
 </TextRegion></Page></PcGts>
"""


def test_page_xml(tmp_path):
    [page] = read_predictions(write(tmp_path / "scan.xml", PAGE), "page").values()

    assert (texts(page), page.text) == (["R&D", "group", "of", "three"], "R&D group\nof three\n")
    assert [box(word) for word in page.words] == [[1, 2, 30, 12], [40, 2, 60, 12], None, None]
    assert [word.confidence for word in page.words] == [0.96, None, None, None]


def test_places_are_scaled_to_the_picture(tmp_path):
    alto = ALTO.format(version=2, unit="mm10").replace("<Page>", '<Page WIDTH="200" HEIGHT="100">', 1)
    in_mm, nowhere = read_predictions(write(tmp_path / "a.xml", alto), "alto").values()
    page = read_predictions(write(tmp_path / "b.xml", PAGE), "page")["b"]

    assert [box(word) for word in in_mm.on_picture(400, 200).words] == [[2, 4, 60, 24], [81, 4, 121, 24], None]
    assert [box(word) for word in page.on_picture(100, 50).words][:2] == [[0.5, 1, 15, 6], [20, 1, 30, 6]]
    assert {word.quad is None for word in page.on_picture(100, 100).words} == {True}  # another picture
    assert nowhere.on_picture(400, 200).words == ()


def rows(*some):
    """Rows of (source_uri, page_index, words); a page without words failed."""
    quad = [1.0, 2.0, 30.0, 2.0, 30.0, 12.0, 1.0, 12.0]
    return pa.Table.from_pylist(
        [
            {
                "source_uri": uri,
                "page_index": index,
                "run_id": "r1",
                "text": None if words is None else " ".join(words) + "\n",
                "words": words and [{"text": w, "confidence": 0.5, "quad": quad, "line": 0} for w in words],
            }
            for uri, index, words in some
        ],
        schema=pa.schema([PAGES.schema.field(n) for n in ("source_uri", "page_index", "run_id", "text", "words")]),
    )


def write_rows(folder, *some):
    folder.mkdir(parents=True)
    pyarrow.parquet.write_table(rows(*some), folder / "part-00000-of-00001.parquet")


def test_pagebeam(tmp_path):
    write_rows(tmp_path / "pages/run=r1", ("/in/a.pdf", 1, ["two", "words"]), ("gs://b/a.pdf", 0, None))
    for path in (tmp_path, tmp_path / "pages/run=r1"):
        pages = read_predictions(path, "pagebeam")
        assert sorted(pages) == ["a", "a#1"]
        assert (texts(pages["a#1"]), pages["a#1"].text) == (["two", "words"], "two words\n")
        assert (box(pages["a#1"].words[0]), pages["a#1"].words[0].confidence) == ([1, 2, 30, 12], 0.5)
        assert pages["a"] == PredictedPage("a", "", ())  # a failed page: nothing was read on it


def test_two_documents_of_one_name_are_refused(tmp_path):
    for run in ("r1", "r2"):
        write_rows(tmp_path / f"pages/run={run}", ("/in/a.pdf", 0, ["word"]))
    with pytest.raises(UsageError, match=r"page a was read twice.*give one folder at a time"):
        read_predictions(tmp_path, "pagebeam")


def test_a_row_counts_for_all_places_of_its_document(tmp_path):
    (tmp_path / "pages").mkdir()
    places = [["/in/b.pdf", "/in/sub/a.pdf"]]
    table = rows(("/in/a.pdf", 0, ["word"])).append_column("also_at", pa.array(places, pa.list_(pa.string())))
    pyarrow.parquet.write_table(table, tmp_path / "pages/r1-00000.parquet")

    assert {name: page.text for name, page in read_predictions(tmp_path, "pagebeam").items()} == {
        "a": "word\n",
        "b": "word\n",
    }


def test_two_files_of_one_name_are_refused(tmp_path):
    write(tmp_path / "one/a.txt", "x"), write(tmp_path / "two/a.txt", "y")
    with pytest.raises(UsageError, match=r"page a was read twice, in .*one/a.txt and in .*two/a.txt"):
        read_predictions(tmp_path, "text")


BOMB = '<!DOCTYPE alto [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><alto>&b;</alto>'


@pytest.mark.parametrize(
    ("name", "content", "prediction_format", "message"),
    [
        ("a.hocr", "<html><body>nothing</body></html>", "hocr", "not hOCR"),
        ("a.hocr", HOCR[: HOCR.index("alone")], "hocr", "not whole hOCR"),
        ("a.hocr", HOCR[: HOCR.index("<p class")], "hocr", "not whole hOCR"),
        ("a.xml", ALTO[:500], "alto", "not ALTO"),
        ("a.xml", "<html></html>", "alto", "not ALTO .it is XML with the root <html>"),
        ("a.xml", ALTO.format(version=3, unit="pixel"), "page", "not PAGE XML .it is ALTO"),
        ("a.xml", ALTO.format(version=3, unit="pixel").replace('"0.96"', '"high"'), "alto", "not ALTO.*high"),
        ("a.xml", BOMB, "alto", "it has a document type"),
        ("a.parquet", "PAR1", "pagebeam", "not the output of pagebeam run"),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path, name, content, prediction_format, message):
    path = write(tmp_path / name, content)
    with pytest.raises(UsageError, match=message) as refusal:
        read_predictions(path, prediction_format)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("prediction_format", ["text", "hocr", "alto", "page", "pagebeam"])
def test_empty_folders_are_refused(tmp_path, prediction_format):
    with pytest.raises(UsageError, match=str(tmp_path)):
        read_predictions(tmp_path, prediction_format)


def test_unknown_format_lists_the_known_ones(tmp_path):
    with pytest.raises(
        UsageError, match="docx: no such format of predictions; give one of alto, hocr, page, pagebeam, text"
    ):
        read_predictions(tmp_path, "docx")


@pytest.mark.skipif(not shutil.which("tesseract"), reason="needs tesseract")
def test_tesseract_says_the_same_in_each_format(tmp_path):
    picture = np.full((240, 900), 255, np.uint8)
    cv2.putText(picture, "Hello brave world", (40, 90), cv2.FONT_HERSHEY_SIMPLEX, 2, 0, 4, cv2.LINE_AA)
    cv2.putText(picture, "second line", (40, 190), cv2.FONT_HERSHEY_SIMPLEX, 2, 0, 4, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    subprocess.run(["tesseract", "a.png", "a", "txt", "hocr", "alto"], cwd=tmp_path, check=True, capture_output=True)

    text, hocr, alto = (read_predictions(tmp_path, name)["a"] for name in ("text", "hocr", "alto"))

    assert texts(text) == texts(hocr) == texts(alto) and "brave" in texts(hocr)
    assert hocr.text == alto.text == "Hello brave world\nsecond line\n"
    for first, second in zip(hocr.words, alto.words, strict=True):
        np.testing.assert_array_equal(first.quad, second.quad)
        assert first.confidence == pytest.approx(second.confidence)
        assert first.quad.min() >= 0 and first.quad[:, 0].max() <= 900 and first.confidence > 0.5
