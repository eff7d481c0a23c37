"""hOCR, ALTO and PAGE XML: what is in them, and that it is read back as it was."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
import pytest

from ocr_models.io.predictions import read_predictions
from pipelines.export.export_formats import FORMATS
from pipelines.export.exported_page import exported_page
from tests.pipelines.export.pages import page_with_blocks, row
from tests.run_folders import box

ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
PAGE = "{http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15}"


def write(name: str, *rows: dict) -> bytes:
    file = io.BytesIO()
    FORMATS[name].write(file, [exported_page(given) for given in rows])
    return file.getvalue()


@pytest.mark.parametrize("name", ["hocr", "alto", "page"])
def test_what_is_written_is_read_back(name, tmp_path):
    slanted = [10, 50, 60, 60, 58, 70, 8, 60]
    given = page_with_blocks()
    given["words"][4]["quad"] = slanted
    (tmp_path / f"a.png{FORMATS[name].extension}").write_bytes(write(name, given))

    [page] = read_predictions(tmp_path, name).values()

    assert page.name == "a"
    assert [word.text for word in page.words] == [word["text"] for word in given["words"]]
    assert {word.confidence for word in page.words} == {0.75}
    assert page.text == given["text"] or name == "page"  # whose cells have lines of their own
    for read, word in zip(page.words, given["words"], strict=True):
        quad = np.array(word["quad"]).reshape(4, 2)
        if name == "hocr":  # which knows level boxes only
            read_box, wanted = np.array([*read.quad.min(0), *read.quad.max(0)]), [*quad.min(0), *quad.max(0)]
            np.testing.assert_allclose(read_box, wanted, atol=0.5)
        else:
            np.testing.assert_allclose(read.quad, quad, atol=0.5)


@pytest.mark.parametrize("name", ["hocr", "alto", "page"])
def test_characters_that_xml_can_t_have_are_replaced(name):
    text = write(name, row([[('a\x01b\ufffe<&"\U0001d11e', box(1, 1, 9, 9))]])).decode()

    ElementTree.fromstring(text.partition("?>")[2].replace("<!DOCTYPE html", "<!-- ").replace('.dtd">', "-->", 1))
    assert "a\ufffdb\ufffd&lt;&amp;" in text and "\U0001d11e" in text


def test_lines_of_hocr_have_a_baseline_or_an_angle():
    level = row([[("a", [10, 50, 20, 50, 20, 60, 10, 60])], [("b", [10, 20, 30, 30, 28, 40, 8, 30])]])
    upward = row([[("c", [10, 50, 10, 20, 20, 20, 20, 50])]])
    downward = row([[("d", [20, 20, 20, 50, 10, 50, 10, 20])]])
    over = row([[("e", [30, 30, 10, 30, 10, 20, 30, 20])]])

    written = write("hocr", level, upward, downward, over).decode()

    titles = [line.partition('title="')[2].partition('"')[0] for line in written.splitlines() if "ocr_line" in line]
    # The baseline of b, a fifth of its height above its lower edge, falls from (8.4, 28) to (28.4, 38) in a box whose
    # left edge is at 8, where it is 27.8 pixels down: 12.2 above the lower edge of the box, at 40.
    assert titles[1:] == [
        "bbox 10 50 20 60; baseline 0 -2",
        "bbox 8 20 30 40; baseline 0.5 -12.2",
        "bbox 10 20 20 50; textangle 90",
        "bbox 10 20 20 50; textangle 270",
        "bbox 10 20 30 30; textangle 180",
    ]


def test_an_empty_page_of_hocr_keeps_the_numbers_of_the_others(tmp_path):
    failed = row([], status="failed", text=None, words=None, lines=None, width_px=None, height_px=None)
    last = row([[("last", box(1, 1, 9, 9))]], page_index=1)
    (tmp_path / "a.pdf.hocr").write_bytes(write("hocr", failed, last))

    pages = read_predictions(tmp_path, "hocr")

    assert (pages["a"].text, pages["a#1"].text) == ("", "last\n")


def test_kinds_of_blocks_in_alto():
    root = ElementTree.fromstring(write("alto", page_with_blocks()))

    blocks = list(root.iter(f"{ALTO}TextBlock"))
    labels = {tag.get("ID"): tag.get("LABEL") for tag in root.iter(f"{ALTO}LayoutTag")}
    assert [labels.get(block.get("TAGREFS")) for block in blocks] == [
        "header",
        "heading_2",
        None,
        "table",
        "page_number",
    ]
    assert blocks[2].find(f"{ALTO}TextLine").get("BASELINE") == "10,36.4 54,36.4"


def test_kinds_of_blocks_in_page_xml():
    root = ElementTree.fromstring(write("page", page_with_blocks()))

    regions = [region for region in root.find(f"{PAGE}Page") if region.tag.endswith("Region")]
    kinds = [region.get("type", "table") for region in regions]
    assert kinds == ["header", "heading", "paragraph", "table", "page-number"]
    roles = [role.attrib for role in root.iter(f"{PAGE}TableCellRole")]
    assert [(role["rowIndex"], role["columnIndex"]) for role in roles] == [
        ("0", "0"),
        ("0", "1"),
        ("1", "0"),
        ("1", "1"),
    ]
    assert root.find(f"{PAGE}Metadata/{PAGE}Created").text == "2026-01-31T02:00:00+00:00"


def test_regions_in_the_order_of_page_xml_have_all_of_the_text():
    """As dinglehopper reads it: the regions of text that the reading order names, and their own text."""
    given = page_with_blocks()
    root = ElementTree.fromstring(write("page", given))

    order = root.find(f"{PAGE}Page/{PAGE}ReadingOrder/{PAGE}OrderedGroup")
    groups = [group.get("regionRef") for group in order.iter(f"{PAGE}OrderedGroupIndexed")]
    assert groups == [root.find(f".//{PAGE}TableRegion").get("id")]
    named = [reference.get("regionRef") for reference in order.iter(f"{PAGE}RegionRefIndexed")]
    text_of = {
        region.get("id"): region.findtext(f"{PAGE}TextEquiv/{PAGE}Unicode") for region in root.iter(f"{PAGE}TextRegion")
    }
    assert named == list(text_of)
    assert text_of[named[2]] == "Made of\n2. hemp*"
    assert " ".join(text_of.values()).split() == [word["text"] for word in given["words"]]


def test_words_of_a_table_that_are_in_no_cell_are_in_page_xml():
    given = page_with_blocks()
    del given["blocks"][3]["cells"][1]

    words = [word.text for word in ElementTree.fromstring(write("page", given)).iter(f"{PAGE}Unicode")]

    assert "Price" in words
