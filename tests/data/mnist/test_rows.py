"""Digit rows from small idx files, and from squares whose brightness tells the digit."""

from __future__ import annotations

import gzip
import itertools
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_models.data.mnist.rows import (
    Digits,
    attention_batches,
    build_rows,
    ctc_batches,
    decoder_sequences,
    distorted,
    held_out_rows,
    load_digits,
    row_batches,
)
from ocr_models.errors import UsageError
from ocr_models.recognition.crops import WIDTH_BUCKETS
from tests.mnist_files import draw_digits, idx_bytes, write_mnist

# One brightness for each digit, so that a row's picture tells its labels: 139, 152, ..., 256 - 1.
SOLID = Digits(np.broadcast_to(np.arange(138, 256, 13, dtype=np.uint8)[:, None, None], (10, 28, 28)), np.arange(10))


def gray_digits(counts, brightness):
    """Squares instead of digits, with the given number of each brightness."""
    images = np.repeat(np.array(brightness, np.uint8), counts)[:, None, None] * np.ones((1, 28, 28), np.uint8)
    return Digits(images, np.arange(len(images), dtype=np.uint8) % 10)


def brightness_of(rows):
    """The brightness of the digits in the rows; noise is darker."""
    return set(np.unique(rows.images[rows.images >= 128]))


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    """The last 120 // 12 = 10 training images are held out and brighter; those for the test are still brighter."""
    folder = tmp_path_factory.mktemp("mnist")
    return str(write_mnist(folder, gray_digits([110, 10], [150, 200]), gray_digits([30], [250])))


@pytest.mark.parametrize(
    ("split", "count", "brightness"), [("train", 110, 150), ("validation", 10, 200), ("test", 30, 250)]
)
def test_splits_share_no_image(mnist, split, count, brightness):
    digits = load_digits(mnist, split)
    assert len(digits.images) == count and set(np.unique(digits.images)) == {brightness}
    assert digits.labels.tolist() == [label % 10 for label in range(110 if split == "validation" else 0, 120)][:count]


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("train-images-idx3-ubyte.gz", None, "neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz is there"),
        ("train-images-idx3-ubyte.gz", lambda data: data[:-500], "can't be read: Compressed file ended"),
        ("train-images-idx3-ubyte.gz", lambda data: b"<html>", "can't be read: Not a gzipped file"),
        ("train-images-idx3-ubyte.gz", lambda data: data[:40] + b"?" * 40 + data[80:], "can't be read: "),
        ("train-labels-idx1-ubyte", lambda data: data[:-1], r"127 bytes, but 128 for its axes \(120,\)"),
        ("train-labels-idx1-ubyte", lambda data: data + b"\0", r"129 bytes, but 128 for its axes \(120,\)"),
        ("train-labels-idx1-ubyte", lambda data: b"", "begins with nothing, an idx file here with 00000801"),
        ("train-labels-idx1-ubyte", lambda data: data[:6], "begins with 00000801"),
        (
            "train-labels-idx1-ubyte",
            lambda data: b"\0\0\x08\x03" + data[4:],
            "00000803, an idx file here with 00000801",
        ),
        ("train-labels-idx1-ubyte", lambda data: data[:-1] + b"\x0a", "label 10; those of MNIST are 0 to 9"),
        ("train-labels-idx1-ubyte", lambda data: idx_bytes(np.zeros(9, np.uint8)), "9 labels for 120 images"),
        (
            "train-images-idx3-ubyte.gz",
            lambda data: gzip.compress(idx_bytes(np.zeros((120, 8, 8), np.uint8))),
            r"images of \(8, 8\) pixels; those of MNIST are \(28, 28\)",
        ),
    ],
)
def test_missing_or_damaged_file_is_named(tmp_path, name, damage, message):
    path = write_mnist(tmp_path, draw_digits(120, seed=1), draw_digits(3, seed=2)) / name
    data = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(data))
    with pytest.raises(UsageError, match=message) as refusal:
        load_digits(tmp_path, "train")
    assert str(refusal.value).startswith(str(path if damage else tmp_path))
    assert len(load_digits(tmp_path, "test").labels) == 3  # the other files are as good as before


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5), seed=st.integers(0, 2**32))
def test_picture_shows_the_labels_in_order_with_gaps_of_3_to_10_pixels(lengths, seed):
    rows = build_rows(SOLID, lengths, np.random.default_rng(seed))
    assert rows.images.shape == (len(lengths), 32, 256, 1) and rows.images.dtype == np.uint8
    assert rows.labels.shape == (len(lengths), max(lengths)) and rows.lengths.tolist() == lengths
    for image, labels, length in zip(rows.images[..., 0], rows.labels, lengths, strict=True):
        places, digits = solid_digits(image)
        assert labels[:length].tolist() == [digit + 1 for digit in digits]
        assert labels[length:].tolist() == [-1] * (len(labels) - length)
        assert all(3 <= right - left - 28 <= 10 for left, right in itertools.pairwise(places))
        assert (image < 128).sum() == 32 * 256 - length * 28 * 28  # the rest is noise, below 128


def solid_digits(image):
    """The left edges and the digits of a row of ``SOLID`` digits, read from the picture."""
    brightest = np.append(0, image.max(axis=0).astype(int) * (image.max(axis=0) >= 138))
    lefts = np.flatnonzero((brightest[1:] > 0) & (brightest[:-1] == 0))
    return lefts.tolist(), [(brightest[left + 1] - 138) // 13 for left in lefts]


def test_row_uses_its_whole_room():
    """Over many rows each gap, each height and both ends of the canvas occur."""
    rows = build_rows(SOLID, np.full(600, 3), np.random.default_rng(0))
    found = [solid_digits(image)[0] for image in rows.images[..., 0]]
    assert {b - a - 28 for lefts in found for a, b in itertools.pairwise(lefts)} == set(range(3, 11))
    assert min(lefts[0] for lefts in found) < 5 and max(lefts[-1] for lefts in found) > 256 - 28 - 5
    tops = {int((image[:, lefts[0]] >= 138).argmax()) for image, lefts in zip(rows.images[..., 0], found, strict=True)}
    assert tops == {0, 1, 2, 3, 4}  # 32 - 28 pixels of room


def test_rows_are_read_at_the_width_that_they_are_trained_at():
    assert build_rows(SOLID, [7], np.random.default_rng(0)).images.shape[2] in WIDTH_BUCKETS


def test_same_seed_gives_the_same_rows_on_every_machine():
    rows, again, other = (build_rows(SOLID, [3, 5, 7], np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(rows.images, again.images)
    assert (rows.images != other.images).any()
    assert rows.labels.tolist() == [[5, 6, 8, -1, -1, -1, -1], [10, 3, 4, 9, 5, -1, -1], [3, 5, 7, 6, 1, 1, 9]]
    assert zlib.crc32(rows.images.tobytes()) == 23893569


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_distortion_moves_no_pixel_far_and_the_middle_not_at_all(seed):
    # Each pixel tells where it comes from: 1 + y and 1 + x. From the middle to an edge are 13.5 pixels, which are
    # stretched by 30 / 256 and slanted by 40 / 256 of that at most: 3.7 pixels, and half a one for rounding.
    places = np.indices((28, 28), np.uint8) + np.uint8(1)
    from_y, from_x = (distorted(axis[None], np.random.default_rng(seed))[0].astype(int) for axis in places)
    y, x = places.astype(int)
    kept = (from_y > 0) & (from_x > 0)
    np.testing.assert_array_equal(from_y > 0, from_x > 0)  # the rest comes from beyond the digit, which is black
    assert kept[4:-4, 4:-4].all()
    assert np.abs(from_y - y)[kept].max() <= 4 and np.abs(from_x - x)[kept].max() <= 4
    assert (np.diff(from_x, axis=1)[kept[:, 1:] & kept[:, :-1]] >= 0).all()  # nothing is mirrored or turned over
    assert np.abs(from_y - y)[13:15, 13:15].max() == np.abs(from_x - x)[13:15, 13:15].max() == 0


def test_distortions_differ_and_are_the_same_on_every_machine():
    digits = draw_digits(4, seed=1).images[[0, 0, 0, 0]]
    result = distorted(digits, np.random.default_rng(1))
    assert len({picture.tobytes() for picture in result}) == 4
    squares = np.full((4, 28, 28), 255, np.uint8)
    assert (distorted(squares, np.random.default_rng(1)) > 0).sum(axis=(1, 2)).tolist() == [692, 710, 726, 684]


@pytest.mark.parametrize("lengths", [[0], [8], [[3]]])
def test_row_of_no_or_too_many_digits_is_refused(lengths):
    with pytest.raises(ValueError, match="an axis of numbers from 1 to 7 was expected"):
        build_rows(SOLID, lengths, np.random.default_rng(0))


def test_decoder_is_given_the_start_and_answers_with_the_end():
    inputs, targets = decoder_sequences(np.array([[3, 1, 2], [4, -1, -1]], np.int32), start_id=12, end_id=11)
    assert inputs.tolist() == [[12, 3, 1, 2], [12, 4, 11, 11]]
    assert targets.tolist() == [[3, 1, 2, 11], [4, 11, -1, -1]]


def test_training_rows_are_of_train_digits_and_held_out_rows_are_not(mnist):
    batches = list(itertools.islice(row_batches(mnist, 5, 4, seed=9), 2))
    assert all(rows.images.shape == (4, 32, 256, 1) and rows.lengths.tolist() == [5] * 4 for rows in batches)
    assert [brightness_of(rows) for rows in batches] == [{150}, {150}]
    assert (batches[0].images != batches[1].images).any()
    np.testing.assert_array_equal(next(row_batches(mnist, 5, 4, seed=9)).images, batches[0].images)
    assert brightness_of(held_out_rows(mnist, "validation", 3, 40, seed=1)) == {200}
    assert brightness_of(held_out_rows(mnist, "test", 7, 40, seed=1)) == {250}


def test_only_training_digits_are_distorted(mnist):
    """Squares keep their 28 × 28 pixels in held-out rows, and gain or lose some in training rows."""
    for split in ("validation", "test"):
        images = held_out_rows(mnist, split, 3, 20, seed=1).images
        assert ((images >= 128).sum(axis=(1, 2, 3)) == 3 * 28 * 28).all()
    trained = next(row_batches(mnist, 3, 20, seed=1)).images
    assert ((trained >= 128).sum(axis=(1, 2, 3)) != 3 * 28 * 28).all()


def test_batches_show_the_same_rows_to_both_kinds_of_recognizer(mnist):
    rows = next(row_batches(mnist, 5, 4, seed=9))
    images, truth = next(ctc_batches(mnist, 5, 4, seed=9))
    inputs, targets = next(attention_batches(mnist, 5, 4, seed=9))
    for shown in (images, inputs["image"]):
        np.testing.assert_array_equal(shown, rows.images)
    assert truth["labels"].tolist() == rows.labels.tolist() and truth["label_length"].tolist() == [5] * 4
    # 256 columns, four for a position; 11 starts and 0 ends, in the place of CTC's blank.
    assert truth["logit_length"].tolist() == inputs["logit_length"].tolist() == [64] * 4
    assert inputs["token_ids"].tolist() == [[11, *row] for row in rows.labels.tolist()]
    assert targets["targets"].tolist() == [[*row, 0] for row in rows.labels.tolist()]
