"""Text that stands at right angles to the rest of its page: notes on a margin, stamps, labels of axes.

The detector sees such text as a stack of small boxes, one for each letter, in which nothing certain is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ocr_models.geometry import compose_affines, invert_affine, quad_boxes, run_boxes, transform_quads
from ocr_models.pages.found_page import FoundPage, ReadPage
from ocr_models.pages.layout import chains, order_words, word_successors
from ocr_models.pages.readings import SURE, certain_characters, own_confidence
from ocr_models.records import Transcript

_LEAST_STACK = 4  # boxes; fewer may be any marks or noise
_LEAST_DOUBT = 0.5  # share of boxes of a stack in which nothing certain is read; keys and numbers are listed one by one
_STACK_RATIO = 3.0  # height to width of a stack
_LEAST_CHARACTERS, _MORE_CHARACTERS = 4, 1.5  # certain ones in a turned line, and in comparison to what it replaces


def turned_strips(page: FoundPage, transcripts: Sequence[Transcript]) -> np.ndarray:
    """The vertical strips of a page that may hold turned text: float64 (S, 2), xmin and xmax in pixels of its image."""
    few = [i for i, t in enumerate(transcripts) if own_confidence(t) < SURE or len(t.text) < 2]
    boxes = quad_boxes(page.quads[few])
    doubtful = np.array([own_confidence(transcripts[i]) < SURE for i in few], bool)
    stacks = chains(word_successors(boxes[:, [1, 0, 3, 2]])) if len(few) else []  # as lines of the page on its side
    stacks = [stack for stack in stacks if len(stack) >= _LEAST_STACK and doubtful[stack].mean() > _LEAST_DOUBT]
    if not stacks:
        return np.zeros((0, 2))
    starts = np.cumsum([0, *(len(stack) for stack in stacks[:-1])])
    x0, y0, x1, y1 = run_boxes(boxes[np.concatenate(stacks)], starts).T
    widths = x1 - x0
    return np.stack([x0 - widths, x1 + widths], axis=1)[y1 - y0 > _STACK_RATIO * widths]


def only_in_strips(turned: FoundPage, page: FoundPage, strips: np.ndarray) -> FoundPage:
    """What was found on a page in another turn and stands in the ``strips`` of the page."""
    to_page = compose_affines(invert_affine(page.to_given), turned.to_given)

    def inside(quads: np.ndarray) -> np.ndarray:
        x = transform_quads(to_page, quads).mean(axis=1)[:, :1]
        return quads[((x > strips[:, 0]) & (x < strips[:, 1])).any(axis=1)]

    return replace(turned, quads=inside(turned.quads), headlines=inside(turned.headlines))


def take_turned_lines(read: ReadPage, turned: Sequence[ReadPage]) -> list[ReadPage]:
    """Takes the lines of a page in other turns that say far more than what was read in their place.

    Returns:
        The page without what they replace, and for each other turn the page with these lines alone.
    """
    page, transcripts = read
    centers = page.quads.mean(axis=1)
    kept, taken = np.ones(len(centers), bool), [np.zeros(len(of), bool) for _, of in turned]
    lines = [(_count(of, line), i, line) for i, (found, of) in enumerate(turned) for line in _lines(found)]
    places: list[np.ndarray] = []  # boxes of the lines that were taken
    for count, i, line in sorted(lines, key=lambda line: -line[0]):
        found = turned[i][0]
        to_page = compose_affines(invert_affine(page.to_given), found.to_given)
        words = quad_boxes(transform_quads(to_page, found.quads[line]))
        ((x0, y0, x1, y1),) = run_boxes(words, np.zeros(1, int))
        inside = kept & ((centers > [x0, y0]) & (centers < [x1, y1])).all(axis=1)
        least = max(_LEAST_CHARACTERS, _MORE_CHARACTERS * _count(transcripts, np.flatnonzero(inside).tolist()))
        if count >= least and not any(x0 < b[2] and x1 > b[0] and y0 < b[3] and y1 > b[1] for b in places):
            places.append(np.array([x0, y0, x1, y1]))
            taken[i][line] = True
            kept &= ~inside
    return [_select(read, kept), *(_select(of, lines) for of, lines in zip(turned, taken, strict=True) if lines.any())]


def _lines(page: FoundPage) -> list[list[int]]:
    return order_words(quad_boxes(page.quads)).lines


def _count(transcripts: Sequence[Transcript], words: Sequence[int]) -> int:
    return sum(certain_characters(transcripts[i]) for i in words)


def _select(read: ReadPage, words: np.ndarray) -> ReadPage:
    page, transcripts = read
    return replace(page, quads=page.quads[words]), [t for t, is_kept in zip(transcripts, words, strict=True) if is_kept]
