import numpy as np
import pytest

from ocr_models.detection.targets import make_targets, text_angles

WORD = np.array([[[10, 10], [50, 10], [50, 30], [10, 30]]], np.float32)  # 40 x 20 px


def test_level_word_has_the_cells_and_distances_a_hand_can_check():
    score_map, geometry_map, training_mask = make_targets(WORD, [False], height=32, width=64)

    # The shorter side is 20, so edges move inward by 0.2 * 20 = 4: the core is x 14..46, y 14..26. Cell centers lie
    # at 2, 6, 10, 14, ...: columns 3 (x = 14) to 11 (x = 46), rows 3 (y = 14) to 6 (y = 26).
    expected = np.zeros((8, 16))
    expected[3:7, 3:12] = 1
    np.testing.assert_array_equal(score_map[..., 0], expected)
    # Cell (3, 5) is the point (22, 14): top 14 - 10, right 50 - 22, bottom 30 - 14, left 22 - 10, angle 0.
    np.testing.assert_allclose(geometry_map[3, 5], [4, 28, 16, 12, 0], atol=1e-5)
    assert not geometry_map[score_map[..., 0] == 0].any()
    assert training_mask.all()  # the border around the core is background, and trained


def test_angle_is_positive_clockwise_on_the_screen():
    down_to_the_right = np.array([[[0, 0], [10, 10], [5, 15], [-5, 5]]], float)
    np.testing.assert_allclose(text_angles(down_to_the_right), [np.pi / 4])


def test_upright_word_on_its_side_becomes_a_level_box():
    # The same rectangle, with the text running from its bottom to its top.
    on_its_side = np.roll(WORD, 1, axis=1)
    for level, turned in zip(
        make_targets(WORD, [False], 32, 64), make_targets(on_its_side, [False], 32, 64), strict=True
    ):
        np.testing.assert_allclose(level, turned, atol=1e-5)


def test_ignored_word_is_masked_over_its_whole_quad():
    score_map, _, training_mask = make_targets(WORD, [True], height=32, width=64)
    expected = np.ones((8, 16))
    expected[2:7, 2:13] = 0  # centers 10..26 and 10..50; the far edges 30 and 50 lie between or on centers
    expected[7, 2:13] = 0  # y = 30 lies on the edge
    np.testing.assert_array_equal(training_mask[..., 0], expected)
    assert not score_map.any()


def test_word_too_low_to_read_is_ignored():
    low = WORD * [1, 0.2]  # 4 px
    score_map, _, training_mask = make_targets(low, [False], height=32, width=64)
    assert not score_map.any()
    assert not training_mask.all()
    assert make_targets(low, [False], height=32, width=64, min_height=3)[0].any()


@pytest.mark.parametrize("offset", np.arange(0, 4, 0.5))
@pytest.mark.parametrize("angle", [0.0, 0.3, -0.7])
def test_smallest_word_has_a_cell_wherever_it_falls(offset, angle):
    corners = np.array([[-2, -2.5], [2, -2.5], [2, 2.5], [-2, 2.5]])  # 4 x 5 px
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    score_map, geometry_map, _ = make_targets((corners @ turn + 16 + offset)[None], [False], 32, 32)
    assert 1 <= score_map.sum() <= 4
    assert (geometry_map[..., :4] >= 0).all()


def test_smaller_word_has_the_cells_of_both():
    inside = WORD * 0.5 + [15, 10]
    both = np.concatenate([inside, WORD])
    _, geometry_map, _ = make_targets(both, [False, False], 32, 64)
    np.testing.assert_allclose(geometry_map[4, 7, :4].sum(), 20 + 10)  # width + height of the smaller


def test_page_without_words_is_all_background():
    score_map, geometry_map, training_mask = make_targets(np.zeros((0, 4, 2)), np.zeros(0, bool), 32, 64)
    assert score_map.shape == (8, 16, 1) and not score_map.any()
    assert geometry_map.shape == (8, 16, 5) and not geometry_map.any()
    assert training_mask.shape == (8, 16, 1) and training_mask.all()
    assert {score_map.dtype, geometry_map.dtype, training_mask.dtype} == {np.dtype("float32")}


def test_words_off_the_page_are_cut_at_its_border():
    score_map, _, _ = make_targets(np.concatenate([WORD - 20, WORD + 500]), [False, False], 32, 64)
    assert 0 < score_map.sum() < 36
