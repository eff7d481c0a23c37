from __future__ import annotations

import pickle

import pytest

from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import LocalFiles, SourceItem, SourceOptions
from ocr_models.errors import UsageError
from ocr_models.io.images import decode_image
from ocr_models.records import Task

WORDS, PAGES = Task.RECOGNITION, Task.DETECTION


def pictures_of(font_dir, item=None, **options):
    source = pickle.loads(pickle.dumps(open_source("synthetic", str(font_dir), SourceOptions(**options))))
    items = [item] if item else source.items(LocalFiles())
    return [picture for one in items for picture in source.read(one, None)]


def test_as_many_as_wanted_are_drawn_each_with_a_name_of_its_own(font_dir):
    pictures = pictures_of(font_dir, count=300, task=WORDS)

    assert [picture.name for picture in pictures] == [f"synthetic-{i:06d}" for i in range(300)]
    assert len({picture.digest for picture in pictures}) > 290
    assert all(len(picture.examples) == 1 and picture.examples[0].texts[0] for picture in pictures)


@pytest.mark.parametrize("task", [WORDS, PAGES])
@pytest.mark.parametrize("degrade", [False, True])
def test_picture_depends_on_seed_and_number_alone(font_dir, task, degrade):
    options = {"count": 3, "task": task, "degrade": degrade, "dpi": 72}
    together = pictures_of(font_dir, **options)

    alone = pictures_of(font_dir, SourceItem("synthetic", None, (2, 3)), **options)[0]
    other = pictures_of(font_dir, SourceItem("synthetic", None, (2, 3)), seed=2, **options)[0]

    assert alone.digest == together[2].digest and alone.examples[0].texts == together[2].examples[0].texts
    assert other.digest != alone.digest


def test_pages_have_words_with_places(font_dir):
    [picture] = pictures_of(font_dir, count=1, dpi=100)
    [page] = picture.examples
    assert decode_image(page.data).pixels.shape == (page.height_px, page.width_px)
    assert len(page.quads) == len(page.texts) > 3
    assert (page.quads >= 0).all() and (page.quads <= [page.width_px, page.height_px]).all()


def test_count_and_fonts_are_needed(font_dir, tmp_path):
    with pytest.raises(UsageError, match="--count"):
        pictures_of(font_dir)
    with pytest.raises(UsageError, match="none usable"):
        pictures_of(tmp_path, count=1)
