from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.data.sources.icdar import parse_icdar
from ocr_models.data.sources.source import LabelledPicture, RejectedPicture
from ocr_models.errors import DocumentError, UsageError
from ocr_models.io.images import ColorMode, decode_image
from ocr_models.records import Task
from tests.data.sources.files import boxes_of, encode, read_all, scene, write, write_picture

QUADS = "\ufeff10,10,50,10,50,20,10,20,12, JALAN TAMPOI 7/4,\r\n10,30,40,30,40,40,10,40,###\r\n"


def test_pictures_quads_and_texts_come_through(tmp_path):
    data = write_picture(tmp_path / "img_1.jpg")
    write(tmp_path / "gt_img_1.txt", QUADS)
    pictures = read_all("icdar", tmp_path)
    [example] = pictures["img_1.jpg"].examples
    assert (example.image_id, example.image_format, example.height_px, example.width_px) == (
        "img_1.jpg",
        "jpeg",
        120,
        160,
    )
    assert example.data == data
    assert example.texts == ("12, JALAN TAMPOI 7/4,", "")
    assert example.ignore.tolist() == [False, True]
    np.testing.assert_array_equal(example.quads[0], [[10, 10], [50, 10], [50, 20], [10, 20]])


@pytest.mark.parametrize(
    ("picture", "truth"),
    [
        ("a/b.png", "a/gt_b.txt"),
        ("a/b.png", "a/gt/gt_b.txt"),
        ("images/b.png", "gt/gt_b.txt"),
        ("ch4_training_images/b.png", "ch4_training_localization_transcription_gt/gt_b.txt"),
    ],
)
def test_labels_are_found_near_their_picture(tmp_path, picture, truth):
    write_picture(tmp_path / picture)
    write(tmp_path / truth, QUADS)
    pictures = read_all("icdar", tmp_path)
    assert list(pictures) == [picture]
    assert len(boxes_of(pictures[picture])) == 2


def test_nothing_is_left_out_silently(tmp_path):
    write_picture(tmp_path / "good.png")
    write(tmp_path / "gt_good.txt", "")  # a picture without a word
    write_picture(tmp_path / "unlabelled.png")
    write(tmp_path / "gt_lost.txt", QUADS)
    for folder in ("train", "test"):  # which of the two is meant?
        write(tmp_path / folder / "gt_twice.txt", QUADS)
    write_picture(tmp_path / "pictures" / "twice.png")
    pictures = read_all("icdar", tmp_path)
    rejected = {name: (p.stage, p.reason) for name, p in pictures.items() if isinstance(p, RejectedPicture)}
    assert {name: stage for name, (stage, _) in rejected.items()} == {
        "unlabelled.png": "label",
        "gt_lost.txt": "open",
        "pictures/twice.png": "label",
        "train/gt_twice.txt": "open",
        "test/gt_twice.txt": "open",
    }
    assert "gt_unlabelled.txt" in rejected["unlabelled.png"][1]
    assert pictures["good.png"].examples[0].texts == ()


def test_bad_line_rejects_its_picture_and_no_other(tmp_path):
    data = write_picture(tmp_path / "bad.png")
    write(tmp_path / "gt_bad.txt", "10,10,50,10,50,20,10,20,ok\n10,10,50,10,50,20,ten,20,bad\n")
    write_picture(tmp_path / "good.png", seed=2)
    write(tmp_path / "gt_good.txt", QUADS)
    pictures = read_all("icdar", tmp_path)
    assert pictures["bad.png"] == RejectedPicture(
        "bad.png",
        "label",
        "gt_bad.txt: line 2 is '10,10,50,10,50,20,ten,20,bad'; expected x1,y1,x2,y2,x3,y3,x4,y4,text",
        data,
    )
    assert isinstance(pictures["good.png"], LabelledPicture)


def test_truncated_picture_is_rejected_with_its_bytes(tmp_path):
    data = encode(scene(), "JPEG")[:1500]
    write(tmp_path / "cut.jpg", data)
    write(tmp_path / "gt_cut.txt", QUADS)
    rejected = read_all("icdar", tmp_path)["cut.jpg"]
    assert (rejected.stage, rejected.data) == ("decode", data)


def test_quads_turn_with_the_pixels_of_exif(tmp_path):
    # Stored on its left side: upright is the stored picture turned clockwise, so x' = 120 - y and y' = x.
    write_picture(tmp_path / "turned.jpg", orientation=6)
    write(tmp_path / "gt_turned.txt", "10,100,10,60,20,60,20,100,word\n")  # runs upwards where it is stored
    [example] = read_all("icdar", tmp_path)["turned.jpg"].examples
    assert (example.height_px, example.width_px) == (160, 120)
    np.testing.assert_allclose(example.quads[0], [[20, 10], [60, 10], [60, 20], [20, 20]], atol=1e-4)
    red = decode_image(example.data, ColorMode.RGB).pixels[..., 0].astype(int)
    assert red[0].mean() < 10 and red[-1].mean() > 245  # what grew brighter to the right now does so downwards


def test_box_stays_level_when_its_picture_turns(tmp_path):
    write_picture(tmp_path / "turned.jpg", orientation=6)
    write(tmp_path / "gt_turned.txt", '10 60 20 100 "word"\n')
    [example] = read_all("icdar", tmp_path)["turned.jpg"].examples
    np.testing.assert_allclose(example.quads[0], [[20, 10], [60, 10], [60, 20], [20, 20]], atol=1e-4)


@pytest.mark.parametrize("line", ['38 43 120 58 "Tiredness"', '38, 43, 120, 58, "Tiredness"', "38,43,120,58,Tiredness"])
def test_boxes_of_four_numbers(line):
    [label] = parse_icdar(line.encode())
    assert (label.text, label.corners, label.ignore) == ("Tiredness", (38, 43, 120, 58), False)


def test_quotes_in_quotes_are_escaped():
    labels = parse_icdar(rb"""38, 43, 420, 115, "say \"well\" now"
275 200 344 260 "a\\b"
""")
    assert [label.text for label in labels] == ['say "well" now', r"a\b"]


def test_script_of_mlt_is_no_part_of_the_text():
    quad = b"10,10,50,10,50,20,10,20,"
    labels = parse_icdar(quad + b"Latin,Harbour, 2\r\n" + quad + b"Arabic,###\r\n" + quad + b"None,\r\n")
    assert [(label.text, label.ignore) for label in labels] == [("Harbour, 2", False), ("", True), ("", False)]
    labels = parse_icdar(quad + b"Latin,Harbour\n" + quad + b"None\n")  # a text may begin with such a word
    assert [label.text for label in labels] == ["Latin,Harbour", "None"]


def test_line_without_script_among_those_of_mlt_is_refused():
    quad = "10,10,50,10,50,20,10,20,"
    with pytest.raises(DocumentError, match=r"line 4 is '.*Cyrillic,Порт'; expected a script before the text"):
        parse_icdar(f"{quad}Latin,Harbour\n\n{quad}Arabic,###\n{quad}Cyrillic,Порт\n".encode())


@pytest.mark.parametrize("more", ["110,90,40,88,Harbour", "110,90,Harbour", "110,90,40,88", "110.5, 90, Latin,Harbour"])
def test_polygons_of_more_than_four_points_are_refused(more):
    quad = "40,40,120,40,180,44,180,92,"
    with pytest.raises(DocumentError, match=r"gt_a\.txt: line 2 is .*expected x1,.*,y4,text, but more.*--format jsonl"):
        parse_icdar(f"{quad}pier\n{quad}{more}\n".encode(), "gt_a.txt")


@pytest.mark.parametrize("text", ["1,000,000", "12,5", "4, Quay", "7"])
def test_numbers_in_a_text_are_no_points(text):
    [label] = parse_icdar(f"40,40,120,40,180,44,180,92,{text}".encode())
    assert label.text == text


def test_what_a_file_holds_is_decided_by_most_of_its_lines():
    boxes = parse_icdar(b'1,2,30,40,"a"\n1,2,30,40,5,6,7,8,9\n1,2,30,40,"b"\n')
    assert [(len(label.corners), label.text) for label in boxes] == [(4, "a"), (4, "5,6,7,8,9"), (4, "b")]
    quads = parse_icdar(b"1,2,3,4,5,6,7,8,9,10\n1,2,3,4,5,6,7,8\n")
    assert [(len(label.corners), label.text) for label in quads] == [(8, "9,10"), (8, "")]
    with pytest.raises(DocumentError, match="line 2 is '1,2,3,4,5,6,7'"):  # never taken for a box with text "5,6,7"
        parse_icdar(b"1,2,3,4,5,6,7,8,a\n1,2,3,4,5,6,7\n")


_TEXTS = st.text(st.characters(exclude_characters="\r\n", codec="utf-8")).filter(lambda text: text.count(",") < 2)


@given(st.lists(_TEXTS, min_size=1))  # after two more commas, it might be a polygon
def test_any_text_comes_back(texts):
    data = "\n".join(f"1,2,30,2,30,9,1,9,{text}" for text in texts).encode()
    labels = parse_icdar(data)
    assert [label.text for label in labels] == ["" if text.strip() == "###" else text.strip() for text in texts]


def test_labels_in_another_encoding_are_refused():
    with pytest.raises(DocumentError, match="UTF-8"):
        parse_icdar("1,2,3,4,5,6,7,8,Café".encode("latin-1"))


def test_words_are_cut_for_recognition(tmp_path):
    pixels = scene()
    pixels[40:60, 20:80] = 0
    write(tmp_path / "page.png", encode(pixels))
    lines = ["20,40,80,40,80,60,20,60,black", "0,0,9,0,9,9,0,9,###", "300,0,340,0,340,9,300,9,far"]
    write(tmp_path / "gt_page.txt", "\n".join(lines))
    detection = read_all("icdar", tmp_path)["page.png"]
    picture = read_all("icdar", tmp_path, Task.RECOGNITION)["page.png"]
    assert picture.digest == detection.digest  # one split for both
    [example] = picture.examples
    assert (example.image_id, example.image_format, example.texts) == ("page.png#0", "png", ("black",))
    # With margins of 10 % of its height of 20 beside it and 4 % above and below: 64 by 22 pixels, rounded.
    crop = decode_image(example.data).pixels
    assert crop.shape == (example.height_px, example.width_px) == (22, 64)
    np.testing.assert_array_equal(example.quads, [[[0, 0], [64, 0], [64, 22], [0, 22]]])
    assert (crop[1:-1, 2:-2] == 0).all() and crop[:, -1].min() > 0
    assert picture.rejected_labels == ("text 2 ('far'): outside the picture of 160×120: 300,0 340,0 340,9 300,9",)
    assert picture.rejected_labels == detection.rejected_labels


def test_rejected_label_leaves_a_region_to_ignore(tmp_path):
    write_picture(tmp_path / "page.png")
    lines = ["150,10,190,10,190,20,150,20,edge", "120,30,170,30,170,40,120,40,clipped", "5,5,5,5,5,5,5,5,dot"]
    write(tmp_path / "gt_page.txt", "\n".join(lines))
    picture = read_all("icdar", tmp_path)["page.png"]
    [example] = picture.examples
    assert boxes_of(picture) == [[150, 10, 160, 20], [120, 30, 160, 40]]
    assert example.texts == ("", "clipped") and example.ignore.tolist() == [True, False]
    assert picture.repairs == ("text 1 ('clipped'): clipped to the picture",)
    assert [reason.split(":")[0] for reason in picture.rejected_labels] == ["text 0 ('edge')", "text 2 ('dot')"]


def test_folder_of_another_format_is_refused(tmp_path):
    write_picture(tmp_path / "a.png")
    with pytest.raises(UsageError, match="gt_"):
        read_all("icdar", tmp_path)
