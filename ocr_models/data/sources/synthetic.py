"""Any number of pages and words drawn with fonts. Each depends only on the seed and its number."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ocr_models.charset import LATIN
from ocr_models.data.augmentation import degrade_page
from ocr_models.data.sources.labels import label_crop, label_pixels
from ocr_models.data.sources.pictures import encode_picture
from ocr_models.data.sources.source import Files, LabelledPicture, RejectedPicture, SourceItem
from ocr_models.data.synthetic.fonts import FontLibrary, load_fonts
from ocr_models.data.synthetic.pages import render_page
from ocr_models.data.synthetic.text_source import TextSource
from ocr_models.data.synthetic.words import render_words
from ocr_models.errors import UsageError
from ocr_models.records import PageTruth, Task, WordTruth

_PAGES_PER_ITEM, _WORDS_PER_ITEM = 8, 256
_PAGE_CHARACTERS = "".join(chr(code) for code in range(33, 127))
_LETTERS = frozenset(LATIN)
_MIN_SIDE_PX, _MAX_ASPECT = 4, 18  # of a crop: smaller ones, and ones wider than this many heights, aren't usable words


@dataclass(frozen=True)
class SyntheticSource:
    """Drawn pages (detection) or words (recognition): "synthetic-000123" is the same in every run.

    Attributes:
        count: the number of pages or words.
        task: detection or recognition.
        fonts: folders of fonts, present on every machine that draws.
        lexicons: files with one word per line; without them, pseudo-words are made.
        degrade: whether they are made to look printed, scanned, faxed or photographed.
        dpi: of pages. Words are as large as on pages of 200 dpi.
        seed: determines the text and the looks of all pages and words.
    """

    count: int
    task: Task = Task.DETECTION
    fonts: tuple[str, ...] = field(default=())
    lexicons: tuple[str, ...] = field(default=())
    degrade: bool = False
    dpi: float = 200
    seed: int = 1
    format = "synthetic"

    def items(self, files: Files) -> Iterator[SourceItem]:
        if self.count < 1:
            raise UsageError(f"{self.count} synthetic pictures; give --count N")
        _load(self.fonts, self.lexicons, LATIN)
        step = _WORDS_PER_ITEM if self.task == Task.RECOGNITION else _PAGES_PER_ITEM
        for start in range(0, self.count, step):
            stop = min(start + step, self.count)
            yield SourceItem(f"synthetic#{start:06d}-{stop - 1:06d}", None, (start, stop))

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        for index in range(*item.labels):
            name, rng = f"synthetic-{index:06d}", np.random.default_rng([self.seed, index])
            if self.task == Task.RECOGNITION:
                word = self._draw_word(rng)
                yield label_crop(name, encode_picture(word.image), word.text)
            else:
                yield label_pixels(name, self._draw_page(rng), self.task)

    def _draw_word(self, rng: np.random.Generator) -> WordTruth:
        text_source, fonts = _load(self.fonts, self.lexicons, LATIN)
        while True:
            word = render_words(text_source, fonts, rng, 1, self.degrade)[0]
            height, width = word.image.shape
            if min(height, width) >= _MIN_SIDE_PX and width < _MAX_ASPECT * height and _LETTERS.issuperset(word.text):
                return word

    def _draw_page(self, rng: np.random.Generator) -> PageTruth:
        text_source, fonts = _load(self.fonts, self.lexicons, _PAGE_CHARACTERS)
        truth = render_page(text_source, fonts, rng, round(self.dpi))
        if not self.degrade:
            return truth
        image, quads = degrade_page(truth.image, truth.quads, rng)
        return PageTruth(image, quads, truth.texts, truth.ignore)


@functools.lru_cache(2)
def _load(fonts: tuple[str, ...], lexicons: tuple[str, ...], characters: str) -> tuple[TextSource, FontLibrary]:
    """Loads once per process, since it takes seconds. Raises UsageError if a folder or lexicon can't be used."""
    return TextSource([Path(lexicon) for lexicon in lexicons], characters), load_fonts(fonts)
