from __future__ import annotations

import numpy as np
from PIL import Image

from ocr_models.charset import PRINT
from ocr_models.data.synthetic import formulas
from ocr_models.data.synthetic.formulas import DOWN, LEVEL, UP, FormulaSetting, draw_terms, plain
from ocr_models.data.synthetic.glyphs import FaceGlyphs


def test_formulas_have_only_characters_of_print_and_no_white_space():
    rng = np.random.default_rng(1)
    tokens = [token for _ in range(3000) for token in draw_terms(rng)]
    assert all(token.startswith(LEVEL) and plain(token) for token in tokens)
    letters = set("".join(map(plain, tokens)))
    assert letters <= set(PRINT) and letters >= set("−≤∈∂αΩ∞√ℝ")


def test_raised_parts_are_smaller_and_above_the_lowered_ones(fonts):
    setting = FormulaSetting(fonts, fonts.faces[0], fonts.faces[0], fonts.faces[0])
    rows = {}
    for mark in (UP, DOWN, LEVEL):
        image = Image.new("L", (120, 100), 255)
        left, right, pen = setting.paint(image, 20, 60, f"{LEVEL}{mark}H", 40, 0)
        ink = np.flatnonzero(np.asarray(image).min(axis=1) < 128)
        rows[mark] = ink[0], ink[-1] + 1
        assert 20 <= left < right <= pen
    heights = {mark: stop - start for mark, (start, stop) in rows.items()}
    assert abs(heights[UP] - formulas._SMALL * heights[LEVEL]) <= 1 and heights[UP] == heights[DOWN]
    assert abs(rows[LEVEL][1] - 60) <= 1 and rows[UP][1] < rows[LEVEL][1] < rows[DOWN][1]
    assert rows[UP][0] < rows[LEVEL][0] < rows[DOWN][0]


def test_signs_come_from_faces_that_have_them(fonts):
    for sign in "−≤α∂":
        for face in fonts.faces_with(sign):
            assert FaceGlyphs(face.path).covers(sign)
    assert fonts.faces_with("日") == []


def test_formula_with_a_sign_that_no_face_has_is_not_drawn(fonts):
    setting = FormulaSetting(fonts, fonts.faces[0], fonts.faces[0], fonts.faces[0])
    assert setting.paint(Image.new("L", (90, 60), 255), 9, 40, f"{LEVEL}x日", 30, 0) is None
