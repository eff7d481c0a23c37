from __future__ import annotations

import gzip
import itertools
from functools import partial

import cv2
import numpy as np
import pytest

from ocr_models.charset import Charset
from ocr_models.data.loading.batches import known_text, seen_page, teacher_forced, window_batch, word_batch
from ocr_models.data.loading.input_pipeline import (
    caption_dataset,
    detection_dataset,
    recognition_dataset,
    shard_batches,
)
from ocr_models.data.loading.skips import SkipCounts
from ocr_models.errors import PagebeamError
from ocr_models.geometry import box_quads
from ocr_models.io.images import decode_image
from ocr_models.recognition.crops import resize_crop
from ocr_models.records import Example
from ocr_models.vocabulary import Vocabulary
from tests.captioning.pictures import COLORS
from tests.shards import page_example, striped_word, word_example, write_captions, write_shard

CHARSET = Charset("abcdefghijklmnopqrstuvwxyz")
WORDS = [a + b for a in "abcdefgh" for b in "ijklmnop"]  # 64 of 24 pixels


def batches(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def assert_equal(first, second):
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_equal(first[name], second[name])
    elif isinstance(first, tuple | list):
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)


@pytest.fixture
def words(tmp_path):
    """64 words in four shards, one of which is gzipped."""
    for i in range(4):
        examples = [word_example(striped_word(text), text) for text in WORDS[16 * i : 16 * i + 16]]
        path = write_shard(tmp_path / f"train-{i:05d}-of-00004.tfrecord", examples)
    path.write_bytes(gzip.compress(path.read_bytes()))
    return str(tmp_path)


def texts_of(labels, lengths):
    return [CHARSET.decode(row[:length]) for row, length in zip(labels, lengths, strict=True)]


def test_batches_are_those_that_recognizers_learn_from(words):
    dataset = recognition_dataset(words, CHARSET, 8, augment=False, deterministic=True)
    for images, truth in batches(dataset, 3):
        read = texts_of(truth["labels"], truth["label_length"])
        assert_equal((images, truth), word_batch([(striped_word(text), text) for text in read], 24, CHARSET))


def test_batches_for_attention_are_teacher_forced(words):
    options = {"seed": 5, "augment": False, "deterministic": True}
    for_ctc = batches(recognition_dataset(words, CHARSET, 8, **options), 2)
    for_attention = batches(recognition_dataset(words, CHARSET, 8, attention=True, **options), 2)
    assert_equal(for_attention, [teacher_forced(images, truth, start_id=27) for images, truth in for_ctc])


def test_each_word_comes_once_before_any_comes_again(words):
    passes = batches(recognition_dataset(words, CHARSET, 64), 3)
    read = [texts_of(truth["labels"], truth["label_length"]) for _, truth in passes]
    assert all(sorted(of_pass) == sorted(WORDS) for of_pass in read)
    assert read[0] != read[1] != sorted(WORDS)  # each time in another order


def test_seed_decides_order_and_augmentation(words):
    def made(seed, **options):
        return batches(recognition_dataset(words, CHARSET, 8, seed, deterministic=True, **options), 4)

    assert_equal(made(3), made(3))
    with pytest.raises(AssertionError):
        assert_equal(made(3), made(4))
    (plain, truth), (varied, same) = made(3, augment=False)[0], made(3)[0]
    assert_equal(truth, same)
    assert (plain != varied).any()


def test_words_are_batched_by_width(tmp_path):
    texts = ["ab", "abcd", "abcdefgh"] * 5
    write_shard(tmp_path / "train-0", [word_example(striped_word(text), text) for text in texts])
    made = batches(recognition_dataset(str(tmp_path), CHARSET, 4, augment=False), 20)
    # 12 pixels a character: 24, 48 and 96, each a bucket of its own.
    widths = {images.shape[2]: set(truth["label_length"].tolist()) for images, truth in made}
    assert widths == {24: {2}, 48: {4}, 96: {8}}


def test_words_that_cannot_be_learned_are_counted(tmp_path):
    good = word_example(striped_word("ab"), "ab", "good")
    examples = [
        *[good] * 2,
        word_example(striped_word("ab"), "aé"),
        word_example(striped_word("ab"), "abcdefg"),  # in 24 pixels, which are 6 steps
        word_example(striped_word("ab"), ""),
        word_example(striped_word("ab"), "ab", ignore=True),
        word_example(np.zeros((3, 9), np.uint8), "ab"),
        Example("broken", good.data[:40], "png", 32, 24, good.quads, good.texts, good.ignore),
    ]
    write_shard(tmp_path / "train-0", examples)
    counts = SkipCounts()
    read = [
        text
        for _, truth in batches(recognition_dataset(str(tmp_path), CHARSET, 16, counts=counts), 3)
        for text in texts_of(truth["labels"], truth["label_length"])
    ]
    assert set(read) == {"ab"}
    # Eight examples a pass, and chunks of 64: each chunk has every one of them eight times.
    passes = counts.seen // 8
    assert passes >= 24 and counts.skipped() == {
        "broken": passes,
        "without text, or to be ignored": 2 * passes,
        "with characters outside the charset": passes,
        "with too many characters for their width": passes,
        "less than four pixels high or wide": passes,
    }
    assert str(counts).startswith(f"skipped {6 * passes:,} of {8 * passes:,} examples: {passes} broken, ")


@pytest.mark.parametrize(("text", "known"), [("fig", "fig"), ("ﬁg", "fig"), ("fíg", None), ("", "")])
def test_text_is_normalized_where_that_makes_it_known(text, known):
    assert known_text(text, CHARSET) == known


def test_pictures_are_decoded_as_when_they_are_read(tmp_path):
    """Red on transparent, 16 bits: TensorFlow's kernel would give 54 on black, the page reader gives 76 on white."""
    image = np.zeros((32, 24, 4), np.uint16)
    image[8:24, 6:18] = (0, 0, 65535, 65535)  # blue, green, red, opaque
    data = cv2.imencode(".png", image)[1].tobytes()
    example = word_example(np.zeros((32, 24), np.uint8), "ab")
    write_shard(tmp_path / "train-0", [Example("", data, "png", 32, 24, example.quads, example.texts, example.ignore)])
    (images, _) = batches(recognition_dataset(str(tmp_path), CHARSET, 2, augment=False), 1)[0]
    np.testing.assert_array_equal(images[0, ..., 0], resize_crop(decode_image(data).pixels))
    assert images[0, 0, 0, 0] == 255 and images[0, 16, 12, 0] == 76


def test_page_windows_come_with_their_targets(tmp_path):
    image = np.full((300, 400), 255, np.uint8)
    boxes = np.array([[40, 40, 140, 60], [200, 200, 330, 222]])
    for x0, y0, x1, y1 in boxes:
        image[y0:y1, x0:x1] = 0
    write_shard(tmp_path / "train-0", [page_example(image, box_quads(boxes), ["a", "b"])] * 3)
    counts = SkipCounts()
    made = batches(detection_dataset(str(tmp_path), 4, 96, augment=False, counts=counts), 3)
    expected = window_batch([seen_page(page_example(np.zeros((96, 96), np.uint8), [], []))], 0.2)
    for images, truth in made:
        assert images.shape == (4, 96, 96, 1) and images.dtype == np.uint8
        assert {name: (x.shape[1:], x.dtype) for name, x in truth.items()} == {
            name: (x.shape[1:], x.dtype) for name, x in expected[1].items()
        }
        cells = images[:, 2::4, 2::4, 0]  # about the middle of each cell
        assert (cells[truth["score_map"][..., 0] == 1] < 128).all()  # the words are black
    assert sum(truth["score_map"].sum() for _, truth in made) > 100
    assert counts.seen > 0 and not counts.skipped()


def test_detection_is_deterministic_on_request(tmp_path):
    rng = np.random.default_rng(1)
    pages = [rng.integers(0, 255, (150, 120), dtype=np.uint8) for _ in range(5)]
    quads = box_quads(np.array([[20, 20, 90, 36]]))
    write_shard(tmp_path / "train-0", [page_example(page, quads, ["a"]) for page in pages])

    def made(seed):
        return batches(detection_dataset(str(tmp_path), 4, 64, seed=seed, deterministic=True), 4)

    assert_equal(made(1), made(1))
    with pytest.raises(AssertionError):
        assert_equal(made(1), made(2))


def test_broken_page_costs_no_other(tmp_path):
    good = page_example(np.zeros((90, 90), np.uint8), box_quads(np.array([[20, 20, 70, 40]])), ["a"])
    broken = Example("", b"no picture", "png", 90, 90)
    write_shard(tmp_path / "train-0", [good, broken])
    counts = SkipCounts()
    batches(detection_dataset(str(tmp_path), 4, 64, counts=counts), 2)
    assert 0 < counts.skipped()["broken"] <= counts.seen // 2 + 1


def test_page_without_the_places_of_its_texts_is_no_background(tmp_path):
    placed, unplaced = (
        page_example(np.zeros((90, 90), np.uint8), quads, ["a"])
        for quads in (box_quads(np.array([[20, 20, 70, 40]])), np.zeros((1, 4, 2), np.float32))
    )
    write_shard(tmp_path / "train-0", [placed, unplaced])
    counts = SkipCounts()
    batches(detection_dataset(str(tmp_path), 4, 64, counts=counts), 2)
    assert 0 < counts.skipped()["with texts whose place is not known"] <= counts.seen // 2 + 1


def test_page_is_seen_at_the_page_readers_scale():
    page = page_example(np.zeros((2260, 1600), np.uint8), box_quads(np.array([[100, 200, 300, 228]])), ["a"])
    seen = seen_page(page)  # by its long side: 1130 / 2260
    assert seen.image.shape == (1130, 800)
    np.testing.assert_allclose(seen.quads, box_quads(np.array([[50, 100, 150, 114]])))
    assert seen_page(page, factor=0.7).image.shape == (791, 560)


def test_captions_come_with_inputs_targets_and_weights(tmp_path):
    folder = str(write_captions(tmp_path))
    vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "a", "red", "box"])  # not the data set's
    dataset = caption_dataset(folder, vocabulary, (40, 32), 8, deterministic=True)
    inputs, truth = batches(dataset, 1)[0]  # one pass: four pictures with two captions each
    assert inputs["image"].shape == (8, 32, 32, 3) and inputs["image"].dtype == np.uint8
    # "a red box , on white paper ." and "there is a red box on white paper": eight words and the end, padded to 16.
    assert truth["weights"].tolist() == [[1] * 9 + [0] * 7] * 8
    rows = list(zip(inputs["input_ids"].tolist(), truth["target_ids"].tolist(), strict=True))
    for ids, targets in rows:
        assert ids[0] == 0 and ids[1:9] == targets[:8] and targets[8:] == [1] * 8
    assert any(ids[:4] == [0, 3, 4, 5] for ids, _ in rows)  # <S> a red box


def test_captions_of_chosen_pictures_alone(tmp_path):
    folder = str(write_captions(tmp_path))
    vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", *COLORS])

    def made():
        chosen = {"image_ids": ["green-0"], "deterministic": True}
        return batches(caption_dataset(folder, vocabulary, (36, 32), 4, **chosen), 2)

    green = vocabulary.encode(["green"])[1]
    for inputs, _ in made():
        assert (inputs["input_ids"] == green).any(axis=1).all()
    assert_equal(made(), made())


@pytest.mark.parametrize("left_bytes", [3, 10, 12, 40, -6, -2])  # of the third record: its header, data and footer
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_damaged_shard_ends_training_with_its_reason(tmp_path, left_bytes, pack):
    path = write_shard(tmp_path / "train-0", [word_example(striped_word("ab"), "ab")] * 3)
    data = path.read_bytes()
    path.write_bytes(pack(data[: left_bytes + (len(data) if left_bytes < 0 else len(data) // 3 * 2)]))
    with pytest.raises(PagebeamError, match=r"train-0, record 2: the file ends within this TFRecord.*copy or prepare"):
        list(itertools.islice(shard_batches(partial(recognition_dataset, str(tmp_path), CHARSET, 2), seed=1), 3))


@pytest.mark.parametrize("empty_at", [0, 1, 2])
def test_empty_gzip_members_end_no_shard(tmp_path, empty_at):
    texts = ["ab", "cd"]
    members = [
        gzip.compress(write_shard(tmp_path / text, [word_example(striped_word(text), text)]).read_bytes())
        for text in texts
    ]
    members.insert(empty_at, gzip.compress(b""))
    (tmp_path / "train-0").write_bytes(b"".join(members))
    counts = SkipCounts()

    dataset = recognition_dataset(str(tmp_path / "train-*"), CHARSET, 2, counts=counts)

    labels = np.concatenate([truth["labels"][:, :2] for _, truth in batches(dataset, 4)])
    assert {CHARSET.decode(of_word) for of_word in labels.tolist()} == set(texts)
