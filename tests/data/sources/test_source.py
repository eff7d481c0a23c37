from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from ocr_models.data.sources.formats import FORMATS, open_source
from ocr_models.data.sources.labels import label_pixels
from ocr_models.data.sources.source import LocalFiles, PictureNames, SourceOptions, list_source
from ocr_models.errors import UsageError
from ocr_models.geometry import box_quads, known_places
from ocr_models.io.images import decode_image
from ocr_models.records import PageTruth, Task
from tests.data.sources.files import scene, write


def test_files_are_listed_in_order_without_hidden_ones(tmp_path):
    for name in ("b/2.png", "b/10.png", "a.txt", ".hidden/c.png", "b/.d.png"):
        write(tmp_path / name, name)
    files = LocalFiles()
    assert files.list(str(tmp_path)) == [str(tmp_path / name) for name in ("a.txt", "b/10.png", "b/2.png")]
    assert files.list(str(tmp_path / "a.txt")) == [str(tmp_path / "a.txt")]
    assert files.list(str(tmp_path / "nothing")) == []
    assert files.read(str(tmp_path / "a.txt")) == b"a.txt"


@pytest.mark.parametrize("root", ["{}", "{}/"])
def test_names_are_relative_to_the_source(tmp_path, root):
    write(tmp_path / "b" / "2.png", "")
    write(tmp_path / "a.txt", "")
    listing = list_source(LocalFiles(), root.format(tmp_path))
    assert list(listing.paths) == ["a.txt", "b/2.png"] == list(listing.chosen)
    of_file = list_source(LocalFiles(), str(tmp_path / "a.txt"))
    assert list(of_file.paths) == ["a.txt", "b/2.png"] and of_file.chosen == ("a.txt",)


def test_file_in_the_working_folder_may_be_named_alone(tmp_path, monkeypatch):
    write(tmp_path / "a.txt", "")
    write(tmp_path / "images" / "b.png", "")
    monkeypatch.chdir(tmp_path)
    listing = list_source(LocalFiles(), "a.txt")
    assert sorted(listing.paths) == ["a.txt", "images/b.png"]
    assert list(list_source(LocalFiles(), ".").paths) == ["a.txt", "images/b.png"]


def test_source_without_files_is_refused(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        list_source(LocalFiles(), str(tmp_path / "nowhere"))


def test_pictures_are_found_by_what_labels_call_them():
    names = PictureNames(["a/1.png", "a/images/2.png", "b/1.png", "b/c/3.JPG", "3.txt"])
    assert list(names) == ["a/1.png", "a/images/2.png", "b/1.png", "b/c/3.JPG"]
    assert names.find("1.png", "a") == "a/1.png"
    assert names.find("./2.png", "a") == "a/images/2.png"
    assert names.find("../b/1.png", "a") == "b/1.png"
    assert names.find("3.JPG", "a") == "b/c/3.JPG"  # the only one
    assert names.find("c/3.JPG", "a") == "b/c/3.JPG"
    assert names.find("1.png", "") is None  # one of two
    assert names.find("x/3.JPG", "a") is None
    assert names.find_stem("2", "a") == "a/images/2.png"
    assert names.find_stem("3", "") is None


def test_unknown_formats_and_tasks_are_refused():
    with pytest.raises(UsageError, match="no such format; give one of alto, captions, coco-text"):
        open_source("icdar2015", ".", SourceOptions())
    with pytest.raises(UsageError, match="--task caption: --format icdar gives detection or recognition only"):
        open_source("icdar", ".", SourceOptions(task=Task.CAPTION))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_source_can_be_sent_to_workers(name):
    source = open_source(name, "somewhere", SourceOptions(count=3))
    assert pickle.loads(pickle.dumps(source)) == source
    assert source.format == name


def test_pixels_are_labelled_by_the_same_rules():
    gray = scene()[..., 0]
    quads = box_quads(np.array([[10, 20, 40, 30], [150, 20, 190, 30]]))
    truth = PageTruth(gray, quads, ("kept", "far"), np.zeros(2, bool))
    picture = label_pixels("doc.pdf#1", truth, Task.DETECTION)
    [example] = picture.examples
    np.testing.assert_array_equal(decode_image(example.data).pixels, gray)
    assert example.texts == ("kept", "") and example.ignore.tolist() == [False, True]
    assert len(picture.rejected_labels) == 1 and known_places(example.quads).all()
    [word] = label_pixels("doc.pdf#1", truth, Task.RECOGNITION).examples
    assert (word.image_id, word.texts) == ("doc.pdf#1#0", ("kept",))


def test_sources_load_neither_tensorflow_nor_beam():
    code = "import sys, ocr_models.data.sources.formats; print({'tensorflow', 'keras', 'apache_beam'} & {*sys.modules})"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "set()"


def test_linked_folders_are_listed_and_loops_end(tmp_path):
    write(tmp_path / "far/a.png", b"")
    write(tmp_path / "in/b.png", b"")
    (tmp_path / "in/pictures").symlink_to(tmp_path / "far")
    (tmp_path / "far/back").symlink_to(tmp_path / "in")

    found = LocalFiles().list(str(tmp_path / "in"))

    assert found == [str(tmp_path / "in" / name) for name in ("b.png", "pictures/a.png")]
    assert LocalFiles().list(str(tmp_path / "nothing")) == []
