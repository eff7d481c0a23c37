from __future__ import annotations

import numpy as np
import pytest

from ocr_models.data.sources import mnist
from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import LocalFiles, RejectedPicture, SourceOptions
from ocr_models.errors import UsageError
from ocr_models.io.images import decode_image
from tests.data.sources.files import read_all
from tests.mnist_files import draw_digits, idx_bytes, write_mnist

TRAIN, TEST = draw_digits(25, seed=1), draw_digits(7, seed=2)


def test_each_digit_is_a_recognition_example(tmp_path):
    write_mnist(tmp_path, TRAIN, TEST)
    pictures = read_all("mnist", tmp_path)
    assert len(pictures) == 32
    for name, digits in (("train-images", TRAIN), ("t10k-images", TEST)):
        for i, (image, label) in enumerate(zip(digits.images, digits.labels, strict=True)):
            [example] = pictures[f"{name}#{i}"].examples
            assert (example.image_id, example.texts) == (f"{name}#{i}", (str(label),))
            np.testing.assert_array_equal(decode_image(example.data).pixels, image)


def test_files_are_read_in_parts(tmp_path, monkeypatch):
    write_mnist(tmp_path, TRAIN, TEST)
    whole = read_all("mnist", tmp_path)
    monkeypatch.setattr(mnist, "_DIGITS_PER_ITEM", 10)
    items = list(open_source("mnist", str(tmp_path), SourceOptions()).items(LocalFiles()))
    assert [item.name for item in items] == [
        "t10k-images#0-6",
        "train-images#0-9",
        "train-images#10-19",
        "train-images#20-24",
    ]
    parts = read_all("mnist", tmp_path)
    assert {name: p.digest for name, p in parts.items()} == {name: p.digest for name, p in whole.items()}


def test_copy_under_another_name_is_read(tmp_path):
    write_mnist(tmp_path, TRAIN, TEST)
    source = open_source("mnist", str(tmp_path), SourceOptions())
    copy = tmp_path / "pagebeam-copy"  # as one that was downloaded: nothing in its name says that it is gzipped
    item = next(item for item in source.items(LocalFiles()) if item.name.startswith("train"))
    copy.write_bytes(LocalFiles().read(item.path))
    assert len(list(source.read(item, str(copy)))) == 25


def test_file_that_went_bad_is_rejected(tmp_path):
    write_mnist(tmp_path, TRAIN, TEST)
    source = open_source("mnist", str(tmp_path), SourceOptions())
    item = next(source.items(LocalFiles()))
    (tmp_path / "cut").write_bytes(LocalFiles().read(item.path)[:-5])
    [rejected] = source.read(item, str(tmp_path / "cut"))
    assert isinstance(rejected, RejectedPicture) and rejected.stage == "open"


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    with pytest.raises(UsageError, match="images-idx3-ubyte"):
        (tmp_path / "a.txt").touch()
        read_all("mnist", tmp_path)
    write_mnist(tmp_path, TRAIN, TEST)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(TEST.labels[:-1]))
    with pytest.raises(UsageError, match="6 labels for 7 images"):
        read_all("mnist", tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UsageError, match="t10k-labels"):
        read_all("mnist", tmp_path)
