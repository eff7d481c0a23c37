"""Fits word boxes to the ink of a leveled page.

The detector sees a page at half its size in cells of four pixels, so that it sometimes puts the end of a word inside
its last letter or inside the first letter of its neighbor. The page itself shows where words end: at columns without
ink. Here each column of ink is assigned to one word only, two boxes of one word are joined, and a box over two words is
split.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocr_models.geometry import run_boxes
from ocr_models.pages.groups import cheapest, group_medians
from ocr_models.pages.layout import chains, word_successors

# Lengths are in heights of the box, which is about one em. All thresholds were chosen on the evaluation pages of
# ``docs/model_card.md``.
_REACH = 0.45  # largest distance between the detector's edge and the end of the word
_BEYOND = 0.2  # white is searched this much further, to measure its width
_BAND = (0.06, 0.84)  # rows that are examined: without neighbors above and underlines below
_LETTER_GAP = 0.15  # white up to this width is inside a word, such as before a period
_JOINED_GAP = 0.10  # two boxes with less white than this between them are one word ...
_JOINED_SHARE = 0.5  # ... or with less than this share of the usual gap between words of their line ...
_JOINED_BOXES = 0.25  # ... if the distance of the boxes is smaller than this
_PARTED_GAP = 0.17  # white of at least this width may separate two words in one box ...
_PARTED_SHARE = 0.7  # ... if it has at least this share of the usual gap between words of its line ...
_PARTED_LETTERS = 3.0  # ... and at least this multiple of the usual gap between letters of the box
_SHORTEST_PAIR = 0.7  # a narrower box doesn't hold two words
_FIGURE, _FIGURE_GAP = 0.65, 0.25  # two pieces so narrow, with so little white between them, are figures of a number
_PARTED_ALONE = 0.5  # width of white that separates words on a line without other gaps
_LINE_GAPS = 3  # if a line has fewer gaps, the usual gap of the page stands in for the missing ones
_PAGE_GAPS = 5  # a page with fewer gaps has no usual gap
_EVENED_NEIGHBORS = 3  # neighbors on each side of a word that are compared with it
_EVENED_SHARE = 0.12  # tops and bottoms that differ by less are evened out
_CONTRAST = 0.25  # share of the band's range by which ink differs from paper
_MIN_RANGE = 24  # gray levels; in a band with a smaller range, ink can't be told from paper
_PAPER_SAMPLES = 64  # pixels above a word, and as many below, whose median is the gray of its paper


@dataclass(frozen=True)
class _Gaps:
    """G white gaps in and around words, ordered by word and from left to right.

    Attributes:
        words: int (G,), the words in whose bands the gaps are, in ascending order.
        starts, stops: int (G,), columns in pixels of the page.
    """

    words: np.ndarray
    starts: np.ndarray
    stops: np.ndarray

    @property
    def widths(self) -> np.ndarray:
        return self.stops - self.starts


def fit_words(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Fits word boxes to the ink.

    Args:
        image: uint8 (H, W), gray, leveled.
        boxes: (N, 4) xmin, ymin, xmax, ymax in pixels.

    Returns:
        Boxes (M, 4), float32; fewer than N if boxes were joined, more if boxes were split. Edges without a suitable gap
        stay where they are.
    """
    if not len(boxes):
        return np.zeros((0, 4), np.float32)
    lines = chains(word_successors(boxes))
    boxes = np.asarray(boxes, np.float64)[
        np.concatenate(lines)
    ]  # from here on in the order of lines, each from left to right
    line = np.repeat(np.arange(len(lines)), [len(words) for words in lines])
    followed = np.append(line[1:] == line[:-1], False)
    smooth = cv2.blur(image, (3, 3))  # a speck of noise isn't ink
    fitted, gap_after = _fit_edges(smooth, boxes, followed)
    usual, seen = _usual_gaps(gap_after, line)

    touching = followed & (np.roll(boxes[:, 0], -1) - boxes[:, 2] < _JOINED_BOXES * _heights(boxes))
    narrow = (seen >= _LINE_GAPS) & (gap_after < _JOINED_SHARE * usual)
    joined = touching & (np.isnan(gap_after) | narrow)  # each to the next one
    first = np.flatnonzero(np.append(True, ~joined[:-1]))
    words = _even_out(run_boxes(fitted, first), line[first])
    return _part(smooth, words, np.maximum(_PARTED_GAP, _PARTED_SHARE * usual[first]))


def _heights(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(1.0, boxes[:, 3] - boxes[:, 1])


def _white_gaps(image: np.ndarray, boxes: np.ndarray, left: np.ndarray, right: np.ndarray) -> _Gaps:
    """The runs of columns without ink in the bands of words, each searched from ``left`` to ``right``, both (N,)."""
    rows, columns = image.shape
    top, height = boxes[:, 1], _heights(boxes)
    x0, x1 = np.clip([left, np.ceil(right)], 0, columns).astype(int)
    y0, y1 = np.clip([top + _BAND[0] * height, top + _BAND[1] * height + 1], 0, rows).astype(int)
    papers = _paper(image, boxes, x0, x1)

    # The columns of all windows in a row, separated by columns that aren't white.
    stops = np.cumsum(np.maximum(x1 - x0, 0) + 1)
    window_starts = np.append(1, stops[:-1] + 1)
    white = np.zeros(stops[-1] + 1, bool)
    windows = zip(*(a.tolist() for a in (window_starts, stops, x0, x1, y0, y1, papers)), strict=True)
    for start, stop, left, right, upper, lower, paper in windows:
        white[start:stop] = white_columns(image[upper:lower, left:right], paper)
    steps = np.flatnonzero(white[1:] != white[:-1]) + 1
    words = np.searchsorted(window_starts, steps[::2], side="right") - 1
    to_page = x0[words] - window_starts[words]
    return _Gaps(words, steps[::2] + to_page, steps[1::2] + to_page)


def _paper(image: np.ndarray, boxes: np.ndarray, x0: np.ndarray, x1: np.ndarray) -> np.ndarray:
    """The gray (N,) of the paper around words: the median of pixels above and below them."""
    rows, columns = image.shape
    x = np.clip(np.linspace(x0, x1 - 1, _PAPER_SAMPLES, axis=1), 0, columns - 1).astype(int)
    y = np.clip(boxes[:, [1, 3]], 0, rows - 1).astype(int)
    return np.median(np.hstack([image[y[:, :1], x], image[y[:, 1:], x]]), axis=1)


def white_columns(band: np.ndarray, paper: float) -> np.ndarray:
    """Bool (W,): columns of a band of text without ink, be it darker or lighter than paper; none if contrast is low."""
    if min(band.shape) >= 3:
        low, high, _, _ = cv2.minMaxLoc(band)
        reach = _CONTRAST * (high - low)
        if high - low >= _MIN_RANGE:
            if 2 * paper >= low + high:
                return np.minimum.reduce(band, axis=0) >= paper - reach
            return np.maximum.reduce(band, axis=0) <= paper + reach
    return np.zeros(band.shape[1], bool)


def _fit_edges(image: np.ndarray, boxes: np.ndarray, followed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes with edges moved to gaps, and the gap (N,) after each word in heights, NaN if there is none."""
    fitted, gap_after = boxes.copy(), np.full(len(boxes), np.nan)
    reach = (_REACH + _BEYOND) * _heights(boxes)  # how far gaps are searched

    opening = np.flatnonzero(~np.roll(followed, 1))  # the first words of lines
    first = boxes[opening]
    gaps = _white_gaps(image, first, first[:, 0] - reach[opening], first[:, 2])
    chosen = cheapest(_edge_costs(gaps, gaps.stops, first, 0), gaps.words, len(first))
    fitted[opening[chosen >= 0], 0] = gaps.stops[chosen[chosen >= 0]]

    gaps = _white_gaps(image, boxes, boxes[:, 0], np.where(followed, np.roll(boxes[:, 2], -1), boxes[:, 2] + reach))
    costs = np.where(followed[gaps.words], _border_costs(gaps, boxes), _edge_costs(gaps, gaps.starts, boxes, 2))
    chosen = cheapest(costs, gaps.words, len(boxes))
    ending, between = np.flatnonzero(chosen >= 0), np.flatnonzero((chosen >= 0) & followed)
    fitted[ending, 2] = gaps.starts[chosen[ending]]
    fitted[between + 1, 0] = gaps.stops[chosen[between]]
    gap_after[between] = gaps.widths[chosen[between]] / _heights(boxes)[between]
    return fitted, gap_after


def _edge_costs(gaps: _Gaps, ends: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """Costs (G,) of ending a word without a neighbor on this side at each gap: the distance to the detector's edge."""
    box = boxes[gaps.words]
    height, edge, middle = _heights(box), box[:, side], (box[:, 0] + box[:, 2]) / 2
    distance = np.abs(ends - edge)
    allowed = (gaps.widths > _LETTER_GAP * height) & (distance <= _REACH * height)
    allowed &= (ends >= middle) if side == 2 else (ends <= middle)
    return np.where(allowed, distance, np.inf)


def _border_costs(gaps: _Gaps, boxes: np.ndarray) -> np.ndarray:
    """Costs (G,) of separating a word from the next at each gap; wide gaps near the detector's border cost least."""
    box, following = boxes[gaps.words], np.roll(boxes, -1, axis=0)[gaps.words]
    height, middle = _heights(box), (gaps.starts + gaps.stops) / 2
    border = (box[:, 2] + following[:, 0]) / 2
    distance = np.abs(middle - border)
    allowed = distance <= np.maximum(_REACH * height, (following[:, 0] - box[:, 2]) / 2 + 0.3 * height)
    allowed &= ((box[:, 0] + box[:, 2]) / 2 <= middle) & (middle <= (following[:, 0] + following[:, 2]) / 2)
    allowed &= gaps.widths >= _JOINED_GAP * height
    return np.where(allowed, distance - np.minimum(gaps.widths, 0.5 * height), np.inf)


def _usual_gaps(gap_after: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each word, the usual gap between words of its line, in heights, and the number of gaps it is based on."""
    found = ~np.isnan(gap_after)
    gaps, lines = gap_after[found], line[found]
    seen = np.bincount(lines, minlength=line[-1] + 1)
    if len(gaps) >= _PAGE_GAPS:
        lacking = np.maximum(0, _LINE_GAPS - seen)
        gaps = np.append(gaps, np.full(lacking.sum(), np.median(gaps)))
        lines = np.append(lines, np.repeat(np.arange(len(seen)), lacking))
        seen += lacking
    usual = group_medians(gaps, lines, len(seen))
    return np.where(seen, usual, _PARTED_ALONE / _PARTED_SHARE)[line], seen[line]


def _even_out(boxes: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Replaces tops and bottoms of words by the medians of their neighbors on the line that are of the same size.

    The detector's tops and bottoms vary by a pixel or two, and the recognizer tells capitals by their height.
    """
    everyone = np.arange(len(boxes))
    near = everyone[:, None] + np.arange(-_EVENED_NEIGHBORS, _EVENED_NEIGHBORS + 1)
    on_page = near.clip(0, len(boxes) - 1)
    off = np.abs(boxes[on_page][:, :, [1, 3]] - boxes[:, None, [1, 3]]).max(axis=2)
    alike = (near == on_page) & (line[on_page] == line[:, None]) & (off < _EVENED_SHARE * _heights(boxes)[:, None])
    alike &= (np.bincount(line)[line] >= 3)[:, None] | (near == everyone[:, None])  # two words are too few
    words, _ = np.nonzero(alike)
    evened = boxes.copy()
    for side in (1, 3):
        evened[:, side] = group_medians(boxes[on_page[alike], side], words, len(boxes))
    return evened


def _part(image: np.ndarray, boxes: np.ndarray, part_from: np.ndarray) -> np.ndarray:
    """The boxes, float32, split at white gaps that are as wide as those between words; ``part_from`` is in heights."""
    heights = _heights(boxes)
    gaps = _white_gaps(image, boxes, boxes[:, 0], boxes[:, 2])
    inner = (gaps.starts > boxes[gaps.words, 0] + 1) & (gaps.stops < boxes[gaps.words, 2] - 1)
    several = np.bincount(gaps.words[inner], minlength=len(boxes)) > 2
    letters = np.where(several, group_medians(gaps.widths[inner], gaps.words[inner], len(boxes)), 0.0)
    wide = inner & (gaps.widths >= np.maximum(part_from * heights, _PARTED_LETTERS * letters)[gaps.words])
    wide &= (boxes[:, 2] - boxes[:, 0] >= _SHORTEST_PAIR * heights)[gaps.words]
    wide[wide] = ~_beside_figures(gaps, boxes, wide)
    words, everyone = gaps.words[wide], np.arange(len(boxes))
    # The sorts are stable: the left edge of a word comes before its gaps, its right edge after them.
    by_start = np.argsort(np.append(everyone, words), kind="stable")
    by_stop = np.argsort(np.append(words, everyone), kind="stable")
    parts = boxes[np.append(everyone, words)[by_start]].astype(np.float32)
    parts[:, 0] = np.append(boxes[:, 0], gaps.stops[wide])[by_start]
    parts[:, 2] = np.append(gaps.starts[wide], boxes[:, 2])[by_stop]
    return parts


def _beside_figures(gaps: _Gaps, boxes: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Which of the ``wide`` gaps are rather those of a narrow figure, such as 1, which has white on both sides."""
    words, starts, stops = gaps.words[wide], gaps.starts[wide], gaps.stops[wide]
    same = words[1:] == words[:-1]
    before = starts - np.where(np.append(False, same), np.append(0, stops[:-1]), boxes[words, 0])
    after = np.where(np.append(same, False), np.append(starts[1:], 0), boxes[words, 2]) - stops
    widths = np.stack([before, after, stops - starts]) / _heights(boxes)[words]
    return (widths < np.array([[_FIGURE], [_FIGURE], [_FIGURE_GAP]])).all(axis=0)
