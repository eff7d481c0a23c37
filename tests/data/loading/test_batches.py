from __future__ import annotations

import itertools

import numpy as np
import pytest

from ocr_models.charset import LATIN, Charset
from ocr_models.data.loading import batches, training_examples
from ocr_models.data.loading.batches import (
    cut_window,
    detection_batches,
    recognition_batches,
    validation_pages,
    validation_words,
    word_batch,
)
from ocr_models.data.loading.training_examples import DataConfig, PdfPages
from ocr_models.errors import UsageError
from ocr_models.geometry import box_quads
from ocr_models.recognition.crops import WIDTH_BUCKETS
from ocr_models.records import PageTruth
from tests.text_pdfs import prose, set_text, write_text_pdf

CHARSET = Charset(LATIN)
VALIDATION_PAGE = 20  # the first one, counted from 0
LONG, SHORT = set(range(22)), {100, 101, 102}  # seeds of the pages of two documents


def page_text(seed):
    return prose(seed, lines=8)


@pytest.fixture(scope="module")
def pdfs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pdfs")
    write_text_pdf(folder / "long.pdf", [set_text(page_text(seed)) for seed in sorted(LONG)])
    write_text_pdf(folder / "short one.pdf", [set_text(page_text(seed)) for seed in sorted(SHORT)])
    return folder


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    monkeypatch.setattr(batches, "_SHUFFLED_WORDS", 200)
    monkeypatch.setattr(batches, "_SHUFFLED_WITH_LINES", 200)
    monkeypatch.setattr(batches, "_SHUFFLED_WINDOWS", 8)
    monkeypatch.setattr(training_examples, "_MAX_DRAWS", 300)


def config(pdfs, **options):
    return DataConfig(pdfs=(str(pdfs),), **options)


def drawn(pages, count, validation=False):
    """The seeds of the drawn pages, found by their words."""
    seeds = {tuple(page_text(seed).split()): seed for seed in LONG | SHORT}
    rng = np.random.default_rng(0)
    return {seeds[pages.draw(rng, 72, validation).texts] for _ in range(count)}


def assert_equal_batches(first, second, equal=True):
    pairs = [(a, b) for one, other in zip(first, second, strict=True) for a, b in _arrays(one, other)]
    assert all(np.array_equal(a, b) for a, b in pairs) == equal


def _arrays(first, second):
    return [(first[0], second[0]), *((first[1][name], second[1][name]) for name in first[1])]


def test_pages_for_training_and_for_validation_are_apart(pdfs):
    pages = PdfPages(config(pdfs))
    assert drawn(pages, 300) == (LONG | SHORT) - {VALIDATION_PAGE}
    assert drawn(pages, 3, validation=True) == {VALIDATION_PAGE}


def test_held_out_pages_are_never_drawn(pdfs, tmp_path):
    hold_out = tmp_path / "hold_out.txt"
    hold_out.write_text("long.pdf 1\nlong.pdf 22\n\nshort one.pdf 2\n")  # pages from 1
    seen = drawn(PdfPages(config(pdfs, hold_out=str(hold_out))), 300)
    assert seen == (LONG | SHORT) - {0, 21, 101, VALIDATION_PAGE}


@pytest.mark.parametrize(("held", "left"), [("long.pdf", SHORT), ("short one.pdf", LONG - {VALIDATION_PAGE})])
def test_held_out_document_is_never_drawn(pdfs, tmp_path, held, left):
    hold_out = tmp_path / "hold_out.txt"
    hold_out.write_text(f"{held}\n")
    assert drawn(PdfPages(config(pdfs, hold_out=str(hold_out))), 200) == left


def test_broken_pdf_is_left_out(pdfs, tmp_path):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and nothing more")
    (tmp_path / "good.pdf").write_bytes((pdfs / "short one.pdf").read_bytes())
    assert drawn(PdfPages(config(tmp_path)), 20) == SHORT


def test_documents_without_a_usable_page_are_an_error(pdfs, tmp_path):
    """The search for usable pages ends."""
    write_text_pdf(tmp_path / "short.pdf", [set_text(prose(1))])
    with pytest.raises(UsageError, match=r"no usable validation page .* from 1 PDFs"):
        PdfPages(config(tmp_path)).draw(np.random.default_rng(0), 72, validation=True)
    hold_out = tmp_path / "hold_out.txt"
    hold_out.write_text("short.pdf")
    with pytest.raises(UsageError, match="held out or broken"):
        PdfPages(config(tmp_path, hold_out=str(hold_out)))


def test_recognition_batches(pdfs):
    made = list(itertools.islice(recognition_batches(config(pdfs), CHARSET, 16, seed=5), 6))
    words = {word for seed in (LONG | SHORT) - {VALIDATION_PAGE} for word in page_text(seed).split()}
    for images, truth in made:
        width = images.shape[2]
        assert images.shape == (16, 32, width, 1) and images.dtype == np.uint8
        assert width in WIDTH_BUCKETS
        assert {name: array.dtype for name, array in truth.items()} == {
            "labels": np.int32,
            "label_length": np.int32,
            "logit_length": np.int32,
        }
        assert truth["labels"].shape[0] == 16 and truth["labels"].shape[1] % 8 == 0
        assert (truth["label_length"] <= truth["logit_length"]).all() and (4 * truth["logit_length"] <= width).all()
        for labels, length in zip(truth["labels"], truth["label_length"], strict=True):
            assert CHARSET.decode(labels[:length]) in words
            assert not labels[length:].any()
    assert len({images.shape[2] for images, _ in made}) > 1


def test_batches_of_lines_hold_fewer_the_wider_they_are(pdfs):
    charset = Charset(LATIN + " ")
    made = list(itertools.islice(recognition_batches(config(pdfs, line_share=1.0), charset, 32, seed=5), 12))
    lines = {line for seed in (LONG | SHORT) - {VALIDATION_PAGE} for line in page_text(seed).splitlines()}
    for images, truth in made:
        count, _, width, _ = images.shape
        assert count == min(32, max(8, 32 * 160 // width))
        for labels, length in zip(truth["labels"], truth["label_length"], strict=True):
            text = charset.decode(labels[:length])
            assert any(f" {text} " in f" {line} " for line in lines)
    assert max(images.shape[2] for images, _ in made) > 400


def test_lines_need_a_charset_with_a_space(pdfs):
    with pytest.raises(UsageError, match="--line-share"):
        next(recognition_batches(config(pdfs, line_share=0.5), CHARSET, 16, seed=5))


def test_word_is_joined_with_the_next_on_its_line_only():
    quads = box_quads(np.array([[0, 0, 30, 20], [36, 0, 60, 20], [66, 1, 90, 21], [0, 30, 30, 50]], np.float32))
    page = PageTruth(np.zeros((60, 100), np.uint8), quads, ("of", "the", "§", "new"), np.zeros(4, bool))
    text, quad = training_examples._with_next(page, 0, Charset(LATIN + " "))
    assert text == "of the"
    np.testing.assert_array_equal(quad, [[0, 0], [60, 0], [60, 20], [0, 20]])
    assert training_examples._with_next(page, 0, CHARSET) is None  # which has no space
    assert training_examples._with_next(page, 1, Charset("ehntw ")) is None  # nor § this one
    assert training_examples._with_next(page, 2, Charset(LATIN + " ")) is None  # the next begins a line
    assert training_examples._with_next(page, 3, Charset(LATIN + " ")) is None  # nothing follows


def test_word_batch_pads_crops_and_labels():
    crops = [np.full((32, 30), 10, np.uint8), np.full((32, 48), 20, np.uint8)]
    images, truth = word_batch([(crops[0], "ab"), (crops[1], "ninechars")], 48, Charset("abcehinrs"))
    assert (images[0] == 10).all() and (images[1] == 20).all()
    # Nine characters make labels of 16. In "abcehinrs" n is 7, i 6, e 4, c 3, h 5, a 1, r 8, s 9.
    assert truth["labels"].tolist() == [[1, 2] + [0] * 14, [7, 6, 7, 4, 3, 5, 1, 8, 9] + [0] * 7]
    assert truth["label_length"].tolist() == [2, 9]
    assert truth["logit_length"].tolist() == [8, 12]  # 30 pixels fill 7.5 steps


def test_detection_batches(pdfs):
    made = list(itertools.islice(detection_batches(config(pdfs), 3, 96, 0.2, seed=5), 4))
    for images, truth in made:
        assert images.shape == (3, 96, 96, 1) and images.dtype == np.uint8
        assert truth["score_map"].shape == truth["training_mask"].shape == (3, 24, 24, 1)
        assert truth["geometry_map"].shape == (3, 24, 24, 5)
        assert all(array.dtype == np.float32 for array in truth.values())
        assert set(np.unique(truth["score_map"])) <= {0, 1}
    assert sum(truth["score_map"].sum() for _, truth in made) > 100


def test_seed_alone_decides_what_is_trained(pdfs):
    def words(seed):
        return list(itertools.islice(recognition_batches(config(pdfs), CHARSET, 8, seed), 3))

    def windows(seed):
        return list(itertools.islice(detection_batches(config(pdfs), 2, 64, 0.2, seed), 3))

    assert_equal_batches(words(1), words(1))
    assert_equal_batches(windows(1), windows(1))
    assert_equal_batches(windows(1), windows(2), equal=False)
    assert [truth["labels"].tolist() for _, truth in words(1)] != [truth["labels"].tolist() for _, truth in words(2)]


def test_validation_examples_are_the_same_each_time(pdfs):
    first, second = (validation_words(config(pdfs), CHARSET, 30, seed=7) for _ in range(2))
    assert len(first) == 30 and {word.text for word in first} <= set(page_text(VALIDATION_PAGE).split())
    for word, again in zip(first, second, strict=True):
        assert word.text == again.text
        np.testing.assert_array_equal(word.image, again.image)
    (page,), (same,) = (validation_pages(config(pdfs), 1, seed=7) for _ in range(2))
    assert page.texts == tuple(page_text(VALIDATION_PAGE).split())
    np.testing.assert_array_equal(page.image, same.image)
    np.testing.assert_array_equal(page.quads, same.quads)


def page_of(*boxes, ignore=None):
    image = np.arange(100 * 80, dtype=np.uint16).astype(np.uint8).reshape(80, 100)
    ignore = np.zeros(len(boxes), bool) if ignore is None else np.array(ignore)
    return PageTruth(image, box_quads(np.array(boxes)), tuple("abcdefg"[: len(boxes)]), ignore)


def test_window_moves_its_words():
    window = cut_window(page_of((20, 30, 40, 40), (0, 0, 9, 9)), x=10, y=20, size=32)
    np.testing.assert_array_equal(window.image, page_of((0, 0, 1, 1)).image[20:52, 10:42])
    np.testing.assert_array_equal(window.quads, box_quads(np.array([[10, 10, 30, 20]])))
    assert window.texts == ("a",) and window.ignore.tolist() == [False]


def test_window_ignores_words_that_it_cuts_in_half():
    # The window goes from 10 to 42. Of three words of 20 pixels it shows 12, 8 and all, but that one is ignored anyway.
    page = page_of((30, 20, 50, 28), (34, 30, 54, 38), (15, 40, 35, 48), ignore=[False, False, True])
    window = cut_window(page, x=10, y=20, size=32)
    assert window.texts == ("a", "b", "c")
    assert window.ignore.tolist() == [False, True, True]


def test_window_beyond_the_page_is_white():
    window = cut_window(page_of((80, 60, 95, 70)), x=70, y=50, size=64)
    assert window.image.shape == (64, 64)
    assert (window.image[30:] == 255).all() and (window.image[:, 30:] == 255).all()
    np.testing.assert_array_equal(window.quads[0, 0], [10, 10])


def test_window_without_words():
    window = cut_window(page_of((0, 0, 9, 9)), x=40, y=40, size=32)
    assert window.quads.shape == (0, 4, 2) and window.texts == () and window.ignore.shape == (0,)
