from __future__ import annotations

import re

import numpy as np
import pytest

from ocr_models.data.sources.source import LabelledPicture, RejectedPicture
from ocr_models.errors import UsageError
from ocr_models.records import Task
from tests.data.sources.files import boxes_of, encode, read_all, scene, write, write_picture

# The pictures are 160 × 120 pixels.
ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#"><Description>
 <MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation><fileName>{image}</fileName></sourceImageInformation>
 </Description><Layout><Page WIDTH="{width}" HEIGHT="{height}"><PrintSpace><TextBlock>
 <TextLine HPOS="10" VPOS="20" WIDTH="90" HEIGHT="15">
  <String HPOS="10" VPOS="20" WIDTH="30" HEIGHT="15" CONTENT="of"/><SP/>
  <String HPOS="50" VPOS="20" WIDTH="50" HEIGHT="15" CONTENT="depart" SUBS_TYPE="HypPart1" SUBS_CONTENT="department"/>
  <HYP CONTENT="\u00ad"/></TextLine>
 <TextLine BASELINE="10 60 100 60"><Shape><Polygon POINTS="10 45 100 45 100 50 100 65 10 65"/></Shape>
  <String HPOS="10" VPOS="40" WIDTH="95" HEIGHT="30" CONTENT="a whole line"/></TextLine>
</TextBlock></PrintSpace></Page></Layout></alto>"""

PAGE = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}">
 <Page imageFilename="{image}" imageWidth="160" imageHeight="120">
 <ReadingOrder><OrderedGroup id="g">
  <RegionRefIndexed index="1" regionRef="r1"/><RegionRefIndexed index="0" regionRef="r2"/></OrderedGroup></ReadingOrder>
 <TextRegion id="r1"><Coords points="0,0 9,0 9,9 0,9"/>
  <TextLine id="l1"><Coords points="10,20 100,20 100,35 10,35"/>
   <Word id="w1"><Coords points="10,20 40,20 40,35 10,35"/><TextEquiv><Unicode>second</Unicode></TextEquiv></Word>
   <Word id="w2"><Coords points="50,20 100,20 100,35 50,35"/><TextEquiv index="2"><Unicode>lime</Unicode></TextEquiv>
    <TextEquiv index="1"><Unicode>line</Unicode></TextEquiv></Word></TextLine>
  <TextLine id="l2"><Coords points="10,40 100,40 100,55 10,55"/>
   <Word id="w3"><Coords points="10,40 40,40 40,55 10,55"/><TextEquiv><Unicode>thlrd</Unicode></TextEquiv></Word>
   <TextEquiv><Unicode>third, corrected</Unicode></TextEquiv></TextLine></TextRegion>
 <TextRegion id="r2"><Coords points="10,2 100,2 100,12 10,12"/>
  <TextLine id="l3"><Coords points="10,2 100,2 100,12 10,12"/>
   <TextEquiv><Unicode>first line</Unicode></TextEquiv></TextLine></TextRegion>
 <TextRegion id="r3"><Coords points="10,80 100,80 100,110 10,110"/>
  <TextEquiv><Unicode>a\nb</Unicode></TextEquiv></TextRegion>
</Page></PcGts>"""


def alto(image="a.png", version=4, unit="pixel", width=160, height=120) -> str:
    return ALTO.format(image=image, version=version, unit=unit, width=width, height=height)


def page(image="a.png", version="2019-07-15") -> str:
    return PAGE.format(image=image, version=version)


def texts(picture) -> list[str]:
    assert isinstance(picture, LabelledPicture), picture
    return [text for example in picture.examples for text in example.texts]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_words_and_lines_of_alto(tmp_path, version):
    data = write_picture(tmp_path / "a.png")
    write(tmp_path / "a.xml", alto(version=version))
    write(tmp_path / "mets.xml", "<mets/>")

    [picture] = read_all("alto", tmp_path).values()

    assert texts(picture) == ["of", "depart-", "a whole line"]
    assert boxes_of(picture) == [[10, 20, 40, 35], [50, 20, 100, 35], [10, 45, 100, 65]]
    assert (picture.examples[0].data, picture.examples[0].ignore.any()) == (data, False)
    assert picture.repairs == ("a.xml: 1 lines whose words aren't marked: one text each",)


@pytest.mark.parametrize(("unit", "width", "height"), [("mm10", 320, 240), ("inch1200", 320, 241), ("pixel", 320, 240)])
def test_places_are_scaled_by_the_page_s_size(tmp_path, unit, width, height):
    write_picture(tmp_path / "a.png")
    write(tmp_path / "a.xml", alto(unit=unit, width=width, height=height))

    [picture] = read_all("alto", tmp_path).values()

    expected = [[5, 10, 20, 17.5], [25, 10, 50, 17.5], [5, 22.5, 50, 32.5]]
    np.testing.assert_allclose(boxes_of(picture), expected, rtol=0.005)
    assert ("a.xml: places scaled by 0.5 to fit the picture" in picture.repairs) == (unit == "pixel")


def test_other_sizes_are_rejected(tmp_path):
    write_picture(tmp_path / "a.png"), write_picture(tmp_path / "b.png")
    write(tmp_path / "a.xml", alto(width=120, height=160))
    write(tmp_path / "b.xml", alto(image="b.png", unit="mm10").replace('WIDTH="160" HEIGHT="120"', ""))

    pictures = read_all("alto", tmp_path)

    assert pictures["a.png"].reason.startswith("a.xml is of a page of 120×160, but the picture has 160×120 pixels;")
    assert pictures["b.png"].reason.startswith(
        "b.xml doesn't state the page's size, but the picture has 160×120 pixels;"
    )


@pytest.mark.parametrize("stored", [True, False])
def test_pictures_that_exif_turns(tmp_path, stored):
    """The places may be those in the picture as it is stored, or as it is seen: 160 × 120 pixels."""
    shape = (120, 160) if stored else (160, 120)
    write(tmp_path / "a.jpg", encode(scene(*shape), "JPEG", orientation=6))  # a quarter turn clockwise
    write(tmp_path / "a.xml", alto("a.jpg"))

    [picture] = read_all("alto", tmp_path).values()

    example = picture.examples[0]
    assert (example.width_px, example.height_px) == ((120, 160) if stored else (160, 120))
    assert boxes_of(picture)[0] == ([120 - 35, 10, 120 - 20, 40] if stored else [10, 20, 40, 35])


@pytest.mark.parametrize("version", ["2013-07-15", "2016-07-15", "2017-07-15", "2018-07-15", "2019-07-15"])
def test_words_and_lines_of_page_xml(tmp_path, version):
    write_picture(tmp_path / "a.png")
    write(tmp_path / "page" / "a.xml", page(version=version))

    [picture] = read_all("page", tmp_path).values()

    assert texts(picture) == ["first line", "second", "line", "third, corrected", ""]
    assert boxes_of(picture) == [
        [10, 2, 100, 12],
        [10, 20, 40, 35],
        [50, 20, 100, 35],
        [10, 40, 100, 55],
        [10, 80, 100, 110],
    ]
    assert picture.examples[0].ignore.tolist() == [False] * 4 + [True]
    assert picture.repairs == (
        "page/a.xml: 2 lines whose words aren't marked: one text each",
        "page/a.xml: 1 regions of text without lines: ignored",
    )


def test_outlines_of_page_xml_before_2013(tmp_path):
    def points(match) -> str:
        pairs = (pair.split(",") for pair in match[1].split())
        return "<Coords>" + "".join(f'<Point x="{x}" y="{y}"/>' for x, y in pairs) + "</Coords>"

    write_picture(tmp_path / "a.png"), write_picture(tmp_path / "b.png", seed=2)
    write(tmp_path / "a.xml", re.sub(r'<Coords points="(.*?)"/>', points, page(version="2010-03-19")))
    write(tmp_path / "b.xml", page("b.png"))

    old, new = read_all("page", tmp_path).values()

    assert (texts(old), boxes_of(old)) == (texts(new), boxes_of(new))


def test_crops_of_page_xml(tmp_path):
    write_picture(tmp_path / "a.png")
    untold = '<TextLine><Coords points="10,60 100,60 100,75 10,75"/></TextLine><TextLine id="l1">'
    write(tmp_path / "a.xml", page().replace('<TextLine id="l1">', untold))

    [picture] = read_all("page", tmp_path, Task.RECOGNITION).values()

    assert texts(picture) == ["first line", "second", "line", "third, corrected"]
    assert [example.image_id for example in picture.examples] == ["a.png#0", "a.png#2", "a.png#3", "a.png#4"]
    assert picture.rejected_labels == ("text 1 (''): its text is not known",)


def test_a_line_s_direction_is_that_of_its_baseline(tmp_path):
    write_picture(tmp_path / "a.png")
    up = 'BASELINE="60 65 60 5"><Shape><Polygon POINTS="40 5 64 5 64 30 64 65 40 65"/></Shape>'
    from_right = 'BASELINE="100 60 10 60"><Shape><Polygon POINTS="10 45 100 45 100 50 100 65 10 65"/></Shape>'
    text = alto()
    begin, end = text.index('BASELINE="10'), text.index("</Shape>") + len("</Shape>")

    for line, first in ((up, [40, 65]), (from_right, [10, 45])):
        write(tmp_path / "a.xml", text[:begin] + line + text[end:])
        [picture] = read_all("alto", tmp_path).values()
        np.testing.assert_allclose(picture.examples[0].quads[2][0], first, atol=1e-3)


@pytest.mark.parametrize(
    ("xml", "image", "picture"),
    [
        ("data/x.xml", "y.png", "data/y.png"),  # HTR-United, eScriptorium
        ("data/page/x.xml", "y.png", "data/y.png"),  # Transkribus
        ("OCR-D-GT/x.xml", "OCR-D-IMG/y.png", "OCR-D-IMG/y.png"),  # OCR-D: relative to the workspace
        ("alto/x.xml", "C:\\scans\\x.tif", "img/x.png"),  # another type of picture, in a folder beside
        ("alto/x.alto.xml", "", "images/x.png"),
    ],
)
def test_pictures_are_found(tmp_path, xml, image, picture):
    write_picture(tmp_path / picture)
    write(tmp_path / xml, alto(image))
    [name] = read_all("alto", tmp_path)
    assert name == picture


def test_a_picture_outside_of_the_source_is_found(tmp_path):
    write_picture(tmp_path / "OCR-D-IMG" / "y.png")
    write(tmp_path / "OCR-D-GT" / "x.xml", page("OCR-D-IMG/y.png"))
    [(name, picture)] = read_all("page", tmp_path / "OCR-D-GT").items()
    assert (name, texts(picture)[0]) == ("x.xml", "first line")


def test_what_does_not_fit_is_rejected_alone(tmp_path):
    for name in ("good", "twice", "plain"):
        write_picture(tmp_path / f"{name}.png")
    write_picture(tmp_path / "other" / "deep" / "lost.png")
    for name, image in {"good": "good", "one": "twice", "two": "twice", "lost": "lost"}.items():
        write(tmp_path / f"{name}.xml", page(f"{image}.png"))
    write(tmp_path / "cut.xml", page()[:900])
    write(tmp_path / "pages.xml", page().replace("</Page>", "</Page><Page/>"))
    write(tmp_path / "odd.xml", page().replace("10,20 100,20", "10,20 100"))

    pictures = read_all("page", tmp_path)

    reasons = {name: p.reason for name, p in pictures.items() if isinstance(p, RejectedPicture)}
    assert list(reasons) == [
        "twice.png",
        "other/deep/lost.png",
        "plain.png",
        "cut.xml",
        "lost.xml",
        "odd.xml",
        "pages.xml",
    ]
    assert "2 XML files are of it: one.xml, two.xml" in reasons["twice.png"]
    assert "no PAGE XML file there names it" in reasons["plain.png"]
    assert "cut.xml: not readable as XML of a page (unclosed token" in reasons["cut.xml"]
    assert "picture lost.png of lost.xml: not found" in reasons["lost.xml"]
    assert "odd number of coordinates" in reasons["odd.xml"]
    assert "pages.xml: 2 pages; expected one" in reasons["pages.xml"]


def test_a_folder_of_another_format_is_refused(tmp_path):
    write_picture(tmp_path / "a.png")
    write(tmp_path / "a.xml", page())
    with pytest.raises(UsageError, match="no ALTO there; there is PAGE XML; give"):
        read_all("alto", tmp_path)
