"""Scores of single pictures, how they add up, and what is shown of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocr_models.errors import DocumentError
from ocr_models.geometry import box_quads
from ocr_models.io.predictions import PredictedPage, PredictedWord, prediction_name
from ocr_models.records import Example, Task
from pipelines.evaluation.evidence import INVENTED, MISSED, WRONG, mark_words, show_evidence
from pipelines.evaluation.scores import Rules, Scores, has_lines, is_placed, score_picture
from pipelines.evaluation.truth import TruthPicture

OCR = Rules(Task.OCR)


def quad(left: float, top: float = 10, width: float = 40, height: float = 20) -> np.ndarray:
    return box_quads(np.array([[left, top, left + width, top + height]]))[0]


def page(*words: tuple[str, float]) -> Example:
    """Words of 40 × 20 pixels with their left edges."""
    quads = np.array([quad(left) for _, left in words], np.float32).reshape(-1, 4, 2)
    return Example(
        "page.png", b"", "png", 100, 300, quads, tuple(text for text, _ in words), np.zeros(len(words), bool)
    )


def said(*words: tuple[str, float]) -> PredictedPage:
    found = tuple(PredictedWord(text, quad(left), 0.75) for text, left in words)
    return PredictedPage("page", " ".join(text for text, _ in words), found)


_words = st.lists(
    st.tuples(st.sampled_from(["one", "two", "three", "§"]), st.sampled_from([10.0, 60.0, 65.0, 200.0])), max_size=4
)
_scored = st.tuples(_words, st.none() | _words, st.booleans()).map(
    lambda drawn: (
        score_picture(
            page(*drawn[0]),
            (),
            drawn[1] if drawn[1] is None else said(*drawn[1]),
            Rules(Task.OCR, keeps_confidences=drawn[2]),
        ).scores
    )
)


@given(st.lists(_scored, max_size=6), st.randoms(use_true_random=False), st.integers(0, 6))
def test_scores_of_any_split_add_up_to_the_same(scores, random, at):
    shuffled = list(scores)
    random.shuffle(shuffled)

    assert Scores.sum([Scores.sum(shuffled[:at]), Scores.sum(shuffled[at:])]) == Scores.sum(scores)


def test_a_missing_prediction_counts_as_an_empty_page():
    missing, empty = score_picture(page(("one", 10)), (), None, OCR), score_picture(page(("one", 10)), (), said(), OCR)

    assert missing.scores.page == empty.scores.page
    assert (missing.scores.missing, empty.scores.missing) == (1, 0)
    assert missing.badness == empty.badness == 1
    assert not missing.row["predicted"]


def test_a_page_read_without_a_fault_is_not_bad():
    scored = score_picture(page(("One", 10), ("two", 60)), (), said(("one", 10), ("two", 60)), Rules(Task.OCR, True))

    assert scored.badness == 0
    assert scored.row["word_f"] == scored.row["box_f"] == scored.row["detection_f"] == 1
    assert scored.scores.calibration.curve[0].accuracy == 1


def test_text_without_places_is_scored_as_text_alone():
    plain = PredictedPage("page", "one two", (PredictedWord("one"), PredictedWord("two")))

    scored = score_picture(page(("one", 10), ("two", 60)), (), plain, Rules(Task.OCR, has_places=False))

    assert scored.row["word_f"] == 1 and scored.row["cer"] == 0
    assert "box_f" not in scored.row and "detection_f" not in scored.row
    assert scored.scores.detection.true == scored.scores.boxed_pages == 0


def test_detections_are_scored_without_texts():
    scored = score_picture(page(("", 10), ("", 60)), (), said(("", 10), ("", 200)), Rules(Task.DETECTION))

    assert (scored.row["detection_precision"], scored.row["detection_recall"]) == (0.5, 0.5)
    assert scored.badness == 0.5 and "word_f" not in scored.row


def test_wrong_characters_that_were_sure_are_worse():
    def badness(text: str, confidence: float | None) -> float:
        crop = Example("w", b"", "png", 32, 60, quad(0)[None], ("word",), np.zeros(1, bool))
        prediction = PredictedPage("", text, (PredictedWord(text, None, confidence),))
        return score_picture(crop, (), prediction, Rules(Task.RECOGNITION)).badness

    assert badness("word", 0.1) == 0
    assert badness("ward", 0.9) == pytest.approx(0.9) and badness("ward", 0.4) == pytest.approx(0.4)
    assert badness("yard", None) == 2


@pytest.mark.parametrize(
    ("texts", "lines"), [(("a line of words", "5.00"), True), (("Schr ̈odinger", "was", "a", "physicist"), False)]
)
def test_a_few_spaces_make_no_lines(texts, lines):
    assert has_lines(page(*[(text, 10.0) for text in texts])) is lines


def test_quads_of_zeros_are_no_places():
    nowhere = Example("p", b"", "png", 9, 9, np.zeros((1, 4, 2), np.float32), ("far",), np.zeros(1, bool))

    assert not is_placed(nowhere) and is_placed(page(("far", 10))) and is_placed(page())


def test_prediction_without_places_counts_as_text_alone():
    prediction = PredictedPage("p", "far\n", (PredictedWord("far"),))
    scored = score_picture(page(("far", 10)), (), prediction, Rules(Task.OCR))
    assert (scored.scores.unplaced, scored.scores.boxed_pages, scored.scores.detection.true) == (1, 0, 0)
    assert scored.scores.page.bag.f_score == 1
    with pytest.raises(DocumentError, match="words without a place"):
        score_picture(page(("far", 10)), (), prediction, Rules(Task.DETECTION))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("images/58.tar_1.gz_a.jpg", "58.tar_1.gz_a"),
        ("doc.pdf#1", "doc"),
        ("x/doc.pdf#3", "doc#2"),
        ("train-images#0-999", "train-images"),
        ("x/scan #3.jpg", "scan #3"),
        ("scan #3.pdf#2", "scan #3#1"),
    ],
)
def test_names_are_those_of_tools_outputs(name, expected):
    assert prediction_name(name) == expected


def picture(truth: Example) -> TruthPicture:
    return TruthPicture("page.png", np.full((100, 300), 255, np.uint8), truth, "")


def test_words_are_marked_by_what_is_wrong():
    truth = picture(page(("one", 10), ("two", 60), ("three", 120)))

    marks = mark_words(truth, said(("one", 10), ("tvvo", 60), ("ghost", 200)), OCR)

    assert [q[0, 0] for q in marks.missed] == [120]
    assert [(true, read) for true, read, _ in marks.wrong] == [("two", "tvvo")]
    assert [q[0, 0] for q in marks.invented] == [200]


def test_marks_have_their_colors_and_wrong_words_are_cut_out():
    truth = picture(page(("one", 10), ("two", 60), ("three", 120)))

    drawn, crop = show_evidence(truth, said(("one", 10), ("tvvo", 60), ("ghost", 200)), OCR)

    pixels = np.array(Image.open(io.BytesIO(drawn.data)).convert("RGB")).astype(int)
    # The left edges of what was missed, read wrong and invented; JPEG changes colors a little, and their edges more.
    for left, color in ((120, MISSED), (60, WRONG), (200, INVENTED)):
        assert np.abs(pixels[20, left - 2 : left + 3] - color).sum(axis=1).min() < 150
    assert pixels[20, 8:13].min() > 200
    assert drawn.caption == "page.png\n1 missed, 1 read wrong, 1 invented"
    assert crop.caption == "truth: two\nread: tvvo"
    assert Image.open(io.BytesIO(crop.data)).size == (44, 22)  # 40 × 20 with 10 and 4 % of the height on each side


def test_evidence_of_a_large_page_is_small():
    noise = np.random.default_rng(0).integers(180, 256, (3300, 2550), dtype=np.uint8)
    truth = TruthPicture("p", noise, page(("one", 10)), "")

    [drawn] = show_evidence(truth, None, OCR)

    assert max(Image.open(io.BytesIO(drawn.data)).size) == 1100
    assert len(drawn.data) < 400_000
