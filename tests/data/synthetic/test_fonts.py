from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image

from ocr_models.data.synthetic.fonts import FontFace, FontKind, FontLibrary, load_fonts
from ocr_models.errors import UsageError


def test_folder_without_fonts_is_refused_by_name(tmp_path):
    with pytest.raises(UsageError, match=str(tmp_path)):
        load_fonts([tmp_path])


def test_file_that_is_no_font_is_passed_over(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"not a font at all")
    with pytest.raises(UsageError, match="1 font files, none usable"):
        load_fonts([tmp_path])


def test_covers_tells_missing_glyphs(fonts):
    face = fonts.faces[0]
    assert fonts.covers(face, "Word(s)?")
    assert not fonts.covers(face, "漢")


def test_a_kind_has_its_own_families():
    families = {"Courier Prime": True, "Old Standard TT": False, "Caslon": False, "Open Sans": False}
    library = FontLibrary([FontFace(f"{name}.ttf", name, mono, False, False) for name, mono in families.items()])
    rng = np.random.default_rng(0)
    drawn = {kind: {library.face(rng, kind).family for _ in range(100)} for kind in (*FontKind, None)}
    assert drawn == {
        FontKind.MONO: {"Courier Prime"},
        FontKind.TEXT: {"Old Standard TT", "Caslon", "Open Sans"},
        FontKind.BOOK: {"Old Standard TT", "Caslon"},
        FontKind.TYPEWRITER: {"Courier Prime"},
        None: set(families),
    }


def test_a_kind_that_no_family_is_of_has_all():
    library = FontLibrary([FontFace("sans.ttf", "Open Sans", False, False, False)])
    assert library.face(np.random.default_rng(0), FontKind.BOOK).family == "Open Sans"


def test_no_face_for_a_character_that_none_has(fonts):
    with pytest.raises(LookupError, match="漢"):
        fonts.face_for(np.random.default_rng(0), "漢")


def test_pickled_library_draws_the_same(fonts):
    pictures = []
    for library in (fonts, pickle.loads(pickle.dumps(fonts))):
        image = Image.new("L", (200, 60), 255)
        library.glyphs(library.faces[0]).paint(image, 10.3, 40.6, "Paint", 30, 0)
        pictures.append(np.asarray(image))
    np.testing.assert_array_equal(*pictures)


@pytest.mark.parametrize("size_px", [14, 28, 70, 150])
def test_paint_says_where_the_ink_is(fonts, size_px):
    image = Image.new("L", (1200, 300), 255)
    left, right = fonts.glyphs(fonts.faces[0], size_px).paint(image, 100.4, 200.7, "Height", size_px, 0)
    ink = np.asarray(image) < 128
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    assert abs(columns[0] - left) <= 1 and abs(columns[-1] + 1 - right) <= 1
    # "H" is 0.71 em high in this face and stands on the baseline; "g" goes below it.
    assert abs(rows[0] - (200.7 - 0.72 * size_px)) <= 1 + 0.05 * size_px
    assert 200.7 < rows[-1] < 200.7 + 0.3 * size_px


def test_width_grows_with_the_size_and_the_text(fonts):
    glyphs = fonts.glyphs(fonts.faces[0])
    assert glyphs.width("nn", 20) == pytest.approx(2 * glyphs.width("n", 20))
    assert glyphs.width("n", 40) == pytest.approx(2 * glyphs.width("n", 20))
