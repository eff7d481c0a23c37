"""Endless pieces of lines to train a recognizer, cut from degraded PDF pages by the page reader's own geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ocr_models.charset import Charset
from ocr_models.data.augmentation import degrade_page, degrade_word
from ocr_models.data.synthetic.fonts import load_fonts
from ocr_models.data.synthetic.lines import MAX_WORDS, render_lines
from ocr_models.data.synthetic.text_source import TextSource
from ocr_models.geometry import quad_angles, quad_boxes, transform_quads
from ocr_models.pages.box_refinement import fit_words
from ocr_models.pages.line_pieces import cut_pieces, line_pieces, piece_quads
from ocr_models.pages.word_crops import LEVEL_WORD_RAD, level_page, page_skew
from ocr_models.records import PageTruth, WordTruth

_LINES_A_PAGE = 40
_DEGRADED_PAGES = 0.6  # the share of pages that are degraded as a whole; lines of others are, each in its own way
_WHOLE = 0.6  # the share of pieces that are taken whole; of the others, a few words in a row
_MISSED = 0.01  # the share of words that a detector misses
# Standard deviations of a detector's edges in heights of a word, and of the heights that it sees all over a page.
_JITTER_X, _JITTER_Y, _JITTER_HEIGHT = 0.10, 0.04, 0.03
_OVER_END = 0.2  # heights; a word that reaches farther over an end of a piece is cut by it
_SEEN_SPACE = 0.08  # heights; in a narrower gap, no space is seen, though the text has one
_MIN_SIDE_PX = 8


def pdf_lines(
    draw_page: Callable[[], PageTruth], charset: Charset, rng: np.random.Generator, validation: bool = False
) -> Iterator[WordTruth]:
    """Yields pieces of lines of PDF pages with their words joined by single spaces.

    Args:
        draw_page: draws a clean page.
        charset: pieces with other characters are left out.
        rng: the source of every random choice.
        validation: whether pages are always degraded as a whole, and pieces always whole, as in reading.
    """
    while True:
        truth = draw_page()
        is_degraded = validation or rng.random() < _DEGRADED_PAGES
        image, quads = degrade_page(truth.image, truth.quads, rng) if is_degraded else (truth.image, truth.quads)
        found = _lines_of(PageTruth(image, quads, truth.texts, truth.ignore), charset, rng, validation)
        kept = rng.permutation(len(found))[:_LINES_A_PAGE]
        for crop, text in (found[i] for i in kept):
            yield WordTruth(crop if is_degraded else degrade_word(crop, rng), text)


def synthetic_lines(
    fonts: list[str], lexicons: list[str], charset: Charset, rng: np.random.Generator
) -> Iterator[WordTruth]:
    """Yields lines drawn with fonts, degraded."""
    text_source, library = TextSource(lexicons, charset.characters), load_fonts(fonts)
    while True:
        for line in render_lines(text_source, library, rng, 64):
            if line.text in charset and min(line.image.shape) >= _MIN_SIDE_PX:
                yield line


def _lines_of(
    page: PageTruth, charset: Charset, rng: np.random.Generator, whole: bool = False
) -> list[tuple[np.ndarray, str]]:
    """The usable pieces of a page's lines: what the page reader would cut, with the words that it shows."""
    image, level = level_page(page.image, page_skew(page.quads[~page.ignore]))
    quads = transform_quads(level, page.quads)
    boxes = quad_boxes(quads)
    is_word = ~page.ignore & (np.abs(quad_angles(quads)) < LEVEL_WORD_RAD)
    found = fit_words(image, _as_detected(boxes[is_word], rng))
    pieces = line_pieces(found)
    if not whole:
        pieces = [_some_words(piece, rng) for piece in pieces]
    places = piece_quads(found, pieces)
    texts = [_text_of(place, boxes, page.texts, is_word) for place in places]
    usable = [i for i, text in enumerate(texts) if text and text in charset]
    crops = cut_pieces(image, places[usable])
    pairs = zip(crops, (texts[i] for i in usable), strict=True)
    return [(crop.copy(), text) for crop, text in pairs if min(crop.shape) >= _MIN_SIDE_PX]


def _as_detected(boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes (N, 4) with a detector's errors; some are missing."""
    seen = boxes[rng.random(len(boxes)) >= _MISSED]
    heights = seen[:, 3:] - seen[:, 1:2]
    off = rng.normal(0, 1, seen.shape) * (_JITTER_X, _JITTER_Y, _JITTER_X, _JITTER_Y)
    off[:, 1::2] += rng.normal(0, _JITTER_HEIGHT) * np.array([-1, 1])
    jittered = seen + off * heights
    jittered[:, 2] = np.maximum(jittered[:, 2], jittered[:, 0] + 2)
    return jittered


def _some_words(piece: list[int], rng: np.random.Generator) -> list[int]:
    """A piece as it is, or some words of it in a row."""
    if rng.random() < _WHOLE:
        return piece
    count = 1 + int(rng.random() * min(MAX_WORDS, len(piece)))
    start = int(rng.random() * (len(piece) - count + 1))
    return piece[start : start + count]


def _text_of(place: np.ndarray, boxes: np.ndarray, texts: tuple[str, ...], is_word: np.ndarray) -> str:
    """The words, boxes (N, 4), that a piece at ``place`` (4, 2) shows; "" if it doesn't show them whole or alone."""
    left, right = place[0, 0], place[1, 0]
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    height = place[3, 1] - place[0, 1]
    share = np.clip((x - left) / max(1.0, right - left), 0, 1)
    middle = (place[0, 1] + place[3, 1]) / 2 + share * (place[1, 1] - place[0, 1])
    margin = _OVER_END * height
    touches = (boxes[:, 2] > left - margin / 2) & (boxes[:, 0] < right + margin / 2)
    touches &= (boxes[:, 1] < middle + 0.35 * height) & (boxes[:, 3] > middle - 0.35 * height)
    words = np.flatnonzero(touches)
    words = words[np.argsort(x[words], kind="stable")]
    if not len(words) or not is_word[words].all():
        return ""
    x0, x1 = boxes[words, 0], boxes[words, 2]
    is_whole = x0[0] > left - margin and x1.max() < right + margin and x0[0] < left + margin and x1[-1] > right - margin
    on_line = np.abs(y[words] - middle[words]) < 0.25 * height
    apart = x0[1:] - np.maximum.accumulate(x1)[:-1] >= _SEEN_SPACE * height
    return " ".join(texts[i] for i in words) if is_whole and on_line.all() and apart.all() else ""
