from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_models.io.spreadsheets import neutralize, restore


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("\t=1", "\t'=1"),
        ("'=1", "''=1"),
        ("a;=1", "a;'=1"),  # two cells, where semicolons separate them
        ("well-known", "well-known"),
        ("a=b", "a=b"),
        ("'tis", "'tis"),
        ("", ""),
    ],
)
def test_formulas_get_an_apostrophe_and_other_texts_do_not(text, cell):
    assert neutralize(text) == cell
    assert restore(cell) == text


@given(st.text("'=+-@＝ ;,\t\na"))
def test_every_text_comes_back_and_no_cell_is_a_formula_whatever_separates_cells(text):
    cell = neutralize(text)
    assert restore(cell) == text
    assert not any(part.lstrip(" ").startswith(tuple("=+-@＝")) for part in re.split("[;,\t\n]", cell))
