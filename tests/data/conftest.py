"""Fixtures with the one font that comes with Pillow, so that tests need no system fonts."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ImageFont

from ocr_models.charset import LATIN
from ocr_models.data.synthetic.fonts import FontLibrary, load_fonts
from ocr_models.data.synthetic.text_source import TextSource


@pytest.fixture(scope="session")
def font_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fonts")
    (folder / "aileron.ttf").write_bytes(ImageFont.load_default(20).path.getvalue())
    return folder


@pytest.fixture(scope="session")
def fonts(font_dir: Path) -> FontLibrary:
    return load_fonts([font_dir])


@pytest.fixture(scope="session")
def text_source() -> TextSource:
    return TextSource([], LATIN)
