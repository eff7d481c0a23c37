"""Handmade cases for the rules of ICDAR 2015; boxes are xmin, ymin, xmax, ymax."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_models.geometry import box_quads
from ocr_models.metrics.detection import DetectionCounts, match_detections
from ocr_models.metrics.matches import MatchCounts

WORD = (0, 0, 30, 10)


def quads(*boxes):
    return box_quads(np.array(boxes, np.float32).reshape(-1, 4))


def page(true, predicted, ignore=None):
    ignore = np.zeros(len(true), bool) if ignore is None else np.array(ignore, bool)
    return DetectionCounts.of(quads(*true), ignore, quads(*predicted))


def counts(true, predicted, ignore=None):
    counted = page(true, predicted, ignore)
    return counted.matched, counted.predicted, counted.true


def pairs(true, predicted, ignore=None):
    ignore = np.zeros(len(true), bool) if ignore is None else np.array(ignore, bool)
    return match_detections(quads(*true), ignore, quads(*predicted)).pairs


def test_scores_of_a_page():
    true = [WORD, (40, 0, 70, 10), (80, 0, 110, 10)]
    predicted = [WORD, (41, 0, 71, 10), (200, 0, 230, 10), (0, 50, 30, 60)]
    counted = page(true, predicted)
    assert (counted.matched, counted.predicted, counted.true) == (2, 4, 3)
    assert (counted.precision, counted.recall) == (2 / 4, 2 / 3)
    assert counted.f_score == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))


def test_just_half_of_the_union_is_no_match():
    # Moved by 10 of 30: 20 / 40 = 0.5, which isn't above 0.5. By 9: 21 / 39 = 0.54 matches.
    assert counts([WORD], [(10, 0, 40, 10)]) == (0, 1, 1)
    assert counts([WORD], [(9, 0, 39, 10)]) == (1, 1, 1)


def test_many_detections_of_one_word_match_once():
    # The first and the second overlap it by 29 / 31 and 1: the first one found has the match, the other is false.
    assert counts([WORD], [(1, 0, 31, 10), WORD]) == (1, 2, 1)
    assert pairs([WORD], [(1, 0, 31, 10), WORD]) == ((0, 0),)
    # Two halves cover it together, but each of them just by 15 / 30 = 0.5.
    assert counts([WORD], [(0, 0, 15, 10), (15, 0, 30, 10)]) == (0, 2, 1)


def test_one_detection_of_many_words_matches_once_at_most():
    # Of the joined box's 100 pixels of length 60 are the first word, 40 the second.
    assert counts([(0, 0, 60, 10), (60, 0, 100, 10)], [(0, 0, 100, 10)]) == (1, 1, 2)
    assert counts([(0, 0, 50, 10), (50, 0, 100, 10)], [(0, 0, 100, 10)]) == (0, 1, 2)


def test_pairs_are_matched_in_order_and_not_the_best_first():
    # Moved by 0, 7 and 8 of 30: 23 / 37 = 0.62 or 29 / 31 = 0.94. The first word takes the first detection, which is
    # the second word's better one. The second word has then only the one that overlaps it by 16 / 38 = 0.42.
    true = [WORD, (8, 0, 38, 10)]
    a, b = (0, 0, 24, 10), (7, 0, 37, 10)
    assert pairs(true, [b, a]) == ((0, 0),)
    # In the other order the first word takes a, 24 / 30 = 0.8, and each has one.
    assert pairs(true, [a, b]) == ((0, 0), (1, 1))


def test_detections_on_ignored_regions_count_neither_way():
    true, ignore = [WORD, (100, 0, 200, 50)], [False, True]
    inside, half_inside, more_inside = (110, 10, 140, 20), (90, 0, 110, 10), (91, 0, 111, 10)
    # In the region a detection is left out. With just half of its own area, 10 / 20, it stays, as a false one; with
    # 11 / 20 it is out. The ignored word itself isn't counted either, even if found.
    assert counts(true, [WORD, inside], ignore) == (1, 1, 1)
    assert counts(true, [WORD, half_inside], ignore) == (1, 2, 1)
    assert counts(true, [WORD, more_inside], ignore) == (1, 1, 1)
    assert counts(true, [(100, 0, 200, 50)], ignore) == (0, 0, 1)


def test_a_detection_is_weighed_on_one_ignored_region_at_a_time():
    # 8 of its 20 pixels on each of two regions, 4 between them: neither has more than half.
    regions = [(0, 0, 8, 10), (12, 0, 20, 10)]
    assert counts(regions, [(0, 0, 20, 10)], [True, True]) == (0, 1, 0)


def test_a_right_detection_on_an_ignored_region_is_left_out_and_its_word_missed():
    true, ignore = [WORD, (0, 0, 50, 50)], [False, True]
    assert counts(true, [WORD], ignore) == (0, 0, 1)


@pytest.mark.parametrize(("true", "predicted"), [(0, 0), (0, 2), (2, 0)])
def test_pages_without_words_or_detections(true, predicted):
    assert counts([WORD] * true, [WORD] * predicted) == (0, predicted, true)


def count_quad(predicted, true=WORD):
    counted = DetectionCounts.of(quads(true), np.zeros(1, bool), np.array([predicted], np.float32))
    return counted.matched, counted.predicted, counted.true


def test_self_crossing_quads_count_as_their_hull():
    assert count_quad([(0, 0), (30, 10), (30, 0), (0, 10)]) == (1, 1, 1)  # the hull is the word


def test_dented_quads_count_as_their_hull():
    # Its fourth corner lies inside: the hull is a triangle with half of the word's area, 150 / 300.
    assert count_quad([(0, 0), (30, 0), (30, 10), (20, 5)]) == (0, 1, 1)
    assert count_quad([(0, 0), (30, 0), (30, 10), (12, 6)]) == (1, 1, 1)  # below the diagonal, so it adds to it


@pytest.mark.parametrize(
    "corners",
    [
        [(5, 5)] * 4,
        [(0, 0), (10, 0), (20, 0), (30, 0)],
        [(0, 0), (np.nan, 0), (30, 10), (0, 10)],
        [(0, 0), (np.inf, 0), (30, 10), (0, 10)],
    ],
    ids=["point", "line", "nan", "infinite"],
)
def test_quads_without_an_area_match_nothing(corners):
    assert count_quad(corners) == (0, 1, 1)


def test_turned_words_match_by_their_own_area():
    # A square on its corner, area 200, in its bounding box, area 400: 0.5 is no match; of itself it is one.
    diamond = [(10, 0), (20, 10), (10, 20), (0, 10)]
    assert count_quad(diamond, true=(0, 0, 20, 20)) == (0, 1, 1)
    turned = np.array([diamond], np.float32)
    assert DetectionCounts.of(turned, np.zeros(1, bool), turned).matched == 1


def test_quads_that_are_nearly_the_same_match():
    rng = np.random.default_rng(0)
    words = quads(*((x, y, x + 150, y + 40) for x in range(0, 2000, 200) for y in range(0, 2000, 50)))
    counted = DetectionCounts.of(words, np.zeros(len(words), bool), words + rng.normal(0, 1e-3, words.shape))
    assert counted.matched == counted.predicted == counted.true == 400


def test_words_by_height():
    # Heights of 10, 12 and 50 pixels are found; 20 and 30 aren't. Two false ones are 11 and 30 pixels high.
    true = [(0, 0, 40, 10), (0, 100, 40, 112), (0, 200, 40, 250), (0, 300, 40, 320), (0, 400, 40, 430)]
    # The first is found a little too high, 12.5 pixels: the match is the word's, below 12.
    predicted = [(0, 0, 40, 12.5), *true[1:3], (500, 0, 540, 11), (500, 100, 540, 130)]
    by_height = page(true, predicted).by["height"]
    assert by_height == {
        "below 12 px": MatchCounts(1, 2, 1),
        "12 to 24 px": MatchCounts(1, 1, 2),
        "24 to 48 px": MatchCounts(0, 1, 1),
        "48 px and more": MatchCounts(1, 1, 1),
    }


def test_words_by_angle():
    def turned(degrees, x):
        angle = np.deg2rad(degrees)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return quads((-30, -10, 30, 10))[0] @ turn + [x, 0]

    true = np.array([turned(degrees, 100 * i) for i, degrees in enumerate((0, -1, 5, 30, -90))])
    found = true[[0, 2, 4]]
    by_angle = DetectionCounts.of(true, np.zeros(5, bool), found).by["angle"]
    assert list(by_angle.values()) == [
        MatchCounts(1, 1, 2),
        MatchCounts(1, 1, 1),
        MatchCounts(0, 0, 1),
        MatchCounts(1, 1, 1),
    ]


def test_nothing_counted_scores_zero():
    assert DetectionCounts().precision == DetectionCounts().recall == DetectionCounts().f_score == 0


corners = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(5, 60)), max_size=4)
some_pages = st.lists(st.tuples(corners, corners, st.integers(0, 4)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(some_pages.flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))), st.integers(0, 5))
def test_counts_add_up_over_any_split_and_order_of_the_pages(pages, split):
    def count(true, predicted, ignored):
        boxes = [[(x, y, x + 20, y + height) for x, y, height in some] for some in (true, predicted)]
        return page(*boxes, ignore=np.arange(len(true)) < ignored)

    in_order, shuffled = (list(itertools.starmap(count, some)) for some in pages)
    whole = sum(in_order, DetectionCounts())
    assert sum(shuffled[:split], DetectionCounts()) + sum(shuffled[split:], DetectionCounts()) == whole
    assert whole.matched <= min(whole.predicted, whole.true)
    assert 0 <= whole.precision <= 1 and 0 <= whole.recall <= 1
    assert pickle.loads(pickle.dumps(whole)) == whole
    for groups in (whole.by_height, whole.by_angle):  # each is the whole, parted
        assert sum(groups, MatchCounts()) == MatchCounts(whole.matched, whole.predicted, whole.true)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=4, max_size=4), max_size=4))
def test_any_quads_can_be_counted(some):
    shapes = np.array(some, np.float32).reshape(-1, 4, 2)
    counted = DetectionCounts.of(shapes, np.zeros(len(shapes), bool), shapes[::-1])
    assert counted.matched <= counted.true == counted.predicted == len(shapes)
