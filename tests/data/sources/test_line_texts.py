from __future__ import annotations

import pytest

from ocr_models.data.sources.source import RejectedPicture
from ocr_models.errors import UsageError
from tests.data.sources.files import read_all, texts, write, write_picture


def reasons(pictures) -> dict[str, str]:
    return {name: p.reason for name, p in pictures.items() if isinstance(p, RejectedPicture)}


def test_lines_of_tesstrain_and_gt4histocr(tmp_path):
    data = write_picture(tmp_path / "a" / "0001.png")
    write(tmp_path / "a" / "0001.gt.txt", "\ufeffſo ſchaͤdlich iſt es\r\n\r\n")
    write_picture(tmp_path / "b" / "c" / "0001.nrm.png", seed=2)
    write_picture(tmp_path / "b" / "c" / "0001.bin.png", seed=3)
    write(tmp_path / "b" / "c" / "0001.gt.txt", "zu pflanzen, weil")
    write_picture(tmp_path / "b" / "v1.2.jpg", seed=4)
    write(tmp_path / "b" / "v1.2.gt.txt", " of three \f")

    pictures = read_all("gt-txt", tmp_path)

    assert texts(pictures) == {
        "a/0001.png": "ſo ſchaͤdlich iſt es",
        "b/c/0001.nrm.png": "zu pflanzen, weil",
        "b/v1.2.jpg": "of three",
    }
    [example] = pictures["a/0001.png"].examples
    assert (example.data, example.quads.tolist()) == (data, [[[0, 0], [160, 0], [160, 120], [0, 120]]])
    assert pictures["b/c/0001.nrm.png"].repairs == ("b/c/0001.bin.png: not used, as it shows the same line",)


def test_what_is_no_line_is_rejected(tmp_path):
    for name in ("blank", "two", "latin", "none"):
        write_picture(tmp_path / f"{name}.png")
    write(tmp_path / "blank.gt.txt", "\ufeff \n")
    write(tmp_path / "two.gt.txt", "first line\rsecond line\n")
    write(tmp_path / "latin.gt.txt", "schädlich".encode("latin-1"))
    write(tmp_path / "lost.gt.txt", "no picture")

    found = reasons(read_all("gt-txt", tmp_path))

    assert found.pop("latin.png").startswith("the labels aren't UTF-8")
    assert found == {
        "blank.png": "blank.gt.txt: no text; expected one line, the text in the picture",
        "two.png": "two.gt.txt: 2 lines of text; expected one line, the text in the picture",
        "lost.gt.txt": "there are labels of it, but no picture",
        "none.png": "no none.gt.txt beside it",
    }


def test_a_folder_without_texts_is_refused(tmp_path):
    write_picture(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"no \*.gt.txt there; --format gt-txt expects one beside each picture"):
        read_all("gt-txt", tmp_path)
